//! Migrations that lose nothing, as people write them.

use crate::migrate::verdict::tests::cases::{check, reports};

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
        &["notes.body: called text now", "removes trigger `noted` of `notes`"],
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
    // Numbers of rows that are given again.
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
    // Rows without a key are at other places after a rebuild.
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
        &["notes.body: 3 values moved to bodies.text"],
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
        &["notes: 2 rows have another key, or moved to another table"],
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
    // A column that is only half converted is half lost.
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
