//! When the pages of stored backups were last read, and what is reported about those that nobody read
//! lately.

use serde_json::Value;

use crate::store::prune::{checkpoint, checkpoints, packs};
use crate::support::sandbox::Sandbox;

fn states(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.json(&["db-list"]);
    let rows = list["backups"].as_array().expect("rows").iter();
    rows.map(|row| row["state"].as_str().expect("a state").to_owned()).collect()
}

fn codes(sandbox: &Sandbox) -> Vec<String> {
    let document = sandbox.json(&["db-status"]);
    let problems = document["problems"].as_array().expect("problems").iter();
    let code = |problem: &Value| problem["code"].as_str().expect("a code").to_owned();
    problems.map(code).collect()
}

#[test]
fn what_nobody_read_for_a_week_is_unread_and_said_to_be() {
    let (sandbox, _) = checkpoints(2);
    assert_eq!(states(&sandbox), ["verified", "verified"]);
    assert!(!codes(&sandbox).contains(&"unread".to_owned()));
    sandbox.set_clock("2025-09-22T10:00:00+02:00");
    assert_eq!(states(&sandbox), ["unread since 2025-09-13", "unread since 2025-09-13"]);
    let list = sandbox.ok(&["db-list"]);
    assert!(list.out.contains("unread since 2025-09-13"), "{}", list.out);
    let status = sandbox.fails(1, &["db-status"]);
    assert!(status.out.contains("2 unread"), "{}", status.out);
    assert!(status.out.contains("2 backups are unread since 2025-09-13"), "{}", status.out);
    let row = &sandbox.json(&["db-list"])["backups"][0];
    // The older of the two packs that it names.
    assert_eq!(row["read_at"], "2025-09-13T14:25:30+02:00");
    sandbox.ok(&["db-verify", "--all"]);
    assert_eq!(states(&sandbox), ["verified", "verified"]);
    assert_eq!(codes(&sandbox), Vec::<String>::new());
}

#[test]
fn how_long_a_reading_counts_is_configured() {
    let (sandbox, _) = checkpoints(1);
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let with = |line: &str| {
        sandbox.write("Cargo.toml", format!("{manifest}[workspace.metadata.db]\n{line}\n"));
    };
    with("read-within = '30d'");
    sandbox.set_clock("2025-09-22T10:00:00+02:00");
    assert_eq!(states(&sandbox), ["verified"]);
    with("read-within = '1d'");
    assert_eq!(states(&sandbox), ["unread since 2025-09-13"]);
    with("read-within = 'soon'");
    let said = sandbox.fails(2, &["db-list"]);
    assert!(said.err.contains("`read-within`"), "{}", said.err);
    with("read-wihtin = '1d'");
    let said = sandbox.fails(2, &["db-list"]);
    assert!(said.err.contains("did you mean `read-within`?"), "{}", said.err);
}

#[test]
fn a_project_that_takes_a_checkpoint_a_day_stays_verified() {
    let (sandbox, _) = checkpoints(2);
    for day in 14..30 {
        sandbox.set_clock(&format!("2025-09-{day}T10:00:00+02:00"));
        if day % 3 == 0 {
            checkpoint(&sandbox, day);
        } else {
            // Unchanged: a hard link builds on packs too.
            sandbox.ok(&["db-backup", "--kind", "branch"]);
        }
        assert_eq!(states(&sandbox)[0], "verified", "on day {day}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a person replaces a pack")]
fn a_reading_counts_for_the_very_file_that_was_read() {
    for change in ["replaced", "touched", "note lost", "note damaged"] {
        let (sandbox, _) = checkpoints(1);
        let pack = &packs(&sandbox)[0];
        let note = sandbox.path("backups/.readings");
        match change {
            "replaced" => {
                let copy = sandbox.path("copy");
                fs_err::copy(pack, &copy).expect("copied");
                fs_err::rename(&copy, pack).expect("renamed");
            }
            "touched" => {
                let bytes = fs_err::read(pack).expect("bytes");
                fs_err::write(pack, bytes).expect("written");
            }
            "note lost" => fs_err::remove_file(&note).expect("removed"),
            _ => {
                let mut bytes = fs_err::read(&note).expect("a note");
                bytes[70] ^= 1;
                fs_err::write(&note, bytes).expect("written");
            }
        }
        assert_eq!(states(&sandbox), ["unread since 2025-09-13"], "{change}");
        sandbox.ok(&["db-verify"]);
        assert_eq!(states(&sandbox), ["verified"], "{change}");
    }
}

#[test]
fn a_pack_that_is_gone_is_found_by_listing_and_by_the_next_checkpoint() {
    let (sandbox, _) = checkpoints(2);
    fs_err::remove_file(&packs(&sandbox)[0]).expect("removed");
    assert!(states(&sandbox).contains(&"damaged".to_owned()));
    assert!(codes(&sandbox).contains(&"pages-missing".to_owned()), "{:?}", codes(&sandbox));
    let said = sandbox.ok(&["db-backup", "--kind", "branch"]);
    assert!(said.err.contains("is missing: `cargo xtask db-verify --all` shows"), "{}", said.err);
    assert_eq!(states(&sandbox)[0], "verified");
    let _ = fs_err::remove_file(sandbox.path("../restored.db"));
    sandbox.ok(&["db-restore", "latest", "--into", "../restored.db"]);
}

#[test]
fn a_share_is_read_oldest_first_until_all_is_read() {
    let (sandbox, _) = checkpoints(3);
    sandbox.backup();
    sandbox.set_clock("2025-09-22T10:00:00+02:00");
    let n_unread = || states(&sandbox).iter().filter(|state| *state != "verified").count();
    let before = n_unread();
    assert_eq!(before, 3);
    let document = sandbox.json(&["db-verify", "--all", "--read", "10%"]);
    assert_eq!(document["read"]["percent"], 10, "{document:#}");
    let (bytes, all) = (&document["read"]["bytes"], &document["read"]["of_bytes"]);
    assert!(bytes.as_u64() < all.as_u64() && bytes.as_u64() >= all.as_u64().map(|all| all / 10));
    for _ in 0..9 {
        sandbox.ok(&["db-verify", "--all", "--read", "20%"]);
    }
    assert_eq!(n_unread(), 0, "nine readings of a fifth are not the whole");
    let said = sandbox.ok(&["db-verify", "--all", "--read", "1%"]);
    assert!(said.out.contains("the longest unread first: "), "{}", said.out);
    sandbox.fails(2, &["db-verify", "--read", "5%"]);
    sandbox.fails(2, &["db-verify", "--all", "--read", "0%"]);
    sandbox.fails(2, &["db-verify", "--all", "--drill", "--read", "5%"]);
}
