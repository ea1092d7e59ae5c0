//! `follow-branches` beside a retention: the state that a branch was left with is never pruned, and
//! what cannot be restored is reported.

use chrono::{DateTime, TimeDelta};

use crate::support::sandbox::{Said, Sandbox, messages};

/// A repository whose database goes with the branch, under a policy.
fn following(keep: &str) -> Sandbox {
    let sandbox = Sandbox::with_hooks();
    let keep = format!("[workspace.metadata.db.keep]\n{keep}");
    sandbox.configure(&format!(
        "[workspace.metadata.db.hooks]\nfollow-branches = \"always\"\n\n{keep}"
    ));
    sandbox.hooked(&["commit", "--quiet", "--all", "--message=follow"]);
    sandbox
}

fn say(sandbox: &Sandbox, content: &str) {
    sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{content}')"));
}

fn last(sandbox: &Sandbox) -> String {
    messages(&sandbox.live()).pop().expect("a message")
}

fn switch(sandbox: &Sandbox, branch: &str) -> Said {
    sandbox.hooked(&["switch", "--quiet", branch])
}

/// Creates a branch with data of its own.
fn enter_anew(sandbox: &Sandbox, branch: &str) {
    sandbox.hooked(&["switch", "--quiet", "--create", branch]);
    say(sandbox, &format!("on {branch}"));
}

fn set_clock(sandbox: &Sandbox, days: i64) {
    let start = DateTime::parse_from_rfc3339("2025-09-13T18:00:00+02:00").expect("a time");
    sandbox.set_clock(&(start + TimeDelta::days(days)).to_rfc3339());
}

#[test]
fn branches_visited_in_turn_find_their_own_data_whatever_the_policy_keeps() {
    for keep in ["last = 2", "last = 1\nmax-size = \"100B\"", "last = 10\nwithin = \"30d\""] {
        let sandbox = following(keep);
        say(&sandbox, "on main");
        let branches = ["main", "a", "b", "c"];
        for branch in &branches[1..] {
            enter_anew(&sandbox, branch);
        }
        for round in 1..=4_i64 {
            for branch in branches {
                set_clock(&sandbox, round * 39);
                let said = switch(&sandbox, branch);
                assert_eq!(
                    last(&sandbox),
                    format!("on {branch}"),
                    "{keep}, round {round}: {said:#?}"
                );
            }
        }
    }
}

#[test]
fn retention_keeps_the_last_state_of_a_renamed_branch_and_of_a_new_one_with_its_old_name() {
    let sandbox = following("last = 1");
    say(&sandbox, "on main");
    enter_anew(&sandbox, "a");
    sandbox.hooked(&["branch", "--move", "a", "renamed"]);
    sandbox.hooked(&["switch", "--quiet", "--create", "a"]);
    say(&sandbox, "on the new a");
    for _ in 0..2 {
        for (branch, expected) in [("main", "on main"), ("renamed", "on a"), ("a", "on the new a")]
        {
            let said = switch(&sandbox, branch);
            assert_eq!(last(&sandbox), expected, "{branch}: {said:#?}");
        }
    }
}

#[test]
fn a_prune_by_hand_names_the_last_states_and_keeps_them() {
    let sandbox = following("last = 5");
    say(&sandbox, "on main");
    enter_anew(&sandbox, "a");
    switch(&sandbox, "main");
    for n in 0..4 {
        set_clock(&sandbox, n);
        sandbox.ok(&["db-backup"]);
    }
    set_clock(&sandbox, 60);
    let said = sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(said.out.contains("the last state of a branch that is not merged"), "{said:#?}");
    switch(&sandbox, "a");
    assert_eq!(last(&sandbox), "on a");
}

#[test]
fn last_states_that_alone_exceed_the_size_are_named_and_stay() {
    let sandbox = following("last = 1\nmax-size = \"100B\"");
    say(&sandbox, "on main");
    enter_anew(&sandbox, "a");
    let said = switch(&sandbox, "main");
    let what = "the last states of branches alone take up";
    assert!(said.err.contains(what) && said.err.contains("max-size"), "{said:#?}");
    switch(&sandbox, "a");
    assert_eq!(last(&sandbox), "on a");
}

#[test]
fn the_last_state_of_a_merged_branch_may_go() {
    let sandbox = following("last = 1");
    say(&sandbox, "on main");
    enter_anew(&sandbox, "a");
    sandbox.stage_migration("moods");
    sandbox.hooked(&["commit", "--quiet", "--message=moods"]);
    switch(&sandbox, "main");
    sandbox.hooked(&["merge", "--quiet", "--no-edit", "a"]);
    for n in 1..4 {
        set_clock(&sandbox, n);
        say(&sandbox, "more");
        sandbox.ok(&["db-backup", "--kind", "scheduled"]);
    }
    let list = sandbox.json(&["db-list"]);
    let of_a = list["backups"].as_array().expect("backups").iter();
    let of_a = of_a.filter(|backup| backup["git"]["branch"] == "a" && backup["kind"] != "safety");
    assert_eq!(of_a.count(), 0, "{list:#}");
}

#[test]
fn a_last_state_that_is_gone_is_named_and_no_older_one_takes_its_place() {
    let sandbox = following("last = 100");
    say(&sandbox, "on main");
    enter_anew(&sandbox, "a");
    sandbox.ok(&["db-backup"]);
    say(&sandbox, "later on a");
    switch(&sandbox, "main");
    let left_with =
        sandbox.records("branch").into_iter().find(|record| record["git"]["branch"] == "a");
    let file = left_with.expect("a checkpoint")["file"].as_str().expect("a name").to_owned();
    for file in [file.clone(), format!("{file}.json")] {
        fs_err::remove_file(sandbox.path("backups").join(file)).expect("removed");
    }
    let said = switch(&sandbox, "a");
    assert!(
        said.err.contains("its last state on `a`") && said.err.contains("is not among"),
        "{said:#?}"
    );
    assert!(said.err.contains("cargo xtask db-restore"), "{said:#?}");
    assert_eq!(last(&sandbox), "on main", "the database is left alone");
    // From here on it is the branch's own.
    say(&sandbox, "anew on a");
    switch(&sandbox, "main");
    assert_eq!(last(&sandbox), "on main");
    switch(&sandbox, "a");
    assert_eq!(last(&sandbox), "anew on a");
}

#[test]
fn a_branch_whose_backups_are_all_gone_is_named() {
    let sandbox = following("last = 100");
    say(&sandbox, "on main");
    enter_anew(&sandbox, "a");
    switch(&sandbox, "main");
    for record in sandbox.records("branch") {
        if record["git"]["branch"] == "a" {
            let file = record["file"].as_str().expect("a name");
            fs_err::remove_file(sandbox.path("backups").join(file)).expect("removed");
        }
    }
    let said = switch(&sandbox, "a");
    assert!(
        said.err.contains("its last state on `a`") && said.err.contains("is not among"),
        "{said:#?}"
    );
    assert_eq!(last(&sandbox), "on main");
}
