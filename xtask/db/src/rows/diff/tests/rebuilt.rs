//! Virtual tables that are defined in another way: rebuilt with their rows, or refused; and what
//! only looks like a difference.

use super::*;

/// Checks a pair of schemas: after the script, the same questions give the rows of the second.
#[track_caller]
fn check_apart(a: &str, b: &str, questions: &[&str]) {
    let pair = Pair::apart(a, b);
    let lines = pair.apply_script();
    for question in questions {
        let rows = |name: &str| -> Vec<String> {
            let connection = open(&pair.path(name));
            let mut statement = connection.prepare(question).expect(question);
            let rows = statement.query_map([], |row| row.get(0)).expect(question);
            rows.collect::<Result<_, _>>().expect(question)
        };
        assert!(!rows("b").is_empty(), "{question} tells nothing");
        assert_eq!(rows("c"), rows("b"), "{question}:\n{lines}");
    }
    let definitions =
        "SELECT name || sql FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY 1";
    let sql = |name: &str| -> Vec<String> {
        let connection = open(&pair.path(name));
        let mut statement = connection.prepare(definitions).expect(definitions);
        let rows = statement.query_map([], |row| row.get(0)).expect(definitions);
        rows.collect::<Result<_, _>>().expect(definitions)
    };
    assert_eq!(sql("c"), sql("b"), "{lines}");
}

#[test]
fn a_virtual_table_of_other_options_is_made_anew_with_its_rows() {
    let rows = "INSERT INTO f (rowid, title, body) VALUES (3, 'a', 'running'), (7, 'b', NULL), (9, 'it''s', 'plums');";
    let found = "SELECT rowid || title || coalesce(body, '-') FROM f ORDER BY rowid";
    let matching = "SELECT rowid || '' FROM f WHERE f MATCH 'plums' ORDER BY rowid";
    for (old, new) in [
        ("fts5 (title, body)", "fts5 (title, body, tokenize='porter')"),
        ("fts5 (title, body, prefix='2')", "fts5 (title, body, detail=none)"),
        ("fts5 (title, body)", "fts5 (title, body, columnsize=0)"),
        ("fts5 (title, body UNINDEXED)", "fts5 (title, body)"),
        ("fts4 (title, body)", "fts4 (title, body, order=desc)"),
        ("fts4 (title, body)", "fts4 (title, body, matchinfo=fts3)"),
        ("fts4 (title, body, notindexed=title)", "fts4 (title, body, tokenize=porter)"),
        ("fts3 (title, body)", "fts4 (title, body)"),
        ("fts4 (title, body)", "fts5 (title, body)"),
        ("fts3 (title, body)", "fts3 (title, body, tokenize=porter)"),
    ] {
        let make = |options: &str| format!("CREATE VIRTUAL TABLE f USING {options}; {rows}");
        check_apart(&make(old), &make(new), &[found, matching]);
    }
    let make = |options: &str| {
        format!(
            "CREATE VIRTUAL TABLE f USING {options};
             INSERT INTO f (title, body, lid) VALUES ('a', 'plums', 2), ('b', 'plums', 5);"
        )
    };
    check_apart(
        &make("fts4 (title, body, languageid='lid')"),
        &make("fts4 (title, body, languageid='lid', order=desc)"),
        &[
            "SELECT rowid || title || lid FROM f ORDER BY rowid",
            "SELECT title FROM f WHERE f MATCH 'plums' AND lid = 5",
        ],
    );
}

#[test]
fn boxes_of_other_columns_are_made_anew_with_their_rows() {
    let questions = ["SELECT id || ':' || x0 || '-' || x1 FROM r ORDER BY id"];
    let old = "CREATE VIRTUAL TABLE r USING rtree (id, x0, x1);
               INSERT INTO r VALUES (1, 0.1, 1.3), (2, -5, 1e10);";
    for (module, more) in [("rtree", ", +what"), ("rtree", ", y0, y1"), ("rtree_i32", "")] {
        let new = format!(
            "CREATE VIRTUAL TABLE r USING {module} (id, x0, x1{more});
             INSERT INTO r (id, x0, x1) VALUES (1, 0.1, 1.3), (5, 7, 8), (6, -2.7, 3.14159);"
        );
        check_apart(old, &new, &questions);
        check_apart(&new, old, &questions);
    }
}

#[test]
fn indexes_over_other_tables_and_views_come_after_them() {
    let found = "SELECT rowid || '' FROM a_index WHERE a_index MATCH 'pears' ORDER BY 1";
    let rows = "INSERT INTO zoo (id, body) VALUES (4, 'pears'), (5, 'plums and pears');";
    let empty = "CREATE TABLE other (a);";
    for (content, index) in [
        ("CREATE TABLE zoo (id INTEGER PRIMARY KEY, body);", "fts4 (content='zoo')"),
        ("CREATE TABLE zoo (id INTEGER PRIMARY KEY, body);", "fts4 (content='zoo', body)"),
        (
            "CREATE TABLE zoo (id INTEGER PRIMARY KEY, body);",
            "fts5 (body, content='zoo', content_rowid='id')",
        ),
        (
            "CREATE TABLE zoo (id INTEGER PRIMARY KEY, body);
             CREATE VIEW seen AS SELECT id, body FROM zoo WHERE id > 4;",
            "fts5 (body, content='seen', content_rowid='id')",
        ),
    ] {
        let old = format!(
            "{empty} {content} CREATE VIRTUAL TABLE a_index USING {index}; {rows}
             INSERT INTO a_index (a_index) VALUES ('rebuild');"
        );
        check_apart(empty, &old, &[found]);
        let other = index
            .replace("body)", "body, tokenize=porter)")
            .replace("'id')", "'id', tokenize=porter)");
        if other != index {
            check_apart(&old, &old.replace(index, &other), &[found]);
        }
        // And all of it goes again.
        let pair = Pair::apart(&old, empty);
        pair.check_script();
    }
}

#[test]
fn what_an_index_was_told_is_told_again() {
    let told = "INSERT INTO f (f, rank) VALUES ('rank', 'bm25(10.0, 5.0)'), ('automerge', 7);
                INSERT INTO f VALUES ('a', 'plums');";
    check_apart(
        "CREATE TABLE other (a);",
        &format!("CREATE VIRTUAL TABLE f USING fts5 (title, body); {told}"),
        &["SELECT title FROM f", "SELECT k || v FROM f_config WHERE k <> 'version' ORDER BY k"],
    );
}

#[test]
fn what_would_lose_its_rows_is_refused() {
    let full = "INSERT INTO f (rowid, body) VALUES (1, 'plums');";
    let refused = |a: &str, b: &str| {
        let pair = Pair::apart(a, b);
        let (a, b) = (open(&pair.path("a")), open(&pair.path("b")));
        match Script::new(State::of(&a), State::of(&b), &[]) {
            Ok(_) => panic!("a script that loses rows"),
            Err(error) => error.to_string(),
        }
    };
    for module in ["fts5", "fts4"] {
        let old = format!("CREATE VIRTUAL TABLE f USING {module} (body, content=''); {full}");
        let new = old.replace("content=''", "content='', tokenize=porter");
        let expected =
            "no statements can recreate `f`: it stores an index without its texts (content='')";
        assert_eq!(refused(&old, &new), expected);
        assert_eq!(refused("CREATE TABLE other (a);", &new), expected);
        // Without rows nothing is lost.
        let (old, new) = (old.replace(full, ""), new.replace(full, ""));
        let pair = Pair::apart(&old, &new);
        pair.apply_script();
    }
    let vanished =
        "CREATE TABLE other (a); PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES
         ('table', 'geo', 'geo', 0, 'CREATE VIRTUAL TABLE geo USING vanished(a)');";
    let expected = "no statements can recreate `geo`: its module `vanished` is unknown here";
    assert_eq!(refused("CREATE TABLE other (a);", vanished), expected);
    assert_eq!(refused(vanished, "CREATE TABLE other (a);"), expected);
}

#[test]
fn a_number_in_an_older_form_is_the_same_number() {
    let rows = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b REAL, c);
        INSERT INTO t VALUES (1, 0, 1, 1), (2, 1, 0, 0), (3, 2, 1.5, 'x'), (4, 200, -1, NULL);";
    let pair = Pair { folder: tempfile::tempdir().expect("folder") };
    let old = open(&pair.path("a"));
    let legacy = rusqlite::config::DbConfig::SQLITE_DBCONFIG_LEGACY_FILE_FORMAT;
    old.set_db_config(legacy, true).expect("the old format");
    old.execute_batch(rows).expect(rows);
    drop(old);
    let format = |name: &str| fs_err::read(pair.path(name)).expect("read")[47];
    assert_eq!(format("a"), 1);
    fs_err::copy(pair.path("a"), pair.path("b")).expect("copied");
    open(&pair.path("b")).execute_batch("VACUUM").expect("VACUUM");
    assert_eq!(format("b"), 4);
    assert!(pair.difference().is_empty(), "{:#?}", pair.difference());
    pair.check_script();
}

/// Definitions of one index and of one table of boxes.
const KINDS: [(&str, &str); 6] = [
    ("fts5 (title, body)", "rtree (id, x0, x1)"),
    ("fts5 (title, body, tokenize=porter)", "rtree (id, x0, x1, +what)"),
    ("fts5 (body, title, prefix='2 3')", "rtree_i32 (id, x0, x1)"),
    ("fts4 (title, body)", "rtree (id, x0, x1, y0, y1)"),
    ("fts4 (title, body, order=desc)", "rtree (id, x0, x1)"),
    ("fts3 (title, body)", "rtree (x, x0, x1)"),
];

/// The statements that create both and insert the rows.
fn made(index: &str, boxes: &str, rows: &[(u8, String, i16)]) -> String {
    let mut sql =
        format!("CREATE VIRTUAL TABLE f USING {index}; CREATE VIRTUAL TABLE r USING {boxes};");
    let id = if boxes.contains("(x,") { "x" } else { "id" };
    for (rowid, word, number) in rows {
        let word = word.replace('\'', "''");
        let both = format!(
            "INSERT OR REPLACE INTO f (rowid, title, body) VALUES ({rowid}, '{word}', 'plums {word}');
             INSERT OR REPLACE INTO r ({id}, x0, x1) VALUES ({rowid}, {number}, {number} + 1);"
        );
        sql.push_str(&both);
    }
    sql
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_two_states_of_virtual_tables_are_turned_into_one_another(
        kinds in (0..KINDS.len(), 0..KINDS.len()),
        a in proptest::collection::vec((1..9_u8, "[a-z'\u{1}\n]{0,4}", -9..9_i16), 0..6),
        b in proptest::collection::vec((1..9_u8, "[a-z'\u{1}\n]{0,4}", -9..9_i16), 1..6),
    ) {
        let ((index_a, boxes_a), (index_b, boxes_b)) = (KINDS[kinds.0], KINDS[kinds.1]);
        let id = if boxes_b.contains("(x,") { "x" } else { "id" };
        check_apart(&made(index_a, boxes_a, &a), &made(index_b, boxes_b, &b), &[
            "SELECT rowid || title || body FROM f ORDER BY rowid",
            "SELECT rowid || '' FROM f WHERE f MATCH 'plums' ORDER BY rowid",
            &format!("SELECT {id} || ':' || x0 || '-' || x1 FROM r ORDER BY {id}"),
        ]);
    }
}
