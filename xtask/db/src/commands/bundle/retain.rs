//! Retention of bundles: after a bundle was written and proved, the configured policy removes old ones of the same project
//! in the same folder.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::bundle::chain::Bundles;
use crate::bundle::name::Name;
use crate::bundle::record::{self, Decryption, Listed, Record};
use crate::console::text;
use crate::files::publish;
use crate::host::project::Project;
use crate::host::project::policy::Policy;
use crate::host::session::Session;
use crate::retention::by_time::{self, Dated};
use crate::retention::plan::Verdict;

/// Whose bundles are removed: those that were created here.
pub(super) struct Written<'a> {
    /// The bundle that was just written.
    pub(super) path: &'a Path,
    /// Its record.
    pub(super) record: &'a Record,
}

/// Applies the configured policy; returns the names of the removed bundles.
///
/// # Errors
///
/// At the user's interrupt only: the bundle is written, so a retention that failed is a warning.
pub(super) fn prune(
    session: &mut Session,
    project: &Project,
    written: &Written<'_>,
) -> Result<Vec<String>> {
    // Bundles have no labels: a policy of labels alone says nothing about them.
    let policy = Policy { labels: Vec::new(), ..project.keep.clone() };
    if policy.is_empty() {
        return Ok(Vec::new());
    }
    let mut removed = Vec::new();
    if let Err(error) = remove_old(session, written, &policy, &mut removed) {
        session.interrupt().check()?;
        session.warn(format!("the retention of bundles ended early: {error:#}"));
    }
    Ok(removed)
}

fn remove_old(
    session: &mut Session,
    written: &Written<'_>,
    policy: &Policy,
    removed: &mut Vec<String>,
) -> Result<()> {
    let (Some(folder), Some(name)) = (written.path.parent(), Name::parse(&written.record.file))
    else {
        return Ok(());
    };
    let mut all = record::list(folder)?;
    all.retain(|one| one.name.project == name.project);
    let n_named = all.len() as u64;
    all.retain(|one| is_from(one, written.record));
    let n_others = n_named - all.len() as u64;
    if n_others > 0 {
        session.note(format!(
            "{} of the same name {} not created here: retention leaves them",
            text::count(n_others, "bundle"),
            if n_others == 1 { "was" } else { "were" }
        ));
    }
    let dated: Vec<_> = all.iter().map(|one| dated(one, written.record)).collect();
    let records: Vec<_> = all.iter().filter_map(|one| one.record.clone()).collect();
    for (name, why) in by_time::doomed(&plan(dated, Bundles(&records), policy, session.now())?) {
        session.interrupt().check()?;
        // The record goes last: alone, it is not taken for a bundle.
        publish::remove(&folder.join(&*name))?;
        publish::remove(&folder.join(format!("{name}.json")))?;
        session.note(format!("Removed bundle {name}: {why}"));
        removed.push(name.to_string());
    }
    if removed.is_empty() { Ok(()) } else { publish::sync_folder(folder) }
}

/// Plans the retention; a bundle with a stream that one in a kept bundle builds on is kept too.
fn plan(
    mut all: Vec<Dated>,
    bundles: Bundles<'_>,
    policy: &Policy,
    now: DateTime<FixedOffset>,
) -> Result<Vec<Verdict>> {
    loop {
        let plan = by_time::plan(&all, policy, now)?;
        let kept = plan.iter().filter(|verdict| verdict.keep);
        let needed: BTreeSet<_> = kept.flat_map(|kept| bundles.needed_by(&kept.name)).collect();
        let mut is_final = true;
        for verdict in plan.iter().filter(|verdict| !verdict.keep) {
            let is_it = |one: &&mut Dated| *one.name == *verdict.name;
            if needed.contains(&*verdict.name)
                && let Some(one) = all.iter_mut().find(is_it)
            {
                one.guarded = Some("a stream in a newer bundle builds on one in it");
                is_final = false;
            }
        }
        if is_final {
            return Ok(plan);
        }
    }
}

/// The records of the bundles in a folder that were created in one place, as far as they are those of their files.
///
/// # Errors
///
/// If the folder cannot be read; a missing one has none.
pub(super) fn records(folder: &Path, project: &str, origin: &str) -> Result<Vec<Record>> {
    let own = record::list(folder)?.into_iter().filter(|one| one.name.project == project);
    let records = own.filter_map(|one| one.record.filter(|r| r.size_bytes == one.size_bytes));
    Ok(records.filter(|record| record.origin.as_deref() == Some(origin)).collect())
}

/// Whether a bundle was created in the same place as another one.
fn is_from(one: &Listed, written: &Record) -> bool {
    one.record.as_ref().is_some_and(|record| record.origin == written.origin)
}

fn dated(one: &Listed, written: &Record) -> Dated {
    let name = one.name.to_string();
    let record = one.record.as_ref().filter(|record| record.size_bytes == one.size_bytes);
    let guarded = match record {
        _ if name == written.file => Some("written just now"),
        Some(_) => None,
        None => Some("its record does not match it"),
    };
    let is_good = record.is_some_and(|record| record.decryption != Decryption::NotProved);
    Dated { name, time: one.name.time, size_bytes: one.size_bytes, is_good, guarded }
}

/// What distinguishes bundles of this place from others in the same folder: a hash of the machine's name and the project's
/// root, because records can be read by anyone who gets the folder.
pub(super) fn origin(host: &str, root: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(host.as_bytes()).update(b"\0").update(root.as_os_str().as_encoded_bytes());
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(record: Option<Record>) -> Listed {
        let name = Name::parse("app.2025-09-13_142530.tar.zst.age").expect("a name");
        Listed { path: name.to_string().into(), name, size_bytes: 7, record }
    }

    fn record(decryption: Decryption) -> Record {
        Record {
            version: 1,
            file: "app.2025-09-13_142530.tar.zst.age".to_owned(),
            created_at: String::new(),
            size_bytes: 7,
            blake3: String::new(),
            items: Vec::new(),
            decryption,
            origin: Some(origin("host", Path::new("/srv/app"))),
            streams: Vec::new(),
        }
    }

    #[test]
    fn a_bundle_of_another_machine_or_folder_or_without_a_record_is_not_from_here() {
        let written = record(Decryption::Proved);
        assert!(is_from(&listed(Some(record(Decryption::NotProved))), &written));
        for other in [
            None,
            Some(Record { origin: None, ..written.clone() }),
            Some(Record {
                origin: Some(origin("other", Path::new("/srv/app"))),
                ..written.clone()
            }),
            Some(Record {
                origin: Some(origin("host", Path::new("/srv/app2"))),
                ..written.clone()
            }),
        ] {
            assert!(!is_from(&listed(other.clone()), &written), "{other:?}");
        }
    }

    #[test]
    fn what_was_proved_is_good_and_what_its_record_does_not_describe_is_guarded() {
        let written = Record { file: "other".to_owned(), ..record(Decryption::Proved) };
        for (decryption, is_good) in
            [(Decryption::Plain, true), (Decryption::Proved, true), (Decryption::NotProved, false)]
        {
            let dated = dated(&listed(Some(record(decryption))), &written);
            assert_eq!((dated.is_good, dated.guarded), (is_good, None), "{decryption:?}");
        }
        let cut = Record { size_bytes: 8, ..record(Decryption::Proved) };
        let dated = dated(&listed(Some(cut)), &written);
        assert!(!dated.is_good && dated.guarded.is_some(), "{dated:?}");
    }
}
