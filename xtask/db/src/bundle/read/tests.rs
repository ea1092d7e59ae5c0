use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::x25519;
use tar::{EntryType, Header};
use tempfile::TempDir;
use zstd::stream::write::Encoder;

use std::io::Write as _;

use super::*;
use crate::bundle::gather::{Gathered, Gathering};
use crate::bundle::inspect;
use crate::bundle::manifest::{Kind, VERSION};
use crate::bundle::seal::Seal;
use crate::bundle::staging::Staging;
use crate::bundle::write::{self, Source};
use crate::console::progress::Progress;

/// How many zeros compress to next to nothing in what is to unpack too far.
const MANY: usize = 64 << 20;
/// How many bits are flipped.
const N_FLIPS: u64 = 1000;

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
    Item { name, kind, place, secret: false, server_version: None, rows: BTreeMap::new(), entries }
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

#[test]
fn a_sound_bundle_is_extracted_to_the_stage() {
    let world = World::new();
    let before = world.around();
    assert_eq!(world.extract(&packed(&archive(&members(&sound())))).expect("sound"), sound());
    for (path, text) in [("env", "A=1"), ("groups/deep/b.txt", "b"), ("groups/link", "a")] {
        let found = fs_err::read_to_string(world.path("stage/new").join(path));
        assert_eq!(found.expect("extracted"), text);
    }
    assert_eq!(world.around(), before);
}

/// The manifest is sound, and a member is not what it announces.
#[test]
fn a_member_that_is_something_else_is_refused() {
    use EntryType as Type;
    let world = World::new();
    let name = "items/groups/a.txt";
    let outside = world.outside();
    let precious = format!("{outside}/precious");
    let pax = |record: &str| member(Type::XHeader, name, "", 0o644, record.as_bytes());
    let global = |record: &str| member(Type::XGlobalHeader, name, "", 0o644, record.as_bytes());
    let plain = || member(Type::Regular, name, "", 0o644, b"a");
    let like = |kind| member(kind, name, "", 0o644, b"a");
    let other = |name: &str| member(Type::Regular, name, "", 0o644, b"a");
    let sparse = {
        let mut header = Header::new_gnu();
        header.set_entry_type(Type::GNUSparse);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_size(1);
        header.as_gnu_mut().expect("gnu").realsize = *b"77777777777\0";
        padded(header, b"a")
    };
    let mut announces_less = Header::new_gnu();
    announces_less.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    announces_less.set_mode(0o644);
    announces_less.set_size(u64::MAX);
    let rows = [
        ("an absolute path", other(&precious), "is missing"),
        ("a path with ..", other("items/groups/../../../outside/evil"), "is missing"),
        ("a path that begins with ..", other("../../outside/evil"), "is missing"),
        ("a path with a dot", other("items/groups/./a.txt"), "is missing"),
        ("another case", other("items/groups/A.txt"), "is missing"),
        ("a symbolic link", member(Type::Symlink, name, &precious, 0o644, b""), "another size"),
        ("a link with content", member(Type::Symlink, name, &precious, 0o644, b"a"), "is not what"),
        ("a hard link", member(Type::Link, name, &precious, 0o644, b"a"), "is not what"),
        ("a character device", like(Type::Char), "is not what"),
        ("a block device", like(Type::Block), "is not what"),
        ("a FIFO", like(Type::Fifo), "is not what"),
        ("a contiguous file", like(Type::Continuous), "is not what"),
        ("a folder", like(Type::Directory), "is not what"),
        ("an unknown kind", like(Type::new(b'Z')), "is not what"),
        ("a sparse file", sparse, "is not what"),
        ("a PAX size", [pax("10 size=9\n"), plain()].concat(), "another size"),
        ("a PAX path", [pax(&format!("99 path={precious}\n")), plain()].concat(), "another size"),
        ("any PAX header", [pax("a"), plain()].concat(), "is not what"),
        ("a global PAX header", [global("a"), plain()].concat(), "is not what"),
        ("a PAX link", [pax("16 linkpath=/etc\n"), plain()].concat(), "another size"),
        ("setuid", member(Type::Regular, name, "", 0o4644, b"a"), "other permissions"),
        ("setgid", member(Type::Regular, name, "", 0o2644, b"a"), "other permissions"),
        ("a sticky bit", member(Type::Regular, name, "", 0o1644, b"a"), "other permissions"),
        ("other bytes", member(Type::Regular, name, "", 0o644, b"b"), "other bytes"),
        ("more bytes", member(Type::Regular, name, "", 0o644, b"ab"), "another size"),
        ("a size beyond all", padded(announces_less, b"a"), "size overflow"),
        ("the member twice", [plain(), plain()].concat(), "is missing"),
        ("nothing", Vec::new(), "is missing"),
    ];
    let at = at(&sound(), name);
    for (what, hostile, expected) in rows {
        let mut members = members(&sound());
        members[at] = hostile;
        world.refused(what, &packed(&archive(&members)), expected);
    }
}

#[test]
fn a_pax_size_that_differs_from_the_header_s_does_not_move_what_follows() {
    let world = World::new();
    let name = "items/groups/a.txt";
    // By the header the file is empty, and by the extension it hides another member.
    let hidden = member(EntryType::Symlink, "items/groups/deep", &world.outside(), 0o777, b"");
    for kind in [EntryType::XHeader, EntryType::XGlobalHeader] {
        let mut members = members(&sound());
        members[at(&sound(), name)] = [
            member(kind, name, "", 0o644, b"12 size=512\n"),
            member(EntryType::Regular, name, "", 0o644, b""),
            hidden.clone(),
        ]
        .concat();
        world.refused(
            "a PAX size",
            &packed(&archive(&members)),
            "`items/groups/a.txt` has another",
        );
    }
}

#[test]
fn nothing_is_written_beneath_a_link() {
    let world = World::new();
    let outside = world.outside();
    let deep = at(&sound(), "items/groups/deep");
    let link = |name: &str| member(EntryType::Symlink, name, &outside, 0o755, b"");
    let is_no_folder = "`items/groups/deep` is not what the manifest announces";
    for (what, hostile, expected) in [
        ("a link in the folder's place", link("items/groups/deep"), is_no_folder),
        ("a link with a slash", link("items/groups/deep/"), is_no_folder),
        (
            "a link, then the folder",
            [link("items/groups/deep"), members(&sound())[deep].clone()].concat(),
            is_no_folder,
        ),
        (
            "the folder, then a link",
            [members(&sound())[deep].clone(), link("items/groups/deep")].concat(),
            "`items/groups/deep/b.txt` is missing",
        ),
    ] {
        let mut members = members(&sound());
        members[deep] = hostile;
        world.refused(what, &packed(&archive(&members)), expected);
    }
    let mut members = members(&sound());
    members[at(&sound(), "items/groups/link")] =
        member(EntryType::Symlink, "items/groups/link", &outside, 0o777, b"");
    world.refused("a link elsewhere", &packed(&archive(&members)), "points elsewhere");
}

/// The archive is what the manifest announces, and that is hostile: nothing is extracted at all.
#[test]
fn a_manifest_that_announces_hostile_things_is_refused() {
    let world = World::new();
    let precious = format!("{}/precious", world.outside());
    let with = |entries: &[Entry]| {
        let mut manifest = sound();
        manifest.items[1].entries.extend_from_slice(entries);
        manifest
    };
    let named = |name: &str| {
        let mut manifest = sound();
        manifest.items[0].name = name.to_owned();
        manifest
    };
    let special = |mode| with(&[Entry { mode, ..file("run", b"a") }]);
    let sized = |size_bytes| {
        let blake3 = "0".repeat(64);
        with(&[entry("z", 0o644, Content::File { size_bytes, blake3 })])
    };
    let leaves = "leaves its item";
    let rows = [
        ("an absolute path", with(&[file(&precious, b"a")]), leaves),
        ("a path with ..", with(&[file("deep/../../../outside/evil", b"a")]), leaves),
        ("a link outside", with(&[link("z", &precious)]), leaves),
        ("a link up", with(&[link("deep/z", "../../x")]), leaves),
        ("a link up by a link", with(&[link("deep/up", ".."), link("z", "deep/up/../x")]), leaves),
        ("a file beneath a link", with(&[link("z", "deep"), file("z/b", b"a")]), "is missing"),
        ("a link, then a folder", with(&[link("z", "deep"), folder("z")]), "there twice"),
        ("a file beneath a file", with(&[file("a.txt/z", b"a")]), "is missing"),
        ("a file twice", with(&[file("a.txt", b"a")]), "there twice"),
        ("case twins", with(&[file("A.TXT", b"a")]), "there twice"),
        ("case twins of folders", with(&[folder("DEEP")]), "there twice"),
        ("case twins beyond ASCII", with(&[file("é", b"a"), file("É", b"a")]), "there twice"),
        ("setuid", special(0o4755), "special permissions"),
        ("setgid", special(0o2755), "special permissions"),
        ("a kind in the mode", special(0o100_644), "special permissions"),
        ("an impossible size", sized(u64::MAX), "too large"),
        ("impossible sizes together", sized(i64::MAX as u64), "too large"),
        ("an item that is a path", named("../env"), "a name that is none"),
        ("an item without a name", named(""), "a name that is none"),
        ("two items of a name", named("Groups"), "the same name"),
        ("version 0", Manifest { version: 0, ..sound() }, "version 0"),
        (
            "version 2",
            Manifest { version: 2, ..sound() },
            "has version 2, and this program reads up to 1",
        ),
    ];
    for (what, manifest, expected) in rows {
        // What tar itself could not hold need not be there: the manifest is judged first.
        let is_long = |item: &Item| item.entries.iter().any(|e| item.member(e).len() > 99);
        let all = if manifest.items.iter().any(is_long) {
            vec![first(&serde_json::to_vec(&manifest).expect("a document"))]
        } else {
            members(&manifest)
        };
        world.refused(what, &packed(&archive(&all)), expected);
        let left = fs_err::read_dir(world.path("stage/new")).expect("a folder").count();
        assert_eq!(left, 0, "{what}");
    }
}

#[test]
fn a_newer_version_is_refused_by_number_whatever_its_manifest_contains() {
    let world = World::new();
    for version in ["2", "4294967296"] {
        let json = format!("{{\"version\":{version},\"things\":[]}}");
        let error = world.extract(&packed(&archive(&[first(json.as_bytes())]))).err();
        let error = error.expect("refused");
        assert!(error.is::<Refusal>() && error.to_string().contains(version), "{error:#}");
    }
}

#[test]
fn a_manifest_that_announces_a_million_things_is_refused_before_they_are_kept() {
    let world = World::new();
    let json = serde_json::to_string(&sound()).expect("a document");
    let million = vec!["1"; 1_000_000].join(",");
    for (list, expected) in [
        ("\"entries\":[", "more than 200000 files"),
        ("\"items\":[", "cannot be read"),
        ("\"not_covered\":[", "more than 1000 items"),
        ("\"left_out\":[", "more than 1000 items"),
    ] {
        let (before, after) = json.split_once(list).expect("a list");
        let more = if after.starts_with(']') { million.clone() } else { format!("{million},") };
        let json = format!("{before}{list}{more}{after}");
        let expected = if list.contains("\"items") { "invalid type" } else { expected };
        world.refused(list, &packed(&archive(&[first(json.as_bytes())])), expected);
    }
    // Items of one entry each, and more members than the manifest has.
    let items = (0..2000).map(|n| item(&format!("i{n}"), Kind::File, vec![file("", b"a")]));
    let many = manifest_of(items.collect());
    world.refused("items", &packed(&archive(&members(&many))), "more than 1000 items");
    let one = member(EntryType::Regular, "items/groups/z", "", 0o644, b"");
    let all = [members(&sound()), vec![one; 100_000]].concat();
    world.refused("members", &packed(&archive(&all)), "that its manifest does not name");
}

#[test]
fn what_unpacks_a_thousandfold_is_not_unpacked() {
    let world = World::new();
    let zeros = vec![0; MANY];
    let with = |at: usize, hostile: Vec<u8>| {
        let mut members = members(&sound());
        members[at] = hostile;
        packed(&archive(&members))
    };
    let a = at(&sound(), "items/groups/a.txt");
    let long = |kind| member(kind, "././@LongLink", "", 0o644, &zeros);
    let large = |name: &str| member(EntryType::Regular, name, "", 0o644, &zeros);
    for (what, bytes, expected) in [
        ("a file", with(a, large("items/groups/a.txt")), "another size"),
        ("a long name", with(a, long(EntryType::GNULongName)), "a name is too long"),
        ("a long target", with(a, long(EntryType::GNULongLink)), "a name is too long"),
        ("before the manifest", with(0, long(EntryType::GNULongName)), "a name is too long"),
        ("another first member", with(0, large("zeros")), "not the manifest"),
        (
            "behind the archive",
            packed(&[archive(&members(&sound())), zeros.clone()].concat()),
            "unpacks to more than it announces",
        ),
    ] {
        assert!(MANY / bytes.len() >= 1000, "{what}: {}", bytes.len());
        world.refused(what, &bytes, expected);
    }
    // The size of the manifest is looked at before its bytes.
    let mut header = Header::new_gnu();
    header.set_path(FILE).expect("a name");
    header.set_mode(0o600);
    header.set_size(MAX_BYTES + 1);
    let all = [padded(header, b""), zeros.clone()];
    world.refused("the manifest", &packed(&archive(&all)), "its manifest is too large");
}

#[test]
fn a_manifest_that_is_missing_late_doubled_or_wrong_is_refused() {
    let world = World::new();
    let all = members(&sound());
    let json = serde_json::to_vec(&sound()).expect("a document");
    let manifest_as = |kind| member(kind, FILE, "", 0o600, &json);
    let with_first = |first: Vec<u8>| [&[first][..], &all[1..]].concat();
    let but = |name: &str| {
        let mut all = all.clone();
        all.remove(at(&sound(), name));
        all
    };
    let extra = member(EntryType::Regular, "items/extra", "", 0o644, b"a");
    let linked = member(EntryType::Symlink, FILE, "items/env", 0o600, &json);
    for (what, members, expected) in [
        ("missing", all[1..].to_vec(), "not the manifest"),
        ("late", [&all[1..], &all[..1]].concat(), "not the manifest"),
        ("twice", [&all[..1], &all[..]].concat(), "is missing: `manifest.json` is in its place"),
        ("a link", with_first(linked), "not the manifest"),
        ("sparse", with_first(manifest_as(EntryType::GNUSparse)), "not the manifest"),
        ("behind PAX", [vec![manifest_as(EntryType::XHeader)], all.clone()].concat(), "not the"),
        ("no JSON", with_first(first(b"{")), "its manifest cannot be read"),
        ("another JSON", with_first(first(b"{\"version\":1}")), "missing field"),
        ("no members", Vec::new(), "ends too early"),
        ("an extra member", [&all[..], std::slice::from_ref(&extra)].concat(), "does not name"),
        ("an extra member amid", [&all[..2], &[extra], &all[2..]].concat(), "is missing"),
        ("an item is missing", but("items/env"), "`items/env` is missing"),
        ("the last is missing", but("items/groups/link"), "ends too early"),
        ("the order is another", [&all[..1], &all[2..], &all[1..2]].concat(), "is missing"),
    ] {
        world.refused(what, &packed(&archive(&members)), expected);
    }
}

#[test]
fn what_follows_a_bundle_or_is_missing_at_its_end_is_found() {
    let world = World::new();
    let tar = archive(&members(&sound()));
    let sound = packed(&tar);
    let trailer = &sound[sound.len() - 40..];
    let frame = &sound[..sound.len() - 40];
    let other = packed(&archive(&[]));
    for (what, bytes, expected) in [
        ("bytes behind the members", packed(&[&tar[..], b"more"].concat()), "follows the archive"),
        ("a second archive", packed(&[&tar[..], &tar].concat()), "follows the archive"),
        ("a byte", [&sound[..], b"\0"].concat(), "something follows its end"),
        ("a second frame", [frame, frame, trailer].concat(), "something follows its end"),
        ("a frame in front", [&other[..other.len() - 40], &sound].concat(), "ends too early"),
        ("a second bundle", [&sound[..], &sound].concat(), "something follows its end"),
        ("the trailer twice", [&sound[..], trailer].concat(), "something follows its end"),
        ("no trailer", frame.to_vec(), "its hash is not that of its bytes"),
        ("another's trailer", [frame, &other[other.len() - 40..]].concat(), "its hash is not"),
        ("nothing", Vec::new(), "damaged"),
        ("a text", b"a text that is not a bundle".to_vec(), "damaged"),
    ] {
        world.refused(what, &bytes, expected);
    }
    for n_bytes in 0..sound.len() {
        world.refused("a truncated file", &sound[..n_bytes], "damaged");
    }
}

#[test]
fn a_window_of_zstd_that_needs_much_memory_is_refused() {
    let world = World::new();
    for (log, is_accepted) in [(24, true), (25, false), (27, false), (30, false)] {
        let mut encoder = Encoder::new(Summed::new(Vec::new()), 1).expect("an encoder");
        encoder.window_log(log).expect("a window");
        encoder.write_all(&archive(&members(&sound()))).expect("compressed");
        let (bytes, trailer) = encoder.finish().expect("compressed").end();
        let bytes = [bytes, trailer].concat();
        if is_accepted {
            world.extract(&bytes).expect("a window of 16 MiB");
            fs_err::remove_dir_all(world.path("stage/new")).expect("removed");
            fs_err::create_dir(world.path("stage/new")).expect("a folder");
        } else {
            world.refused("a large window", &bytes, "damaged");
        }
    }
}

#[test]
fn the_header_of_age_cannot_ask_for_much() {
    let world = World::new();
    let line = format!("{}\n", "A".repeat(64));
    let endless = format!("age-encryption.org/v1\n-> X25519 a\n{}", line.repeat(100_000));
    let stanzas = "-> X25519 a\nAA\n".repeat(100_000);
    let many = format!("age-encryption.org/v1\n{stanzas}");
    let short = format!("age-encryption.org/v1\n{}", "-> a\n\n".repeat(100_000));
    let unbroken = format!("age-encryption.org/v1\n{}", "-".repeat(4 << 20));
    let work = |n: u32| {
        let salt = "A".repeat(22);
        let body = "A".repeat(43);
        let mac = "A".repeat(43);
        format!("age-encryption.org/v1\n-> scrypt {salt} {n}\n{body}\n--- {mac}\nnonce and payload")
    };
    let began = std::time::Instant::now();
    for (what, text, expected) in [
        ("a long stanza", endless, "its header is too large"),
        ("many stanzas", many, "its header is too large"),
        ("short stanzas", short, "its header is too large"),
        ("a long line", unbroken, "its header is too large"),
        ("much work", work(30), "more work for its passphrase than is reasonable"),
        ("version 2", work(1).replace("v1", "v2"), ""),
    ] {
        let path = world.path("sealed");
        fs_err::write(&path, text).expect("written");
        let keys = Keys::of_passphrase("wrong".to_owned().into());
        let error = manifest(&path, &keys, &world.interrupt).expect_err("refused");
        let is_judged = error.is::<Damage>() || error.is::<Refusal>();
        assert!(is_judged && error.to_string().contains(expected), "{what}: {error:#}");
    }
    // The parser of age would take hours.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn an_interrupt_is_not_taken_for_damage() {
    let world = World::new();
    world.interrupt.raise();
    let error = world.extract(&packed(&archive(&members(&sound())))).expect_err("interrupted");
    assert!(error.is::<Refusal>() && !error.is::<Damage>(), "{error:#}");
}

/// Items with bytes that compress and bytes that do not.
fn few_items(folder: &Path, interrupt: &Interrupt) -> Vec<Gathered> {
    let noise = blake3::Hasher::new().finalize_xof();
    let mut bytes = vec![0; 20_000];
    { noise }.fill(&mut bytes);
    fs_err::create_dir_all(folder.join("groups/deep")).expect("a folder");
    fs_err::write(folder.join(".env"), "A=1\nB=2\n").expect("written");
    fs_err::write(folder.join("groups/noise"), &bytes).expect("written");
    let lines: Vec<_> = (0..2000).map(|n| format!("line {n} of the text\n")).collect();
    fs_err::write(folder.join("groups/deep/text"), lines.concat()).expect("written");
    let excluded = BTreeSet::default();
    let mut gathering = Gathering { excluded: &excluded, interrupt, passed_over: Vec::new() };
    let mut gather = |name, path: &str| {
        gathering.item(item(name, Kind::File, Vec::new()), &folder.join(path)).expect(path)
    };
    vec![gather("env", ".env"), gather("groups", "groups")]
}

fn written(gathered: &[Gathered], seal: &Seal, interrupt: &Arc<Interrupt>) -> (Manifest, Vec<u8>) {
    let manifest = manifest_of(gathered.iter().map(|one| one.item.clone()).collect());
    let mut progress = Progress::hidden(interrupt);
    let bytes =
        write::write(Source { manifest: &manifest, gathered, seal }, Vec::new(), &mut progress);
    (manifest, bytes.expect("written"))
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let world = World::new();
    let gathered = few_items(&world.path("items"), &world.interrupt);
    let identity = x25519::Identity::generate();
    let recipients = Seal::Recipients(vec![identity.to_public()]);
    for (seal, keys) in [(Seal::Open, Keys::default()), (recipients, Keys::of_identity(identity))] {
        let (manifest, bytes) = written(&gathered, &seal, &world.interrupt);
        let path = world.path("bundle");
        let prove = |bytes: &[u8]| {
            fs_err::write(&path, bytes).expect("written");
            inspect::prove(&path, &keys, &mut Progress::hidden(&world.interrupt))
        };
        assert_eq!(prove(&bytes).expect("whole"), manifest);
        let n_bits = bytes.len() as u64 * 8;
        for n in 0..N_FLIPS {
            // One in each of a thousand parts, at a place in it that looks arbitrary and is the same each time.
            let part = n_bits / N_FLIPS;
            let seed = blake3::hash(&n.to_le_bytes());
            let at = n * part + u64::from(seed.as_bytes()[0]) % part.max(1);
            let (byte, bit) = (usize::try_from(at / 8).expect("a place"), at % 8);
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1 << bit;
            let Err(error) = prove(&flipped) else { panic!("bit {bit} of byte {byte} was missed") };
            assert!(error.is::<Damage>() || error.is::<Refusal>(), "{byte}.{bit}: {error:#}");
        }
        // The frame's header, the trailer, and all around them.
        let ends = (0..64).chain(bytes.len() - 64..bytes.len());
        for (byte, bit) in ends.flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1 << bit;
            assert!(prove(&flipped).is_err(), "bit {bit} of byte {byte} was missed");
        }
    }
}

#[test]
fn damage_amid_a_file_is_damage_in_a_restore_too() {
    let world = World::new();
    let gathered = few_items(&world.path("items"), &world.interrupt);
    let (_, bytes) = written(&gathered, &Seal::Open, &world.interrupt);
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        world.refused("a flipped bit", &flipped, "damaged");
    }
}

#[test]
fn what_is_written_is_read_back_whatever_its_names_are() {
    let world = World::new();
    let at = world.path("items");
    let long = "n".repeat(200);
    let deep = format!("{long}/{long}/{long}");
    fs_err::create_dir_all(at.join(&deep)).expect("a folder");
    for name in ["new\nline", "ünïcode", " space ", "-dash", "back\\slash", "*", "empty"] {
        fs_err::write(at.join(name), if name == "empty" { "" } else { name }).expect("written");
    }
    fs_err::write(at.join(&deep).join(&long), "deep").expect("written");
    // A header has room for a target of 100 bytes.
    let (fits, does_not) = ("t".repeat(100), "t".repeat(101));
    for (n, target) in
        ["./empty", "a//b", "empty/", ".", "a/./b", &fits, &does_not, &deep].into_iter().enumerate()
    {
        fs_err::os::unix::fs::symlink(target, at.join(format!("link{n}"))).expect("a link");
    }
    let excluded = BTreeSet::default();
    let interrupt = &world.interrupt;
    let mut gathering = Gathering { excluded: &excluded, interrupt, passed_over: Vec::new() };
    let groups = gathering.item(item("groups", Kind::File, Vec::new()), &at).expect("gathered");
    let (manifest, bytes) = written(&[groups], &Seal::Open, interrupt);
    assert_eq!(world.extract(&bytes).expect("whole"), manifest);
    for entry in manifest.items[0].entries.iter().filter(|entry| !entry.path.is_empty()) {
        let new = world.path("stage/new/groups").join(&entry.path);
        match &entry.content {
            Content::Link { target } => {
                assert_eq!(fs_err::read_link(new).expect("a link").as_os_str(), target.as_str());
            }
            Content::File { .. } => assert_eq!(
                fs_err::read(new).expect("extracted"),
                fs_err::read(at.join(&entry.path)).expect("there")
            ),
            Content::Folder => assert!(new.is_dir()),
        }
    }
}
