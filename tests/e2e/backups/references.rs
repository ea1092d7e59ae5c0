//! How a backup is named: every kind of REF, and what is printed if none or several match.

use crate::support::sandbox::{Sandbox, messages};

/// What `db-restore REF` would restore.
fn meant(sandbox: &Sandbox, reference: &str) -> String {
    let arguments = ["db-restore", reference, "--dry-run"];
    let document = sandbox.json(&arguments);
    let name = document["would_restore"].as_str();
    name.unwrap_or_else(|| panic!("`{reference}` means nothing: {document:#}")).to_owned()
}

/// Three backups on three days, then a restore whose safety backup is the newest of all.
fn three_days() -> (Sandbox, [String; 3]) {
    let sandbox = Sandbox::new();
    let names = ["11", "12", "13"].map(|day| {
        sandbox.set_clock(&format!("2025-09-{day}T10:00:00+02:00"));
        sandbox.backup_with(day)
    });
    sandbox.set_clock("2025-09-13T12:00:00+02:00");
    sandbox.ok(&["db-restore", "oldest", "--yes"]);
    (sandbox, names)
}

#[test]
fn latest_and_oldest_never_mean_a_safety_backup() {
    let (sandbox, [first, second, third]) = three_days();
    assert_eq!(meant(&sandbox, "latest"), third);
    assert_eq!(meant(&sandbox, "latest~0"), third);
    assert_eq!(meant(&sandbox, "latest~1"), second);
    assert_eq!(meant(&sandbox, "latest~2"), first);
    assert_eq!(meant(&sandbox, "oldest"), first);
    sandbox.fails(2, &["db-restore", "latest~3", "--yes"]);
    sandbox.fails(2, &["db-restore", "latest~x", "--yes"]);
}

#[test]
fn safety_means_the_newest_safety_backup() {
    let (sandbox, _) = three_days();
    assert_eq!(meant(&sandbox, "safety"), "kalito.db.SAFETY.2025-09-13_120000.bak");
    sandbox.set_clock("2025-09-13T13:00:00+02:00");
    sandbox.ok(&["db-restore", "latest", "--yes"]);
    assert_eq!(meant(&sandbox, "safety"), "kalito.db.SAFETY.2025-09-13_130000.bak");
    assert_eq!(meant(&sandbox, "safety~1"), "kalito.db.SAFETY.2025-09-13_120000.bak");
}

#[test]
fn a_name_a_path_and_a_prefix_mean_that_backup() {
    let (sandbox, [first, second, _]) = three_days();
    let absolute = sandbox.backup_path(&first).to_string_lossy().into_owned();
    for reference in [
        first.as_str(),
        &format!("backups/{first}"),
        &format!("./backups/{first}"),
        &absolute,
        "2025-09-11",
        "2025-09-11_10",
        "2025-09-11_100000",
        "kalito.db.2025-09-11",
    ] {
        assert_eq!(meant(&sandbox, reference), first, "{reference}");
    }
    assert_eq!(meant(&sandbox, "2025-09-12"), second);
    assert_eq!(meant(&sandbox, "kalito.db.S"), "kalito.db.SAFETY.2025-09-13_120000.bak");
}

#[test]
fn an_ambiguous_prefix_lists_what_matches_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let (first, second) = (sandbox.backup(), sandbox.backup_with("four"));
    sandbox.sql("INSERT INTO messages (content) VALUES ('five')");
    let said = sandbox.fails(2, &["db-restore", "2025-09-13_14", "--yes"]);
    assert_eq!(
        said.err,
        format!(
            "error: `2025-09-13_14` means 2 backups: `{second}` (1min ago, manual), `{first}` \
             (2min ago, manual)\n\
             hint: give the name of one, e.g. `cargo xtask db-restore {second} --yes`\n"
        )
    );
    assert_eq!(messages(&sandbox.live()).len(), 5);
}

#[test]
fn a_reference_without_a_match_shows_the_nearest() {
    let (sandbox, [first, ..]) = three_days();
    let said = sandbox.fails(2, &["db-restore", "2025-09-11_1001", "--yes"]);
    assert!(said.err.starts_with("error: no backup matches `2025-09-11_1001`\n"), "{said:#?}");
    let hint = format!("hint: the nearest are `{first}`");
    assert!(said.err.contains(&hint), "{said:#?}");
}

#[test]
fn a_number_or_an_age_without_a_match_shows_the_oldest() {
    let (sandbox, [first, ..]) = three_days();
    let oldest = format!("hint: the oldest is `{first}`, ");
    for (reference, why) in
        [("30d", "none is that old"), ("latest~7", "there are only 3 ordinary backups")]
    {
        let said = sandbox.fails(2, &["db-restore", reference, "--yes"]);
        assert!(said.err.contains(&format!("`{reference}`: {why}\n{oldest}")), "{said:#?}");
    }
    let sandbox = Sandbox::new();
    let only = sandbox.backup();
    let said = sandbox.fails(2, &["db-restore", "safety", "--yes"]);
    assert!(said.err.contains("`safety`: there has been no restore yet\n"), "{said:#?}");
    assert!(!said.err.contains("nearest"), "{said:#?}");
    let said = sandbox.fails(2, &["db-restore", "latest~1", "--yes"]);
    assert!(said.err.contains("there is only 1 ordinary backup\n"), "{said:#?}");
    let said = sandbox.fails(2, &["db-restore", "no-such-name", "--yes"]);
    assert!(said.err.contains(&format!("the nearest is `{only}`; ")), "{said:#?}");
}

#[test]
fn a_reference_without_any_backup_says_so() {
    let sandbox = Sandbox::new();
    for reference in ["latest", "oldest", "safety", "@main", "2h", "HEAD", "2025"] {
        let said = sandbox.fails(2, &["db-restore", reference, "--yes"]);
        assert!(said.err.contains("create one with `cargo xtask db-backup`"), "{said:#?}");
    }
}

#[test]
fn an_age_means_the_newest_backup_that_is_at_least_that_old() {
    let (sandbox, [first, second, third]) = three_days();
    for (reference, name) in [
        ("1h", &third),
        ("2h", &third),
        ("3h", &second),
        ("1d", &second),
        ("26h", &second),
        ("27h", &first),
        ("2d", &first),
    ] {
        sandbox.set_clock("2025-09-13T12:00:00+02:00");
        assert_eq!(&meant(&sandbox, reference), name, "{reference}");
    }
    sandbox.fails(2, &["db-restore", "1w", "--yes"]);
}

#[test]
fn a_branch_means_the_newest_backup_taken_on_it() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    let on_main = sandbox.backup();
    sandbox.git(&["switch", "--quiet", "--create", "feature"]);
    let on_feature = sandbox.backup();
    assert_eq!(meant(&sandbox, "@main"), on_main);
    assert_eq!(meant(&sandbox, "@feature"), on_feature);
    sandbox.git(&["switch", "--quiet", "main"]);
    let newer = sandbox.backup();
    assert_eq!(meant(&sandbox, "@main"), newer);
    let said = sandbox.fails(2, &["db-restore", "@feat", "--yes"]);
    let none = "no backup matches `@feat`";
    assert!(said.err.contains(none), "{said:#?}");
}

#[test]
fn a_branch_with_a_slash_in_its_name_is_no_path() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.git(&["switch", "--quiet", "--create", "feature/x"]);
    let on_feature = sandbox.backup();
    assert_eq!(meant(&sandbox, "@feature/x"), on_feature);
}

#[test]
fn a_revision_means_the_newest_backup_at_it_or_at_its_nearest_ancestor() {
    let sandbox = Sandbox::new();
    let commit = |name: &str| {
        sandbox.git(&["commit", "--quiet", "--allow-empty", "--message", name]);
    };
    sandbox.git_init();
    sandbox.backup();
    let first = sandbox.backup();
    sandbox.git(&["tag", "--annotate", "--message=one", "v1.2"]);
    commit("second");
    commit("third");
    let third = sandbox.backup();
    commit("fourth");
    let id = sandbox.git(&["rev-parse", "HEAD~1"]);
    for (reference, name) in [
        ("HEAD", &third),
        ("HEAD~1", &third),
        ("HEAD~2", &first),
        ("HEAD~3", &first),
        ("v1.2", &first),
        ("main", &third),
        (id.as_str(), &third),
        (&id[..10], &third),
    ] {
        assert_eq!(&meant(&sandbox, reference), name, "{reference}");
    }
    sandbox.fails(2, &["db-restore", "HEAD~4", "--yes"]);
}

#[test]
fn a_revision_with_a_slash_in_its_name_is_no_path() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    let first = sandbox.backup();
    sandbox.git(&["tag", "release/1.2"]);
    sandbox.git(&["commit", "--quiet", "--allow-empty", "--message=second"]);
    sandbox.backup();
    assert_eq!(meant(&sandbox, "release/1.2"), first);
}

#[test]
fn a_revision_before_every_backup_means_none() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.git(&["commit", "--quiet", "--allow-empty", "--message=second"]);
    sandbox.backup();
    let said = sandbox.fails(2, &["db-restore", "HEAD~1", "--yes"]);
    assert!(said.err.contains("no backup matches `HEAD~1`"), "{said:#?}");
}
