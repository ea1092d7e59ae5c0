//! Random pairs of databases: merged in either order they have the same content, and once more
//! nothing changes.

use proptest::prelude::*;

use super::canonical::{Shape, content};
use super::*;

/// Surrogates, natural keys, keys with NULL, a composite and a self reference, a cycle of tables that
/// have keys, rows without any key.
const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL COLLATE NOCASE,
                         chief INTEGER REFERENCES people (id), UNIQUE (name));
    CREATE TABLE chats (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL,
                        owner INTEGER REFERENCES people (id), UNIQUE (owner, title));
    CREATE TABLE notes (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL REFERENCES chats (id), text);
    CREATE TABLE pins (chat INTEGER NOT NULL REFERENCES chats, person INTEGER NOT NULL REFERENCES people,
                       PRIMARY KEY (chat, person)) WITHOUT ROWID;
    CREATE TABLE marks (chat INTEGER, person INTEGER, mark,
                        FOREIGN KEY (chat, person) REFERENCES pins (chat, person));
    CREATE TABLE profiles (id INTEGER PRIMARY KEY REFERENCES people (id), motto);
    CREATE TABLE log (what, at REAL);
    CREATE TABLE tree (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES tree (id), label TEXT NOT NULL,
                       UNIQUE (parent, label));";

const SHAPES: [Shape; 6] = [
    Shape {
        name: "people",
        number: Some("id"),
        columns: &["email", "name", "chief"],
        references: &[("chief", "people")],
    },
    Shape {
        name: "chats",
        number: Some("id"),
        columns: &["title", "owner"],
        references: &[("owner", "people")],
    },
    Shape {
        name: "notes",
        number: Some("id"),
        columns: &["chat", "text"],
        references: &[("chat", "chats")],
    },
    Shape {
        name: "marks",
        number: None,
        columns: &["chat", "person", "mark"],
        references: &[("chat", "chats"), ("person", "people")],
    },
    Shape { name: "log", number: None, columns: &["what", "at"], references: &[] },
    Shape {
        name: "tree",
        number: Some("id"),
        columns: &["parent", "label"],
        references: &[("parent", "tree")],
    },
];

/// What a machine did: numbers that its schema takes for whatever they can mean.
fn acts() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec((0_u8..9, 0_u8..5, 0_u8..5), 0..30)
}

/// One act as a statement; what a constraint forbids does not happen. Rows of the same name have the
/// same content in every database, so that nothing is a conflict.
fn statement((act, a, b): (u8, u8, u8)) -> String {
    let person = |n: u8| format!("(SELECT id FROM people WHERE name = 'P{n}')");
    let chat = |n: u8| format!("(SELECT id FROM chats WHERE title = 'C{n}')");
    match act {
        0 | 1 => {
            let email = if a % 2 == 0 { format!("'p{a}@x'") } else { "NULL".to_owned() };
            format!("INSERT INTO people (email, name, chief) VALUES ({email}, 'P{a}', NULL)")
        }
        2 => format!(
            "INSERT INTO chats (title, owner) SELECT 'C{a}', {} WHERE NOT EXISTS (SELECT 1 FROM chats WHERE title = 'C{a}') AND {} IS NOT NULL",
            person(a),
            person(a)
        ),
        3 => format!(
            "INSERT INTO notes (chat, text) SELECT {}, {b} WHERE {} IS NOT NULL",
            chat(a),
            chat(a)
        ),
        4 => format!(
            "INSERT INTO pins SELECT {}, {} WHERE {} IS NOT NULL AND {} IS NOT NULL",
            chat(a),
            person(b),
            chat(a),
            person(b)
        ),
        5 => format!(
            "INSERT INTO marks SELECT chat, person, {b} FROM pins WHERE chat = {} LIMIT 1",
            chat(a)
        ),
        6 => format!(
            "INSERT INTO log VALUES ({}, {b})",
            ["1", "'1'", "1.0", "NULL", "x'31'"][usize::from(a)]
        ),
        // Roots are told apart by their content alone, and children refer to them.
        7 => format!(
            "INSERT INTO tree (parent, label)
             SELECT (SELECT max(id) FROM tree WHERE label < 'T{a}'), 'T{a}'
             WHERE NOT EXISTS (SELECT 1 FROM tree WHERE label = 'T{a}' AND parent IS NULL)"
        ),
        _ => format!("INSERT INTO profiles SELECT id, 'M{a}' FROM people WHERE name = 'P{a}'"),
    }
}

fn live(place: &Place, name: &str, acts: &[(u8, u8, u8)]) {
    let connection = place.make(name, SCHEMA);
    for act in acts {
        let _ = connection.execute_batch(&statement(*act));
    }
}

fn contents(place: &Place, name: &str) -> Vec<String> {
    let connection = place.open(name);
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(sound, "ok");
    let orphans = connection.prepare("PRAGMA foreign_key_check").expect("checked").exists([]);
    assert!(!orphans.expect("checked"), "references to nothing");
    let mut all = content(&connection, &SHAPES);
    for question in [
        "SELECT (SELECT title FROM chats WHERE id = chat), (SELECT name FROM people WHERE id = person) FROM pins",
        "SELECT (SELECT name FROM people AS p WHERE p.id = o.id), motto FROM profiles AS o",
    ] {
        let mut rows = place.rows(name, question);
        rows.sort();
        all.extend(rows);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn merged_in_either_order_the_content_is_the_same_and_once_more_nothing_changes(
        first in acts(), second in acts(), third in acts()
    ) {
        let place = Place::new();
        for (name, acts) in [("a", &first), ("b", &second), ("c", &third)] {
            live(&place, name, acts);
            for copy in ["1", "2"] {
                place.copy(name, &format!("{name}{copy}"));
            }
        }
        let before = place.rows("a1", "SELECT * FROM notes ORDER BY id");
        let report = place.merge("a1", &["b", "c"]);
        prop_assert!(report.problems.is_empty(), "{report:#?}");
        let report = place.merge("b1", &["c", "a"]);
        prop_assert!(report.problems.is_empty(), "{report:#?}");
        let report = place.merge("c1", &["a", "b"]);
        prop_assert!(report.problems.is_empty(), "{report:#?}");
        let merged = contents(&place, "a1");
        prop_assert_eq!(&merged, &contents(&place, "b1"));
        prop_assert_eq!(&merged, &contents(&place, "c1"));
        // What was there before bears its number still.
        let after = place.rows("a1", "SELECT * FROM notes ORDER BY id");
        prop_assert!(before.iter().all(|row| after.contains(row)));
        for again in ["a", "b", "c", "b1"] {
            let report = place.merge("a1", &[again]);
            prop_assert_eq!((report.n_inserted(), report.n_replaced()), (0, 0), "{} {:#?}", again, report);
        }
        prop_assert_eq!(&merged, &contents(&place, "a1"));
    }
}
