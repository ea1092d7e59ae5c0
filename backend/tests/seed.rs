//! `backend seed`: the same rows each time.

use rusqlite::Connection;

use crate::sandbox::Sandbox;

fn count(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {sql}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_rows() {
    let (first, second) = (Sandbox::seeded(30), Sandbox::seeded(30));
    assert_eq!(first.dump(), second.dump());
}

#[test]
fn another_seed_gives_other_rows() {
    let (first, second) = (Sandbox::seeded(3), Sandbox::migrated());
    assert_eq!(second.run(&["seed", "--sessions", "3", "--seed", "2"]).code, Some(0));
    assert_ne!(first.dump(), second.dump());
}

#[test]
fn a_second_run_goes_on_where_the_first_stopped() {
    let (twice, once) = (Sandbox::seeded(120), Sandbox::seeded(250));
    assert_eq!(twice.run(&["seed", "--sessions", "130"]).code, Some(0));
    assert_eq!(twice.dump(), once.dump());
}

#[test]
fn every_table_has_rows_that_keep_the_rules() {
    let sandbox = Sandbox::seeded(100);
    let connection = sandbox.connect();
    assert_eq!(count(&connection, "sessions"), 100);
    for table in
        ["messages", "personas", "settings", "memory_entries", "memory_pins", "memory_summaries"]
    {
        assert!(count(&connection, table) > 0, "{table}");
    }
    assert_eq!(count(&connection, "pragma_foreign_key_check"), 0);
    assert_eq!(count(&connection, "messages WHERE length(sent_at) <> 24"), 0);
}

#[test]
fn a_deleted_session_takes_its_messages_along() {
    let sandbox = Sandbox::seeded(5);
    let connection = sandbox.connect();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    let before = count(&connection, "memory_entries");
    connection.execute("DELETE FROM sessions", []).unwrap();
    assert_eq!(count(&connection, "messages"), 0);
    assert_eq!(count(&connection, "memory_summaries"), 0);
    assert_eq!(count(&connection, "memory_entries"), before);
}

#[test]
fn the_number_of_sessions_is_checked() {
    let sandbox = Sandbox::migrated();
    for number in ["0", "-1", "many", ""] {
        assert_eq!(sandbox.run(&["seed", "--sessions", number]).code, Some(2), "{number:?}");
    }
    let said = sandbox.run(&["seed", "--sessions", "1"]);
    assert!(said.stdout.starts_with("Added 1 session with "), "{said:?}");
}
