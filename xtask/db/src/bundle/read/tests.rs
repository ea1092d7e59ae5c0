//! Bundles that are hostile or damaged, member by member, and what they are made of.

mod hostile_frames;
mod hostile_manifests;
mod hostile_members;
mod round_trip;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use tar::Header;
use tempfile::TempDir;
use zstd::stream::write::Encoder;

use super::*;
use crate::bundle::manifest::{Kind, VERSION};
use crate::bundle::staging::Staging;
use crate::console::progress::Progress;

/// A folder with a place for a stage, and files that nobody may touch.
struct World {
    folder: TempDir,
    interrupt: Arc<Interrupt>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs_err::create_dir_all(folder.path().join("stage/new")).expect("a folder");
        fs_err::create_dir(folder.path().join("outside")).expect("a folder");
        fs_err::write(folder.path().join("outside/precious"), "precious").expect("written");
        fs_err::write(folder.path().join("bundle"), "").expect("written");
        Self { folder, interrupt: Arc::new(Interrupt::default()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn outside(&self) -> String {
        self.path("outside").display().to_string()
    }

    /// Extracts a file, as a restore does.
    fn extract(&self, bytes: &[u8]) -> Result<Manifest> {
        let path = self.path("bundle");
        fs_err::write(&path, bytes).expect("written");
        let targets: BTreeMap<_, _> = ["env", "groups", "kalito"]
            .map(|name| (name.to_owned(), self.path("stage/new").join(name)))
            .into();
        let mut progress = Progress::hidden(&self.interrupt);
        let mut staging = Staging::begin(&targets, &mut progress);
        let read = read(&path, &Keys::default(), &self.interrupt, &mut staging)?;
        staging.finish()?;
        Ok(read)
    }

    /// Extracts what must be refused, with nothing changed outside the stage.
    fn refused(&self, what: &str, bytes: &[u8], expected: &str) {
        let before = self.around();
        let error = self.extract(bytes).err().unwrap_or_else(|| panic!("{what}: accepted"));
        let is_judged = error.is::<Damage>() || error.is::<Refusal>();
        let said = format!("{error:#}");
        assert!(is_judged && said.contains(expected), "{what}: {said}");
        assert_eq!(self.around(), before, "{what}");
        fs_err::remove_dir_all(self.path("stage/new")).expect("removed");
        fs_err::create_dir(self.path("stage/new")).expect("a folder");
    }

    /// What is there beside the stage's new things, with permissions and contents.
    fn around(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut found = Vec::new();
        for folder in ["", "outside", "stage"] {
            for one in fs_err::read_dir(self.path(folder)).expect("a folder") {
                let path = one.expect("an entry").path();
                let mode = fs_err::symlink_metadata(&path).expect("there").permissions().mode();
                let is_bundle = path.ends_with("bundle");
                let bytes = fs_err::read(&path).ok().filter(|_| !is_bundle).unwrap_or_default();
                found.push((path, mode, bytes));
            }
        }
        found.sort();
        found
    }
}

fn entry(path: &str, mode: u32, content: Content) -> Entry {
    Entry { path: path.to_owned(), mode, modified: 1, content }
}

fn file(path: &str, bytes: &[u8]) -> Entry {
    let blake3 = blake3::hash(bytes).to_hex().to_string();
    entry(path, 0o644, Content::File { size_bytes: bytes.len() as u64, blake3 })
}

fn folder(path: &str) -> Entry {
    entry(path, 0o755, Content::Folder)
}

fn link(path: &str, target: &str) -> Entry {
    entry(path, 0o777, Content::Link { target: target.to_owned() })
}

fn item(name: &str, kind: Kind, entries: Vec<Entry>) -> Item {
    let (name, place) = (name.to_owned(), name.to_owned());
    let (server_version, rows, stream) = (None, BTreeMap::new(), None);
    Item { name, kind, place, secret: false, server_version, rows, stream, entries }
}

fn manifest_of(items: Vec<Item>) -> Manifest {
    Manifest {
        version: VERSION,
        project: "app".to_owned(),
        created_at: "2025-09-13T14:25:30+02:00".to_owned(),
        host: "host".to_owned(),
        tool: "0".to_owned(),
        commit: None,
        items,
        left_out: Vec::new(),
        not_covered: vec!["certificates".to_owned()],
    }
}

/// A file, and a folder with a folder, a file and a link.
fn sound() -> Manifest {
    let groups = vec![
        folder(""),
        file("a.txt", b"a"),
        folder("deep"),
        file("deep/b.txt", b"b"),
        link("link", "a.txt"),
    ];
    manifest_of(vec![
        item("env", Kind::File, vec![file("", b"A=1")]),
        item("groups", Kind::Folder, groups),
    ])
}

/// The bytes of the files of [`sound`], by their hash.
fn bytes_of(entry: &Entry) -> &'static [u8] {
    let Content::File { blake3, .. } = &entry.content else { return b"" };
    let all: [&[u8]; 4] = [b"a", b"b", b"A=1", b""];
    let is_it = |bytes: &&[u8]| blake3::hash(bytes).to_hex().as_str() == blake3;
    all.into_iter().find(is_it).unwrap_or(b"")
}

/// A member of an archive, whatever it claims.
fn member(kind: EntryType, name: &str, target: &str, mode: u32, bytes: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_link_name_literal(target).expect("a short target");
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    padded(header, bytes)
}

fn padded(mut header: Header, bytes: &[u8]) -> Vec<u8> {
    header.set_cksum();
    let padding = bytes.len().next_multiple_of(512) - bytes.len();
    [header.as_bytes(), bytes, &vec![0; padding]].concat()
}

/// The member that an entry announces.
fn honest(item: &Item, entry: &Entry) -> Vec<u8> {
    let name = item.member(entry);
    match &entry.content {
        Content::File { .. } => member(EntryType::Regular, &name, "", entry.mode, bytes_of(entry)),
        Content::Folder => member(EntryType::Directory, &format!("{name}/"), "", entry.mode, b""),
        Content::Link { target } => member(EntryType::Symlink, &name, target, entry.mode, b""),
    }
}

fn first(json: &[u8]) -> Vec<u8> {
    member(EntryType::Regular, FILE, "", 0o600, json)
}

/// All members, the manifest first.
fn members(manifest: &Manifest) -> Vec<Vec<u8>> {
    let json = serde_json::to_vec(manifest).expect("a document");
    let entries =
        manifest.items.iter().flat_map(|item| item.entries.iter().map(move |e| (item, e)));
    std::iter::once(first(&json)).chain(entries.map(|(item, entry)| honest(item, entry))).collect()
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

/// Compressed, and with the trailer that belongs to it.
fn packed(archive: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Summed::new(Vec::new()), 3).expect("an encoder");
    encoder.write_all(archive).expect("compressed");
    let (mut bytes, trailer) = encoder.finish().expect("compressed").end();
    bytes.extend(trailer);
    bytes
}

fn at(manifest: &Manifest, path: &str) -> usize {
    let all = manifest.items.iter().flat_map(|item| item.entries.iter().map(|e| item.member(e)));
    1 + all.clone().position(|found| found == path).expect("a member")
}
