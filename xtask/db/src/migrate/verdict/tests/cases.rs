//! A database, and how a migration of it is checked.

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

/// Checks a migration: the names that its losses want, with a part of what is reported about each.
pub(super) fn check(migration: &str, expected: &[(&str, &str)]) -> States {
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

/// Checks a migration that loses nothing, and that it is reported.
pub(super) fn reports(migration: &str, parts: &[&str]) {
    let states = check(migration, &[]);
    let of = states.comparison();
    let said: Vec<_> = remarks(of.effects).into_iter().chain(warnings(&of)).collect();
    for part in parts {
        assert!(said.iter().any(|line| line.contains(part)), "{migration}: {part}\n{said:#?}");
    }
}
