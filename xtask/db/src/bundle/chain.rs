//! Streams that build on each other: on which snapshot a new stream can build, and which bundles a kept one needs.
//!
//! All of it is known from the records beside bundles in one folder. A stream counts only if every stream that it builds on,
//! down to a full one, is there too.

use std::collections::BTreeSet;
use std::fmt;

use crate::bundle::manifest::Parent;
use crate::bundle::record::{Record, Sent};
use crate::bundle::snapshots::name::Name;

/// What the next stream of a volume builds on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    /// An earlier snapshot, which was sent and is there.
    On(Parent),
    /// Nothing: it is sent in full.
    Nothing(Why),
}

/// Why a stream is sent in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// No bundle in the folder has a stream of it.
    First,
    /// Its command sends nothing else.
    Always,
    /// The snapshots that were sent are gone.
    Gone(String),
    /// A bundle that the last stream builds on is gone.
    Broken(String),
    /// So many streams build on the last full one, itself counted, as is configured.
    Enough(usize),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("no bundle in the folder has an earlier stream"),
            Self::Always => f.write_str("its `send` has no `{parent}`"),
            Self::Gone(snapshot) => {
                write!(f, "the snapshot that was sent last, {snapshot}, is gone")
            }
            Self::Broken(bundle) => write!(f, "{bundle}, which the last stream builds on, is gone"),
            Self::Enough(n) => {
                write!(f, "{n} streams were sent since the last full one, itself counted")
            }
        }
    }
}

/// The bundles of one folder that were created in one place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bundles<'a>(pub(crate) &'a [Record]);

impl<'a> Bundles<'a> {
    /// On which of the snapshots that are there the next stream of a volume builds: on the one that was sent last.
    #[must_use]
    pub(crate) fn base(self, volume: &str, there: &[Name], full_every: u32) -> Base {
        let mut sent: Vec<_> = self.sent(volume).collect();
        sent.sort_by_key(|(_, sent)| std::cmp::Reverse(Name::parse(&sent.snapshot)));
        let Some((_, newest)) = sent.first() else { return Base::Nothing(Why::First) };
        let mut why = Why::Gone(newest.snapshot.clone());
        for (bundle, sent) in &sent {
            if !Name::parse(&sent.snapshot).is_some_and(|name| there.contains(&name)) {
                continue;
            }
            match self.chain(sent) {
                Ok(n) if n >= full_every as usize => return Base::Nothing(Why::Enough(n)),
                Ok(_) => {
                    let (snapshot, bundle) = (sent.snapshot.clone(), (*bundle).to_owned());
                    return Base::On(Parent { snapshot, bundle });
                }
                Err(missing) => why = Why::Broken(missing),
            }
        }
        Base::Nothing(why)
    }

    /// The bundles that a bundle needs, so that its streams can be received.
    #[must_use]
    pub(crate) fn needed_by(self, bundle: &str) -> BTreeSet<&'a str> {
        let (mut needed, mut left) = (BTreeSet::new(), self.parents(bundle));
        while let Some(bundle) = left.pop() {
            if needed.insert(bundle) {
                left.extend(self.parents(bundle));
            }
        }
        needed
    }

    fn parents(self, bundle: &str) -> Vec<&'a str> {
        let streams = self.0.iter().filter(|record| record.file == bundle).flat_map(|r| &r.streams);
        let parents = streams.filter_map(|sent| sent.parent.as_ref());
        parents.map(|parent| parent.bundle.as_str()).collect()
    }

    fn sent(self, volume: &str) -> impl Iterator<Item = (&'a str, &'a Sent)> {
        let of_record =
            |record: &'a Record| record.streams.iter().map(|sent| (&*record.file, sent));
        self.0.iter().flat_map(of_record).filter(move |(_, sent)| sent.volume == volume)
    }

    /// How many streams have to be received for one, itself counted; or the bundle that is missing.
    fn chain(self, sent: &'a Sent) -> Result<usize, String> {
        let (mut n, mut sent) = (1, sent);
        while let Some(parent) = &sent.parent {
            let is_it = |(bundle, sent): &(&str, &Sent)| {
                *bundle == parent.bundle && sent.snapshot == parent.snapshot
            };
            let found = self.sent(&sent.volume).find(is_it);
            // What a record builds on is older, or the record is nobody's work: otherwise this would not end.
            let is_older = Name::parse(&parent.snapshot) < Name::parse(&sent.snapshot);
            let Some((_, found)) = found.filter(|_| is_older) else {
                return Err(parent.bundle.clone());
            };
            (n, sent) = (n + 1, found);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::record::Decryption;

    fn snapshot(day: u32) -> String {
        format!("xtask-db_2025-09-{day:02}_142530")
    }

    fn bundle(day: u32) -> String {
        format!("app.2025-09-{day:02}_142530.tar.zst")
    }

    /// The records of bundles of some days, each with a stream that builds on that of another day.
    fn records(days: &[(u32, Option<u32>)]) -> Vec<Record> {
        let record = |&(day, parent): &(u32, Option<u32>)| Record {
            version: 1,
            file: bundle(day),
            created_at: String::new(),
            size_bytes: 1,
            blake3: String::new(),
            items: Vec::new(),
            decryption: Decryption::Plain,
            origin: None,
            streams: vec![Sent {
                volume: "v".to_owned(),
                snapshot: snapshot(day),
                parent: parent.map(|day| Parent { snapshot: snapshot(day), bundle: bundle(day) }),
            }],
        };
        days.iter().map(record).collect()
    }

    fn check(days: &[(u32, Option<u32>)], there: &[u32], expected: &Base) {
        let there: Vec<_> =
            there.iter().map(|day| Name::parse(&snapshot(*day)).expect("a name")).collect();
        let records = records(days);
        assert_eq!(Bundles(&records).base("v", &there, 3), *expected, "{days:?} {there:?}");
        assert_eq!(Bundles(&records).base("w", &there, 3), Base::Nothing(Why::First));
    }

    fn on(day: u32) -> Base {
        Base::On(Parent { snapshot: snapshot(day), bundle: bundle(day) })
    }

    #[test]
    fn a_stream_builds_on_the_newest_that_was_sent_and_is_there() {
        check(&[], &[1], &Base::Nothing(Why::First));
        check(&[(1, None)], &[1], &on(1));
        check(&[(1, None), (2, Some(1))], &[1, 2], &on(2));
        check(&[(1, None), (2, Some(1))], &[1], &on(1));
        // A snapshot that no bundle has counts for nothing.
        check(&[(1, None)], &[1, 2, 3], &on(1));
        check(&[(1, None), (2, Some(1))], &[3], &Base::Nothing(Why::Gone(snapshot(2))));
    }

    #[test]
    fn it_is_full_if_a_bundle_is_missing_or_the_chain_is_long() {
        check(&[(2, Some(1))], &[1, 2], &Base::Nothing(Why::Broken(bundle(1))));
        check(&[(3, Some(2)), (2, Some(1))], &[2, 3], &Base::Nothing(Why::Broken(bundle(1))));
        // An older one is whole.
        check(&[(1, None), (3, Some(2))], &[1, 2, 3], &on(1));
        let three = [(1, None), (2, Some(1)), (3, Some(2))];
        check(&three, &[3], &Base::Nothing(Why::Enough(3)));
        check(&[(1, None), (2, Some(1)), (3, Some(2)), (4, None)], &[3, 4], &on(4));
    }

    #[test]
    fn records_that_build_on_each_other_in_a_circle_are_broken() {
        check(&[(1, Some(2)), (2, Some(1))], &[1, 2], &Base::Nothing(Why::Broken(bundle(2))));
        check(&[(1, Some(1))], &[1], &Base::Nothing(Why::Broken(bundle(1))));
    }

    #[test]
    fn a_bundle_needs_all_that_its_streams_build_on() {
        let records = records(&[(1, None), (2, Some(1)), (3, Some(2)), (4, None)]);
        let needed = |day| {
            let bundle = bundle(day);
            Bundles(&records).needed_by(&bundle).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(needed(3), [bundle(1), bundle(2)]);
        assert_eq!((needed(1), needed(4)), (Vec::new(), Vec::new()));
    }
}
