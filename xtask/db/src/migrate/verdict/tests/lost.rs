//! Migrations that lose something, as people write them.

use crate::migrate::verdict::tests::cases::{check, reports};

#[test]
fn values_that_are_nowhere_afterwards_are_lost() {
    check("UPDATE notes SET body = NULL", &[("notes.body", "loses its 3 values: 3 are NULL now")]);
    check("UPDATE notes SET body = '' WHERE id = 2", &[("notes.body", "1 value: 1 is empty now")]);
    check("UPDATE notes SET body = substr(body, 1, 5)", &[("notes.body", "3 are cut off")]);
    check(
        "UPDATE notes SET body = CASE id WHEN 1 THEN NULL WHEN 2 THEN ' ' ELSE 'More' END",
        &[("notes.body", "1 is NULL now, 1 is empty now, 1 is cut off")],
    );
    // An equal value that was there before takes nothing over.
    check("UPDATE events SET what = NULL WHERE id = 2", &[("events.what", "1 is NULL now")]);
    check(
        "DROP TRIGGER noted; DROP VIEW drafts; DROP TABLE words; ALTER TABLE notes DROP COLUMN body",
        &[("notes.body", "dropped with its 3 values")],
    );
    // CAST takes the beginning of a text.
    check(
        "UPDATE settings SET value = CAST(value AS INTEGER) WHERE key = 'since'",
        &[("settings.value", "1 is cut off")],
    );
    check(
        "DROP VIEW drafts;
         CREATE TABLE new (id INTEGER PRIMARY KEY, title TEXT, body TEXT AS (title), price REAL,
             made INTEGER, status TEXT, tags TEXT);
         INSERT INTO new SELECT id, title, price, made, status, tags FROM notes;
         DROP TABLE notes; ALTER TABLE new RENAME TO notes",
        &[("notes.body", "is computed now: its 3 values are lost")],
    );
    check(
        "ALTER TABLE people ADD COLUMN name2 TEXT; ALTER TABLE people DROP COLUMN name;
         ALTER TABLE people RENAME COLUMN name2 TO name",
        &[("people.name", "its 3 values: 3 are NULL now")],
    );
    check(
        "ALTER TABLE people ADD COLUMN age2 INTEGER DEFAULT 0; ALTER TABLE people DROP COLUMN age",
        &[("people.age", "dropped with its 3 values")],
    );
    // Numbers of new rows are not a place for others.
    check(
        "CREATE TABLE more (id INTEGER PRIMARY KEY, a);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
             INSERT INTO more SELECT i, 'x' FROM n;
         ALTER TABLE people DROP COLUMN age",
        &[("people.age", "dropped with its 3 values")],
    );
}

#[test]
fn rows_that_vanish_behind_equal_counts_are_lost() {
    check(
        "DELETE FROM notes WHERE id < 3; INSERT INTO notes (id, title) VALUES (7, 'x'), (8, 'y')",
        &[("notes", "loses 2 of its 4 rows, and 2 others are added")],
    );
    check(
        "DELETE FROM people WHERE age = 36; INSERT INTO people VALUES ('a@b.c', 'Another', 1, '')",
        &[("people", "loses 1 of its 3 rows, and another one is added")],
    );
    check(
        "DELETE FROM people; INSERT INTO people SELECT 'x' || value, 'New ' || value, 1, NULL
             FROM json_each('[1, 2, 3, 4]')",
        &[("people", "loses 3 of its 3 rows, and 4 others are added")],
    );
    check(
        "DELETE FROM log WHERE what = 'over'; INSERT INTO log (rowid, at) VALUES (77, 'never')",
        &[("log", "loses 1 of its 5 rows, and another one is added")],
    );
    check(
        "DELETE FROM settings WHERE key = 'flag'; INSERT INTO settings VALUES ('other', '1')",
        &[("settings", "loses 1 of its 3 rows, and another one is added")],
    );
    check(
        "DROP TABLE people; CREATE TABLE people (email TEXT PRIMARY KEY, name TEXT, age, nick)",
        &[("people", "loses 3 of its 3 rows")],
    );
    // The numbers are given again.
    check(
        "DELETE FROM notes; INSERT INTO notes (title, body) VALUES ('a b', 'c d'), ('e f', 'g h'),
             ('i j', 'k l'), ('m n', 'o p')",
        &[("notes", "loses 4 of its 4 rows, and 4 others are added")],
    );
    check("DROP TABLE people", &[("people", "is dropped with its 3 rows")]);
    check("DELETE FROM people WHERE age > 40", &[("people", "loses 2 of its 3 rows")]);
}

#[test]
fn what_is_derived_from_rows_still_works_afterwards() {
    check(
        "INSERT INTO words(words) VALUES ('delete-all')",
        &[("words", "is empty now; it had 4 rows")],
    );
    reports("DROP TABLE words", &["words: the full-text index over 4 rows is gone"]);
    check("INSERT INTO words(words) VALUES ('rebuild')", &[]);
    check(
        "DELETE FROM sqlite_sequence",
        &[("counted.id", "is 0, below the largest number in use, 7")],
    );
    check("UPDATE sqlite_sequence SET seq = 3", &[("counted.id", "is 3, below the largest")]);
    reports(
        "CREATE TABLE new (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT);
         INSERT INTO new SELECT * FROM counted; DROP TABLE counted;
         ALTER TABLE new RENAME TO counted",
        &["counted.id: the counter (AUTOINCREMENT) falls from 9 to 7"],
    );
    reports(
        "CREATE TABLE new (id INTEGER PRIMARY KEY, a TEXT);
         INSERT INTO new SELECT * FROM counted; DROP TABLE counted;
         ALTER TABLE new RENAME TO counted",
        &["counted.id: no longer counted", "AUTOINCREMENT of `counted.id`"],
    );
    // A trigger that follows the table that it wrote into, which is gone.
    check(
        "ALTER TABLE events RENAME TO old; CREATE TABLE events (id INTEGER PRIMARY KEY, note INTEGER,
             what TEXT, at TEXT); INSERT INTO events (id, note, what) SELECT * FROM old;
         DROP TABLE old",
        &[("noted", "trigger `noted` makes writes to `notes` fail: no such table")],
    );
    // A foreign key that does the same, of a table without a row.
    check(
        "CREATE TABLE kids (person TEXT REFERENCES people); ALTER TABLE people RENAME TO old;
         CREATE TABLE people (email TEXT PRIMARY KEY, name TEXT, age INTEGER, nick TEXT);
         INSERT INTO people SELECT * FROM old; DROP TABLE old",
        &[],
    );
    reports(
        "ALTER TABLE empty RENAME TO old; CREATE TABLE empty (id INTEGER PRIMARY KEY, b TEXT);
         DROP TABLE old",
        &["a foreign key of `referring` refers to `old`, which does not exist"],
    );
    check(
        "PRAGMA legacy_alter_table=ON; DROP TRIGGER noted; CREATE TABLE new (id INTEGER PRIMARY KEY,
             title TEXT, body TEXT, price REAL, made INTEGER, state TEXT, tags TEXT);
         INSERT INTO new SELECT * FROM notes; DROP TABLE notes; ALTER TABLE new RENAME TO notes",
        &[("drafts", "view `drafts` no longer works: no such column: status")],
    );
    reports("DROP INDEX by_title", &["removes index `by_title` of `notes`"]);
    check("DROP INDEX by_title; CREATE UNIQUE INDEX other ON notes (title)", &[]);
    reports(
        "CREATE TRIGGER odd AFTER DELETE ON events BEGIN DELETE FROM nowhere; END",
        &["`odd`, which is new, does not work: no such table"],
    );
}
