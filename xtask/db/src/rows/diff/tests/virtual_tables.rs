//! Virtual tables: their rows are those that their modules keep, under their own names.

use super::*;

/// Checks what the summary contains about a pair, and that its script turns the rows of the first
/// into the second's.
#[track_caller]
fn check(schema: &str, changes: &str, question: &str, expected: &[&str]) {
    let pair = Pair::of(schema, &[changes.to_owned()]);
    assert_eq!(pair.difference().summary_lines(), expected, "{changes}");
    let lines = pair.apply_script();
    let rows = |name: &str| -> Vec<String> {
        let connection = open(&pair.path(name));
        let mut statement = connection.prepare(question).expect(question);
        let rows = statement.query_map([], |row| row.get(0)).expect(question);
        rows.collect::<Result<_, _>>().expect(question)
    };
    assert_eq!(rows("c"), rows("b"), "{lines}");
}

#[test]
fn a_full_text_index_with_content_of_its_own_is_compared_by_its_documents() {
    for module in ["fts5", "fts4"] {
        let schema = format!(
            "CREATE VIRTUAL TABLE f USING {module} (title, body);
             INSERT INTO f VALUES ('a', 'apples'), ('b', 'pears'), ('c', 'plums');"
        );
        check(
            &schema,
            "INSERT INTO f VALUES ('d', 'figs'); DELETE FROM f WHERE title = 'a';
             UPDATE f SET body = 'ripe pears' WHERE title = 'b'",
            "SELECT rowid || title || body FROM f WHERE f MATCH 'figs OR pears OR apples' ORDER BY 1",
            &["f: 1 row added, 1 removed, 1 changed"],
        );
        check(&schema, "", "SELECT body FROM f", &[]);
    }
}

#[test]
fn a_full_text_index_over_another_table_is_made_anew_from_it() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, body);
         CREATE VIRTUAL TABLE f USING fts5 (body, content='t', content_rowid='id');
         CREATE TRIGGER come AFTER INSERT ON t BEGIN
             INSERT INTO f (rowid, body) VALUES (new.id, new.body); END;
         INSERT INTO t (body) VALUES ('apples'), ('pears');";
    check(
        schema,
        "INSERT INTO t (body) VALUES ('figs and pears')",
        "SELECT rowid || '' FROM f WHERE f MATCH 'pears'",
        &["f: 1 row added", "t: 1 row added"],
    );
}

#[test]
fn an_index_that_tells_something_else_than_its_rows_is_no_equal_one() {
    let schema = "CREATE VIRTUAL TABLE f USING fts5 (body); INSERT INTO f VALUES ('apples');";
    check(
        schema,
        "INSERT INTO f (f, rank) VALUES ('automerge', 7)",
        "SELECT body FROM f",
        &["f: its rows are equal, its internal data is not"],
    );
}

#[test]
fn an_index_without_content_is_compared_by_its_list_of_documents() {
    let schema = "CREATE VIRTUAL TABLE f USING fts5 (body, content='');
         INSERT INTO f (rowid, body) VALUES (1, 'apples');";
    let changes = "INSERT INTO f (rowid, body) VALUES (2, 'pears')".to_owned();
    let pair = Pair::of(schema, &[changes]);
    assert_eq!(pair.difference().summary_lines(), ["f: 1 row added"]);
    let lines = pair.apply_script();
    assert!(lines.contains("-- f: no statement can change its rows"), "{lines}");
}

#[test]
fn boxes_are_compared_by_their_ids() {
    let schema = "CREATE VIRTUAL TABLE r USING rtree (id, x0, x1, +what);
         INSERT INTO r VALUES (1, 0, 1, 'a'), (2, 5, 6, 'b');";
    check(
        schema,
        "INSERT INTO r VALUES (3, 2, 3, 'c'); UPDATE r SET x1 = 9 WHERE id = 2; DELETE FROM r WHERE id = 1",
        "SELECT id || ':' || x0 || x1 || what FROM r ORDER BY id",
        &["r: 1 row added, 1 removed, 1 changed"],
    );
}

#[test]
fn a_module_that_is_missing_is_said_and_is_no_failure() {
    let schema = "PRAGMA writable_schema=ON;
         INSERT INTO sqlite_schema VALUES
             ('table', 'geo', 'geo', 0, 'CREATE VIRTUAL TABLE geo USING vanished(a)');
         PRAGMA writable_schema=RESET; CREATE TABLE geo_data (a);";
    let pair = Pair::of(schema, &["INSERT INTO geo_data VALUES (1)".to_owned()]);
    let expected =
        ["geo: not compared: its module `vanished` is unknown here", "geo_data: 1 row added"];
    assert_eq!(pair.difference().summary_lines(), expected);
}

#[test]
fn a_module_that_keeps_nothing_has_nothing_to_compare() {
    let schema = "CREATE VIRTUAL TABLE f USING fts5 (body);
         CREATE VIRTUAL TABLE words USING fts5vocab ('f', 'row');";
    assert!(Pair::of(schema, &[]).difference().is_empty());
}
