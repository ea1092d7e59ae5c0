//! What a bundle contains, as its first member says it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Result, bail, ensure};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::bundle::name::Name;
use crate::bundle::snapshots::name::Name as SnapshotName;
use crate::console::refusal::Refusal;
use crate::host::project::bundle::is_name;

/// The name of the first member.
pub(crate) const FILE: &str = "manifest.json";
/// The folder of all others.
pub(crate) const ITEMS: &str = "items";
/// The newest version that is understood: the first with streams of snapshots.
pub(crate) const VERSION: u32 = 2;
/// The version of a bundle without streams, which the first programs understand too.
const VERSION_WITHOUT_STREAMS: u32 = 1;
/// How large a manifest may be.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// How many files and folders a bundle may have.
pub(crate) const MAX_ENTRIES: usize = 200_000;
/// How many items a bundle may have; as many may be left out, and as many not covered.
const MAX_ITEMS: usize = 1000;
/// How long a path may be.
const MAX_PATH_BYTES: usize = 4096;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of the format.
    pub version: u32,
    /// The name of the project.
    pub project: String,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// The name of the machine.
    pub host: String,
    /// Which program wrote it.
    pub tool: String,
    /// The commit of the worktree, if it is in a repository.
    pub commit: Option<String>,
    /// What it contains, in the order of the archive.
    pub items: Vec<Item>,
    /// Items that were left out and can be rebuilt.
    pub left_out: Vec<LeftOut>,
    /// What a bundle deliberately does not contain, in words.
    pub not_covered: Vec<String>,
}

/// An item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it was: as configured, or where the database was, without secrets.
    pub place: String,
    /// Whether it must not be in a bundle that is not encrypted.
    pub secret: bool,
    /// Of a PostgreSQL database, the version of its server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// Of a database, the number of rows of each table that could be counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
    /// Of a snapshot, what its stream is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// Its files and folders, each folder before its content.
    pub entries: Vec<Entry>,
}

/// The stream of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// What printed it, and can read it.
    pub sender: Sender,
    /// The name of the snapshot.
    pub snapshot: String,
    /// What it builds on; none if it is a full one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// What prints and reads streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sender {
    /// `zfs send` and `zfs receive`.
    Zfs,
    /// `btrfs send` and `btrfs receive`.
    Btrfs,
    /// A configured command.
    Commands,
}

/// The snapshot that a stream builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parent {
    /// Its name.
    pub snapshot: String,
    /// The bundle with its stream.
    pub bundle: String,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A verified backup of a database, and its record.
    Database,
    /// One file.
    File,
    /// A folder with all that is in it.
    Folder,
    /// The stream of a snapshot, which nothing receives unasked.
    Snapshot,
}

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its path in the item, with `/`; empty for the item itself.
    pub path: String,
    /// The permissions: nine bits.
    pub mode: u32,
    /// Seconds since 1970 at which it was changed.
    pub modified: i64,
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Content {
    /// A file.
    File {
        /// Its size.
        size_bytes: u64,
        /// BLAKE3 of its bytes.
        blake3: String,
    },
    /// A folder.
    Folder,
    /// A symbolic link to another entry of the same item.
    Link {
        /// As it is written.
        target: String,
    },
}

/// An item that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// Its name.
    pub name: String,
    /// The command that rebuilds it.
    pub rebuild: String,
}

impl Item {
    /// The path of an entry in the archive.
    #[must_use]
    pub(crate) fn member(&self, entry: &Entry) -> String {
        match entry.path.as_str() {
            "" => format!("{ITEMS}/{}", self.name),
            path => format!("{ITEMS}/{}/{path}", self.name),
        }
    }

    /// How large its files are.
    #[must_use]
    pub(crate) fn size_bytes(&self) -> u64 {
        self.entries.iter().map(Entry::size_bytes).fold(0, u64::saturating_add)
    }
}

impl Entry {
    /// The size of a file; 0 for others.
    #[must_use]
    pub(crate) fn size_bytes(&self) -> u64 {
        match self.content {
            Content::File { size_bytes, .. } => size_bytes,
            Content::Folder | Content::Link { .. } => 0,
        }
    }
}

impl Manifest {
    /// How large all files are.
    #[must_use]
    pub(crate) fn size_bytes(&self) -> u64 {
        self.items.iter().map(Item::size_bytes).fold(0, u64::saturating_add)
    }

    /// With these items, in the oldest version that has them.
    #[must_use]
    pub(crate) fn with_items(self, items: Vec<Item>) -> Self {
        let has_streams = items.iter().any(|item| item.stream.is_some());
        let version = if has_streams { VERSION } else { VERSION_WITHOUT_STREAMS };
        Self { version, items, ..self }
    }

    /// Reads one, and refuses what nothing that we wrote contains.
    ///
    /// # Errors
    ///
    /// A refusal by number if its version is newer; else what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let Ok(Versioned { version }) = serde_json::from_slice(bytes) else {
            bail!("its manifest cannot be read");
        };
        ensure!(version > 0, "its manifest has version 0, which never was");
        if version > u64::from(VERSION) {
            return Err(Refusal::could_not(
                format!("the bundle has version {version}, and this program reads up to {VERSION}"),
                "update xtask-db, or extract the bundle without it: `zstd -d | tar x`",
            ));
        }
        Counts::demand_bounded(bytes)?;
        let manifest: Self = serde_json::from_slice(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes of the first member.
    ///
    /// # Errors
    ///
    /// A refusal if no restore would accept it.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes = serde_json::to_vec_pretty(self)?;
        let checked = self.check().and_then(|()| Counts::demand_bounded(&bytes)).and_then(|()| {
            ensure!(bytes.len() as u64 <= MAX_BYTES, "its manifest is too large");
            Ok(())
        });
        checked.map_err(|error| {
            Refusal::could_not(
                format!("nothing could restore the bundle: {error:#}"),
                "change the items in `[workspace.metadata.db.bundle.items]`",
            )
        })?;
        Ok(bytes)
    }

    /// Checks what a hostile manifest could announce.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn check(&self) -> Result<()> {
        ensure!(i64::try_from(self.size_bytes()).is_ok(), "its files are too large");
        let mut names = BTreeSet::new();
        for item in &self.items {
            ensure!(is_name(&item.name), "an item has a name that is none");
            ensure!(names.insert(item.name.to_lowercase()), "two items have the same name");
            item.check()?;
        }
        Ok(())
    }
}

/// How much a manifest announces, counted before any of it is kept: a million entries of a few bytes each would need far more
/// memory than the file has bytes.
#[derive(Deserialize)]
struct Counts {
    items: Vec<ItemCounts>,
    left_out: Count,
    not_covered: Count,
}

#[derive(Deserialize)]
struct ItemCounts {
    entries: Count,
}

impl Counts {
    /// # Errors
    ///
    /// What is too much, or why it cannot be read.
    fn demand_bounded(bytes: &[u8]) -> Result<()> {
        let Self { items, left_out, not_covered } = serde_json::from_slice(bytes)?;
        let n_entries = items.iter().map(|item| item.entries.0).sum::<usize>();
        ensure!(n_entries <= MAX_ENTRIES, "it has more than {MAX_ENTRIES} files and folders");
        let largest = items.len().max(left_out.0).max(not_covered.0);
        ensure!(largest <= MAX_ITEMS, "it has more than {MAX_ITEMS} items");
        Ok(())
    }
}

/// The length of a list.
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(Counting)
    }
}

struct Counting;

impl<'de> Visitor<'de> for Counting {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Count, S::Error> {
        let mut n = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            n += 1;
        }
        Ok(Count(n))
    }
}

impl Item {
    fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for entry in &self.entries {
            let path = entry.path.as_str();
            ensure!(path.len() <= MAX_PATH_BYTES, "a path is too long");
            ensure!(path.is_empty() || is_relative(path), "a path leaves its item: {path:?}");
            // Two names that differ only in case are one file where the case does not count.
            ensure!(seen.insert(path.to_lowercase()), "a path is there twice: {path:?}");
            ensure!(entry.mode & !0o777 == 0, "{path:?} has special permissions");
            if !path.is_empty() {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                let has_parent =
                    folders.contains(parent) || self.kind == Kind::Database && parent.is_empty();
                ensure!(has_parent, "the folder of {path:?} is missing");
            }
            match &entry.content {
                Content::Folder => {
                    folders.insert(path);
                }
                Content::Link { target } => {
                    ensure!(is_inside(path, target), "a link leaves its item: {path:?}");
                }
                Content::File { blake3, .. } => {
                    let is_hash =
                        blake3.len() == 64 && blake3.bytes().all(|b| b.is_ascii_hexdigit());
                    ensure!(is_hash, "the hash of {path:?} is none");
                }
            }
        }
        self.check_kind()
    }

    fn check_kind(&self) -> Result<()> {
        let first = self.entries.first().map(|entry| (entry.path.as_str(), &entry.content));
        let is_file = self.entries.len() == 1 && matches!(first, Some(("", Content::File { .. })));
        let is_right = match self.kind {
            Kind::File => is_file,
            Kind::Snapshot => is_file && self.stream.as_ref().is_some_and(Stream::is_right),
            Kind::Folder => matches!(first, Some(("", Content::Folder))),
            Kind::Database => self.entries.len() == 2 && self.entries.iter().all(is_plain_file),
        };
        let is_right = is_right && self.stream.is_some() == (self.kind == Kind::Snapshot);
        ensure!(is_right, "the item `{}` is not what it claims", self.name);
        Ok(())
    }
}

impl Stream {
    /// Whether its names are names, and what it builds on is older than itself.
    fn is_right(&self) -> bool {
        let Some(own) = SnapshotName::parse(&self.snapshot) else { return false };
        self.parent.as_ref().is_none_or(|parent| {
            let is_older = SnapshotName::parse(&parent.snapshot).is_some_and(|name| name < own);
            is_older && Name::parse(&parent.bundle).is_some()
        })
    }
}

fn is_plain_file(entry: &Entry) -> bool {
    matches!(entry.content, Content::File { .. })
        && !entry.path.is_empty()
        && !entry.path.contains('/')
}

/// Whether a path stays below where it begins.
fn is_relative(path: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    path.split('/').all(is_part)
}

/// Whether the target of a link at a path stays in the item. It may go up only at its beginning: there, what is above it is
/// known to be folders, while a name may be another link, and `..` behind it would lead up from wherever that points.
pub(crate) fn is_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return false;
    }
    let (mut depth, mut has_name) = (path.matches('/').count(), false);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 || has_name => return false,
            ".." => depth -= 1,
            _ => has_name = true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Entry {
        let content = Content::File { size_bytes: 1, blake3: "0".repeat(64) };
        Entry { path: path.to_owned(), mode: 0o644, modified: 0, content }
    }

    fn folder(path: &str) -> Entry {
        Entry { content: Content::Folder, ..file(path) }
    }

    fn link(path: &str, target: &str) -> Entry {
        Entry { content: Content::Link { target: target.to_owned() }, ..file(path) }
    }

    fn check(entries: &[Entry], expected: &str) {
        let item = Item {
            name: "groups".to_owned(),
            kind: Kind::Folder,
            place: "groups".to_owned(),
            secret: false,
            server_version: None,
            rows: BTreeMap::new(),
            stream: None,
            entries: [&[folder("")], entries].concat(),
        };
        let said = item.check().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.starts_with(expected) && (said.is_empty() == expected.is_empty()), "{said}");
    }

    #[test]
    fn a_path_stays_in_its_item_and_is_there_once() {
        check(&[file("a"), folder("b"), file("b/c"), link("b/d", "../a")], "");
        for path in ["/a", "..", "a/../../b", "./a", "a//b", "a/", "a/."] {
            check(&[folder("a"), file(path)], "a path leaves its item");
        }
        check(&[file("a"), file("a")], "a path is there twice");
        check(&[file("a"), file("A")], "a path is there twice");
        check(&[file("b/c")], "the folder of");
        check(&[link("b", "."), file("b/c")], "the folder of");
        check(&[file("b"), file("b/c")], "the folder of");
        for target in ["/etc", "..", "b/../../c", "", "b/../c", "./b/.."] {
            check(&[link("a", target)], "a link leaves its item");
        }
        check(&[Entry { mode: 0o4755, ..file("a") }], "\"a\" has special permissions");
    }

    #[test]
    fn a_stream_is_one_file_and_builds_on_an_older_snapshot_of_a_bundle() {
        let stream = |snapshot: &str, parent: Option<(&str, &str)>| Stream {
            sender: Sender::Zfs,
            snapshot: snapshot.to_owned(),
            parent: parent.map(|(snapshot, bundle)| Parent {
                snapshot: snapshot.to_owned(),
                bundle: bundle.to_owned(),
            }),
        };
        let item = |kind, stream, entries| Item {
            name: "snapshot-jails".to_owned(),
            kind,
            place: "zroot/app".to_owned(),
            secret: true,
            server_version: None,
            rows: BTreeMap::new(),
            stream,
            entries,
        };
        let (old, new) = ("xtask-db_2025-09-12_142530", "xtask-db_2025-09-13_142530");
        let bundle = "app.2025-09-12_142530.tar.zst.age";
        let one = || vec![file("")];
        let right = [stream(new, None), stream(new, Some((old, bundle)))];
        for stream in right {
            item(Kind::Snapshot, Some(stream), one()).check().expect("right");
        }
        let wrong = [
            item(Kind::Snapshot, None, one()),
            item(Kind::File, Some(stream(new, None)), one()),
            item(Kind::Snapshot, Some(stream(new, None)), vec![folder("")]),
            item(Kind::Snapshot, Some(stream(new, None)), vec![file(""), file("a")]),
            item(Kind::Snapshot, Some(stream("daily; rm", None)), one()),
            item(Kind::Snapshot, Some(stream(new, Some((new, bundle)))), one()),
            item(Kind::Snapshot, Some(stream(old, Some((new, bundle)))), one()),
            item(Kind::Snapshot, Some(stream(new, Some((old, "../a")))), one()),
            item(Kind::Snapshot, Some(stream(new, Some(("a", bundle)))), one()),
        ];
        for item in wrong {
            assert!(item.check().is_err(), "{item:?}");
        }
    }
}
