//! Single cases: kinds of tables, kinds of values, and tables that cannot be compared.

use super::*;

const T: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v);
     INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');";

/// Checks what the summary contains about a pair, and that its script turns the first into the
/// second.
#[track_caller]
fn check(schema: &str, changes: &str, expected: &[&str]) {
    let pair = Pair::of(schema, &[changes.to_owned()]);
    assert_eq!(pair.difference().summary_lines(), expected, "{changes}");
    pair.check_script();
}

/// The same if no script can.
#[track_caller]
fn check_lines(schema: &str, changes: &str, expected: &[&str]) -> Pair {
    let pair = Pair::of(schema, &[changes.to_owned()]);
    assert_eq!(pair.difference().summary_lines(), expected, "{changes}");
    pair
}

#[test]
fn equal_states_differ_in_nothing() {
    check(T, "", &[]);
    check(T, "VACUUM; ANALYZE; REINDEX", &[]);
    check("", "", &[]);
}

#[test]
fn rows_are_paired_by_rowid() {
    check(
        T,
        "INSERT INTO t VALUES (9, 'new'); DELETE FROM t WHERE id = 1; UPDATE t SET v = 4 WHERE id = 2",
        &["t: 1 row added, 1 removed, 1 changed"],
    );
    check(T, "UPDATE t SET id = 7 WHERE id = 3", &["t: 1 row added, 1 removed"]);
    check(T, "DELETE FROM t", &["t: 3 rows removed"]);
    check(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v);",
        "INSERT INTO t VALUES (-5, 1)",
        &["t: 1 row added"],
    );
}

#[test]
fn tables_that_only_one_state_has_are_counted() {
    check(T, "CREATE TABLE u AS SELECT * FROM t", &["+ table u", "u: 3 rows added"]);
    check(T, "DROP TABLE t", &["- table t", "t: 3 rows removed"]);
    check(T, "CREATE TABLE u (a)", &["+ table u"]);
}

#[test]
fn a_storage_class_is_part_of_a_value() {
    for (before, after) in [
        ("1", "1.0"),
        ("'1'", "1"),
        ("'a'", "X'61'"),
        ("NULL", "''"),
        ("''", "X''"),
        ("'a'", "'a' || char(0) || 'b'"),
        ("'a'", "CAST(X'61ff' AS TEXT)"),
        ("9e999", "-9e999"),
        ("0.1", "0.1 + 1e-17 * 10"),
        ("zeroblob(5000)", "zeroblob(5001)"),
    ] {
        let schema = format!("CREATE TABLE t (v); INSERT INTO t VALUES ({before});");
        check(&schema, &format!("UPDATE t SET v = {after}"), &["t: 1 row changed"]);
    }
}

#[test]
fn a_real_that_is_kept_as_an_integer_is_the_same_real() {
    let schema = "CREATE TABLE t (v REAL); INSERT INTO t VALUES (1), (1.5), (1e300);";
    check(schema, "UPDATE t SET v = v + 0.5 WHERE v = 1", &["t: 1 row changed"]);
    check(schema, "UPDATE t SET v = CAST(v AS TEXT)", &[]);
}

#[test]
fn the_end_of_a_long_value_is_looked_at_too() {
    let schema = "CREATE TABLE t (v);
         INSERT INTO t VALUES ('short'), (zeroblob(40000)), (zeroblob(70000) || 'x');";
    check(
        schema,
        "UPDATE t SET v = CAST(zeroblob(39999) AS TEXT) || 'x' WHERE length(v) = 40000",
        &["t: 1 row changed"],
    );
    let pair = Pair::of(schema, &[]);
    // One byte of the last page of a chain, beyond the length in its leaf.
    let mut bytes = fs_err::read(pair.path("b")).expect("read");
    let last = bytes.iter().rposition(|byte| *byte == b'x').expect("the end of the text");
    bytes[last] = b'y';
    fs_err::write(pair.path("b"), bytes).expect("written");
    assert_eq!(pair.difference().summary_lines(), ["t: 1 row changed"]);
}

#[test]
fn a_column_that_came_or_went_leaves_the_others_comparable() {
    check(
        T,
        "ALTER TABLE t ADD COLUMN n INT DEFAULT 7; UPDATE t SET v = 'x' WHERE id = 2",
        &["+ column t.n", "t: 1 row changed; rows compared by the columns that both have"],
    );
    check(T, "ALTER TABLE t ADD COLUMN n INT DEFAULT 7", &["+ column t.n"]);
    check(
        &format!("{T} ALTER TABLE t ADD COLUMN n;"),
        "ALTER TABLE t DROP COLUMN n",
        &["- column t.n"],
    );
    check(T, "ALTER TABLE t RENAME COLUMN id TO key", &["- column t.id", "+ column t.key"]);
}

#[test]
fn a_column_that_was_added_later_has_its_default_in_rows_that_were_not_touched() {
    let schema = format!("{T} ALTER TABLE t ADD COLUMN n INT DEFAULT 7;");
    check(&schema, "UPDATE t SET n = 7", &[]);
    check(&schema, "UPDATE t SET n = 8 WHERE id = 2", &["t: 1 row changed"]);
}

#[test]
fn a_rename_by_case_and_another_default_are_made_by_the_script() {
    let pair = Pair::apart(
        "CREATE TABLE T (Foo PRIMARY KEY, b DEFAULT \"1\"); CREATE INDEX I ON T (b); INSERT INTO T VALUES (1, 2);",
        "CREATE TABLE t (foo PRIMARY KEY, b DEFAULT 1); CREATE INDEX i ON t (b); INSERT INTO t VALUES (1, 2);",
    );
    assert_eq!(
        pair.difference().summary_lines(),
        [
            "~ table t (was T)",
            "~ column t.foo (was Foo)",
            "~ column t.b: default \"1\" → default 1",
            "~ index i (was I)"
        ]
    );
    pair.check_script();
}

#[test]
fn another_primary_key_pairs_no_rows() {
    let changes = "DROP TABLE t; CREATE TABLE t (id INT, v, PRIMARY KEY (v)) WITHOUT ROWID;
         INSERT INTO t VALUES (1, 'one')";
    check(
        T,
        changes,
        &[
            "~ table t (constraints, options or order of columns)",
            "~ column t.id: integer primary key → int",
            "t: 1 row added, 3 removed; its primary key is different: rows cannot be paired",
        ],
    );
}

#[test]
fn keys_without_rowid_are_ordered_as_their_collations_say() {
    let schema = "CREATE TABLE t (k TEXT COLLATE NOCASE, j, v, PRIMARY KEY (k DESC, j)) WITHOUT ROWID;
         INSERT INTO t VALUES ('a', 1, 0), ('B', 1.5, 0), ('b', X'00', 0), ('Ä', 'x', 0), ('c', 2, 0);";
    check(schema, "UPDATE t SET k = 'A' WHERE k = 'a'", &["t: 1 row changed"]);
    check(
        schema,
        "DELETE FROM t WHERE j = 1.5; INSERT INTO t VALUES ('aa', 3, 0), ('C', 3, 1)",
        &["t: 2 rows added, 1 removed"],
    );
}

#[test]
fn a_rowid_without_a_name_is_counted_all_the_same() {
    let schema = "CREATE TABLE t (rowid, oid, _rowid_); INSERT INTO t VALUES (1, 2, 3), (4, 5, 6);";
    check_lines(schema, "UPDATE t SET oid = 'x' WHERE oid = 5", &["t: 1 row changed"]);
}

#[test]
fn counters_of_autoincrement_are_content() {
    let schema =
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t (v) VALUES (1);";
    check(
        schema,
        "INSERT INTO t (v) VALUES (2); DELETE FROM t WHERE v = 2",
        &["sqlite_sequence: 1 row changed"],
    );
    check(
        schema,
        "INSERT INTO t VALUES (7, 2)",
        &["sqlite_sequence: 1 row changed", "t: 1 row added"],
    );
}

#[test]
fn values_that_must_be_unique_may_change_places() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, v);
         INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2); CREATE UNIQUE INDEX tv ON t (v);";
    check(
        schema,
        "UPDATE t SET u = 'x' WHERE id = 1; UPDATE t SET u = 'a' WHERE id = 2;
         UPDATE t SET u = 'b' WHERE id = 1; INSERT INTO t VALUES (3, 'c', 3)",
        &["t: 1 row added, 2 changed"],
    );
}

#[test]
fn what_is_no_table_is_dropped_and_created() {
    let schema = format!(
        "{T} CREATE INDEX i ON t (v); CREATE VIEW w AS SELECT v FROM t;
         CREATE TRIGGER g AFTER INSERT ON t BEGIN\n\tDELETE FROM t; -- all\nEND;
         CREATE TRIGGER o INSTEAD OF INSERT ON w BEGIN SELECT 1; END;"
    );
    check(
        &schema,
        "DROP TRIGGER g; INSERT INTO t VALUES (4, 'four');
         CREATE TRIGGER g AFTER DELETE ON t BEGIN DELETE FROM t; END;
         DROP INDEX i; CREATE INDEX i ON t (v) WHERE v > 1; DROP VIEW w; PRAGMA user_version=5",
        &[
            "~ index i",
            "- view w",
            "~ trigger g",
            "- trigger o",
            "~ user_version: 0 → 5",
            "t: 1 row added",
        ],
    );
}

#[test]
fn other_page_sizes_and_encodings_are_compared_all_the_same() {
    let other = |pragma: &str, changes: &str| {
        Pair::apart(T, &format!("{pragma}; {T} {changes}")).difference().summary_lines()
    };
    let changes = "UPDATE t SET v = 'drei' WHERE id = 3;";
    assert_eq!(other("PRAGMA page_size=8192", changes), ["t: 1 row changed"]);
    assert_eq!(other("PRAGMA page_size=8192", ""), [""; 0]);
    let encoding = "~ encoding: UTF-8 → UTF-16le";
    assert_eq!(other("PRAGMA encoding='UTF-16le'", ""), [encoding]);
    assert_eq!(other("PRAGMA encoding='UTF-16le'", changes), [encoding, "t: 1 row changed"]);
}

#[test]
fn texts_that_are_no_unicode_differ_by_their_bytes() {
    // Half a surrogate pair and a whole one, which SQLite makes the same UTF-8 of.
    let (half, whole) = ("CAST(X'00D84100' AS TEXT)", "CAST(X'00D841DC' AS TEXT)");
    for table in [
        "CREATE TABLE t (id PRIMARY KEY, v) WITHOUT ROWID",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v)",
    ] {
        let schema = format!(
            "PRAGMA encoding='UTF-16le'; {table}; INSERT INTO t VALUES (1, {half}), (2, 'ü'), (3, X'00');"
        );
        check(&schema, &format!("UPDATE t SET v = {whole} WHERE id = 1"), &["t: 1 row changed"]);
        check(&schema, "UPDATE t SET v = 'u' WHERE id = 2", &["t: 1 row changed"]);
        check(
            &schema,
            &format!("PRAGMA page_size=8192; VACUUM; UPDATE t SET v = {whole} WHERE id = 1"),
            &["t: 1 row changed"],
        );
    }
    let keyed = "PRAGMA encoding='UTF-16le'; CREATE TABLE t (k PRIMARY KEY) WITHOUT ROWID;";
    check(
        &format!("{keyed} INSERT INTO t VALUES ({half}), ('a');"),
        &format!("UPDATE t SET k = {whole} WHERE k <> 'a'"),
        &["t: 1 row added, 1 removed"],
    );
}

#[test]
fn a_collation_that_is_not_there_is_said_and_is_not_no_difference() {
    let schema = "CREATE TABLE k (a TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID;
         CREATE TABLE t (a TEXT COLLATE NOCASE); INSERT INTO k VALUES ('x'); INSERT INTO t VALUES ('y');
         PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'gone');
         PRAGMA writable_schema=OFF;";
    let pair = Pair::of(schema, &["UPDATE t SET a = 'z'".to_owned()]);
    // The keys were not touched: no order is needed to see that.
    assert_eq!(pair.difference().summary_lines(), ["t: 1 row changed"]);
    let pair = Pair::apart(schema, &format!("PRAGMA page_size=8192; {schema}"));
    let difference = pair.difference();
    assert!(!difference.is_empty() && !difference.is_complete() && !difference.is_different());
    assert_eq!(difference.summary_lines(), ["k: not compared: no such collation sequence: gone"]);
}

#[test]
fn a_damaged_table_is_said_and_the_others_are_compared() {
    let schema = format!("CREATE TABLE a (v); INSERT INTO a VALUES ('damaged'); {T}");
    let pair = Pair::of(&schema, &["UPDATE t SET v = 'x' WHERE id = 1".to_owned()]);
    let mut bytes = fs_err::read(pair.path("b")).expect("read");
    bytes[4096..4104].fill(0xee);
    fs_err::write(pair.path("b"), bytes).expect("written");
    let difference = pair.difference();
    assert!(!difference.is_complete());
    assert_eq!(counts(&difference, "t"), (0, 0, 1));
    assert!(difference.tables[0].unread.is_some(), "{difference:?}");
}
