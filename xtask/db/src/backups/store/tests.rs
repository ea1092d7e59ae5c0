//! The store against a model: random edits, checkpoints, removals and prunings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use proptest::prelude::*;

use crate::backups::page_lists::{self, Reference};
use crate::backups::store::chunk_intake;
use crate::backups::store::intake::{Compare, Intake};
use crate::backups::store::pack;
use crate::backups::store::pack_check;
use crate::backups::store::pack_index::Shelf;
use crate::backups::store::stored_database::{self, Stored};
use crate::backups::store::used_blocks::Usage;
use crate::backups::vault::Vault;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::threads::Step as _;
use crate::retention::repack::{self, Reclaimed};
use crate::retention::repack_plan::{self, Extent, Plan, Unreadable};
use crate::sqlite::digest::tree::Shape;

/// Smaller than in life, so that a shrunken case can be read.
const BLOCK: usize = 4096;

/// A folder with stored backups, and the content that each of them must have.
struct Model {
    folder: tempfile::TempDir,
    live: Vec<u8>,
    /// The SQL of a server's database, which goes into the same store.
    dump: Vec<u8>,
    backups: BTreeMap<PathBuf, Vec<u8>>,
    n_taken: u32,
}

impl Model {
    fn new(n_blocks: usize) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        fs_err::create_dir(folder.path().join("packs")).expect("folder");
        let mut model = Self {
            folder,
            live: vec![0; n_blocks * BLOCK],
            dump: Vec::new(),
            backups: BTreeMap::new(),
            n_taken: 0,
        };
        for block in 0..n_blocks {
            model.edit(block, block as u64);
        }
        model
    }

    fn packs(&self) -> PathBuf {
        self.folder.path().join("packs")
    }

    /// Fills a block with bytes that cannot be compressed.
    fn edit(&mut self, block: usize, seed: u64) {
        let n_blocks = self.live.len() / BLOCK;
        let begin = block % n_blocks * BLOCK;
        let mut noise = blake3::Hasher::new();
        noise.update(&seed.to_le_bytes());
        noise.finalize_xof().fill(&mut self.live[begin..begin + BLOCK]);
    }

    /// Replaces some bytes of the dump by others, of which there may be more or fewer.
    fn edit_dump(&mut self, at: usize, n_bytes: [usize; 2], seed: u64) {
        let begin = at % (self.dump.len() + 1);
        let end = (begin + n_bytes[0]).min(self.dump.len());
        let mut noise = vec![0; n_bytes[1]];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut noise);
        self.dump.splice(begin..end, noise);
    }

    fn stored(&self, path: &std::path::Path) -> Stored {
        let mut packs = Shelf::of(self.folder.path());
        Stored::find(&mut packs, stored_database::read_list(path).expect("a list")).expect("stored")
    }

    /// The newest stored backups of one kind.
    fn known(&self, ending: &str, n_known: usize) -> Vec<Stored> {
        let paths = self.backups.keys().rev();
        let paths = paths.filter(|path| path.extension().is_some_and(|its| its == ending));
        paths.take(n_known).map(|path| self.stored(path)).collect()
    }

    /// A checkpoint of the dump, which comes in pieces of some size.
    fn checkpoint_dump(&mut self, n_known: usize, piece_bytes: usize) {
        let known = self.known("chunks", n_known);
        let packs = self.packs();
        let (mut new, size_bytes) = std::thread::scope(|scope| {
            let mut intake = chunk_intake::Intake::begin(scope, &packs, &known).expect("begun");
            for piece in self.dump.chunks(piece_bytes) {
                intake.take(Arc::new(piece.to_vec())).expect("taken");
            }
            intake.finish().expect("taken in")
        });
        assert_eq!(size_bytes, self.dump.len() as u64);
        new.packs.keep();
        let path = self.folder.path().join(format!("{:04}.chunks", self.n_taken));
        self.n_taken += 1;
        fs_err::write(&path, &new.list).expect("written");
        self.backups.insert(path, self.dump.clone());
    }

    fn checkpoint(&mut self, n_known: usize) {
        let known = self.known("pages", n_known);
        let shape = Shape { size_bytes: self.live.len() as u64, block_bytes: BLOCK as u64 };
        let live = &self.live;
        let send = |send: &mut crate::sqlite::snapshot::copy::Send<'_>, _: &_| {
            for piece in live.chunks(1 << 20) {
                send(piece.to_vec())?;
            }
            Ok(())
        };
        let compare = if n_known.is_multiple_of(2) { Compare::InTurn } else { Compare::Beside };
        let intake = Intake { folder: &self.packs(), shape, known: &known, compare };
        let mut taken = intake.take(send, || ()).expect("taken in");
        taken.new.packs.keep();
        let path = self.folder.path().join(format!("{:04}.pages", self.n_taken));
        self.n_taken += 1;
        fs_err::write(&path, &taken.new.list).expect("written");
        self.backups.insert(path, self.live.clone());
    }

    fn remove(&mut self, nth: usize) {
        let nth = nth % self.backups.len().max(1);
        if let Some(path) = self.backups.keys().nth(nth).cloned() {
            fs_err::remove_file(&path).expect("removed");
            self.backups.remove(&path);
        }
    }

    fn plan(&self) -> Plan {
        let lists = page_lists::find(self.folder.path()).expect("lists");
        let interrupt = Interrupt::default();
        repack_plan::plan(self.folder.path(), &lists, Extent::All, &interrupt).expect("planned")
    }

    fn try_reclaim(&self, extent: Extent) -> anyhow::Result<Reclaimed> {
        let now = DateTime::parse_from_rfc3339("2025-09-13T14:25:30+02:00").expect("a time");
        let vault = Vault::at(self.folder.path(), now);
        let interrupt = Arc::new(Interrupt::default());
        let locked = vault.lock(Duration::from_secs(5), &interrupt).expect("locked");
        repack::reclaim(&locked, extent, &mut Progress::hidden(&interrupt))
    }

    /// Reclaims while nobody reads. A program that another test starts has a copy of this process's
    /// locks for the moment between its fork and its exec, and counts as a reader then.
    fn reclaim(&self, extent: Extent) -> Reclaimed {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut before = Reclaimed::default();
        loop {
            let mut reclaimed = self.try_reclaim(extent).expect("reclaimed");
            reclaimed.freed_bytes += before.freed_bytes;
            reclaimed.n_removed += before.n_removed;
            reclaimed.n_rewritten += before.n_rewritten;
            if !reclaimed.is_read {
                return reclaimed;
            }
            assert!(Instant::now() < deadline, "somebody reads the packs all the time");
            before = reclaimed;
            std::thread::yield_now();
        }
    }

    /// Checks that every backup gives back its content.
    fn check(&self) {
        for (path, wanted) in &self.backups {
            let stored = self.stored(path);
            let mut read = Vec::new();
            stored.read_back(&Interrupt::default()).expect("read back");
            let pieces = stored.pieces(&Interrupt::default(), |piece| {
                read.extend_from_slice(piece);
                Ok(())
            });
            pieces.unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
            assert!(read == *wanted, "{} is not what was taken", path.display());
            stored.prove(&Interrupt::default()).expect("proved");
        }
    }

    fn pack_paths(&self) -> Vec<PathBuf> {
        let entries = fs_err::read_dir(self.packs()).expect("folder");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        paths
    }

    fn n_bytes(&self) -> u64 {
        self.pack_paths().iter().map(|path| fs_err::metadata(path).expect("a file").len()).sum()
    }

    fn lists(&self) -> Vec<Reference> {
        page_lists::find(self.folder.path()).expect("lists")
    }
}

#[derive(Debug, Clone)]
enum Step {
    Edit(usize, u64),
    /// A checkpoint that is compared with this many of the newest.
    Checkpoint(usize),
    EditDump(usize, [usize; 2], u64),
    CheckpointDump(usize, usize),
    Remove(usize),
    Reclaim,
    ReclaimByTheWay,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..40_usize, 0..60_u64).prop_map(|(block, seed)| Step::Edit(block, seed)),
        5 => (0..4_usize).prop_map(Step::Checkpoint),
        6 => (0..200_000_usize, prop::array::uniform2(0..40_000_usize), 0..60_u64)
            .prop_map(|(at, n_bytes, seed)| Step::EditDump(at, n_bytes, seed)),
        5 => (0..4_usize, 1..100_000_usize).prop_map(|(n_known, n)| Step::CheckpointDump(n_known, n)),
        4 => (0..20_usize).prop_map(Step::Remove),
        1 => Just(Step::Reclaim),
        1 => Just(Step::ReclaimByTheWay),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_pruned_every_backup_that_stays_gives_back_each_byte(
        n_blocks in 1..40_usize, steps in steps(),
    ) {
        let mut model = Model::new(n_blocks);
        for step in steps {
            match step {
                Step::Edit(block, seed) => model.edit(block, 1000 + seed),
                Step::Checkpoint(n_known) => model.checkpoint(n_known),
                Step::EditDump(at, n_bytes, seed) => model.edit_dump(at, n_bytes, seed),
                Step::CheckpointDump(n_known, n_bytes) => model.checkpoint_dump(n_known, n_bytes),
                Step::Remove(nth) => model.remove(nth),
                Step::ReclaimByTheWay => {
                    model.reclaim(Extent::ByTheWay);
                    model.check();
                }
                Step::Reclaim => {
                    let before = model.n_bytes();
                    let planned = model.plan().freed_bytes();
                    let freed = model.reclaim(Extent::All).freed_bytes;
                    model.check();
                    // Gathered packs have one index less each, carried blocks more sections.
                    prop_assert!(freed <= planned + 4096 && before.abs_diff(model.n_bytes() + freed) < 4096);
                    prop_assert!(model.plan().is_empty(), "a second pruning would go on");
                }
            }
        }
        model.reclaim(Extent::All);
        model.check();
        let mut usage = Usage::of(model.folder.path(), &BTreeSet::new()).expect("packs");
        repack_plan::mark(&mut usage, &model.lists(), &Interrupt::default()).expect("marked");
        for counted in &usage.packs {
            prop_assert!(counted.n_live > 0, "nothing of a pack is needed");
            prop_assert!(counted.dead_bytes() <= counted.live_bytes / 3 + 100);
        }
        prop_assert!(usage.twice.is_empty(), "a block lies in two packs");
    }
}

/// Two checkpoints that share half of their blocks; the first is removed then.
fn half_needed() -> Model {
    let mut model = Model::new(40);
    model.checkpoint(0);
    for block in 0..40 {
        if block % 2 == 0 {
            model.edit(block, 5000 + block as u64);
        }
    }
    model.checkpoint(1);
    model.remove(0);
    model
}

/// The same, with a dump in the same folder of which half is needed.
fn half_needed_of_both() -> Model {
    let mut model = half_needed();
    model.edit_dump(0, [0, 300_000], 1);
    model.checkpoint_dump(0, 10_000);
    for nth in 0..5 {
        model.edit_dump(nth * 60_000, [25_000, 30_000], 100 + nth as u64);
    }
    model.checkpoint_dump(1, 10_000);
    model.remove(1);
    model
}

#[test]
fn a_pack_with_a_damaged_page_stays_as_it_is_and_the_others_are_reclaimed() {
    let model = half_needed();
    let n_packs = model.plan().rewrite.len();
    let path = model.plan().rewrite[0].pack.path.clone();
    let mut bytes = fs_err::read(&path).expect("bytes");
    let n_needed = model.plan().rewrite[0].n_live;
    assert!(n_needed > 0);
    // Half of its pages are needed: of two neighbours, one is.
    bytes[16..16 + 2 * BLOCK].fill(7);
    fs_err::write(&path, bytes).expect("damaged");
    let reclaimed = model.reclaim(Extent::All);
    let left: Vec<String> = reclaimed.left.iter().map(ToString::to_string).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("is damaged"), "{left:?}");
    assert_eq!(usize::try_from(reclaimed.n_rewritten).expect("few"), n_packs - 1);
    assert!(path.exists());
}

#[test]
fn a_pruning_that_was_killed_before_it_removed_anything_is_finished_by_the_next() {
    let model = half_needed_of_both();
    let old: Vec<_> = model
        .pack_paths()
        .into_iter()
        .map(|path| (path.clone(), fs_err::read(path).expect("read")))
        .collect();
    model.reclaim(Extent::All);
    let (wanted, n_bytes) = (model.pack_paths(), model.n_bytes());
    for (path, bytes) in &old {
        fs_err::write(path, bytes).expect("back again");
    }
    model.check();
    let reclaimed = model.reclaim(Extent::All);
    assert_eq!(reclaimed.n_rewritten, 0, "what was done is not done again");
    assert_eq!((model.pack_paths(), model.n_bytes()), (wanted, n_bytes));
    model.check();
}

#[test]
fn of_two_copies_the_whole_one_stays() {
    let model = half_needed_of_both();
    let old: Vec<_> = model
        .pack_paths()
        .into_iter()
        .map(|path| (path.clone(), fs_err::read(path).expect("read")))
        .collect();
    model.reclaim(Extent::All);
    for path in model.pack_paths() {
        if old.iter().all(|(old, _)| *old != path) {
            let mut bytes = fs_err::read(&path).expect("bytes");
            bytes[16..1000].fill(7);
            fs_err::write(path, bytes).expect("damaged");
        }
    }
    for (path, bytes) in &old {
        fs_err::write(path, bytes).expect("back again");
    }
    let reclaimed = model.reclaim(Extent::All);
    assert!(!reclaimed.left.is_empty());
    model.check();
}

#[test]
fn where_a_list_cannot_be_read_nothing_goes() {
    let model = half_needed();
    let before = model.pack_paths();
    let list = model.folder.path().join("renamed by hand.pages");
    let path = model.backups.keys().next().expect("a backup");
    let mut bytes = fs_err::read(path).expect("bytes");
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    fs_err::write(&list, bytes).expect("written");
    let error = model.try_reclaim(Extent::All).expect_err("refused");
    assert_eq!(error.downcast_ref::<Unreadable>().expect("the list").path, list);
    assert_eq!(model.pack_paths(), before);
}

#[test]
fn a_backup_under_another_name_keeps_its_pages() {
    let mut model = half_needed();
    let (path, bytes) = model.backups.pop_first().expect("a backup");
    let renamed = model.folder.path().join("for Ann.pages");
    fs_err::hard_link(&path, &renamed).expect("linked");
    fs_err::remove_file(path).expect("removed");
    model.backups.insert(renamed, bytes);
    model.reclaim(Extent::All);
    model.check();
}

#[test]
fn while_somebody_reads_nothing_goes() {
    let model = half_needed_of_both();
    let before = model.pack_paths();
    let held = fs_err::File::open(model.packs()).expect("folder");
    held.file().lock_shared().expect("held");
    let reclaimed = model.try_reclaim(Extent::All).expect("reclaimed");
    assert!(reclaimed.is_read && reclaimed.freed_bytes == 0);
    assert!(before.iter().all(|path| path.exists()));
    drop(held);
    assert!(model.reclaim(Extent::All).freed_bytes > 0);
    model.check();
}

#[test]
fn foreign_files_and_packs_that_cannot_be_read_are_left_alone() {
    let mut model = half_needed();
    let folder = model.packs();
    fs_err::write(folder.join("notes.txt"), "mine").expect("written");
    let name = |digit: &str| format!("{}.pack", digit.repeat(64));
    fs_err::write(folder.join(name("a")), "no pack").expect("written");
    let path = model.pack_paths().pop().expect("a pack");
    let mut newer = fs_err::read(
        model
            .pack_paths()
            .iter()
            .find(|p| {
                pack::parse_name(&p.file_name().unwrap_or_default().to_string_lossy()).is_some()
                    && **p != folder.join(name("a"))
            })
            .unwrap_or(&path),
    )
    .expect("bytes");
    // The version is at both ends.
    let last = newer.len() - 2;
    (newer[14], newer[last]) = (3, 3);
    fs_err::write(folder.join(name("b")), newer).expect("written");
    fs_err::create_dir(folder.join(name("c"))).expect("folder");
    for nth in 0..3 {
        model.remove(nth);
    }
    let reclaimed = model.reclaim(Extent::All);
    let left: Vec<String> = reclaimed.left.iter().map(ToString::to_string).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].contains("cannot be read") && left[1].contains("has version 3"), "{left:?}");
    assert_eq!(model.pack_paths().len(), 4);
}

/// The version at both ends of each pack, counted.
fn versions(model: &Model) -> BTreeMap<u8, usize> {
    let mut versions = BTreeMap::new();
    for path in model.pack_paths() {
        let bytes = fs_err::read(path).expect("a pack");
        assert_eq!(bytes[..16], bytes[bytes.len() - 16..]);
        *versions.entry(bytes[14]).or_default() += 1;
    }
    versions
}

#[test]
fn chunks_are_in_packs_of_a_version_that_a_build_without_them_leaves_alone() {
    let model = half_needed_of_both();
    assert_eq!(versions(&model).into_keys().collect::<Vec<_>>(), [1, 2]);
    model.reclaim(Extent::All);
    assert_eq!(versions(&model).into_keys().collect::<Vec<_>>(), [1, 2], "never mixed");
    model.check();
}

#[test]
fn a_chunk_list_keeps_its_chunks_whatever_its_name_and_a_damaged_one_keeps_everything() {
    let mut model = half_needed_of_both();
    let (path, bytes) = model.backups.pop_last().expect("a backup");
    assert!(path.extension().is_some_and(|ending| ending == "chunks"));
    let renamed = model.folder.path().join("for Bob.chunks");
    fs_err::hard_link(&path, &renamed).expect("linked");
    fs_err::remove_file(path).expect("removed");
    let list = fs_err::read(&renamed).expect("a list");
    model.backups.insert(renamed, bytes);
    model.reclaim(Extent::All);
    model.check();
    let before = model.pack_paths();
    let damaged = model.folder.path().join("a.2025-09-13_142530.chunks");
    fs_err::write(&damaged, &list[..list.len() / 2]).expect("written");
    let error = model.try_reclaim(Extent::All).expect_err("refused");
    assert_eq!(error.downcast_ref::<Unreadable>().expect("the list").path, damaged);
    assert!(error.to_string().starts_with("the chunk list `"), "{error}");
    assert_eq!(model.pack_paths(), before);
}

#[test]
fn a_dump_with_the_same_chunk_many_times_takes_it_once() {
    let mut model = Model::new(1);
    model.dump = b"0123456789abcdef\n".repeat(40_000);
    model.checkpoint_dump(0, 5000);
    model.check();
    assert!(model.n_bytes() < 4000, "{} bytes", model.n_bytes());
    model.dump.clear();
    model.checkpoint_dump(1, 1);
    model.check();
}

#[test]
fn of_a_thousand_flipped_bytes_in_packs_and_lists_each_is_found() {
    let model = half_needed_of_both();
    let folder = model.folder.path();
    let mut files = model.pack_paths();
    files.extend(model.backups.keys().cloned());
    let contents: Vec<Vec<u8>> =
        files.iter().map(|path| fs_err::read(path).expect("read")).collect();
    let n_bytes: usize = contents.iter().map(Vec::len).sum();
    let now = DateTime::parse_from_rfc3339("2025-09-13T14:25:30+02:00").expect("a time");
    let interrupt = Arc::new(Interrupt::default());
    for nth in 0..1000_usize {
        let mut at = nth * 7919 % n_bytes;
        let file = contents.iter().position(|bytes| {
            let is_here = at < bytes.len();
            at -= if is_here { 0 } else { bytes.len() };
            is_here
        });
        let file = file.expect("a file");
        let mut flipped = contents[file].clone();
        flipped[at] ^= 1 << (nth % 8);
        fs_err::write(&files[file], &flipped).expect("written");
        let is_found = match files[file].extension().and_then(|ending| ending.to_str()) {
            Some("pack") => {
                let name =
                    pack::parse_name(&files[file].file_name().expect("one").to_string_lossy());
                let names = BTreeSet::from([name.expect("a pack's")]);
                let mut hidden = Progress::hidden(&interrupt);
                let checked = pack_check::check_named(folder, &names, now, &mut hidden);
                checked.expect("checked").damaged.iter().any(|damaged| damaged.is_certain)
            }
            _ => stored_database::read_list(&files[file]).is_err(),
        };
        assert!(is_found, "byte {at} of {}", files[file].display());
        fs_err::write(&files[file], &contents[file]).expect("written");
    }
    model.check();
}

#[test]
fn a_damaged_chunk_is_never_handed_on() {
    let model = half_needed_of_both();
    let path = model.backups.keys().next_back().expect("a dump").clone();
    for pack in model.stored(&path).packs().into_values() {
        let whole = fs_err::read(&pack.path).expect("a pack");
        for at in (16..whole.len()).step_by(whole.len() / 9) {
            let mut flipped = whole.clone();
            flipped[at] ^= 32;
            fs_err::write(&pack.path, &flipped).expect("written");
            let list = stored_database::read_list(&path).expect("a list");
            let stored = Stored::find(&mut Shelf::of(model.folder.path()), list).expect("found");
            let mut read = Vec::new();
            let pieces = stored.pieces(&Interrupt::default(), |piece| {
                read.extend_from_slice(piece);
                Ok(())
            });
            let wanted = &model.backups[&path];
            // A chunk that is not needed may be wrong.
            assert!(pieces.is_err() || read == *wanted, "byte {at}");
            assert!(wanted.starts_with(&read), "byte {at}");
        }
        fs_err::write(&pack.path, &whole).expect("written");
    }
}
