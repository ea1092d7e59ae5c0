//! Cases in which a file does not show which row it means, or a difference cannot be shown as it is.

use super::*;

#[test]
fn a_reference_to_two_rows_of_the_file_is_refused() {
    let place = Place::new();
    let parents = "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);";
    let children = "CREATE TABLE c (k TEXT PRIMARY KEY, p INTEGER REFERENCES p (id));";
    place.make("here", &format!("{parents}{children} INSERT INTO p VALUES (50, 'big');"));
    place.make(
        "file",
        "CREATE TABLE p (id INTEGER, name TEXT UNIQUE NOT NULL);
         CREATE TABLE c (k TEXT PRIMARY KEY, p INTEGER);
         INSERT INTO p VALUES (7, 'a'), (7, 'b'), (8, 'd'); INSERT INTO c VALUES ('x', 7), ('y', 8);",
    );
    assert_eq!(
        place.refused("here", &["file"]),
        "c: 1 row of `c` could refer to several rows of `p`: `id` is not unique in the file"
    );
    let report = place.merge("here", &["file"]);
    assert_eq!(report.problems[0].rows.named[0].row, "k 'x'");
    assert_eq!(place.rows("here", "SELECT count(*) FROM c"), ["Integer(0)"]);
    // Nobody refers to what is doubtful.
    place.open("file").execute_batch("DELETE FROM c WHERE k = 'x'").expect("deleted");
    assert!(place.merge("here", &["file"]).problems.is_empty());
    assert_eq!(place.rows("here", "SELECT name FROM c JOIN p ON p = id"), [r#"Text("d")"#]);
}

#[test]
fn a_conflict_about_a_reference_shows_what_the_file_says() {
    let schema = "CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
        CREATE TABLE d (id INTEGER PRIMARY KEY, k TEXT UNIQUE NOT NULL, u INTEGER REFERENCES u (id));";
    let place = Place::new();
    place.make(
        "here",
        &format!(
            "{schema} INSERT INTO u VALUES (2, 'ada'), (11, 'bob'), (12, 'zed');
             INSERT INTO d VALUES (1, 'one', 11), (2, 'two', 2);"
        ),
    );
    place.make(
        "file",
        &format!(
            "{schema} INSERT INTO u VALUES (1, 'bob'), (2, 'eve');
             INSERT INTO d VALUES (1, 'one', 2), (2, 'two', 2);"
        ),
    );
    let report = place.merge("here", &["file"]);
    let named = &report.problems[0].rows.named;
    assert_eq!(named[0].reason, "u 11 here, 2 in the file");
    assert_eq!(named[1].reason, "u leads to another row");
}

#[test]
fn zeros_of_both_signs_are_a_conflict_that_says_so() {
    let schema = "CREATE TABLE a (k TEXT PRIMARY KEY, v);";
    let place = Place::new();
    place.make("here", &format!("{schema} INSERT INTO a VALUES ('a', 0.0);"));
    place.make("file", &format!("{schema} INSERT INTO a VALUES ('a', 0.0);"));
    let file = place.open("file");
    file.execute("UPDATE a SET v = ?1", [-0.0_f64]).expect("updated");
    drop(file);
    let report = place.merge("here", &["file"]);
    assert_eq!(report.problems[0].rows.named[0].reason, "equal to SQLite, in other bytes");
}

#[test]
fn of_several_unique_keys_the_first_counts_whatever_it_does_in_a_conflict() {
    let place = Place::new();
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE,
        s TEXT NOT NULL UNIQUE ON CONFLICT REPLACE, v TEXT);
        CREATE TABLE u (id INTEGER PRIMARY KEY, s TEXT NOT NULL UNIQUE ON CONFLICT REPLACE,
        k TEXT NOT NULL UNIQUE);";
    place.make(
        "here",
        &format!(
            "{schema} INSERT INTO t VALUES (1, 'a', 'A', 'x'); INSERT INTO u VALUES (1, 'a', 'A');"
        ),
    );
    place.make(
        "file",
        &format!(
            "{schema} INSERT INTO t VALUES (1, 'a', 'B', 'x'); INSERT INTO u VALUES (1, 'a', 'B');"
        ),
    );
    let report = place.merge("here", &["file"]);
    let tables = &report.files[0].tables;
    let rows: Vec<&str> = tables.iter().map(|t| t.conflicting.named[0].row.as_str()).collect();
    assert_eq!(rows, ["k 'a'", "s 'a'"]);
}

#[test]
fn many_equal_rows_are_counted_in_one_go() {
    let place = Place::new();
    let schema = "CREATE TABLE beats (id INTEGER PRIMARY KEY, host TEXT);";
    place.make("here", &format!("{schema} INSERT INTO beats VALUES (1, 'h1');"));
    place.make(
        "file",
        &format!(
            "{schema} WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000)
             INSERT INTO beats SELECT NULL, 'h' || (x % 3) FROM n;"
        ),
    );
    // By looking at each pair of them that took minutes.
    assert_eq!(place.merge("here", &["file"]).n_inserted(), 99_999);
    assert_eq!(place.merge("here", &["file"]).n_inserted(), 0);
}
