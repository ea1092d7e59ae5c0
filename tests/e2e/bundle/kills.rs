//! A restore of a bundle that is killed at any of its steps: each item is old or new, and both ways out lead to the end.

use std::collections::BTreeMap;

use crate::bundle::installation::{bundle, files, installation};
use crate::support::sandbox::{Sandbox, messages};
use crate::support::strace::{complain, traced, works};

/// What a restore does to the disk. Each of them is a step.
const CALLS: &str =
    "renameat2,renameat,rename,linkat,link,mkdir,mkdirat,fsync,fdatasync,unlink,unlinkat,pwrite64";
/// How far apart the moments are at which an ordinary run kills; `.ci/full` kills at each.
const ORDINARY_STRIDE: usize = 17;

type State = (BTreeMap<String, (u32, Vec<u8>)>, Vec<String>);

fn state(sandbox: &Sandbox) -> State {
    let has_database = sandbox.live().exists();
    (files(sandbox), if has_database { messages(&sandbox.live()) } else { Vec::new() })
}

/// The installation as it is before each restore.
fn reset(sandbox: &Sandbox) {
    let _ = fs_err::remove_dir_all(sandbox.path("groups"));
    sandbox.write(".env", "API_KEY=other\n");
    sandbox.write("groups/more.txt", "more");
    let _ = fs_err::remove_dir_all(sandbox.path("../home/.config"));
    sandbox.sql("DELETE FROM messages; INSERT INTO messages (content) VALUES ('old')");
}

/// How often each call was made, by the trace.
fn calls(sandbox: &Sandbox) -> Vec<(String, usize)> {
    let log = fs_err::read(sandbox.path("../trace")).expect("a log");
    let mut counts = BTreeMap::<String, BTreeMap<String, usize>>::new();
    for line in String::from_utf8_lossy(&log).lines() {
        let Some((start, _)) = line.split_once('(') else { continue };
        let mut words = start.split_whitespace();
        let (Some(process), Some(call)) = (words.next(), words.next()) else { continue };
        *counts.entry(call.to_owned()).or_default().entry(process.to_owned()).or_default() += 1;
    }
    let most = |(call, by_process): (String, BTreeMap<String, usize>)| {
        (call, by_process.values().copied().max().unwrap_or(0))
    };
    counts.into_iter().map(most).collect()
}

fn stride() -> usize {
    let stride = std::env::var("XTASK_KILL_STRIDE").ok();
    stride.map_or(ORDINARY_STRIDE, |stride| stride.parse().expect("a number"))
}

#[test]
fn each_item_is_old_or_new_and_a_restore_goes_on_or_back() {
    if !works() {
        return;
    }
    let stride = stride();
    let sandbox = installation();
    let new = state(&sandbox);
    let path = bundle(&sandbox);
    reset(&sandbox);
    let old = state(&sandbox);
    let restore = ["db-bundle", "restore", &path, "--yes", "--passphrase-file", "../passphrase"];
    traced(&sandbox, &["-e", &format!("trace={CALLS}")], &restore);
    assert_eq!(state(&sandbox), new);
    let moments: Vec<_> = calls(&sandbox)
        .into_iter()
        .flat_map(|(call, n)| (1..=n).map(move |n| (call.clone(), n)))
        .collect();
    let (mut n_kills, mut n_resumed, mut n_undone) = (0, 0, 0);
    // With stride 1, each moment is tried with both ways out.
    let n_ways = if stride == 1 { 2 } else { 1 };
    let moments = (0..n_ways).flat_map(|way| {
        moments.iter().enumerate().step_by(stride).map(move |(at, moment)| (at + way, moment))
    });
    for (at, (call, n)) in moments {
        sandbox.ok(&["db-bundle", "restore", "--undo", "--yes"]);
        reset(&sandbox);
        let inject = format!("inject={call}:signal=KILL:when={n}");
        let said = traced(&sandbox, &["-e", &format!("trace={call}"), "-e", &inject], &restore);
        n_kills += usize::from(said.code.is_none());
        let what = format!("{inject}: {said:#?}");
        for (name, found) in &files(&sandbox) {
            let is_whole = old.0.get(name) == Some(found) || new.0.get(name) == Some(found);
            assert!(is_whole, "{name} is torn: {what}");
        }
        let is_left = sandbox.run(&["db-list"]).err.contains("a restore of root.");
        let has_begun = sandbox.run(&["db-bundle", "restore", "--resume", "--json"]);
        let was_left = has_begun.out.contains("done") && said.code.is_none();
        assert!(!is_left || was_left, "{has_begun:#?} {what}");
        let is_over = state(&sandbox) == new;
        if is_over && at % 2 == 0 {
            n_resumed += 1;
            continue;
        }
        if is_over {
            sandbox.ok(&["db-bundle", "restore", "--undo", "--yes"]);
            n_undone += 1;
        } else {
            // Killed before anything began: there is nothing to continue.
            assert!(
                has_begun.out.contains("undone") || has_begun.code == Some(2),
                "{has_begun:#?}"
            );
        }
        assert_eq!(state(&sandbox), old, "{what}");
    }
    assert!(n_kills > 0 && n_resumed > 0 && n_undone > 0, "{n_kills} {n_resumed} {n_undone}");
    complain(&format!("bundle: {n_kills} kills, {n_resumed} resumed, {n_undone} undone"));
}

/// An undo that is killed goes on with the next one, without a restore between them.
#[test]
fn an_undo_that_is_killed_is_continued() {
    if !works() {
        return;
    }
    let sandbox = installation();
    let path = bundle(&sandbox);
    reset(&sandbox);
    let old = state(&sandbox);
    let restore = ["db-bundle", "restore", &path, "--yes", "--passphrase-file", "../passphrase"];
    let undo = ["db-bundle", "restore", "--undo", "--yes"];
    sandbox.ok(&restore);
    traced(&sandbox, &["-e", &format!("trace={CALLS}")], &undo);
    let moments: Vec<_> = calls(&sandbox)
        .into_iter()
        .flat_map(|(call, n)| (1..=n).map(move |n| (call.clone(), n)))
        .collect();
    let mut n_kills = 0;
    for (call, n) in moments.iter().step_by(stride()) {
        sandbox.ok(&restore);
        let inject = format!("inject={call}:signal=KILL:when={n}");
        let said = traced(&sandbox, &["-e", &format!("trace={call}"), "-e", &inject], &undo);
        n_kills += usize::from(said.code.is_none());
        sandbox.ok(&undo);
        assert_eq!(state(&sandbox), old, "{inject}: {said:#?}");
    }
    assert!(n_kills > 0);
    complain(&format!("bundle: {n_kills} kills of an undo, each continued"));
}

/// The next run removes, and names, the leftovers of a killed one in another folder than that of the backups.
#[test]
fn a_create_that_is_killed_is_swept_wherever_it_wrote() {
    if !works() {
        return;
    }
    let sandbox = installation();
    let create =
        ["db-bundle", "create", "--output", "../usb", "--passphrase-file", "../passphrase"];
    traced(&sandbox, &["-e", "trace=linkat,link"], &create);
    let names = || {
        let entries = fs_err::read_dir(sandbox.path("../usb")).expect("a folder");
        let names = entries.map(|one| one.expect("an entry").file_name().into_string());
        let mut names: Vec<_> = names.map(|name| name.expect("UTF-8")).collect();
        names.sort();
        names
    };
    let whole = names();
    assert_eq!(whole.len(), 2, "{whole:?}");
    let (call, n) = calls(&sandbox).into_iter().max_by_key(|(_, n)| *n).expect("links");
    // The last two links are the record's and the bundle's.
    for when in [n - 1, n] {
        let inject = format!("inject={call}:signal=KILL:when={when}");
        let said = traced(&sandbox, &["-e", &format!("trace={call}"), "-e", &inject], &create);
        assert_eq!(said.code, None, "{said:#?}");
        let is_stage = |name: &&String| name.starts_with(".root.");
        assert!(names().iter().any(|name| is_stage(&name)), "{:?}", names());
        sandbox.write("../usb/.root.stage-1-0123456789abcdef", "of something else");
        sandbox.write("../usb/.other.2025-01-01_000000.tar.zst.stage-1-0123456789abcdef", "theirs");
        let said = sandbox.ok(&create);
        let line = "Removed what an interrupted `db-bundle create` left: ";
        assert!(said.err.contains(line), "{said:#?}");
        let left: Vec<_> = names().into_iter().filter(|name| name.starts_with('.')).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        // No record is alone.
        let names = names();
        let bundle_of = |name: &String| name.strip_suffix(".json").map(str::to_owned);
        let mut bundles = names.iter().filter_map(bundle_of);
        assert!(bundles.all(|bundle| names.contains(&bundle)), "{names:?}");
    }
}
