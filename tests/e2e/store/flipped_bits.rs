//! One bit of a pack flips, then a command builds on it: what is called verified afterwards restores, and
//! what does not restore is called damaged.

use serde_json::Value;

use crate::store::prune::{Kept, checkpoints, give_back, packs};
use crate::support::sandbox::Sandbox;

/// Numbers without a pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A workspace with three checkpoints in three packs, whose safety backups are stored too.
fn workspace() -> (Sandbox, Vec<Kept>) {
    let (sandbox, kept) = checkpoints(3);
    sandbox.write("migrate.sh", "echo 'CREATE TABLE n (a);' | sqlite3 \"$DATABASE_PATH\"\n");
    sandbox.configure(
        "migrate = [\"sh\", \"migrate.sh\"]\n\
         [workspace.metadata.db.format]\nsafety = \"pages\"\nmanual = \"pages\"\npre-deploy = \"pages\"",
    );
    (sandbox, kept)
}

/// The commands that build on what is there.
const COMMANDS: [&[&str]; 9] = [
    &["db-backup", "--kind", "branch"],
    &["db-backup", "--kind", "pre-commit"],
    &["db-backup"],
    &["db-backup", "--if-changed"],
    &["db-backup", "--kind", "pre-deploy"],
    &["db-pre-migrate"],
    &["db-migrate"],
    &["db-pre-deploy"],
    &["db-restore", "latest", "--yes"],
];

fn flip(path: &std::path::Path, numbers: &mut Numbers) -> u64 {
    let mut bytes = fs_err::read(path).expect("a pack");
    let at = numbers.below(bytes.len() as u64 * 8);
    bytes[usize::try_from(at / 8).expect("small")] ^= 1 << (at % 8);
    let modified = fs_err::metadata(path).expect("there").modified().expect("a time");
    fs_err::write(path, bytes).expect("written");
    // A rotten disk leaves the times as they were.
    let file = std::fs::File::options().write(true).open(path).expect("opened");
    file.set_modified(modified).expect("set");
    at
}

fn listed(sandbox: &Sandbox) -> Vec<(String, String)> {
    let list = sandbox.json(&["db-list"]);
    let rows = list["backups"].as_array().expect("rows");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rows.iter().map(|row| (text(&row["name"]), text(&row["state"]))).collect()
}

fn restores(sandbox: &Sandbox, name: &str) -> bool {
    let _ = fs_err::remove_file(sandbox.path("../restored.db"));
    sandbox.run(&["db-restore", name, "--into", "../restored.db"]).code == Some(0)
}

#[test]
fn what_is_called_verified_after_a_flipped_bit_restores_and_the_rest_is_called_damaged() {
    let mut numbers = Numbers(12);
    for nth in 0..COMMANDS.len() * 3 {
        let (sandbox, _) = workspace();
        let pack = &packs(&sandbox)[nth % 3];
        let at = flip(pack, &mut numbers);
        let changes = numbers.below(2) == 1;
        if changes {
            sandbox.sql("UPDATE messages SET content = hex(randomblob(1900)) WHERE id % 7 = 1");
        }
        let command = COMMANDS[nth / 3];
        let said = sandbox.run(command);
        let what = format!("{command:?} after bit {at} of {}, {said:#?}", pack.display());
        let after = listed(&sandbox);
        for (name, state) in &after {
            // What the command did not build on is not called whole.
            assert!(state != "verified" || restores(&sandbox, name), "{name}: {what}");
        }
        if said.code == Some(0) && command[0] == "db-backup" {
            assert_eq!(after[0].1, "verified", "{what}");
        }
        sandbox.run(&["db-verify", "--all", "--quiet"]);
        for (name, state) in listed(&sandbox) {
            let wanted = if restores(&sandbox, &name) { "verified" } else { "damaged" };
            assert_eq!(state, wanted, "{name} after the verification: {what}");
        }
    }
}

#[test]
fn a_block_that_is_met_damaged_marks_every_backup_that_needs_it_in_whichever_command() {
    let commands: [&[&str]; 5] = [
        &["db-diff", "oldest"],
        &["db-restore", "oldest", "--into", "../other.db"],
        &["db-verify", "oldest"],
        &["db-export", "oldest", "--output", "../export.jsonl"],
        &["db-verify", "--all", "--read", "100%"],
    ];
    for command in commands {
        let (sandbox, kept) = checkpoints(1);
        // Unchanged: a hard link to the same list.
        sandbox.ok(&["db-backup", "--kind", "branch"]);
        let pack = &packs(&sandbox)[0];
        let mut bytes = fs_err::read(pack).expect("a pack");
        bytes[9000] ^= 4;
        fs_err::write(pack, bytes).expect("written");
        let said = sandbox.run(command);
        assert_ne!(said.code, Some(0), "{command:?}: {said:#?}");
        let states = listed(&sandbox);
        assert!(states.iter().all(|(_, state)| state == "damaged"), "{command:?}: {states:?}");
        for (name, _) in &states {
            let record = fs_err::read_to_string(sandbox.backup_path(&format!("{name}.json")));
            let record = record.expect("a record");
            assert!(record.contains("page data is damaged"), "{command:?}: {name} {record}");
        }
        assert_eq!(kept.len(), 1);
    }
}

#[test]
fn a_checkpoint_on_a_damaged_pack_warns_marks_and_takes_its_pages_anew() {
    let (sandbox, kept) = checkpoints(2);
    let pack =
        packs(&sandbox).into_iter().max_by_key(|path| fs_err::metadata(path).expect("there").len());
    let pack = pack.expect("a pack");
    let mut bytes = fs_err::read(&pack).expect("a pack");
    bytes[40_000] ^= 1;
    fs_err::write(&pack, bytes).expect("written");
    let said = sandbox.ok(&["db-backup", "--kind", "branch"]);
    assert!(said.err.contains("is damaged: its bytes do not match its name; "), "{}", said.err);
    assert!(said.err.contains("marked damaged"), "{}", said.err);
    let states = listed(&sandbox);
    assert_eq!(states[0].1, "verified", "{states:?}");
    assert_eq!(states[2].1, "damaged", "{states:?}");
    let newest = Kept { name: states[0].0.clone(), messages: kept[1].messages.clone() };
    give_back(&sandbox, &[newest], "the flip");
    // What was found once is not found again by every command.
    let again = sandbox.ok(&["db-backup", "--kind", "branch"]);
    assert_eq!(again.err, "");
}

/// Flips bits of a file one by one, and compares what `db-verify --all` calls each backup with whether
/// it restores.
fn flipped_one_by_one(sandbox: &Sandbox, path: &std::path::Path, bits: &[(usize, u32)]) {
    let bytes = fs_err::read(path).expect("a file");
    for (at, bit) in bits {
        let mut flipped = bytes.clone();
        flipped[*at] ^= 1 << bit;
        fs_err::write(path, flipped).expect("written");
        sandbox.run(&["db-verify", "--all", "--quiet"]);
        for (name, state) in listed(sandbox) {
            let wanted = if restores(sandbox, &name) { "verified" } else { "damaged" };
            assert_eq!(state, wanted, "{name}, bit {bit} of byte {at} of {}", bytes.len());
        }
        fs_err::write(path, &bytes).expect("written");
    }
}

#[test]
fn after_a_flipped_bit_in_the_table_of_a_pack_a_backup_is_called_damaged_only_if_it_does_not_restore()
 {
    let (sandbox, _) = checkpoints(1);
    let pack = &packs(&sandbox)[0];
    let n_bytes = usize::try_from(fs_err::metadata(pack).expect("there").len()).expect("small");
    let bit = |at: usize| (at, u32::try_from(at % 8).expect("small"));
    let bits: Vec<_> = (n_bytes - 400..n_bytes).step_by(14).map(bit).collect();
    flipped_one_by_one(&sandbox, pack, &bits);
}

#[test]
fn a_flipped_bit_in_the_version_of_a_pack_or_of_a_list_is_damage_and_not_a_newer_version() {
    let (sandbox, kept) = checkpoints(1);
    let list = sandbox.backup_path(&kept[0].name);
    for path in [&packs(&sandbox)[0], &list] {
        let bits: Vec<_> = (13..16).flat_map(|at| [(at, 0), (at, 1), (at, 6)]).collect();
        flipped_one_by_one(&sandbox, path, &bits);
    }
}
