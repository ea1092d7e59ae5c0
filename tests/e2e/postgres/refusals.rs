//! What cannot be done with a PostgreSQL database, or not now: each refusal names the reason and the way out.

use crate::support::postgres_server::{PASSWORD, PostgresServer};

#[test]
fn commands_without_a_meaning_there_yet_say_so() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database("CREATE TABLE t (a int)");
    let sandbox = database.sandbox();
    sandbox.write("dump.sql", "CREATE TABLE t (a);\n");
    sandbox.ok(&["db-backup"]);
    let before = database.dump();
    for arguments in [
        &["db-diff", "--sql"][..],
        &["db-import", "dump.sql", "--force", "--yes"],
        &["db-restore", "latest", "--table", "t", "--yes"],
    ] {
        let said = sandbox.run(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:#?}");
        assert!(
            said.err.contains("PostgreSQL") || said.err.contains("SQLite databases only"),
            "{arguments:?}: {said:#?}"
        );
        assert!(
            !said.err.contains("postgres:/"),
            "no path is made of a URL: {arguments:?}: {said:#?}"
        );
    }
    assert_eq!(database.dump(), before);
    assert_eq!(sandbox.backups().len(), 1, "nothing is left in the folder");
}

#[test]
fn a_server_that_cannot_be_used_is_explained() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database("CREATE TABLE t (a int)");
    let sandbox = database.sandbox();
    for (url, words) in [
        (database.url().replace(PASSWORD, "wrong"), "correct user and password"),
        (database.url().replace(&database.name, "nowhere"), "createdb"),
        ("postgres://127.0.0.1:1/x".to_owned(), "start the server"),
    ] {
        sandbox.write(".env", format!("MEMORY_DB_URL={url}\n"));
        let said = sandbox.fails(2, &["db-backup"]);
        assert!(said.err.contains(words), "{words}: {said:#?}");
        assert!(sandbox.backups().is_empty());
    }
}

#[test]
fn a_swap_that_would_lose_a_prepared_transaction_is_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database("CREATE TABLE t (a int)");
    let sandbox = database.sandbox();
    let name = sandbox.backup();
    database.sql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'pending'");
    let said = sandbox.fails(2, &["db-restore", &name, "--swap", "--yes"]);
    assert!(said.err.contains("prepared transaction `pending`"), "{said:#?}");
    database.sql("ROLLBACK PREPARED 'pending'");
    assert_eq!(database.sql("SELECT count(*) FROM t"), "0");
}
