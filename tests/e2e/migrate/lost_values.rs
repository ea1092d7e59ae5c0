//! Migrations that take values without changing a count, and the ways to allow that.

use crate::support::sandbox::{Said, Sandbox};
use crate::support::shell_migrations::{ADD, content, host_with_children, rewrite};

/// Cuts the notes off.
const CUT: &str = "q \"$DB\" \"UPDATE notes SET content = NULL WHERE session = 1\"";

const LOST: &str = "column `content` of table `notes` loses its 2 values: 2 are NULL now";

fn cut() -> Option<Sandbox> {
    let sandbox = host_with_children(CUT)?;
    sandbox.sql("UPDATE notes SET content = 'A note of ' || id");
    Some(sandbox)
}

/// A rehearsal that refuses; the live database stays as it is.
fn refused(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let before = content(sandbox);
    let said = sandbox.fails(1, arguments);
    assert_eq!(content(sandbox), before, "{said:#?}");
    said
}

#[test]
fn values_that_go_without_a_count_changing_are_refused_and_named() {
    let Some(sandbox) = cut() else { return };
    for command in ["db-pre-migrate", "db-migrate", "db-pre-deploy"] {
        let said = refused(&sandbox, &[command]);
        assert!(said.err.contains(LOST), "{said:#?}");
        assert!(said.err.contains("pass `--allow-loss notes.content`"), "{said:#?}");
    }
    // Another column, or another table, allows nothing here.
    for name in ["notes.session", "sessions"] {
        refused(&sandbox, &["db-migrate", "--allow-loss", name]);
    }
    let said = sandbox.ok(&["db-migrate", "--allow-loss", "Notes.Content"]);
    assert!(said.out.contains(&format!("allowed: {LOST}")), "{said:#?}");
}

#[test]
fn a_column_that_is_made_anew_under_its_old_name_loses_its_values() {
    let Some(sandbox) = host_with_children(
        "q \"$DB\" 'ALTER TABLE notes ADD COLUMN content2 TEXT; ALTER TABLE notes DROP COLUMN content;
             ALTER TABLE notes RENAME COLUMN content2 TO content'",
    ) else {
        return;
    };
    let said = refused(&sandbox, &["db-pre-migrate"]);
    assert!(said.err.contains("column `content` of table `notes` loses its 3 values"), "{said:#?}");
}

#[test]
fn what_only_changes_is_said_with_figures_and_runs() {
    let Some(sandbox) = host_with_children(
        "q \"$DB\" \"UPDATE notes SET content = 'a ' || content; DROP INDEX by_session;
             ALTER TABLE sessions RENAME COLUMN mood TO temper\"",
    ) else {
        return;
    };
    sandbox.sql("CREATE INDEX by_session ON notes (session)");
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.out.contains("notes.content: 3 values changed"), "{said:#?}");
    assert!(said.out.contains("sessions.mood: called temper now"), "{said:#?}");
    assert!(said.err.contains("removes index `by_session` of `notes`"), "{said:#?}");
}

#[test]
fn a_configured_allowance_may_name_a_column() {
    let Some(sandbox) = cut() else { return };
    sandbox.configure("allow-loss = ['notes.content']");
    sandbox.ok(&["db-migrate"]);
}

#[test]
fn a_name_that_nothing_bears_is_an_error_with_the_nearest_one() {
    let Some(sandbox) = cut() else { return };
    let said = sandbox.fails(2, &["db-migrate", "--allow-loss", "notes.contnt"]);
    assert!(said.err.contains("`--allow-loss notes.contnt` matches nothing in"), "{said:#?}");
    assert!(said.err.contains("did you mean `notes.content`? nothing was run"), "{said:#?}");
    sandbox.configure("allow-loss = ['nots']");
    let said = sandbox.fails(2, &["db-migrate"]);
    assert!(said.err.contains("did you mean `notes`?"), "{said:#?}");
    // A name that was used up by an earlier migration must not stop every later one.
    let Some(sandbox) = host_with_children(ADD) else { return };
    sandbox.configure("allow-loss = ['once_upon_a_time']");
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.err.contains("`once_upon_a_time` in `allow-loss` matches nothing"), "{said:#?}");
}

#[test]
fn an_allowance_that_was_not_needed_is_said() {
    let Some(sandbox) = host_with_children(ADD) else { return };
    let said = sandbox.ok(&["db-pre-migrate", "--allow-loss", "notes"]);
    assert!(said.err.contains("`--allow-loss notes` was not needed"), "{said:#?}");
}

/// Runs the migrations behind `user_version`, one file each.
const RUNNER: &str = "v=$(q \"$DB\" 'PRAGMA user_version')\n\
    for f in migrations/*.sql; do\n  n=$(basename $f | cut -d_ -f1 | sed 's/^0*//')\n  \
    if [ $n -gt $v ]; then { cat $f; echo; echo \"PRAGMA user_version=$n;\"; } | sqlite3 -bail \"$DB\"; fi\n\
    done";

#[test]
fn a_comment_in_a_migration_s_file_allows_while_that_is_run_and_no_longer() {
    let Some(sandbox) = cut() else { return };
    rewrite(&sandbox, RUNNER);
    sandbox.configure("schema = ['migrations/*.sql']");
    sandbox.write("migrations/0001_a.sql", "-- allow-loss: notes.content\nCREATE TABLE a (b);");
    sandbox.sql("PRAGMA user_version=1; CREATE TABLE a (b)");
    let loss = "UPDATE notes SET content = NULL WHERE session = 1;";
    sandbox.write("migrations/0002_b.sql", loss);
    let said = refused(&sandbox, &["db-migrate"]);
    assert!(said.err.contains(LOST), "an old file allowed it: {said:#?}");
    sandbox.write("migrations/0002_b.sql", format!("-- allow-loss: notes.contnt\n{loss}"));
    let said = refused(&sandbox, &["db-migrate"]);
    let named = "`-- allow-loss: notes.contnt` in `migrations/0002_b.sql` matches nothing; did you \
                 mean `notes.content`?";
    assert!(said.err.contains(named), "{said:#?}");
    sandbox.write("migrations/0002_b.sql", format!("-- allow-loss: notes.content\n{loss}"));
    let said = sandbox.ok(&["db-migrate"]);
    assert!(said.out.contains(&format!("allowed: {LOST}")), "{said:#?}");
    // It is an old file now.
    sandbox.write("migrations/0003_c.sql", "UPDATE notes SET content = NULL;");
    let said = refused(&sandbox, &["db-migrate"]);
    assert!(said.err.contains("column `content` of table `notes` loses its 1 value"), "{said:#?}");
}

#[test]
fn what_the_live_run_takes_is_refused_as_in_the_rehearsal() {
    let Some(sandbox) =
        host_with_children(&format!("{ADD}\ncase $DB in *backend/db/kalito.db) {CUT} ;; esac"))
    else {
        return;
    };
    let before = content(&sandbox);
    let said = sandbox.fails(1, &["db-migrate"]);
    assert!(said.err.contains("column `content` of table `notes` loses its 2 values"), "{said:#?}");
    assert!(said.err.contains("the state before it was restored"), "{said:#?}");
    assert_eq!(content(&sandbox), before);
}
