//! Records packed away in groups. Records that are neighbours in a list resemble each other: together they
//! take less than half of what each takes by itself.
//!
//! A group is packed as soon as it has enough text, the last one when the [`Packing`] is dropped. To
//! read one record, its whole group is unpacked and kept until a record of another one is needed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};

use crate::backups::home::Home;
use crate::backups::record::Record;

/// The text of a group, at least. More would pack little better and take longer to unpack.
const GROUP_BYTES: usize = 64 << 10;

/// Packs records in order, with the first as the dictionary of all groups.
pub(crate) struct Packing {
    shared: Arc<Shared>,
    open: Arc<Group>,
    packer: Option<zstd::bulk::Compressor<'static>>,
    texts: BTreeSet<Arc<str>>,
    homes: BTreeSet<Arc<Home>>,
}

/// The place of a packed record.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    group: Arc<Group>,
    start: u32,
    n_bytes: u32,
}

/// Some consecutive records.
#[derive(Debug)]
struct Group {
    /// Distinguishes it from the others of its [`Packing`].
    number: u32,
    text: Mutex<Text>,
    shared: Arc<Shared>,
}

/// The JSON texts of a group.
#[derive(Debug)]
enum Text {
    Open(Vec<u8>),
    Packed { bytes: Box<[u8]>, n_text_bytes: usize },
}

/// The data that all groups of a [`Packing`] share.
#[derive(Debug, Default)]
struct Shared {
    dictionary: OnceLock<Box<[u8]>>,
    /// The group that was unpacked last.
    unpacked: Mutex<Option<(u32, Vec<u8>)>>,
}

impl Packing {
    /// Creates an empty packing.
    #[must_use]
    pub(crate) fn new() -> Self {
        let shared = Arc::default();
        let open = Group::open(0, &shared);
        Self { shared, open, packer: None, texts: BTreeSet::new(), homes: BTreeSet::new() }
    }

    /// Replaces a text by an equal one that is kept once for all records.
    pub(crate) fn share(&mut self, text: &mut Arc<str>) {
        if let Some(known) = self.texts.get(text) {
            *text = Arc::clone(known);
        } else {
            self.texts.insert(Arc::clone(text));
        }
    }

    /// Replaces a home by an equal one that is kept once for all records.
    pub(crate) fn share_home(&mut self, home: &mut Arc<Home>) {
        if let Some(known) = self.homes.get(home) {
            *home = Arc::clone(known);
        } else {
            self.homes.insert(Arc::clone(home));
        }
    }

    /// Packs a record.
    ///
    /// # Errors
    ///
    /// Never in practice.
    pub(crate) fn add(&mut self, record: &Record) -> Result<Packed> {
        let json = serde_json::to_vec(record)?;
        self.shared.dictionary.get_or_init(|| json.as_slice().into());
        if self.open.n_text_bytes() >= GROUP_BYTES {
            self.close()?;
            self.open = Group::open(self.open.number + 1, &self.shared);
        }
        let start = self.open.append(&json)?;
        let (start, n_bytes) = (u32::try_from(start)?, u32::try_from(json.len())?);
        Ok(Packed { group: Arc::clone(&self.open), start, n_bytes })
    }

    /// Packs the open group.
    fn close(&mut self) -> Result<()> {
        let mut text = lock(&self.open.text);
        let Text::Open(json) = &*text else { return Ok(()) };
        let packer = match &mut self.packer {
            Some(packer) => packer,
            none => {
                let dictionary = self.shared.dictionary.get().context("nothing was added")?;
                none.insert(zstd::bulk::Compressor::with_dictionary(1, dictionary)?)
            }
        };
        let bytes = packer.compress(json)?.into_boxed_slice();
        *text = Text::Packed { bytes, n_text_bytes: json.len() };
        Ok(())
    }
}

impl Drop for Packing {
    fn drop(&mut self) {
        // A group that cannot be packed stays open, and its records can be read anyway.
        let _ = self.close();
    }
}

impl Group {
    fn open(number: u32, shared: &Arc<Shared>) -> Arc<Self> {
        let text = Mutex::new(Text::Open(Vec::new()));
        Arc::new(Self { number, text, shared: Arc::clone(shared) })
    }

    fn n_text_bytes(&self) -> usize {
        match &*lock(&self.text) {
            Text::Open(json) => json.len(),
            Text::Packed { n_text_bytes, .. } => *n_text_bytes,
        }
    }

    /// Appends a text and returns its offset.
    fn append(&self, json: &[u8]) -> Result<usize> {
        match &mut *lock(&self.text) {
            Text::Open(text) => {
                let start = text.len();
                text.extend_from_slice(json);
                Ok(start)
            }
            Text::Packed { .. } => anyhow::bail!("the group is packed"),
        }
    }

    fn unpack(&self, bytes: &[u8], n_text_bytes: usize) -> Result<Vec<u8>> {
        let dictionary = self.shared.dictionary.get().context("nothing was added")?;
        let mut unpacker = zstd::bulk::Decompressor::with_dictionary(dictionary)?;
        Ok(unpacker.decompress(bytes, n_text_bytes)?)
    }
}

impl Packed {
    /// The record.
    ///
    /// # Errors
    ///
    /// Never in practice: what was packed in this process can be unpacked.
    pub(crate) fn record(&self) -> Result<Record> {
        let text = lock(&self.group.text);
        let (bytes, n_text_bytes) = match &*text {
            Text::Open(json) => return self.parse(json),
            Text::Packed { bytes, n_text_bytes } => (bytes, *n_text_bytes),
        };
        let mut unpacked = lock(&self.group.shared.unpacked);
        match &*unpacked {
            Some((number, json)) if *number == self.group.number => self.parse(json),
            _ => {
                let json = self.group.unpack(bytes, n_text_bytes)?;
                let record = self.parse(&json);
                *unpacked = Some((self.group.number, json));
                record
            }
        }
    }

    fn parse(&self, group: &[u8]) -> Result<Record> {
        let start = self.start as usize;
        let json = group.get(start..start + self.n_bytes as usize);
        Ok(serde_json::from_slice(json.context("the record is outside its group")?)?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::backups::record::proof::Proof;
    use crate::backups::record::tests::EXAMPLE;

    use super::*;

    fn record(sequence: u64) -> Record {
        let Proof::Recorded(record) = Proof::parse(EXAMPLE.as_bytes()) else {
            panic!("not a record");
        };
        Record {
            sequence,
            blake3: blake3::hash(&sequence.to_le_bytes()).to_string(),
            ..(**record).clone()
        }
    }

    #[test]
    fn packed_records_are_what_they_were_in_any_order() {
        let mut packing = Packing::new();
        let packed: Vec<Packed> =
            (0..300).map(|n| packing.add(&record(n)).expect("packed")).collect();
        assert!(packing.open.number > 1, "several groups");
        let check = |n: u64| {
            let found = packed[usize::try_from(n).expect("small")].record().expect("unpacked");
            assert_eq!(found, record(n));
        };
        // The last group is still open.
        (0..300).rev().for_each(check);
        drop(packing);
        (0..300).for_each(|n| check(n * 7 % 300));
    }

    #[test]
    fn a_packed_record_takes_a_fraction_of_its_text() {
        let mut packing = Packing::new();
        let packed: Vec<Packed> =
            (0..300).map(|n| packing.add(&record(n)).expect("packed")).collect();
        drop(packing);
        let (mut n_text_bytes, mut n_bytes, mut last) = (0, 0, None);
        for Packed { group, .. } in &packed {
            if last.replace(group.number) == Some(group.number) {
                continue;
            }
            let Text::Packed { bytes, n_text_bytes: n } = &*lock(&group.text) else {
                panic!("open")
            };
            n_text_bytes += n;
            n_bytes += bytes.len();
        }
        assert!(n_bytes * 8 < n_text_bytes, "{n_bytes} of {n_text_bytes}");
    }
}
