//! Unique values that are swapped and shifted: what counts is the end state, and rows keep their rowids.

use super::*;

/// The same schema and rows here and there, then statements that change the file.
fn edited(schema: &str, edits: &str) -> Place {
    let place = Place::new();
    place.make("here", schema);
    let file = place.make("file", schema);
    file.execute_batch(&format!("PRAGMA foreign_keys=OFF; {edits}")).expect(edits);
    place
}

/// Merges with `replace` and compares the answers to all questions with those of the file.
fn becomes_the_file(place: &Place, questions: &[&str]) {
    let report = place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("merged");
    assert!(report.problems.is_empty(), "{report:#?}");
    for question in questions {
        assert_eq!(place.rows("here", question), place.rows("file", question), "{question}");
    }
    assert_eq!(place.rows("here", "PRAGMA integrity_check"), [r#"Text("ok")"#]);
    let again = place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("merged");
    assert_eq!((again.n_inserted(), again.n_replaced()), (0, 0), "{again:#?}");
}

#[test]
fn values_of_every_kind_of_unique_index_are_exchanged() {
    for (table, index) in [
        ("k TEXT UNIQUE, u INTEGER UNIQUE, x", ""),
        ("k TEXT UNIQUE, u INTEGER NOT NULL CHECK (u > 0), x, UNIQUE (x, u)", ""),
        ("k TEXT UNIQUE, u INTEGER, x", "CREATE UNIQUE INDEX i ON t (u) WHERE x IS NOT 9"),
        ("k TEXT UNIQUE, u INTEGER, x", "CREATE UNIQUE INDEX i ON t (u * 2, abs(x))"),
        ("k TEXT UNIQUE, u INTEGER, x, g AS (u + 1) STORED UNIQUE", ""),
        ("k TEXT UNIQUE, u INTEGER, x, g AS (u + 1)", "CREATE UNIQUE INDEX i ON t (g)"),
        ("k TEXT UNIQUE, u INTEGER UNIQUE ON CONFLICT REPLACE, x", ""),
        ("k TEXT NOT NULL UNIQUE, u TEXT PRIMARY KEY, x", ""),
    ] {
        for end in ["", " WITHOUT ROWID"] {
            if !end.is_empty() && !table.contains("PRIMARY KEY") {
                continue;
            }
            let place = edited(
                &format!(
                    "CREATE TABLE t ({table}){end}; {index};
                     INSERT INTO t (k, u, x) VALUES ('a', 1, 5), ('b', 2, 5), ('c', 3, 5), ('z', 9, 5);"
                ),
                "CREATE TABLE n AS SELECT k, u, x FROM t; DELETE FROM t;
                 INSERT INTO t (k, u, x) SELECT k, CASE k WHEN 'a' THEN 3 WHEN 'z' THEN 9 ELSE u - 1 END, 5 FROM n;
                 DROP TABLE n;",
            );
            // The first key is the primary one: a merge key says that rows are what `k` names.
            let place = place.keyed("t", &["k"]);
            becomes_the_file(&place, &["SELECT k, u, x FROM t ORDER BY k"]);
        }
    }
}

#[test]
fn rowids_and_columns_that_the_file_lacks_stay() {
    let place = Place::new();
    place.make(
        "here",
        "CREATE TABLE t (k TEXT UNIQUE NOT NULL, u INTEGER UNIQUE, only_here TEXT, odd);
         INSERT INTO t (rowid, k, u, only_here, odd) VALUES (41, 'a', 1, 'A', x'00ff'), (7, 'b', 2, 'B', '007');
         CREATE VIRTUAL TABLE f USING fts5(k, content='t');
         INSERT INTO f(f) VALUES ('rebuild');",
    );
    place.make(
        "file",
        "CREATE TABLE t (k TEXT UNIQUE NOT NULL, u INTEGER UNIQUE); INSERT INTO t VALUES ('a', 2), ('b', 1);",
    );
    let report = place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("merged");
    assert!(report.problems.is_empty(), "{report:#?}");
    assert_eq!(
        place.rows("here", "SELECT rowid, k, u, only_here, odd FROM t ORDER BY k"),
        [
            r#"Integer(41)|Text("a")|Integer(2)|Text("A")|Blob([0, 255])"#,
            r#"Integer(7)|Text("b")|Integer(1)|Text("B")|Text("007")"#
        ]
    );
    assert_eq!(place.rows("here", "SELECT rowid FROM f('b')"), ["Integer(7)"]);
}

#[test]
fn a_key_that_others_refer_to_is_exchanged_if_the_file_says_who_refers_to_whom() {
    let schema = "
        CREATE TABLE place (uuid TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, above TEXT REFERENCES place (slug));
        CREATE TABLE visit (uuid TEXT PRIMARY KEY, slug TEXT REFERENCES place (slug), at TEXT);
        INSERT INTO place VALUES ('1', 'north', NULL), ('2', 'south', 'north'), ('3', 'west', 'south');
        INSERT INTO visit VALUES ('v', 'north', 't'), ('w', 'south', 't');";
    // The places swap their names; who referred to one refers to it still, and to the other one's name.
    let place = edited(
        schema,
        "UPDATE place SET slug = slug || '!' WHERE uuid < '3';
         UPDATE place SET slug = CASE uuid WHEN '1' THEN 'south' ELSE 'north' END WHERE uuid < '3';
         UPDATE visit SET slug = CASE slug WHEN 'north' THEN 'south' ELSE 'north' END;",
    );
    becomes_the_file(
        &place,
        &["SELECT * FROM place ORDER BY uuid", "SELECT * FROM visit ORDER BY uuid"],
    );
    // A visit that only this machine has would suddenly be one of the other place.
    let place = edited(
        schema,
        "DELETE FROM visit; UPDATE place SET slug = slug || '!' WHERE uuid < '3';
         UPDATE place SET slug = CASE uuid WHEN '1' THEN 'south' ELSE 'north' END WHERE uuid < '3';",
    );
    let report =
        place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("refused");
    let named = &report.problems[0].rows.named;
    assert!(named[0].reason.contains("rows of visit here refer to it by the key"), "{report:#?}");
}

#[test]
fn a_new_row_takes_the_place_that_another_one_gives_up_and_no_other() {
    let schema = "CREATE TABLE t (k TEXT PRIMARY KEY, u INTEGER UNIQUE); INSERT INTO t VALUES ('a', 1), ('b', 2);";
    let place = edited(schema, "UPDATE t SET u = 5 WHERE k = 'a'; INSERT INTO t VALUES ('n', 1);");
    becomes_the_file(&place, &["SELECT * FROM t ORDER BY k"]);
    let place = edited(schema, "DELETE FROM t; INSERT INTO t VALUES ('a', 5), ('n', 2);");
    let report =
        place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("refused");
    let reason = &report.problems[0].rows.named[0].reason;
    assert_eq!(reason, "it is new, and another row here has the same `u`");
    assert_eq!(place.rows("here", "SELECT u FROM t"), ["Integer(1)", "Integer(2)"]);
}
