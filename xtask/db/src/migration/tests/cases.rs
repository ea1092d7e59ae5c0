//! Migrations as people write them, and what each is thought of.

use super::remarks::{remarks, warnings};
use super::*;

const SETUP: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT, price REAL, made INTEGER,
        status TEXT, tags TEXT);
    INSERT INTO notes VALUES
        (1, 'First note', 'Some words here', 19.99, 1700000000, 'draft', '[\"red\", \"blue\"]'),
        (2, 'Second note ', 'Other words there', 1.5, 1700100000, 'sent', '[\"red\"]'),
        (3, 'Third note', 'More of them', 250.0, 1700200000, 'draft', '[]'),
        (5, 'Fifth note', NULL, NULL, 1700300000, 'sent', NULL);
    CREATE TABLE people (email TEXT PRIMARY KEY, name TEXT, age INTEGER, nick TEXT);
    INSERT INTO people VALUES ('Ada@example.org', 'Ada Lovelace', 36, NULL),
        ('grace@example.org', 'Grace Hopper', 85, ''), ('alan@example.org', 'Alan Turing', 41, ' ');
    CREATE TABLE log (at TEXT, what TEXT);
    INSERT INTO log VALUES ('01.02.2024', 'began'), ('02.02.2024', 'went on'), (NULL, 'gone'),
        ('03.02.2024', 'ended'), ('04.02.2024', 'over');
    DELETE FROM log WHERE at IS NULL;
    INSERT INTO log VALUES (NULL, 'later');
    CREATE TABLE empty (id INTEGER PRIMARY KEY, a TEXT);
    CREATE TABLE referring (id INTEGER PRIMARY KEY, other REFERENCES empty);
    CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT);
    INSERT INTO counted VALUES (1, 'one'), (7, 'seven'), (9, 'nine');
    DELETE FROM counted WHERE id = 9;
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
    INSERT INTO settings VALUES ('theme', 'dark'), ('since', '2024-05-01'), ('flag', '1');
    CREATE VIRTUAL TABLE words USING fts5(title, body, content='notes', content_rowid='id');
    INSERT INTO words(words) VALUES ('rebuild');
    CREATE TABLE events (id INTEGER PRIMARY KEY, note INTEGER, what TEXT);
    INSERT INTO events VALUES (1, 1, 'made'), (2, 2, 'made');
    CREATE TRIGGER noted AFTER UPDATE ON notes
        BEGIN INSERT INTO events (note, what) VALUES (new.id, new.status); END;
    CREATE VIEW drafts AS SELECT * FROM notes WHERE status = 'draft';
    CREATE UNIQUE INDEX by_title ON notes (title);";

/// Checks a migration: the names that its losses want, with a part of what is said of each.
fn check(migration: &str, expected: &[(&str, &str)]) -> States {
    let states = States::of(SETUP, migration).expect(migration);
    let lost = losses(&states.comparison());
    let said: Vec<_> =
        lost.iter().map(|loss| (loss.names[0].as_str(), loss.what.as_str())).collect();
    assert_eq!(said.len(), expected.len(), "{migration}\n{said:#?}\n{:#?}", states.effects);
    for ((name, what), (expected_name, part)) in said.iter().zip(expected) {
        assert_eq!(name, expected_name, "{migration}\n{said:#?}");
        assert!(what.contains(part), "{migration}\n{said:#?}");
    }
    let names: Vec<_> = said.iter().map(|(name, _)| *name).collect();
    let verdict = states.judge(&names);
    assert!(!matches!(verdict, Verdict::Refused(_)), "{migration}: its own names do not allow it");
    states
}

/// Checks a migration that loses nothing, and that something is said of it.
fn reports(migration: &str, parts: &[&str]) {
    let states = check(migration, &[]);
    let of = states.comparison();
    let said: Vec<_> = remarks(of.effects).into_iter().chain(warnings(&of)).collect();
    for part in parts {
        assert!(said.iter().any(|line| line.contains(part)), "{migration}: {part}\n{said:#?}");
    }
}

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
        &[("notes.body", "is computed now: its 3 values go")],
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
    // Numbers of new rows are no place for others.
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
        &[("notes", "loses 2 of its 4 rows, and 2 others come")],
    );
    check(
        "DELETE FROM people WHERE age = 36; INSERT INTO people VALUES ('a@b.c', 'Another', 1, '')",
        &[("people", "loses 1 of its 3 rows, and another one comes")],
    );
    check(
        "DELETE FROM people; INSERT INTO people SELECT 'x' || value, 'New ' || value, 1, NULL
             FROM json_each('[1, 2, 3, 4]')",
        &[("people", "loses 3 of its 3 rows, and 4 others come")],
    );
    check(
        "DELETE FROM log WHERE what = 'over'; INSERT INTO log (rowid, at) VALUES (77, 'never')",
        &[("log", "loses 1 of its 5 rows, and another one comes")],
    );
    check(
        "DELETE FROM settings WHERE key = 'flag'; INSERT INTO settings VALUES ('other', '1')",
        &[("settings", "loses 1 of its 3 rows, and another one comes")],
    );
    check(
        "DROP TABLE people; CREATE TABLE people (email TEXT PRIMARY KEY, name TEXT, age, nick)",
        &[("people", "loses 3 of its 3 rows")],
    );
    // The numbers are given again.
    check(
        "DELETE FROM notes; INSERT INTO notes (title, body) VALUES ('a b', 'c d'), ('e f', 'g h'),
             ('i j', 'k l'), ('m n', 'o p')",
        &[("notes", "loses 4 of its 4 rows, and 4 others come")],
    );
    check("DROP TABLE people", &[("people", "is dropped with its 3 rows")]);
    check("DELETE FROM people WHERE age > 40", &[("people", "loses 2 of its 3 rows")]);
}

#[test]
fn contents_decide_and_not_names() {
    reports("ALTER TABLE people RENAME TO persons", &["people: called persons now, with 3 rows"]);
    reports("ALTER TABLE people RENAME COLUMN name TO full_name", &["name: called full_name now"]);
    reports(
        "ALTER TABLE people RENAME TO persons; ALTER TABLE persons RENAME COLUMN name TO full_name;
         ALTER TABLE persons ADD COLUMN more TEXT DEFAULT 'x'",
        &["people: called persons now", "persons.name: called full_name now"],
    );
    // A rebuild under another name, with another name for a column and in another order.
    reports(
        "CREATE TABLE persons (full_name TEXT NOT NULL, mail TEXT PRIMARY KEY, age INTEGER);
         INSERT INTO persons SELECT name, email, age FROM people ORDER BY name DESC;
         DROP TABLE people",
        &["people"],
    );
    reports(
        "PRAGMA legacy_alter_table=ON; DROP VIEW drafts; DROP TABLE words;
         CREATE TABLE new (id INTEGER PRIMARY KEY, title TEXT, text TEXT, price REAL, made INTEGER, status TEXT NOT NULL, tags TEXT);
         INSERT INTO new SELECT * FROM notes; DROP TABLE notes; ALTER TABLE new RENAME TO notes",
        &["notes.body: called text now", "takes away trigger `noted` of `notes`"],
    );
    // Another name, and some other values.
    reports(
        "ALTER TABLE people RENAME COLUMN age TO years; UPDATE people SET years = 37 WHERE years = 36",
        &["people.age: called years now, 1 value changed"],
    );
    check(
        "ALTER TABLE people RENAME COLUMN name TO n; UPDATE people SET n = NULL WHERE age = 36",
        &[("people.name", "loses its 1 value: 1 is NULL now")],
    );
    check("DROP TABLE empty", &[]);
    check("ALTER TABLE empty DROP COLUMN a", &[]);
    // Nothing but blanks is nothing.
    check("ALTER TABLE people DROP COLUMN nick", &[]);
    check("UPDATE people SET nick = NULL", &[]);
    // Numbers of rows that are given anew.
    reports(
        "CREATE TABLE new (email TEXT, name TEXT, age INTEGER, nick TEXT, id INTEGER PRIMARY KEY);
         INSERT INTO new (email, name, age, nick) SELECT * FROM people ORDER BY name DESC;
         DROP TABLE people; ALTER TABLE new RENAME TO people",
        &["PRIMARY KEY of `people.email`"],
    );
    reports("UPDATE notes SET id = id + 100", &["notes: 4 rows have another key"]);
    reports(
        "UPDATE settings SET key = 'ui.' || key WHERE key = 'theme'",
        &["1 row has another key"],
    );
    check("UPDATE people SET email = lower(email)", &[]);
    check("VACUUM", &[]);
    // Rows without a key stand at other places after a rebuild.
    check(
        "CREATE TABLE new (at TEXT, what TEXT, more TEXT); INSERT INTO new SELECT *, NULL FROM log;
         DROP TABLE log; ALTER TABLE new RENAME TO log",
        &[],
    );
}

#[test]
fn values_that_went_elsewhere_are_not_lost() {
    // To a child table, by key.
    reports(
        "CREATE TABLE bodies (note INTEGER PRIMARY KEY REFERENCES notes (id), text TEXT);
         INSERT INTO bodies SELECT id, body FROM notes WHERE body IS NOT NULL;
         UPDATE notes SET body = NULL",
        &["notes.body: 3 values went to bodies.text"],
    );
    check(
        "CREATE TABLE ages (who TEXT, age INTEGER); INSERT INTO ages SELECT email, age FROM people;
         ALTER TABLE people DROP COLUMN age",
        &[],
    );
    // Two tables out of one, and one out of two.
    reports(
        "CREATE TABLE sent (id INTEGER PRIMARY KEY, title TEXT, body TEXT, price REAL, made INTEGER,
             status TEXT, tags TEXT);
         INSERT INTO sent SELECT * FROM notes WHERE status = 'sent';
         DELETE FROM notes WHERE status = 'sent'",
        &["notes: 2 rows have another key, or went to another table"],
    );
    check(
        "CREATE TABLE texts (a TEXT, b TEXT, c TEXT, n INTEGER);
         INSERT INTO texts SELECT name, email, nick, age FROM people;
         INSERT INTO texts SELECT what, at, NULL, NULL FROM log; DROP TABLE people; DROP TABLE log",
        &[],
    );
    // A list of words that are used again and again.
    check(
        "CREATE TABLE statuses (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
         INSERT INTO statuses (name) SELECT DISTINCT status FROM notes;
         DROP TRIGGER noted; DROP VIEW drafts; ALTER TABLE notes ADD COLUMN status_id INTEGER;
         UPDATE notes SET status_id = (SELECT id FROM statuses WHERE name = status);
         ALTER TABLE notes DROP COLUMN status",
        &[],
    );
    // JSON, and a name, in parts.
    check(
        "CREATE TABLE tags (note INTEGER, tag TEXT);
         INSERT INTO tags SELECT notes.id, j.value FROM notes, json_each(notes.tags) AS j;
         DROP TRIGGER noted; DROP VIEW drafts; ALTER TABLE notes DROP COLUMN tags",
        &[],
    );
    check(
        "ALTER TABLE people ADD COLUMN first TEXT; ALTER TABLE people ADD COLUMN last TEXT;
         UPDATE people SET first = substr(name, 1, instr(name, ' ') - 1),
             last = substr(name, instr(name, ' ') + 1);
         ALTER TABLE people DROP COLUMN name",
        &[],
    );
    check(
        "ALTER TABLE people ADD COLUMN last TEXT; UPDATE people SET
             last = substr(name, instr(name, ' ') + 1), name = substr(name, 1, instr(name, ' ') - 1)",
        &[],
    );
    // Archived, and the rest of the same words is nowhere.
    check(
        "CREATE TABLE old (title TEXT); INSERT INTO old SELECT title FROM notes WHERE id = 1;
         UPDATE notes SET title = NULL WHERE id < 3",
        &[("notes.title", "1 of its 2 values: 1 is NULL now")],
    );
}

#[test]
fn values_in_another_form_are_not_lost() {
    reports("UPDATE notes SET price = price * 100", &["notes.price: 3 values changed"]);
    check("UPDATE notes SET price = CAST(price AS INTEGER)", &[]);
    check("UPDATE notes SET title = trim(title), body = upper(body)", &[]);
    check("UPDATE notes SET made = datetime(made, 'unixepoch')", &[]);
    check("UPDATE settings SET value = '2024-05-01T00:00:00Z' WHERE key = 'since'", &[]);
    check(
        "UPDATE log SET at = substr(at, 7) || '-' || substr(at, 4, 2) || '-' || substr(at, 1, 2)",
        &[],
    );
    check(
        "CREATE TABLE new (at TEXT, what TEXT); INSERT INTO new SELECT
             substr(at, 7) || '-' || substr(at, 4, 2) || '-' || substr(at, 1, 2), what FROM log;
         DROP TABLE log; ALTER TABLE new RENAME TO log",
        &[],
    );
    check(
        "CREATE TABLE new (id INTEGER PRIMARY KEY, title TEXT, body TEXT, cents INTEGER,
             made_at TEXT, state INTEGER, tags TEXT);
         INSERT INTO new SELECT id, title, body, CAST(round(price * 100) AS INTEGER),
             strftime('%Y-%m-%dT%H:%M:%SZ', made, 'unixepoch'), status = 'sent', tags FROM notes;
         DROP VIEW drafts; DROP TABLE notes; ALTER TABLE new RENAME TO notes",
        &[],
    );
    check(
        "ALTER TABLE people ADD COLUMN label TEXT;
         UPDATE people SET label = name || ' <' || email || '>'; ALTER TABLE people DROP COLUMN name",
        &[],
    );
    // What is only half converted is half lost.
    check(
        "ALTER TABLE notes ADD COLUMN cents INTEGER;
         UPDATE notes SET cents = price * 100 WHERE id < 3; UPDATE notes SET price = NULL",
        &[("notes.price", "1 is NULL now")],
    );
    reports(
        "CREATE TABLE new (id INTEGER PRIMARY KEY, title TEXT, body TEXT, price REAL,
             made INTEGER, status TEXT, tags TEXT);
         DROP VIEW drafts; INSERT INTO new SELECT id, body, title, price, made, status, tags FROM notes WHERE id < 4;
         INSERT INTO new SELECT * FROM notes WHERE id > 3;
         DROP TABLE notes; ALTER TABLE new RENAME TO notes",
        &["notes.body and notes.title: exchanged, 3 values each"],
    );
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
        &["a foreign key of `referring` refers to `old`, which is not there"],
    );
    check(
        "PRAGMA legacy_alter_table=ON; DROP TRIGGER noted; CREATE TABLE new (id INTEGER PRIMARY KEY,
             title TEXT, body TEXT, price REAL, made INTEGER, state TEXT, tags TEXT);
         INSERT INTO new SELECT * FROM notes; DROP TABLE notes; ALTER TABLE new RENAME TO notes",
        &[("drafts", "view `drafts` no longer works: no such column: status")],
    );
    reports("DROP INDEX by_title", &["takes away index `by_title` of `notes`"]);
    check("DROP INDEX by_title; CREATE UNIQUE INDEX other ON notes (title)", &[]);
    reports(
        "CREATE TRIGGER odd AFTER DELETE ON events BEGIN DELETE FROM nowhere; END",
        &["`odd`, which is new, does not work: no such table"],
    );
}
