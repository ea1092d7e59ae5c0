//! Random pairs of databases: merged in either order they have the same content, and once more
//! nothing changes.

use proptest::prelude::*;

use super::*;
use crate::rows::merge::tests::canonical::{Shape, content};
use crate::sqlite::declared_references::Referent;

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
                       UNIQUE (parent, label));
    CREATE TABLE remarks (id INTEGER PRIMARY KEY, on_type TEXT, on_id INTEGER, text);";

/// The source of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Schema,
    Configuration,
}

impl Says {
    fn schema(self) -> String {
        let schema = SCHEMA.replace(
            ",\n                        FOREIGN KEY (chat, person) REFERENCES pins (chat, person)",
            "",
        );
        let mut words = match self {
            Self::Schema => return SCHEMA.to_owned(),
            Self::Configuration => {
                schema.split(" REFERENCES ").map(str::to_owned).collect::<Vec<_>>()
            }
        };
        for after in words.iter_mut().skip(1) {
            // The parent, and its column in parentheses.
            let name = after.find(|c: char| !c.is_alphanumeric()).expect("an end");
            let rest = after[name..].strip_prefix(" (id)").unwrap_or(&after[name..]);
            *after = rest.to_owned();
        }
        let schema = words.concat();
        assert!(!schema.contains("REFERENCES"), "{schema}");
        schema
    }

    fn place(self) -> Place {
        let mut place = Place::new();
        let to = |table: &str| Referent::Table(table.to_owned());
        let all: &[(&str, &str, &str)] = match self {
            Self::Schema => &[],
            Self::Configuration => &[
                ("people", "chief", "people"),
                ("chats", "owner", "people"),
                ("notes", "chat", "chats"),
                ("pins", "chat", "chats"),
                ("pins", "person", "people"),
                ("marks", "chat", "chats"),
                ("marks", "person", "people"),
                ("profiles", "id", "people"),
                ("tree", "parent", "tree"),
            ],
        };
        let references = &mut place.said.references;
        for (table, column, parent) in all {
            let columns = references.entry((*table).to_owned()).or_default();
            columns.insert((*column).to_owned(), to(parent));
        }
        let kinds = [("chat", Some("chats")), ("person", Some("people")), ("old", None)];
        let tables = kinds.map(|(kind, table)| (kind.to_owned(), table.map(str::to_owned)));
        let by = Referent::By { column: "on_type".to_owned(), tables: tables.into() };
        let remarks = references.entry("remarks".to_owned()).or_default();
        remarks.insert("on_id".to_owned(), by);
        place
    }
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![Just(Says::Schema), Just(Says::Configuration)]
}

/// As many cases as `PROPTEST_CASES` requests, else few.
fn few() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = if usual.cases == 256 { 32 } else { usual.cases };
    ProptestConfig { cases, ..usual }
}

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

/// The acts of a machine, as numbers for which its schema finds a meaning.
fn acts() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    proptest::collection::vec((0_u8..11, 0_u8..5, 0_u8..5), 0..30)
}

/// One act as a statement; what a constraint forbids does not happen. Rows of the same name have the
/// same content in every database, so that nothing is a conflict.
fn statement(act: u8, a: u8, b: u8) -> String {
    let person = |n: u8| format!("(SELECT id FROM people WHERE name = 'P{n}')");
    let chat = |n: u8| format!("(SELECT id FROM chats WHERE title = 'C{n}')");
    match act {
        0 | 1 => {
            let email = if a.is_multiple_of(2) { format!("'p{a}@x'") } else { "NULL".to_owned() };
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
        8 => {
            let (kind, row) =
                if b.is_multiple_of(2) { ("chat", chat(a)) } else { ("person", person(a)) };
            let row = if b == 4 { "0".to_owned() } else { row };
            format!(
                "INSERT INTO remarks (on_type, on_id, text) SELECT '{kind}', {row}, 'R{a}' WHERE {row} IS NOT NULL"
            )
        }
        9 => format!("INSERT INTO remarks (on_type, on_id, text) VALUES ('old', {a}, {b})"),
        _ => format!("INSERT INTO profiles SELECT id, 'M{a}' FROM people WHERE name = 'P{a}'"),
    }
}

fn live(place: &Place, name: &str, says: Says, acts: &[(u8, u8, u8)]) {
    let connection = place.make(name, &says.schema());
    for (act, a, b) in acts {
        let _ = connection.execute_batch(&statement(*act, *a, *b));
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
    assert!(!all.iter().any(|row| row.contains("nothing ")), "references to nothing: {all:#?}");
    for question in [
        "SELECT (SELECT title FROM chats WHERE id = chat), (SELECT name FROM people WHERE id = person) FROM pins",
        "SELECT (SELECT name FROM people AS p WHERE p.id = o.id), motto FROM profiles AS o",
        "SELECT on_type, CASE on_type WHEN 'chat' THEN (SELECT title FROM chats WHERE id = on_id)
           WHEN 'person' THEN (SELECT name FROM people WHERE id = on_id) ELSE on_id END,
           on_id = 0, text FROM remarks",
    ] {
        let mut rows = place.rows(name, question);
        rows.sort();
        all.extend(rows);
    }
    all
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn merged_in_either_order_the_content_is_the_same_and_once_more_nothing_changes(
        first in acts(), second in acts(), third in acts(), says in says()
    ) {
        let place = says.place();
        for (name, acts) in [("a", &first), ("b", &second), ("c", &third)] {
            live(&place, name, says, acts);
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
        // A row that existed before still has its number.
        let after = place.rows("a1", "SELECT * FROM notes ORDER BY id");
        prop_assert!(before.iter().all(|row| after.contains(row)));
        for again in ["a", "b", "c", "b1"] {
            let report = place.merge("a1", &[again]);
            prop_assert_eq!((report.n_inserted(), report.n_replaced()), (0, 0), "{} {:#?}", again, report);
        }
        prop_assert_eq!(&merged, &contents(&place, "a1"));
    }

    #[test]
    fn whatever_was_edited_rows_here_stay_unless_they_are_replaced(
        first in acts(), second in acts(), edits in proptest::collection::vec((0_u8..4, 0_u8..5, 0_u8..5), 1..6),
        says in says()
    ) {
        let place = says.place();
        live(&place, "here", says, &first);
        live(&place, "file", says, &second);
        let connection = place.open("file");
        for (edit, a, b) in edits {
            let _ = connection.execute_batch(&edited(edit, a, b));
        }
        drop(connection);
        let before: Vec<_> = TABLES.map(|table| place.rows("here", &format!("SELECT * FROM {table}"))).into();
        let report = place.merge_with("here", &["file"], &policy(OnConflict::Skip));
        for (table, rows) in TABLES.iter().zip(&before) {
            let mut after = place.rows("here", &format!("SELECT * FROM {table}"));
            for row in rows {
                let at = after.iter().position(|other| other == row);
                prop_assert!(at.is_some(), "{} of {} is gone or touched", row, table);
                after.swap_remove(at.expect("found"));
            }
            let is_refused = report.as_ref().map_or(true, |report| !report.problems.is_empty());
            prop_assert!(!is_refused || after.is_empty(), "refused, and {} has more", table);
        }
        contents(&place, "here");
        let replacing = policy(OnConflict::Replace);
        if let Ok(report) = place.merge_with("here", &["file"], &replacing)
            && report.problems.is_empty()
        {
            contents(&place, "here");
            let again = place.merge_with("here", &["file"], &replacing).expect("once more");
            prop_assert_eq!((again.n_inserted(), again.n_replaced()), (0, 0), "{:#?}", again);
        }
    }
}

const TABLES: [&str; 9] =
    ["people", "chats", "notes", "pins", "marks", "profiles", "log", "tree", "remarks"];

/// An edit of rows that the other machine may have, too.
fn edited(edit: u8, a: u8, b: u8) -> String {
    match edit {
        0 => format!("UPDATE people SET email = 'p{b}@x' WHERE name = 'P{a}'"),
        1 => format!(
            "UPDATE people SET chief = (SELECT id FROM people WHERE name = 'P{b}') WHERE name = 'P{a}'"
        ),
        2 => format!("UPDATE profiles SET motto = 'other {b}' WHERE motto = 'M{a}'"),
        _ => format!("UPDATE people SET name = 'p{a}' WHERE name = 'P{a}'"),
    }
}
