//! The record beside a bundle: what can be known of it without its key.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::bundle::manifest::{Item, Parent, Sender, Stream};
use crate::bundle::name::Name;

/// A record, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Of the format.
    pub version: u32,
    /// The name of the bundle.
    pub file: String,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// The size of the file.
    pub size_bytes: u64,
    /// BLAKE3 of the file.
    pub blake3: String,
    /// The names of its items.
    pub items: Vec<String>,
    /// Whether it can be decrypted.
    pub decryption: Decryption,
    /// The same for all bundles that were created on one machine in one place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The streams of snapshots in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<Sent>,
}

/// A stream, as far as later bundles have to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// The volume of the snapshot: a hash, because records can be read by anyone who gets the folder.
    pub volume: String,
    /// The name of the snapshot.
    pub snapshot: String,
    /// What it builds on; none if it is a full one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

impl Sent {
    /// The stream of an item, if it is one.
    #[must_use]
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let Stream { sender, snapshot, parent } = item.stream.clone()?;
        Some(Self { volume: volume(sender, &item.place), snapshot, parent })
    }
}

/// What distinguishes volumes in records.
#[must_use]
pub(crate) fn volume(sender: Sender, place: &str) -> String {
    let sender = match sender {
        Sender::Zfs => "zfs",
        Sender::Btrfs => "btrfs",
        Sender::Commands => "commands",
    };
    blake3::hash(format!("{sender}\0{place}").as_bytes()).to_hex().to_string()
}

/// What is known of the encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decryption {
    /// It is not encrypted.
    Plain,
    /// It was decrypted after it was written, and every item was the same.
    Proved,
    /// It is encrypted for recipients whose key was not at hand.
    NotProved,
}

impl Decryption {
    /// For people.
    #[must_use]
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Plain => "not encrypted",
            Self::Proved => "encrypted; decryption: proved",
            Self::NotProved => "encrypted; decryption: not proved",
        }
    }
}

/// A bundle in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) name: Name,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// Its record, if there is one that can be read and is this file's.
    pub(crate) record: Option<Record>,
}

/// The bundles in a folder, newest first.
///
/// # Errors
///
/// If the folder cannot be read; a missing one has none.
pub(crate) fn list(folder: &Path) -> Result<Vec<Listed>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for one in fs_err::read_dir(folder)? {
        let one = one?;
        let name = one.file_name();
        let Some(name) = name.to_str().and_then(Name::parse) else { continue };
        let meta = fs_err::symlink_metadata(one.path())?;
        if !meta.is_file() {
            continue;
        }
        let record = read(&folder.join(name.record())).ok();
        let record = record.filter(|record| record.file == name.to_string());
        found.push(Listed { name, path: one.path(), size_bytes: meta.len(), record });
    }
    found.sort_by_key(|one| (std::cmp::Reverse(one.name.time), one.name.to_string()));
    Ok(found)
}

/// Reads a record.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Record> {
    let bytes = fs_err::read(path)?;
    serde_json::from_slice(&bytes).with_context(|| format!("could not read `{}`", path.display()))
}
