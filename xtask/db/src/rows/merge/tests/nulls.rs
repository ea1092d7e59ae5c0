//! NULL in a configured key: an empty column is a value like any other there.

use super::*;

const NOTES: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, folder TEXT, title TEXT, body TEXT);
    CREATE TABLE lines (id INTEGER PRIMARY KEY, note INTEGER REFERENCES notes (id), n INTEGER, text TEXT);";

fn keyed(here: &str, file: &str) -> Place {
    let place = Place::new().keyed("notes", &["folder", "title"]).keyed("lines", &["note", "n"]);
    place.make("here", &format!("{NOTES} {here}"));
    place.make("file", &format!("{NOTES} {file}"));
    place
}

#[test]
fn an_edited_row_with_a_null_in_its_key_stays_one_row_with_its_children() {
    let place = keyed(
        "INSERT INTO notes VALUES (1, 'f', 'a', 'other'), (2, NULL, 'a', 'old');
         INSERT INTO lines VALUES (1, 2, 1, 'x'), (2, 2, NULL, 'old end');",
        "INSERT INTO notes VALUES (7, NULL, 'a', 'new');
         INSERT INTO lines VALUES (5, 7, 1, 'x'), (6, 7, NULL, 'new end');",
    );
    let report = place.merge_with("here", &["file"], &policy(OnConflict::Replace)).expect("merged");
    assert!(report.problems.is_empty(), "{report:#?}");
    assert_eq!((report.n_inserted(), report.n_replaced()), (0, 2), "{report:#?}");
    let rows = place
        .rows("here", "SELECT notes.id, body, n, text FROM notes JOIN lines ON note = notes.id");
    assert_eq!(
        rows,
        [
            r#"Integer(2)|Text("new")|Integer(1)|Text("x")"#,
            r#"Integer(2)|Text("new")|Null|Text("new end")"#
        ]
    );
}

#[test]
fn several_rows_that_are_equal_with_their_nulls_are_refused() {
    let two = "INSERT INTO notes VALUES (1, NULL, 'a', 'x'), (2, NULL, 'a', 'y');";
    let one = "INSERT INTO notes VALUES (1, NULL, 'a', 'x');";
    let what = keyed(one, two).refused("here", &["file"]);
    assert!(
        what.contains("2 rows of `notes` of the file have the same `folder`, `title`"),
        "{what}"
    );
    let what = keyed(two, one).refused("here", &["file"]);
    assert!(what.contains("match several rows here by `folder`, `title`"), "{what}");
}
