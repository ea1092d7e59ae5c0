//! Bundles that this program wrote: read back whole, and with a flipped bit at any place.

use std::collections::BTreeSet;
use std::path::Path;

use age::x25519;

use super::*;
use crate::bundle::gather::{Gathered, Gathering};
use crate::bundle::inspect;
use crate::bundle::seal::Seal;
use crate::bundle::write::{self, Source};

/// How many bits are flipped.
const N_FLIPS: u64 = 1000;

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
