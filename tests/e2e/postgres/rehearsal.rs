//! `db-pre-migrate` with a PostgreSQL database: the migration runs on a scratch database first, and its effects are
//! judged like those on an SQLite database.

use std::io::{BufRead as _, BufReader, Write as _};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::postgres_migrations::{ADD, ServerHost};
use crate::support::postgres_server::{PASSWORD, PostgresServer};
use crate::support::sandbox::Sandbox;

#[test]
fn nothing_is_pending_if_the_command_changes_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "q 'SELECT 1' >/dev/null");
    let said = host.sandbox.ok(&["db-pre-migrate"]);
    let place = host.database.place();
    assert!(
        said.out.contains(&format!(
            "Nothing is pending: `sh migrate.sh` changed nothing on a private copy of {place}"
        )),
        "{said:#?}"
    );
    assert!(host.sandbox.backups().is_empty(), "no checkpoint is needed");
    assert_eq!(host.left(), "");
}

#[test]
fn what_only_adds_is_allowed_and_a_checkpoint_is_kept() {
    let Some(server) = PostgresServer::shared() else { return };
    let host =
        ServerHost::new(server, &format!("{ADD}\nq \"INSERT INTO users (name) VALUES ('new')\""));
    let before = host.database.dump();
    let said = host.sandbox.ok(&["db-pre-migrate"]);
    for line in [
        "  + table public.likes",
        "  public.likes: 0 rows",
        "  public.users: 5 → 6 rows",
        "Checkpoint created at ./backups/",
        "The migration may run.",
    ] {
        assert!(said.out.contains(line), "{line}: {said:#?}");
    }
    assert_eq!(host.database.dump(), before, "the live database is as it was");
    assert_eq!(host.left(), "");
    let records = host.sandbox.records("pre-migrate");
    assert_eq!(records.len(), 1);
    let document = host.sandbox.json(&["db-pre-migrate"]);
    assert_eq!(document["outcome"], "allowed");
    assert_eq!(document["changes"][0]["kind"], "table");
    assert_eq!(document["changes"][0]["name"], "public.likes");
    assert_eq!(document["rows"]["public.users"]["after"], 6);
    assert_eq!(document["rehearsal"]["opened"], true);
}

#[test]
fn each_loss_is_refused_in_words_and_allowed_by_name() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "");
    for (script, losses, allowed) in [
        (
            "q 'DELETE FROM notes WHERE id > 15'",
            &["table `public.notes` loses 5 of its 20 rows"][..],
            &["public.notes"][..],
        ),
        ("q 'DROP TABLE notes'", &["table `public.notes` is dropped with its 20 rows"], &["notes"]),
        (
            "q 'ALTER TABLE users DROP COLUMN email'",
            &["column `email` of table `public.users` is dropped with its 5 values"],
            &["users.email"],
        ),
        (
            "q 'UPDATE users SET email = NULL WHERE id < 3'",
            &["column `email` of table `public.users` loses its 2 values: 2 are NULL now"],
            &["public.users.email"],
        ),
        (
            "q 'ALTER TABLE notes DROP CONSTRAINT notes_user_id_fkey; DELETE FROM users WHERE id = 1;
                ALTER TABLE notes ADD FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID'",
            &[
                "table `public.users` loses 1 of its 5 rows",
                "4 rows of `public.notes` newly refer to no row of `public.users`",
            ],
            &["users", "notes"],
        ),
        (
            "q \"CREATE TABLE u2 AS SELECT id, name FROM users; DROP TABLE users CASCADE;
                ALTER TABLE u2 RENAME TO users\"",
            &["column `email` of table `public.users` is dropped with its 5 values"],
            &["users.email"],
        ),
    ] {
        host.rewrite(script);
        let said = host.sandbox.fails(1, &["db-pre-migrate"]);
        for loss in losses {
            assert!(said.err.contains(loss), "{script}: {loss}: {said:#?}");
        }
        assert!(said.err.contains("is refused after its rehearsal"), "{said:#?}");
        assert!(said.err.contains("pass `--allow-loss public."), "{said:#?}");
        let mut arguments = vec!["db-pre-migrate"];
        for name in allowed {
            arguments.extend(["--allow-loss", name]);
        }
        let said = host.sandbox.ok(&arguments);
        for loss in losses {
            assert!(said.out.contains(&format!("allowed: {loss}")), "{script}: {loss}: {said:#?}");
        }
        assert_eq!(host.left(), "");
    }
}

#[test]
fn what_is_only_renamed_moved_or_rebuilt_is_no_loss() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "");
    for (script, line) in [
        ("q 'ALTER TABLE users RENAME TO people'", "public.users: called public.people now, with 5 rows"),
        ("q 'ALTER TABLE users RENAME email TO mail'", "public.users.email: called mail now"),
        (
            "q 'ALTER TABLE users ADD COLUMN contact text; UPDATE users SET contact = email;
                ALTER TABLE users DROP COLUMN email'",
            "public.users.email: ",
        ),
        (
            "q \"CREATE TABLE n2 (id int PRIMARY KEY, user_id int REFERENCES users (id), text text);
                INSERT INTO n2 SELECT id, user_id, body FROM notes; DROP TABLE notes;
                ALTER TABLE n2 RENAME TO notes\"",
            "public.notes.body: called text now",
        ),
        ("q 'CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS \"SELECT 2\"'", ""),
        ("q 'CREATE VIEW names AS SELECT name FROM users'", "  + view public.names"),
    ] {
        if script.contains("twice") {
            host.rewrite("q \"CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'\"");
        } else {
            host.rewrite(script);
        }
        let said = host.sandbox.ok(&["db-pre-migrate"]);
        let line = if line.is_empty() { "  + function public.twice(integer)" } else { line };
        assert!(said.out.contains(line), "{script}: {line}: {said:#?}");
    }
}

#[test]
fn rows_are_paired_without_a_key_and_by_a_key_that_changes() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "");
    host.database.sql(
        "CREATE TABLE log (line text, n int);
         INSERT INTO log SELECT 'the line of number ' || n, n FROM generate_series(1, 10) n",
    );
    // Without a key nobody can tell that a changed row is the same one: it counts as lost, and another as added.
    host.rewrite(
        "q \"UPDATE log SET n = n + 100 WHERE n < 4; DELETE FROM log WHERE line LIKE '%number 5'\"",
    );
    let said = host.sandbox.fails(1, &["db-pre-migrate"]);
    let loss = "table `public.log` loses 4 of its 10 rows, and 3 others are added";
    assert!(said.err.contains(loss), "{said:#?}");
    host.rewrite(
        "q \"ALTER TABLE notes DROP CONSTRAINT notes_pkey; ALTER TABLE notes ADD PRIMARY KEY (id, user_id);
            UPDATE notes SET body = body || ', and more' WHERE id > 10\"",
    );
    let said = host.sandbox.ok(&["db-pre-migrate"]);
    assert!(said.out.contains("public.notes.body: 10 values changed"), "{said:#?}");
    host.rewrite(
        "q \"ALTER TABLE notes DROP CONSTRAINT notes_pkey; UPDATE notes SET id = 1; DELETE FROM notes
            WHERE body LIKE '%20'\"",
    );
    let said = host.sandbox.fails(1, &["db-pre-migrate"]);
    assert!(said.err.contains("table `public.notes` loses 1 of its 20 rows"), "{said:#?}");
}

#[test]
fn triggers_that_are_switched_off_are_warned_of_and_their_orphans_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(
        server,
        "q \"ALTER TABLE notes DISABLE TRIGGER ALL; INSERT INTO notes VALUES (99, 99, 'orphan')\"",
    );
    let said = host.sandbox.fails(1, &["db-pre-migrate"]);
    assert!(
        said.err.contains("1 row of `public.notes` newly refers to no row of `public.users`"),
        "{said:#?}"
    );
    let said = host.sandbox.ok(&["db-pre-migrate", "--allow-loss", "notes"]);
    assert!(
        said.err
            .contains("the migration removes `FOREIGN KEY (user_id) REFERENCES public.users(id)`"),
        "{said:#?}"
    );
}

#[test]
fn an_interrupt_ends_the_command_and_leaves_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "q 'DROP TABLE notes'; touch begun; sleep 1000");
    let before = host.database.dump();
    let mut child = host.sandbox.xtask(&["db-pre-migrate"]).spawn().expect("the binary runs");
    host.wait_for("begun");
    kill_process(Pid::from_child(&child), Signal::INT).expect("sent");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(host.left(), "");
    assert_eq!(host.database.dump(), before);
    assert!(host.sandbox.backups().is_empty());
}

#[test]
fn a_comment_in_the_migration_allows_a_loss() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "q \"$(cat migrations/0002_drop.sql)\"");
    host.sandbox.configure("schema = ['migrations/*.sql']");
    host.sandbox.write("migrations/0001_init.sql", "-- tables\n");
    host.sandbox.write(
        "migrations/0002_drop.sql",
        "-- allow-loss: users.email\nALTER TABLE users DROP COLUMN email;\n",
    );
    let said = host.sandbox.ok(&["db-pre-migrate"]);
    assert!(said.out.contains("allowed: column `email` of table `public.users`"), "{said:#?}");
}

#[test]
fn a_command_that_fails_is_reported_and_nothing_is_left() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "q 'DROP TABLE notes'\nq 'DROP TABLE nonsense'");
    let before = host.database.dump();
    let said = host.sandbox.fails(1, &["db-pre-migrate"]);
    assert!(said.err.contains("the command ended with exit status: 1"), "{said:#?}");
    assert_eq!(host.database.dump(), before);
    assert_eq!(host.left(), "");
    assert!(host.sandbox.backups().is_empty());
}

#[test]
fn a_command_that_ignores_its_variable_is_found_out() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, "live 'SELECT 1' >/dev/null");
    let said = host.sandbox.fails(1, &["db-pre-migrate"]);
    assert!(
        said.err.contains("it never opened the copy that `MEMORY_DB_URL` pointed it to"),
        "{said:#?}"
    );
    assert!(said.err.contains("migrate-env"), "{said:#?}");
    host.rewrite("live 'ALTER TABLE users DROP COLUMN email'");
    let before = host.database.dump();
    let said = host.sandbox.fails(1, &["db-pre-migrate"]);
    assert!(
        said.err
            .contains("changed while the migration was rehearsed on a copy; nothing was restored"),
        "{said:#?}"
    );
    assert!(said.err.contains("it never opened the copy"), "{said:#?}");
    assert_ne!(host.database.dump(), before);
    // The checkpoint that the message names has the state before.
    let checkpoint = host.sandbox.backups().pop().expect("a checkpoint");
    assert!(said.err.contains(&format!("cargo xtask db-restore {checkpoint} --yes")), "{said:#?}");
    host.sandbox.ok(&["db-restore", &checkpoint, "--yes"]);
    assert_eq!(host.database.dump(), before);
    assert_eq!(host.left(), "");
}

#[test]
fn values_of_sequences_are_rows_and_no_definitions() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(
        server,
        &format!("live \"SELECT nextval('users_id_seq')\" >/dev/null\n{ADD}"),
    );
    let said = host.sandbox.ok(&["db-pre-migrate"]);
    assert!(said.err.contains("changed meanwhile, by an application or the command"), "{said:#?}");
}

#[test]
fn an_application_that_is_connected_is_not_disturbed() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, ADD);
    let mut session = host.database.session();
    let mut stdin = session.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(session.stdout.take().expect("a pipe")).lines();
    let mut ask = |sql: &str| {
        writeln!(stdin, "{sql}").expect("written");
        lines.next().expect("a line").expect("read")
    };
    let pid = ask("BEGIN; SELECT pg_backend_pid();");
    assert_eq!(ask("INSERT INTO users (name) VALUES ('open') RETURNING 'in'; "), "in");
    host.sandbox.ok(&["db-pre-migrate"]);
    assert_eq!(ask("COMMIT; SELECT pg_backend_pid();"), pid);
    assert_eq!(ask("SELECT count(*) FROM users;"), "6");
    drop(stdin);
    session.wait().expect("it ends");
    assert_eq!(host.left(), "");
}

#[test]
fn a_variable_must_be_known() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database("CREATE TABLE t (a int)");
    let sandbox = Sandbox::empty();
    let url = database.url().replace(&format!(":{PASSWORD}"), "");
    sandbox.write(
        "Cargo.toml",
        format!(
            "[workspace]\nmembers = []\n\n[workspace.metadata.db.databases.memory]\nurl = \"{url}\"\n\
             migrate = ['true']\n"
        ),
    );
    for command in ["db-pre-migrate", "db-migrate"] {
        let said = sandbox.fails(2, &[command]);
        assert!(
            said.err.contains("set `migrate-env` in `[workspace.metadata.db.databases.memory]`"),
            "{said:#?}"
        );
    }
    sandbox.configure("migrate-env = 'DATABASE_URL=sqlite://{path}'");
    let said = sandbox.fails(2, &["db-pre-migrate"]);
    assert!(said.err.contains("does not contain `{url}`"), "{said:#?}");
}

#[test]
fn the_password_is_in_no_output() {
    let Some(server) = PostgresServer::shared() else { return };
    let host = ServerHost::new(server, ADD);
    for arguments in [
        &["db-pre-migrate"][..],
        &["db-pre-migrate", "--json"],
        &["db-migrate"],
        &["db-reset", "--yes"],
        &["db-pre-deploy"],
    ] {
        let said = host.sandbox.run(arguments);
        assert!(!said.out.contains(PASSWORD) && !said.err.contains(PASSWORD), "{arguments:?}");
    }
    host.rewrite("exit 7");
    let said = host.sandbox.fails(1, &["db-migrate", "--json"]);
    assert!(!said.out.contains(PASSWORD) && !said.err.contains(PASSWORD), "{said:#?}");
}
