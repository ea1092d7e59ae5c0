//! The trailer in messages of every shape, under every setting of git's.

use crate::hooks::commit::{commit, commit_with_editor, message, newest};
use crate::support::sandbox::Sandbox;

#[test]
fn an_editor_sees_the_trailer_below_what_is_to_be_written() {
    let sandbox = Sandbox::with_hooks();
    sandbox.write("../template", "Why:\n\nWhat:\n");
    let template = sandbox.path("../template");
    let template = format!("--template={}", template.display());
    // Untouched, a message of nothing but the trailer says how to leave.
    for arguments in [&[][..], &["--verbose"], &["--cleanup=scissors"], &[template.as_str()]] {
        sandbox.write("backend/db/migrations/0002.sql", format!("-- {arguments:?}\n"));
        sandbox.hooked(&["add", "backend"]);
        let script = "cp \"$1\" ../seen; { echo Subject; cat \"$1\"; } > m; cp m \"$1\"; rm m";
        assert_eq!(commit_with_editor(&sandbox, script, arguments), Some(0), "{arguments:?}");
        let seen = fs_err::read_to_string(sandbox.path("../seen")).expect("seen");
        let above = seen.split("# Please enter").next().unwrap_or_default();
        assert_eq!(above.matches("Db-Backup: ").count(), 1, "{arguments:?}: {seen}");
        // Above the scissors even a comment would be kept.
        let says = !arguments.contains(&"--cleanup=scissors");
        assert_eq!(above.contains("# To abort the commit"), says, "{arguments:?}: {seen}");
        assert_eq!(sandbox.trailers().len(), 1, "{arguments:?}: {}", message(&sandbox));
        assert!(message(&sandbox).starts_with("Subject\n"), "{}", message(&sandbox));
        assert!(!message(&sandbox).contains("diff --git"), "{}", message(&sandbox));
    }
}

#[test]
fn messages_of_every_shape_end_with_one_trailer_block() {
    let sandbox = Sandbox::with_hooks();
    for given in [
        "Subject\n\nBody.\n\nSigned-off-by: A <a@example.invalid>",
        "Subject",
        "Subject\n\nDb-Backup: as a word in the text\nof the body.",
        "Subject\n\n---\n\nbelow a divider",
        "fixup! Subject",
    ] {
        sandbox.write("backend/db/migrations/0002.sql", format!("-- {given}\n"));
        sandbox.hooked(&["add", "backend"]);
        sandbox.write("../message", given);
        let file = format!("--file={}", sandbox.path("../message").display());
        commit(&sandbox, &[&file]);
        let trailers = sandbox.trailers();
        assert!(trailers.last().is_some_and(|t| t.starts_with(&newest(&sandbox))), "{given}");
        assert!(message(&sandbox).starts_with(given), "{given:?}: {}", message(&sandbox));
    }
}

#[test]
fn two_databases_have_a_trailer_each_and_only_where_they_are_touched() {
    let sandbox = Sandbox::without_hooks();
    sandbox.configure(
        "[workspace.metadata.db.databases.notes]\npath = \"notes.db\"\nschema = [\"notes/*.sql\"]",
    );
    let notes = crate::support::sandbox::open(&sandbox.path("notes.db"));
    notes.execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY)").expect("a table");
    drop(notes);
    sandbox.ok(&["db-hooks", "install"]);
    sandbox.stage_migration("moods");
    sandbox.write("notes/1.sql", "CREATE TABLE tags (id);\n");
    sandbox.hooked(&["add", "notes"]);
    commit(&sandbox, &["--message=both"]);
    let both = sandbox.trailers();
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].contains("+moods") && both[1].contains("+tags"), "{both:?}");
    sandbox.write("notes/2.sql", "-- more\n");
    sandbox.hooked(&["add", "notes"]);
    commit(&sandbox, &["--amend", "--no-edit"]);
    let amended = sandbox.trailers();
    assert_eq!(amended.len(), 2, "{amended:?}");
    assert!(amended.contains(&both[0]), "the untouched one stays: {amended:?}");
    assert!(!amended.contains(&both[1]), "the touched one is replaced: {amended:?}");
}

#[test]
fn git_s_own_settings_for_pathspecs_and_diffs_change_nothing() {
    let sandbox = Sandbox::with_hooks();
    for (name, value) in [
        // Magit commits with literal pathspecs.
        ("GIT_LITERAL_PATHSPECS", "1"),
        ("GIT_NOGLOB_PATHSPECS", "1"),
        ("GIT_ICASE_PATHSPECS", "1"),
        ("GIT_EXTERNAL_DIFF", "false"),
        ("GIT_PAGER", "false"),
    ] {
        let before = sandbox.n_of("pre-commit");
        sandbox.write("backend/db/migrations/0002.sql", format!("-- {name}\n"));
        sandbox.hooked(&["add", "backend"]);
        let mut git = sandbox.git_at_clock(&["commit", "--quiet", "--message=x"]);
        let said = sandbox.said(&git.env(name, value).output().expect("git runs"));
        assert_eq!(said.code, Some(0), "{name}: {said:#?}");
        assert_eq!(sandbox.n_of("pre-commit"), before + 1, "{name}: {said:#?}");
        assert_eq!(sandbox.trailers().len(), 1, "{name}: {said:#?}");
    }
    for setting in [
        "diff.external=false",
        "diff.noprefix=true",
        "diff.renames=copies",
        "diff.relative=true",
        "trailer.ifexists=replace",
        "trailer.separators=#",
        "core.commentChar=;",
        "core.quotePath=false",
        "commit.gpgSign=false",
        "commit.verbose=true",
        "color.ui=always",
    ] {
        let before = sandbox.n_of("pre-commit");
        sandbox.write("backend/db/migrations/0002.sql", format!("-- {setting}\n"));
        sandbox.hooked(&["add", "backend"]);
        let said = sandbox.hooked(&["-c", setting, "commit", "--quiet", "--message=x"]);
        assert_eq!(sandbox.n_of("pre-commit"), before + 1, "{setting}: {said:#?}");
        assert_eq!(message(&sandbox).matches("Db-Backup").count(), 1, "{setting}: {said:#?}");
    }
}

#[test]
fn a_comment_sign_given_by_a_flag_is_known_to_the_trailer() {
    let sandbox = Sandbox::with_hooks();
    for (sign, flags) in [(";", &["--verbose"][..]), ("%", &["--verbose"]), (";", &[])] {
        sandbox.write("backend/db/migrations/0002.sql", format!("-- {sign} {flags:?}\n"));
        sandbox.hooked(&["add", "backend"]);
        let setting = format!("core.commentChar={sign}");
        let script = "cp \"$1\" ../seen; { echo Subject; cat \"$1\"; } > m; cp m \"$1\"; rm m";
        sandbox.write("../editor", format!("#!/bin/sh\n{script}\n"));
        let mut git =
            sandbox.git_at_clock(&[&["-c", &setting, "commit", "--quiet"], flags].concat());
        let editor = format!("sh {}", sandbox.path("../editor").display());
        let output = git.env("GIT_EDITOR", editor).output().expect("git runs");
        assert!(output.status.success(), "{sign} {flags:?}: {:#?}", sandbox.said(&output));
        assert_eq!(sandbox.trailers().len(), 1, "{sign} {flags:?}: {}", message(&sandbox));
        assert!(message(&sandbox).starts_with("Subject\n"), "{}", message(&sandbox));
    }
}

#[test]
fn an_empty_message_that_is_meant_stays_empty() {
    let sandbox = Sandbox::with_hooks();
    sandbox.stage_migration("moods");
    commit(&sandbox, &["--allow-empty-message", "--message="]);
    assert_eq!(message(&sandbox).trim(), "");
    assert!(!sandbox.backups().is_empty(), "the checkpoint is taken anyway");
}
