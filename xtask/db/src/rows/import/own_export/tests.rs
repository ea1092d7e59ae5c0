//! Random schemas and contents: what is exported is imported equal, in every format.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::Value;
use xtask_db_format::{Csv, Format, Json, Jsonl, Outlet, Sink, Writer};

use super::*;
use crate::console::interrupt::Interrupt;
use crate::console::progress::Pulse;
use crate::rows::export::selection::{Selection, Wanted};
use crate::rows::export::writer;
use crate::rows::import::cost_limits::Bounds;
use crate::rows::import::proof;
use crate::rows::import::scratch::Kind;
use crate::sqlite::examination::finding::Weight;

/// The kind of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Plain,
    IntegerKey,
    Counted,
    OneKey,
    TwoKeys,
    WithoutRowid,
    Strict,
}

#[derive(Debug, Clone)]
struct RandomTable {
    name: String,
    nature: Nature,
    /// Names and types; the types of STRICT tables are taken modulo.
    columns: Vec<(String, usize)>,
    is_generated: bool,
    rows: Vec<Vec<RandomValue>>,
}

#[derive(Debug, Clone)]
enum RandomValue {
    Of(Value),
    /// The bytes of a text in the database's encoding.
    Odd(Vec<u8>),
}

const TYPES: [&str; 8] = [
    "",
    "TEXT COLLATE NOCASE",
    "INTEGER",
    "REAL",
    "BLOB",
    "NUMERIC",
    "TEXT COLLATE RTRIM",
    "VARCHAR(7)",
];
const STRICT_TYPES: [&str; 5] = ["ANY", "TEXT", "INTEGER", "REAL", "BLOB"];

fn any_name() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        Just("select"),
        Just("rowid"),
        Just("row"),
        Just("table"),
        Just("a\"b"),
        Just("it's"),
        Just("[x]"),
        Just("../up"),
        Just("%2F"),
        Just("two\nlines"),
        Just("\u{1b}[2J"),
        Just(" "),
    ];
    prop_oneof![3 => "[a-zäß🦀_. ,;`]{1,6}", 1 => odd.prop_map(str::to_owned)]
}

fn any_value() -> impl Strategy<Value = RandomValue> {
    let text = "[\0-\u{a0}\"\\\\ü€𝄞'?]{0,12}|[0-9]{1,3}|[ ]{0,2}";
    prop_oneof![
        Just(RandomValue::Of(Value::Null)),
        any::<i64>().prop_map(|integer| RandomValue::Of(Value::Integer(integer))),
        (-3_i64..3).prop_map(|integer| RandomValue::Of(Value::Integer(integer))),
        any::<u64>().prop_map(|bits| RandomValue::Of(Value::Real(f64::from_bits(bits)))),
        text.prop_map(|text| RandomValue::Of(Value::Text(text))),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(|b| RandomValue::Of(Value::Blob(b))),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(RandomValue::Odd),
    ]
}

fn any_table() -> impl Strategy<Value = RandomTable> {
    use Nature::{Counted, IntegerKey, OneKey, Plain, Strict, TwoKeys, WithoutRowid};
    let natures = vec![Plain, IntegerKey, Counted, OneKey, TwoKeys, WithoutRowid, Strict];
    let columns = prop::collection::vec((any_name(), 0..TYPES.len()), 2..5);
    let rows = prop::collection::vec(prop::collection::vec(any_value(), 5), 0..12);
    let parts = (any_name(), prop::sample::select(natures), columns, any::<bool>(), rows);
    parts.prop_map(|(name, nature, mut columns, is_generated, rows)| {
        let mut seen = BTreeSet::from(["made".to_owned()]);
        columns.retain(|(name, _)| seen.insert(name.to_lowercase()));
        columns.push(("last".to_owned(), 0));
        columns.push(("very last".to_owned(), 0));
        RandomTable { name, nature, columns, is_generated, rows }
    })
}

impl RandomTable {
    fn sql(&self) -> String {
        let mut parts = Vec::new();
        for (at, (name, kind)) in self.columns.iter().enumerate() {
            let kind = match (self.nature, at) {
                (Nature::IntegerKey, 0) => "INTEGER PRIMARY KEY",
                (Nature::Counted, 0) => "INTEGER PRIMARY KEY AUTOINCREMENT",
                (Nature::OneKey, 0) => "TEXT PRIMARY KEY",
                (Nature::Strict, _) => STRICT_TYPES[kind % STRICT_TYPES.len()],
                _ => TYPES[*kind],
            };
            parts.push(format!("{} {kind}", quoted(name)));
        }
        if self.is_generated {
            let kind = if self.nature == Nature::Strict { "ANY" } else { "" };
            parts.push(format!("made {kind} AS (quote(\"last\")) STORED"));
        }
        let (first, second) = (quoted(&self.columns[0].0), quoted(&self.columns[1].0));
        let end = match self.nature {
            Nature::TwoKeys => {
                parts.push(format!("PRIMARY KEY ({second} DESC, {first})"));
                ""
            }
            Nature::WithoutRowid => {
                parts.push(format!("PRIMARY KEY ({second}, {first} DESC)"));
                " WITHOUT ROWID"
            }
            Nature::Strict => " STRICT",
            _ => "",
        };
        format!("CREATE TABLE {} ({}){end}", quoted(&self.name), parts.join(", "))
    }

    /// Inserts the rows that fit.
    fn fill(&self, connection: &Connection) {
        for row in &self.rows {
            let (mut names, mut marks, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for ((name, _), value) in self.columns.iter().zip(row) {
                names.push(quoted(name));
                let (mark, value) = match value {
                    RandomValue::Of(value) => ("?", value.clone()),
                    RandomValue::Odd(bytes) => ("CAST(? AS TEXT)", Value::Blob(bytes.clone())),
                };
                marks.push(mark);
                values.push(value);
            }
            let (name, names, marks) = (quoted(&self.name), names.join(", "), marks.join(", "));
            let insert = format!("INSERT OR IGNORE INTO {name} ({names}) VALUES ({marks})");
            // A value of the wrong class does not fit into a strict table or a rowid.
            let _ = connection.execute(&insert, rusqlite::params_from_iter(values));
        }
    }
}

/// Files of an export: one, or those of a folder.
struct Files<'s> {
    folder: &'s Path,
    name: &'s str,
    bytes: Vec<u8>,
    current: Option<String>,
}

impl Files<'_> {
    fn end_file(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.bytes);
        let path = self.folder.join(self.name);
        match &self.current {
            None if bytes.is_empty() => Ok(()),
            None => Ok(fs_err::write(path, bytes)?),
            Some(file) => {
                fs_err::create_dir_all(&path)?;
                Ok(fs_err::write(path.join(file), bytes)?)
            }
        }
    }
}

impl Outlet for Files<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn begin_file(&mut self, name: &str) -> Result<()> {
        self.end_file()?;
        self.current = Some(name.to_owned());
        Ok(())
    }
}

/// Exports the database at a path into a file, or a folder, of the same folder.
fn export(folder: &Path, database: &Path, name: &str, format: &mut dyn Format) -> Result<()> {
    let connection = connection::open_immutable(database)?;
    let interrupt = Interrupt::default();
    let wanted = Wanted { rowids: true, ..Wanted::default() };
    let selection = Selection::of(&connection, &wanted, &interrupt)?;
    let mut files = Files { folder, name, bytes: Vec::new(), current: None };
    let mut sink = Sink::new(&mut files);
    let mut writer = Writer { format, to: &mut sink };
    writer::write(&connection, &selection, &mut writer, &mut |_| interrupt.check())?;
    drop(sink);
    files.end_file()
}

fn new_file(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs_err::write(&path, "").expect("a file");
    path
}

/// Exports, imports and exports again in every format; the JSONL of all must be equal.
fn comes_back(folder: &Path, database: &Path) -> Result<()> {
    export(folder, database, "before.jsonl", &mut Jsonl::default())?;
    let before = fs_err::read_to_string(folder.join("before.jsonl"))?;
    let formats: [(&str, Box<dyn Format>, Kind); 3] = [
        ("e.jsonl", Box::new(Jsonl::default()), Kind::Jsonl),
        ("e.json", Box::new(Json::default()), Kind::Json),
        ("e.csv", Box::new(Csv::of_folder()), Kind::Csv),
    ];
    for (name, mut format, kind) in formats {
        export(folder, database, name, format.as_mut())?;
        let scratch = new_file(folder, &format!("{name}.db"));
        let interrupt = Interrupt::default();
        let bounds = Bounds::lifted(&interrupt, Pulse::none());
        let loading =
            Loading { scratch: &scratch, encoding: None, interrupt: &interrupt, bounds: &bounds };
        assert_eq!(crate::rows::import::kind(&folder.join(name))?, kind);
        let loaded = crate::rows::import::load(&folder.join(name), &loading, &mut |_| {})?;
        let proof = proof::prove(&scratch, &loaded, &interrupt, &bounds)?;
        assert_eq!(proof.of_weight(Weight::Structural).next(), None, "{name}");
        export(folder, &scratch, "after.jsonl", &mut Jsonl::default())?;
        let after = fs_err::read_to_string(folder.join("after.jsonl"))?;
        assert!(before == after, "{name}: {before}\n{after}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_schema_and_content_comes_back(
        mut tables in prop::collection::vec(any_table(), 1..4),
        encoding in prop::sample::select(vec!["UTF-8", "UTF-16le", "UTF-16be"]),
        numbers in any::<(i32, i32)>(),
    ) {
        let mut seen = BTreeSet::new();
        tables.retain(|table| seen.insert(table.name.to_lowercase()));
        let folder = tempfile::tempdir().expect("a folder");
        let path = new_file(folder.path(), "source.db");
        let connection = connection::open_scratch(&path).expect("a database");
        let (version, id) = numbers;
        connection
            .execute_batch(&format!(
                "PRAGMA encoding = '{encoding}'; PRAGMA user_version = {version};
                 PRAGMA application_id = {id};"
            ))
            .expect("settings");
        for (n, table) in tables.iter().enumerate() {
            connection.execute_batch(&table.sql()).expect("a table");
            table.fill(&connection);
            let (name, last) = (quoted(&table.name), quoted(&table.columns[0].0));
            connection
                .execute_batch(&format!(
                    "CREATE INDEX \"by \"\" {n}\" ON {name} ({last}, length({last}));
                     CREATE VIEW \"of {n}\" AS SELECT * FROM {name};
                     CREATE TRIGGER \"after {n}\" AFTER INSERT ON {name}
                     BEGIN DELETE FROM {name}; END;"
                ))
                .expect("definitions");
        }
        drop(connection);
        comes_back(folder.path(), &path).expect("it comes back");
    }
}

#[test]
fn the_list_of_all_tables_is_asked_for_once_however_many_have_rows() {
    let n_asked = |n_tables: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = new_file(folder.path(), "source.db");
        let connection = connection::open_scratch(&path).expect("a database");
        let tables = (0..n_tables).map(|n| format!("CREATE TABLE t{n} (a TEXT);"));
        let tables: String = tables.collect();
        connection.execute_batch(&tables).expect("tables");
        for n in 0..n_tables {
            connection.execute(&format!("INSERT INTO t{n} VALUES ('x')"), []).expect("a row");
        }
        drop(connection);
        export(folder.path(), &path, "e.jsonl", &mut Jsonl::default()).expect("an export");
        let into = new_file(folder.path(), "into.db");
        let connection = connection::open_scratch(&into).expect("a database");
        connection.execute_batch(&tables).expect("tables");
        let n_asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&n_asked);
        let judge = move |asked: AuthContext<'_>| {
            if matches!(asked.action, AuthAction::Pragma { pragma_name: "table_list", .. }) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Authorization::Allow
        };
        let _ = connection.authorizer(Some(judge));
        let mut reading = open(&folder.path().join("e.jsonl"), Kind::Jsonl).expect("an export");
        insert_rows(reading.as_mut(), &connection, OddTexts::AsTheyAre, &mut |_| Ok(()))
            .expect("rows");
        n_asked.load(Ordering::Relaxed)
    };
    assert_eq!([n_asked(2), n_asked(20)], [1, 1]);
}
