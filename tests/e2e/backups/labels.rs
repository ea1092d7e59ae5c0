//! Labels: a reference like any other, and `db-label`, which corrects one.

use crate::support::sandbox::Sandbox;

/// What `db-restore REF` would restore.
fn meant(sandbox: &Sandbox, reference: &str) -> Option<String> {
    let document = sandbox.json(&["db-restore", reference, "--dry-run"]);
    document["would_restore"].as_str().map(str::to_owned)
}

fn labelled(sandbox: &Sandbox, label: &str) -> String {
    sandbox.sql("INSERT INTO messages (content) VALUES ('more')");
    let document = sandbox.json(&["db-backup", "--label", label]);
    document["backups"][0]["name"].as_str().expect("a name").to_owned()
}

#[test]
fn a_label_means_its_backup_as_long_as_one_bears_it() {
    let sandbox = Sandbox::new();
    let first = labelled(&sandbox, "before the merge");
    let second = labelled(&sandbox, "after it");
    assert_eq!(meant(&sandbox, "before the merge"), Some(first.clone()));
    assert_eq!(meant(&sandbox, "after it"), Some(second.clone()));
    sandbox.ok(&["db-label", "latest", "before the merge"]);
    let said = sandbox.fails(2, &["db-restore", "before the merge", "--yes"]);
    assert_eq!(
        said.err,
        format!(
            "error: `before the merge` is the label of 2 backups: `{second}` (4min ago, manual), \
             `{first}` (5min ago, manual)\n\
             hint: `cargo xtask db-label` changes a label; or give the name of one, e.g. `cargo \
             xtask db-restore {second} --yes`\n"
        )
    );
    assert_eq!(meant(&sandbox, "after it"), None);
    sandbox.ok(&["db-label", &second, ""]);
    assert_eq!(sandbox.json(&["db-list"])["backups"][0]["label"], serde_json::json!(null));
    assert_eq!(meant(&sandbox, "before the merge"), Some(first));
}

#[test]
fn a_label_never_takes_the_place_of_a_name_a_time_or_a_word() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    let first = sandbox.backup_with("one more");
    for label in ["latest", "latest~1", "oldest", "safety", "@main", "2h", &first, &first[10..27]] {
        labelled(&sandbox, label);
    }
    let last = labelled(&sandbox, "last");
    assert_eq!(meant(&sandbox, "latest"), Some(last.clone()));
    assert_eq!(meant(&sandbox, "oldest"), Some(first.clone()));
    assert_eq!(meant(&sandbox, "@main"), Some(last.clone()));
    assert_eq!(meant(&sandbox, &first), Some(first.clone()));
    assert_eq!(meant(&sandbox, &first[10..27]), Some(first));
    assert_eq!(meant(&sandbox, "safety"), None);
    // It is reported, and the backup is found by its name.
    let said = sandbox.ok(&["db-label", &last, "latest~1"]);
    assert!(said.err.contains("The label cannot be used as a reference to it"), "{said:#?}");
    assert!(sandbox.ok(&["db-label", &last, "mine"]).err.is_empty());
}

#[test]
fn a_label_wins_over_a_revision_and_is_refused_beside_a_prefix() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.git(&["tag", "v1.2"]);
    let mine = labelled(&sandbox, "v1.2");
    let day = labelled(&sandbox, "2025-09-13_142");
    assert_ne!(mine, day);
    assert_eq!(meant(&sandbox, "v1.2"), Some(mine.clone()));
    sandbox.set_clock("2025-10-01T12:00:00+02:00");
    let october = labelled(&sandbox, "2025-09");
    let said = sandbox.fails(2, &["db-restore", "2025-09", "--yes"]);
    assert!(said.err.contains("means 2 backups"), "{said:#?}");
    sandbox.ok(&["db-label", &october, "october"]);
    let said = sandbox.fails(2, &["db-label", "2025-10-02", "x"]);
    assert!(said.err.contains("no backup matches"), "{said:#?}");
}

#[test]
fn a_label_of_another_worktree_comes_before_a_branch_of_that_name() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    let theirs = labelled(&sandbox, "main");
    sandbox.git(&["worktree", "add", "--quiet", "../linked"]);
    let linked = sandbox.path("../linked");
    let live = linked.join("backend/db/kalito.db");
    fs_err::create_dir_all(live.parent().expect("a folder")).expect("made");
    fs_err::copy(sandbox.live(), &live).expect("copied");
    let in_linked = |arguments: &[&str]| {
        let output = sandbox.xtask(arguments).current_dir(&linked).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    // Both worktrees are at the commit of `main`.
    in_linked(&["db-backup"]);
    let plan = in_linked(&["db-restore", "main", "--dry-run", "--json"]);
    assert!(plan.contains(&theirs), "{plan}");
}

#[test]
fn a_mistyped_reference_names_the_nearest() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    labelled(&sandbox, "before the merge");
    for (typed, meant) in [
        ("latets", "latest"),
        ("latets~2", "latest~2"),
        ("odlest", "oldest"),
        ("safty", "safety"),
        ("@mian", "@main"),
        ("before teh merge", "before the merge"),
    ] {
        let said = sandbox.fails(2, &["db-verify", typed]);
        let hint = format!("hint: did you mean `{meant}`? ");
        assert!(said.err.contains(&hint), "{typed}: {said:#?}");
    }
    // A mistyped date is answered with the nearest dates.
    let said = sandbox.fails(2, &["db-verify", "2025-09-12"]);
    assert!(said.err.contains("the nearest is"), "{said:#?}");
}

#[test]
fn with_several_databases_a_label_and_a_typo_are_known_too() {
    let sandbox = Sandbox::new();
    sandbox.configure("\n[workspace.metadata.db.databases.logs]\npath = 'logs.db'");
    fs_err::copy(sandbox.live(), sandbox.path("logs.db")).expect("copied");
    sandbox.ok(&["db-backup"]);
    sandbox.ok(&["db-backup", "--db", "logs", "--label", "the logs"]);
    let document = sandbox.json(&["db-list", "--db", "logs"]);
    let name = document["backups"][0]["name"].as_str().expect("a name").to_owned();
    assert_eq!(meant(&sandbox, "the logs"), Some(name.clone()));
    let said = sandbox.fails(2, &["db-verify", "latets"]);
    assert!(said.err.contains("did you mean `latest`? choose one with `--db NAME`"), "{said:#?}");
    // Each line names its database, and what it shows can be typed as it is.
    let said = sandbox.ok(&["db-list"]);
    let mut lines = said.out.lines();
    assert!(lines.next().is_some_and(|head| head.starts_with("NAME")), "{said:#?}");
    for line in lines.filter(|line| !line.starts_with(' ')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(meant(&sandbox, words[0]).as_deref(), Some(words[0]), "{said:#?}");
        assert_eq!(words[1], if words[0].starts_with("logs") { "logs" } else { "kalito" });
    }
}
