//! Records of every kind, and the rows that they become.

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use super::*;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Pulse;
use crate::rows::import::cost_limits::Bounds;
use crate::sqlite::schema::Schema;

const TASKS: &str = "CREATE TABLE tasks (
    id INTEGER PRIMARY KEY, title TEXT NOT NULL, priority INT DEFAULT 2, weight REAL,
    state TEXT NOT NULL DEFAULT 'open', labels, done BOOLEAN NOT NULL DEFAULT (1 - 1),
    shout TEXT AS (upper(title)))";

fn mapping(sql: &str, fields: &[&str], values: &[&str]) -> Result<Mapping> {
    let connection = Connection::open_in_memory_with_flags(OpenFlags::default())?;
    connection.execute_batch(sql)?;
    let schema = Schema::read(&connection)?;
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let table = schema.tables.values().next().expect("a table");
    Mapping::of(table, &owned(fields), &owned(values))
}

/// The rows that an input becomes, the names of their columns first.
fn rows(input: &str, mapping: &Mapping) -> Result<(Vec<String>, Loaded)> {
    let folder = tempfile::tempdir()?;
    let scratch = folder.path().join("scratch.db");
    fs_err::write(&scratch, "")?;
    let interrupt = Interrupt::default();
    let bounds = Bounds::lifted(&interrupt, Pulse::none());
    let loading =
        Loading { scratch: &scratch, encoding: None, interrupt: &interrupt, bounds: &bounds };
    let pointer = Pointer::default();
    let origin = Origin { shown: "`x`", input: &mut input.as_bytes(), pointer: &pointer };
    let loaded = load(origin, mapping, &loading, &mut |_| {})?;
    let connection = connection::open_immutable(&scratch)?;
    let mut statement = connection.prepare("SELECT * FROM tasks ORDER BY rowid")?;
    let mut lines = vec![statement.column_names().join(" ")];
    let n_columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..n_columns).map(|at| {
            Ok(match row.get::<_, Value>(at)? {
                Value::Null => "NULL".to_owned(),
                Value::Integer(integer) => integer.to_string(),
                Value::Real(real) => format!("{real:?}"),
                Value::Text(text) => format!("'{text}'"),
                Value::Blob(bytes) => format!("{bytes:?}"),
            })
        });
        lines.push(values.collect::<Result<Vec<_>>>()?.join(" "));
    }
    Ok((lines, loaded))
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
    format!("{:#}", result.expect_err("refused"))
}

#[test]
fn fields_go_where_they_are_mapped() {
    let mapped = mapping(
        TASKS,
        &["title=summary", "priority=/meta/prio", "labels=labels"],
        &["state=imported", "done=1"],
    );
    let input = r#"[{"summary": "a", "meta": {"prio": "3"}, "labels": [ "x", 1.50 ], "url": "u"},
                    {"summary": "b", "meta": {}, "labels": null}]"#;
    let (rows, loaded) = rows(input, &mapped.expect("a mapping")).expect("rows");
    assert_eq!(
        rows,
        [
            "title priority state labels done",
            "'a' 3 'imported' '[\"x\",1.50]' 1",
            "'b' 2 'imported' NULL 1"
        ]
    );
    assert_eq!(loaded.n_records, 2);
    assert_eq!(loaded.notes, ["not imported: `url` (1)"]);
    assert!(loaded.losses.is_empty(), "{:?}", loaded.losses);
}

#[test]
fn without_a_mapping_names_decide_and_what_no_record_has_is_left_out() {
    let mapped = mapping(TASKS, &[], &[]).expect("a mapping");
    let input = "{\"title\": \"a\", \"weight\": 1, \"x\": 1}\n{\"title\": \"b\", \"done\": true}\n";
    let (rows, loaded) = rows(input, &mapped).expect("rows");
    assert_eq!(rows, ["title weight done", "'a' 1.0 0", "'b' NULL 1"]);
    assert_eq!(loaded.losses, ["1 field left out that `tasks` has no column for: `x` (1)"]);
}

#[test]
fn an_empty_field_of_csv_is_a_missing_one() {
    let mapped = mapping(TASKS, &[], &[]).expect("a mapping");
    let input = "title,priority,state,weight,labels\n,,,,\n\"\",\"\",\"\",\"\",\"\"\nx,1,y,2,5\n";
    let (rows, _) = rows(input, &mapped).expect("rows");
    assert_eq!(
        rows,
        [
            "title priority weight state labels",
            "'' 2 NULL 'open' NULL",
            "'' NULL NULL '' ''",
            "'x' 1 2.0 'y' 5"
        ]
    );
}

#[test]
fn what_does_not_fit_names_record_line_field_and_value() {
    let by_name = mapping(TASKS, &[], &[]).expect("a mapping");
    let by_map = mapping(TASKS, &["title=t", "priority=p"], &[]).expect("a mapping");
    for (input, mapping, message) in [
        (
            "[{\"title\": \"a\"},\n{\"title\": \"b\", \"priority\": 1.5}]",
            &by_name,
            "record 2 (line 2): `priority` is `1.5`, and the column `priority` accepts only \
             integers",
        ),
        (
            "p,t\n99999999999999999999,a\n",
            &by_map,
            "record 1 (line 2): `p` is `99999999999999999999`, and the column `priority` accepts \
             only 64-bit integers",
        ),
        (
            "{\"t\": null}",
            &by_map,
            "record 1 (line 1): `t` is empty, and the column `title` must have a value",
        ),
        (
            "{\"p\": 1}",
            &by_map,
            "record 1 (line 1) has no `t`, and the column `title` must have a value; its fields are `p`",
        ),
        (
            "{\"id\": 1, \"title\": \"a\"}{\"title\": \"b\"}",
            &by_name,
            "record 2 (line 1) has no `id`, which other records have",
        ),
        (
            "[{\"title\": \"\\ud800\"}]",
            &by_name,
            "record 1 (line 1): a text contains half a character",
        ),
    ] {
        let message_found = refused(rows(input, mapping));
        let start = format!("could not read the records of `x`: {message}");
        assert!(message_found.starts_with(&start), "{input}: {message_found}");
    }
}

#[test]
fn records_that_fit_nothing_are_refused() {
    let mapped = mapping("CREATE TABLE tasks (a TEXT, b TEXT)", &[], &[]).expect("a mapping");
    let error = rows("[{\"c\": 1, \"d\": 2}]", &mapped).expect_err("refused");
    let refusal: &Refusal = error.downcast_ref().expect("a refusal");
    assert_eq!(
        refusal.what,
        "`x`: the records have none of the fields of `tasks`, but the fields `c` (1), `d` (1)"
    );
    assert_eq!(refusal.hint, "assign them with `--map COLUMN=FIELD`; the columns are `a`, `b`");
}

#[test]
fn a_field_that_no_record_has_is_named_and_a_typing_error_refused() {
    let mapped = mapping(TASKS, &["title=title", "weight=wheight"], &[]).expect("a mapping");
    let (taken, loaded) = rows("[{\"title\": \"a\", \"size\": 1}]", &mapped).expect("rows");
    assert_eq!(taken, ["title", "'a'"]);
    assert_eq!(loaded.losses, ["no record has the field `wheight`"]);
    let error = rows("[{\"title\": \"a\", \"weight\": 1}]", &mapped).expect_err("refused");
    let refusal = error.downcast_ref::<Refusal>().expect("a refusal");
    let expected = "`x`: no record has the field `wheight`: did you mean `weight`?";
    assert_eq!((refusal.what.as_str(), refusal.exit), (expected, Exit::CouldNot));
}

#[test]
fn mappings_that_cannot_be_are_refused() {
    for (fields, values, message) in [
        (&["titel=x"][..], &[][..], "`tasks` has no column `titel`: did you mean `title`?"),
        (&["shout=x"], &[], "the column `shout` of `tasks` is computed and accepts no values"),
        (&["title"], &[], "`--map title` is not of the form `COLUMN=FIELD`"),
        (&["=title"], &[], "`--map =title` is not of the form `COLUMN=FIELD`"),
        (&["title="], &[], "a column is mapped to a field without a name"),
        (&["title=/a~"], &[], "`/a~` is not a JSON pointer: a `~` in a name is written `~0`"),
        (&["title=a", "TITLE=b"], &[], "the column `title` is given twice"),
        (&["title=a"], &["title=b"], "the column `title` is given twice"),
        (&["weight=a"], &[], "the column `title` needs a value, and none is mapped to it"),
        (
            &["title=a"],
            &["priority=high"],
            "`--set priority=high`: the column `priority` accepts only integers",
        ),
        (&["title=a"], &["done="], "`--set done=`: the column `done` must have a value"),
    ] {
        assert_eq!(refused(mapping(TASKS, fields, values)), message);
    }
    assert!(mapping(TASKS, &["TITLE=a=b"], &["weight="]).is_ok());
}

#[test]
fn the_types_of_a_strict_table_are_kept() {
    let sql = "CREATE TABLE tasks (a ANY, b BLOB, c TEXT) STRICT";
    let mapped = mapping(sql, &[], &[]).expect("a mapping");
    let (lines, _) = rows("[{\"a\": \"007\", \"c\": 1}, {\"a\": 7}]", &mapped).expect("rows");
    assert_eq!(lines, ["a c", "'007' '1'", "7 NULL"]);
    let message = refused(rows("[{\"b\": \"x\"}]", &mapped));
    assert!(message.ends_with("the column `b` accepts only bytes"), "{message}");
}

#[test]
fn every_kind_of_default_is_taken() {
    let sql = "CREATE TABLE tasks (k TEXT, a DEFAULT word, b DEFAULT \"two words\", c DEFAULT -1.5,
               d DEFAULT 'it''s', e DEFAULT (1 + 2), f DEFAULT NULL, g DEFAULT X'00')";
    let mapped = mapping(sql, &[], &[]).expect("a mapping");
    let record = r#"{"k": "1"}{"k": "2", "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}"#;
    let (lines, _) = rows(record, &mapped).expect("rows");
    assert_eq!(lines[1], "'1' 'word' 'two words' -1.5 'it's' 3 NULL [0]");
}
