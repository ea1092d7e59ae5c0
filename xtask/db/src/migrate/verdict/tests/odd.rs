//! Databases of other encodings, tables without rowids, and tables that modules keep.

use super::*;

fn lost(setup: &str, migration: &str) -> Vec<String> {
    let states = States::of(setup, migration).expect(migration);
    losses(&states.comparison()).into_iter().map(|loss| loss.what).collect()
}

#[test]
fn values_are_compared_in_every_encoding_and_kind_of_table() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let setup = format!(
            "PRAGMA encoding = '{encoding}';
             CREATE TABLE t (a TEXT, b TEXT COLLATE NOCASE, c, PRIMARY KEY (b, a)) WITHOUT ROWID;
             INSERT INTO t VALUES ('x', 'Größe', 'vieles'), ('y', 'größe', 'mehr'), ('z', 'b', x'00ff');"
        );
        let nulled = ["column `c` of table `t` loses its 3 values: 3 are NULL now"];
        assert_eq!(lost(&setup, "UPDATE t SET c = NULL"), nulled, "{encoding}");
        let cut = ["column `c` of table `t` loses its 1 value: 1 is cut off"];
        assert_eq!(lost(&setup, "UPDATE t SET c = x'00' WHERE a = 'z'"), cut, "{encoding}");
        let rebuilt = "CREATE TABLE n (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c);
            INSERT INTO n (a, b, c) SELECT a, b, c FROM t ORDER BY a DESC;
            DROP TABLE t; ALTER TABLE n RENAME TO t";
        assert!(lost(&setup, rebuilt).is_empty(), "{encoding}");
    }
}

#[test]
fn rows_that_modules_keep_are_rows_like_others() {
    let setup = "CREATE VIRTUAL TABLE f USING fts5(title, body);
        INSERT INTO f VALUES ('one', 'first words'), ('two', 'other words');
        CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (1, 1, 2), (2, 5, 6);
        CREATE VIRTUAL TABLE c USING fts5(a, content='');
        INSERT INTO c (rowid, a) VALUES (1, 'x'), (2, 'y');";
    let otherwise = "CREATE VIRTUAL TABLE g USING fts5(title, body, tokenize='porter');
        INSERT INTO g SELECT * FROM f; DROP TABLE f; ALTER TABLE g RENAME TO f";
    assert!(lost(setup, otherwise).is_empty());
    assert!(lost(setup, "ALTER TABLE f RENAME TO g").is_empty());
    for (migration, what) in [
        ("DROP TABLE f", "table `f` is dropped with its 2 rows"),
        ("DELETE FROM f WHERE title = 'one'", "table `f` loses 1 of its 2 rows"),
        (
            "UPDATE f SET body = '' WHERE title = 'one'",
            "column `body` of table `f` loses its 1 value: 1 is empty now",
        ),
        (
            "DELETE FROM r WHERE id = 1; INSERT INTO r VALUES (9, 7, 8)",
            "table `r` loses 1 of its 2 rows, and another one is added",
        ),
        ("INSERT INTO c (c) VALUES ('delete-all')", "table `c` loses 2 of its 2 rows"),
        ("DROP TABLE c", "table `c` is dropped with its 2 rows"),
    ] {
        assert_eq!(lost(setup, migration), [what], "{migration}");
    }
}
