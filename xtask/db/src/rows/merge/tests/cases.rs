//! Single cases, each with a row that must not be lost or duplicated.

use super::*;

const CHATS: &str = "
    CREATE TABLE chats (id INTEGER PRIMARY KEY, title TEXT, at TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, chat INTEGER REFERENCES chats (id), text TEXT);";

const EVENTS: &str = "CREATE TABLE events (at TEXT, what TEXT);";

fn pair(schema: &str, here: &str, file: &str) -> Place {
    let place = Place::new();
    place.make("here", &format!("{schema} {here}"));
    place.make("file", &format!("{schema} {file}"));
    place
}

#[test]
fn a_reference_of_the_file_leads_to_the_files_row_and_those_here_stay() {
    let place = pair(
        CHATS,
        "INSERT INTO chats VALUES (1, 'mine', 't1'); INSERT INTO notes VALUES (1, 1, 'my note');",
        "INSERT INTO chats VALUES (1, 'yours', 't2'); INSERT INTO notes VALUES (1, 1, 'your note');",
    );
    let report = place.merge("here", &["file"]);
    assert!(report.problems.is_empty(), "{report:#?}");
    let question = "SELECT text, title FROM notes JOIN chats ON chats.id = chat ORDER BY notes.id";
    let rows = place.rows("here", question);
    assert_eq!(rows, [r#"Text("my note")|Text("mine")"#, r#"Text("your note")|Text("yours")"#]);
}

#[test]
fn equal_rows_are_a_multiset_and_the_larger_count_wins() {
    let place = pair(
        EVENTS,
        "INSERT INTO events VALUES ('t1', 'a'), ('t1', 'a'), ('t1', 'b');",
        "INSERT INTO events VALUES ('t1', 'a'), ('t1', 'b'), ('t1', 'b'), ('t1', 'b');",
    );
    let report = place.merge("here", &["file"]);
    assert_eq!(report.n_inserted(), 2, "{report:#?}");
    let counts = place.rows("here", "SELECT what, count(*) FROM events GROUP BY what");
    assert_eq!(counts, [r#"Text("a")|Integer(2)"#, r#"Text("b")|Integer(3)"#]);
}

#[test]
fn equal_means_the_same_class_and_the_same_bytes() {
    let place = pair(
        "CREATE TABLE v (a, b TEXT COLLATE NOCASE);",
        "INSERT INTO v VALUES (1, 'a');",
        "INSERT INTO v VALUES (1.0, 'a'), ('1', 'a'), (x'31', 'a'), (1, 'A'), (NULL, 'a'), (1, 'a');",
    );
    assert_eq!(place.merge("here", &["file"]).n_inserted(), 5);
}

#[test]
fn rows_that_others_refer_to_and_nothing_tells_apart_are_refused() {
    let twins = "INSERT INTO chats VALUES (1, 'new chat', NULL), (2, 'new chat', NULL);
                 INSERT INTO notes VALUES (1, 1, 'one'), (2, 2, 'two');";
    let place = pair(CHATS, "", twins);
    let what = place.refused("here", &["file"]);
    assert!(
        what.contains("2 rows of `chats` cannot be told apart from rows with the same content"),
        "{what}"
    );
    assert_eq!(place.rows("here", "SELECT count(*) FROM notes"), ["Integer(0)"]);
    let one = "INSERT INTO chats VALUES (7, 'new chat', NULL);";
    let place = pair(CHATS, twins, one);
    assert!(place.refused("here", &["file"]).contains("`chats`"));
    // If nothing refers to them, they are a multiset.
    let place = pair(CHATS, "", "INSERT INTO chats VALUES (1, 'x', NULL), (2, 'x', NULL);");
    assert_eq!(place.merge("here", &["file"]).n_inserted(), 2);
}

#[test]
fn a_merge_key_that_is_no_key_is_refused() {
    let keyed = |here: &str, file: &str| {
        let place = Place::new().keyed("events", &["at"]);
        place.make("here", &format!("{EVENTS} {here}"));
        place.make("file", &format!("{EVENTS} {file}"));
        place
    };
    let place = keyed("", "INSERT INTO events VALUES ('t1', 'a'), ('t1', 'b');");
    assert!(place.refused("here", &["file"]).contains("the same `at`: `merge-key` is not a key"));
    let place = keyed(
        "INSERT INTO events VALUES ('t1', 'a'), ('t1', 'b');",
        "INSERT INTO events VALUES ('t1', 'a');",
    );
    assert!(place.refused("here", &["file"]).contains("match several rows here by `at`"));
}

#[test]
fn a_self_reference_keeps_its_shape_and_its_order() {
    let tree =
        "CREATE TABLE tree (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES tree (id), t TEXT);";
    let place = pair(
        tree,
        "INSERT INTO tree VALUES (1, NULL, 'root'), (2, 1, 'mine');",
        // Children are before their parents.
        "INSERT INTO tree VALUES (1, 3, 'leaf'), (2, NULL, 'root'), (3, 2, 'branch');",
    );
    let report = place.merge("here", &["file"]);
    assert!(report.problems.is_empty(), "{report:#?}");
    let rows = place.rows("here", "SELECT * FROM tree ORDER BY id");
    assert_eq!(rows[2], r#"Integer(3)|Integer(4)|Text("leaf")"#);
    assert_eq!(rows[3], r#"Integer(4)|Integer(1)|Text("branch")"#);
    assert_eq!(place.merge("here", &["file"]).n_inserted(), 0);
}

#[test]
fn a_cycle_of_rows_needs_a_key() {
    let cycle = "PRAGMA foreign_keys=OFF;
                 CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id), name TEXT);
                 CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id), name TEXT);
                 INSERT INTO a VALUES (1, 1, 'x'); INSERT INTO b VALUES (1, 1, 'y');";
    let place = pair(cycle, "", "");
    let what = place.refused("here", &["file"]);
    assert!(what.contains("their references form a cycle"), "{what}");
    let place = Place::new().keyed("a", &["name"]);
    place.make("here", cycle);
    place.make("file", &format!("{cycle} UPDATE b SET id = 5; UPDATE a SET b = 5; INSERT INTO a VALUES (9, 6, 'z'); INSERT INTO b VALUES (6, 9, 'zz');"));
    let report = place.merge("here", &["file"]);
    assert!(report.problems.is_empty(), "{report:#?}");
    assert_eq!(report.n_inserted(), 2, "{report:#?}");
    assert_eq!(
        place.rows("here", "SELECT a.id, b.id, b.a FROM a JOIN b ON a.b = b.id"),
        ["Integer(1)|Integer(1)|Integer(1)", "Integer(9)|Integer(6)|Integer(9)"]
    );
}

#[test]
fn a_new_row_never_takes_the_number_that_an_orphan_here_refers_to() {
    let place = pair(
        CHATS,
        "PRAGMA foreign_keys=OFF; INSERT INTO chats VALUES (1, 'mine', 't'); INSERT INTO notes VALUES (1, 2, 'orphan');",
        "INSERT INTO chats VALUES (1, 'yours', 't');",
    );
    let report = place.merge("here", &["file"]);
    assert!(report.problems.is_empty(), "{report:#?}");
    assert_eq!(
        place.rows("here", "SELECT id FROM chats ORDER BY id"),
        ["Integer(1)", "Integer(3)"]
    );
}

#[test]
fn a_reference_to_nothing_fails_the_whole_import() {
    let place = pair(
        CHATS,
        "INSERT INTO chats VALUES (5, 'mine', 't');",
        "PRAGMA foreign_keys=OFF; INSERT INTO chats VALUES (1, 'yours', 't'); INSERT INTO notes VALUES (1, 1, 'ok'), (2, 5, 'lost');",
    );
    let what = place.refused("here", &["file"]);
    assert!(
        what.contains("1 row of `notes` would refer to rows of `chats` that are not in the file"),
        "{what}"
    );
    assert_eq!(place.rows("here", "SELECT count(*) FROM chats"), ["Integer(1)"]);
}

#[test]
fn an_edit_is_a_conflict_that_is_refused_skipped_or_taken_over() {
    let schema =
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE, mood TEXT, at INTEGER);";
    let new = || {
        pair(
            schema,
            "INSERT INTO p VALUES (1, 'a', 'old', 1), (2, 'b', 'mine', 5);",
            "INSERT INTO p VALUES (8, 'a', 'new', 2), (9, 'b', 'yours', 4), (10, 'c', 'x', 1);",
        )
    };
    let moods = |place: &Place| place.rows("here", "SELECT id, mood FROM p ORDER BY id");
    let place = new();
    let report = place.merge("here", &["file"]);
    assert_eq!(report.tables().map(|t| t.conflicting.n).sum::<u64>(), 2);
    assert_eq!(moods(&place).len(), 2);
    let report = place.merge_with("here", &["file"], &policy(OnConflict::Skip)).expect("merged");
    assert_eq!((report.n_inserted(), report.n_replaced()), (1, 0));
    assert_eq!(moods(&place)[..2], [r#"Integer(1)|Text("old")"#, r#"Integer(2)|Text("mine")"#]);
    let place = new();
    let newer = Policy { newer: Some("at".to_owned()), ..policy(OnConflict::Replace) };
    place.merge_with("here", &["file"], &newer).expect("merged");
    assert_eq!(moods(&place)[..2], [r#"Integer(1)|Text("new")"#, r#"Integer(2)|Text("mine")"#]);
    place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("merged");
    assert_eq!(moods(&place)[..2], [r#"Integer(1)|Text("new")"#, r#"Integer(2)|Text("yours")"#]);
}

#[test]
fn a_conflict_shows_what_both_have() {
    let place = pair(
        "CREATE TABLE t (id TEXT PRIMARY KEY, a, b, c, d, e) WITHOUT ROWID;",
        "INSERT INTO t VALUES ('x', NULL, '1', printf('%040d', 1), zeroblob(9), CAST(x'ff' AS TEXT));",
        "INSERT INTO t VALUES ('x', 1.5, 1, printf('%040d', 2), x'01', 'it''s');",
    );
    let report = place.merge("here", &["file"]);
    let reason = &report.problems[0].rows.named[0].reason;
    assert_eq!(
        *reason,
        "a NULL here, 1.5 in the file; b '1' here, 1 in the file; \
         c is another after '000000000000000000000000000000'…; \
         d X'0000000000000000'… here, X'01' in the file; e '\u{fffd}' here, 'it''s' in the file"
    );
}

#[test]
fn a_constraint_that_would_replace_rows_by_itself_takes_none_away() {
    let schema = "CREATE TABLE p (a TEXT PRIMARY KEY, b TEXT UNIQUE ON CONFLICT REPLACE);";
    let place =
        pair(schema, "INSERT INTO p VALUES ('mine', 'x');", "INSERT INTO p VALUES ('yours', 'x');");
    let what = place.refused("here", &["file"]);
    assert!(what.contains("1 row of `p` cannot be merged"), "{what}");
    let report = place.merge_with("here", &["file"], &policy(OnConflict::Skip)).expect("merged");
    assert_eq!(report.tables().map(|t| t.left_out.n).sum::<u64>(), 1);
    assert_eq!(place.rows("here", "SELECT a FROM p"), [r#"Text("mine")"#]);
}

#[test]
fn numbers_are_kept_where_all_are_above_and_counters_are_heeded() {
    let schema = "CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);";
    let place =
        pair(schema, "INSERT INTO p VALUES (3, 'a');", "INSERT INTO p VALUES (7, 'b'), (9, 'c');");
    let report = place.merge("here", &["file"]);
    assert_eq!(report.tables().map(|t| t.renumbered.n).sum::<u64>(), 0);
    assert_eq!(place.rows("here", "SELECT id FROM p"), ["Integer(3)", "Integer(7)", "Integer(9)"]);
    let place = pair(
        schema,
        "INSERT INTO p VALUES (20, 'gone'); DELETE FROM p;",
        "INSERT INTO p VALUES (7, 'b'), (9, 'c');",
    );
    place.merge("here", &["file"]);
    assert_eq!(
        place.rows("here", "SELECT id, v FROM p"),
        [r#"Integer(21)|Text("b")"#, r#"Integer(22)|Text("c")"#]
    );
}

#[test]
fn numbers_that_would_not_fit_are_refused() {
    let place = pair(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, v TEXT);",
        "INSERT INTO p VALUES (9223372036854775807, 'a');",
        "INSERT INTO p VALUES (1, 'b');",
    );
    let refused =
        place.merge_with("here", &["file"], &policy(OnConflict::Fail)).expect_err("refused");
    assert!(refused.to_string().contains("no higher numbers"), "{refused:#}");
}

#[test]
fn columns_that_only_one_has_get_defaults_or_are_named() {
    let place = Place::new();
    place
        .make("here", "CREATE TABLE p (k TEXT PRIMARY KEY, mood TEXT DEFAULT 'fine', title TEXT);");
    place.make("file", "CREATE TABLE p (k TEXT PRIMARY KEY, name TEXT, extra INT); CREATE TABLE q (a);
                        INSERT INTO p VALUES ('a', 'x', 1), ('b', 'y', NULL); INSERT INTO q VALUES (1);");
    let report = place.merge("here", &["file"]);
    assert_eq!(place.rows("here", "SELECT mood FROM p"), [r#"Text("fine")"#, r#"Text("fine")"#]);
    let warnings = report.files[0].warnings.join("\n");
    for part in
        ["1 row of `q`", "1 value of `p.extra`", "2 values of `p.name`", "it may be `title` now"]
    {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
    let strict = Policy { strict: true, ..policy(OnConflict::Fail) };
    let report = place.merge_with("here", &["file"], &strict).expect("looked at");
    assert_eq!(report.problems.len(), 3, "{report:#?}");
}

#[test]
fn texts_in_utf16_that_are_no_unicode_stay_apart() {
    let schema = "PRAGMA encoding = 'UTF-16le'; CREATE TABLE v (a TEXT);";
    let place = pair(
        schema,
        "INSERT INTO v VALUES (CAST(x'00D8' AS TEXT));",
        "INSERT INTO v VALUES (CAST(x'01D8' AS TEXT)), (CAST(x'00D8' AS TEXT)), ('ü');",
    );
    assert_eq!(place.merge("here", &["file"]).n_inserted(), 2);
    let rows = place.rows("here", "SELECT hex(CAST(a AS BLOB)) FROM v");
    assert_eq!(rows, [r#"Text("00D8")"#, r#"Text("01D8")"#, r#"Text("FC00")"#]);
}

#[test]
fn the_number_of_an_extension_by_kind_is_its_parents() {
    let place = pair(
        "CREATE TABLE base (id INTEGER PRIMARY KEY, kind TEXT, name TEXT NOT NULL UNIQUE, UNIQUE (id, kind));
         CREATE TABLE cars (id INTEGER PRIMARY KEY, kind TEXT, doors INTEGER,
                            FOREIGN KEY (id, kind) REFERENCES base (id, kind));",
        "INSERT INTO base VALUES (1, 'car', 'mine'), (2, 'car', 'both'), (3, 'car', 'other');
         INSERT INTO cars VALUES (1, 'car', 3);",
        "INSERT INTO base VALUES (1, 'car', 'yours'), (2, 'car', 'both');
         INSERT INTO cars VALUES (1, 'car', 4), (2, 'car', 5);",
    );
    assert_eq!(place.merge("here", &["file"]).n_inserted(), 3);
    let question = "SELECT name, doors FROM cars JOIN base USING (id) ORDER BY doors";
    let rows = place.rows("here", question);
    let expected =
        [r#"Text("mine")|Integer(3)"#, r#"Text("yours")|Integer(4)"#, r#"Text("both")|Integer(5)"#];
    assert_eq!(rows, expected);
}

#[test]
fn a_reference_that_is_written_in_another_way_than_its_key_stays_so() {
    let rows = "INSERT INTO people VALUES (1, 'anna'); INSERT INTO notes VALUES ('ANNA', '1', 'n');
                INSERT INTO seats VALUES ('s', 'Anna');";
    let place = pair(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);
         CREATE TABLE notes (name TEXT REFERENCES people (name), person REFERENCES people (id), text);
         CREATE TABLE seats (seat TEXT PRIMARY KEY, name TEXT REFERENCES people (name));",
        rows,
        rows,
    );
    let report = place.merge("here", &["file"]);
    assert!(report.problems.is_empty(), "{report:#?}");
    assert_eq!(report.n_inserted(), 0, "{report:#?}");
}

#[test]
fn a_number_that_is_computed_cannot_be_translated_and_is_refused() {
    let place = pair(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE notes (data TEXT, person INTEGER AS (CAST(data AS INTEGER)) REFERENCES people (id));",
        "INSERT INTO people VALUES (1, 'mine');",
        "INSERT INTO people VALUES (1, 'yours'); INSERT INTO notes (data) VALUES ('1');",
    );
    let error =
        place.merge_with("here", &["file"], &policy(OnConflict::Fail)).expect_err("refused");
    assert!(error.to_string().contains("by a computed column, `person`"), "{error:#}");
    assert!(place.rows("here", "SELECT * FROM notes").is_empty());
}

#[test]
fn keys_that_change_places_do_not_take_the_rows_along_that_refer_to_them() {
    let place = pair(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, code TEXT NOT NULL UNIQUE);
         CREATE TABLE notes (code TEXT REFERENCES people (code), text TEXT);",
        "INSERT INTO people VALUES (1, 'anna@', 'x'), (2, 'nils@', 'y');
         INSERT INTO notes VALUES ('x', 'of Anna');",
        "INSERT INTO people VALUES (1, 'anna@', 'z'), (2, 'nils@', 'x');",
    );
    let report =
        place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("looked at");
    assert_eq!(report.problems.len(), 1, "{report:#?}");
    let rows = place.rows("here", "SELECT email FROM notes JOIN people USING (code)");
    assert_eq!(rows, [r#"Text("anna@")"#]);
}
