//! `backend reindex`: the search index from nothing.

use crate::sandbox::Sandbox;

const INTEGRITY: &str =
    "INSERT INTO memory_search (memory_search, rank) VALUES ('integrity-check', 1)";

#[test]
fn a_lost_index_is_rebuilt_from_the_entries() {
    let sandbox = Sandbox::seeded(50);
    let connection = sandbox.connect();
    connection
        .execute("INSERT INTO memory_search (memory_search) VALUES ('delete-all')", [])
        .unwrap();
    assert!(connection.execute(INTEGRITY, []).is_err());

    let entries: i64 =
        connection.query_row("SELECT count(*) FROM memory_entries", [], |row| row.get(0)).unwrap();
    let said = sandbox.run(&["reindex"]);
    let expected = format!("Reindexed {entries} memory entries of `backend/db/kalito.db`\n");
    assert_eq!((said.code, said.stdout), (Some(0), expected));
    connection.execute(INTEGRITY, []).unwrap();
}

#[test]
fn the_triggers_keep_the_index_equal_to_the_entries() {
    let sandbox = Sandbox::seeded(50);
    let connection = sandbox.connect();
    connection
        .execute_batch(
            "UPDATE memory_entries SET content = 'rewritten' WHERE id % 3 = 0;
             DELETE FROM memory_entries WHERE id % 5 = 0;",
        )
        .unwrap();
    connection.execute(INTEGRITY, []).unwrap();
}
