//! Subsets of random databases against a model that looks at every pair of rows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use rusqlite::types::Value;

use super::*;

/// One table of a random schema: a key `id`, a second one `(a, b)`, and references to both keys of
/// tables. Each row has a number `n` of its own.
#[derive(Debug, Clone)]
struct Plan {
    key: &'static str,
    storage: &'static str,
    /// The declarations of `a` and `b`, and of the columns that refer.
    kinds: (&'static str, &'static str),
    /// The tables that `r` and `(s, t)` refer to.
    to: (usize, usize),
    /// Whether the columns that refer have an index, and the second key has one.
    has_index: bool,
    has_second_key: bool,
    rows: Vec<[Value; 6]>,
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(Value::Null),
        6 => (0_i64..6).prop_map(Value::Integer),
        3 => "[aA12]".prop_map(Value::Text),
        1 => Just(Value::Text("02".to_owned())),
        1 => Just(Value::Real(2.0)),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let key = prop_oneof![
        Just(("id INTEGER PRIMARY KEY", "")),
        Just(("id TEXT PRIMARY KEY COLLATE NOCASE", "")),
        Just(("id TEXT NOT NULL PRIMARY KEY COLLATE NOCASE", "WITHOUT ROWID")),
        Just(("id NOT NULL PRIMARY KEY", "WITHOUT ROWID")),
    ];
    let kind = || prop_oneof![Just(""), Just("INTEGER"), Just("TEXT"), Just("TEXT COLLATE NOCASE")];
    let rows = proptest::collection::vec(proptest::array::uniform6(value()), 0..9);
    (key, (kind(), kind()), (0_usize..3, 0_usize..3), any::<(bool, bool)>(), rows).prop_map(
        |((key, storage), kinds, to, (has_index, has_second_key), rows)| Plan {
            key,
            storage,
            kinds,
            to,
            has_index,
            has_second_key,
            rows,
        },
    )
}

fn database(plans: &[Plan]) -> Connection {
    let connection = Connection::open_in_memory().expect("a database");
    connection.execute_batch("PRAGMA foreign_keys = OFF").expect("off");
    for (n, plan) in plans.iter().enumerate() {
        let Plan { key, storage, kinds: (own, child), to, .. } = plan;
        let second = if plan.has_second_key { ", UNIQUE (a, b)" } else { "" };
        let mut sql = format!(
            "CREATE TABLE t{n} ({key}, n, a {own}, b {own}, r {child} REFERENCES t{}, s {child},
                 t {child}, FOREIGN KEY (s, t) REFERENCES T{} (a, b){second}) {storage};",
            to.0, to.1
        );
        if plan.has_index {
            let _ = write!(sql, "CREATE INDEX r{n} ON t{n} (r); CREATE INDEX s{n} ON t{n} (t, s);");
        }
        connection.execute_batch(&sql).expect("a schema");
        for (number, row) in plan.rows.iter().enumerate() {
            let insert =
                format!("INSERT OR IGNORE INTO t{n} (n, id, a, b, r, s, t) VALUES (?,?,?,?,?,?,?)");
            let number = Value::Integer(i64::try_from(number).expect("small"));
            let row = std::iter::once(&number).chain(row);
            // A row that a key refuses is not inserted.
            let _ = connection.execute(&insert, rusqlite::params_from_iter(row));
        }
    }
    connection
}

/// A child's row and its parent's: table and number of each.
type Pair = ((usize, i64), (usize, i64));

/// A row as it is stored: its number, `id`, `a`, `b`, `r`, `s`, `t`.
type Row = (i64, Vec<Value>);

fn stored(connection: &Connection, table: usize) -> Vec<Row> {
    let question = format!("SELECT n, id, a, b, r, s, t FROM t{table}");
    let mut statement = connection.prepare(&question).expect("a table");
    let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Row> {
        Ok((row.get(0)?, (1..7).map(|n| row.get(n)).collect::<rusqlite::Result<_>>()?))
    };
    statement.query_map([], row).expect("rows").collect::<rusqlite::Result<_>>().expect("rows")
}

/// The value that a child's value becomes if a column of this kind refers.
fn as_parent(value: &Value, kind: &str) -> Value {
    match value {
        Value::Integer(n) if kind.contains("TEXT") => Value::Text(n.to_string()),
        Value::Real(n) if kind.contains("TEXT") => Value::Text(format!("{n:.1}")),
        Value::Text(text) if kind.contains("INTEGER") => {
            let digits = text.strip_suffix(".0").unwrap_or(text);
            digits.parse().map_or_else(|_| value.clone(), Value::Integer)
        }
        value => value.clone(),
    }
}

fn refers(child: &Value, parent: &Value, kind: &str) -> bool {
    match (as_parent(child, kind), parent) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Text(a), Value::Text(b)) if kind.contains("NOCASE") => a.eq_ignore_ascii_case(b),
        (Value::Real(a), Value::Integer(b)) => is_same(a, *b),
        (Value::Integer(a), Value::Real(b)) => is_same(*b, a),
        (a, b) => a == *b,
    }
}

fn is_same(real: f64, integer: i64) -> bool {
    real.to_string() == integer.to_string()
}

/// All pairs there are.
fn pairs(plans: &[Plan], rows: &[Vec<Row>]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (table, plan) in plans.iter().enumerate() {
        for (number, child) in &rows[table] {
            for (parent, row) in &rows[plan.to.0] {
                let kind = plans[plan.to.0].key;
                if refers(&child[3], &row[0], kind) {
                    pairs.push(((table, *number), (plan.to.0, *parent)));
                }
            }
            for (parent, row) in &rows[plan.to.1] {
                let kind = plans[plan.to.1].kinds.0;
                if refers(&child[4], &row[1], kind) && refers(&child[5], &row[2], kind) {
                    pairs.push(((table, *number), (plan.to.1, *parent)));
                }
            }
        }
    }
    pairs
}

/// Row by row, until nothing changes.
fn model(mut taken: BTreeSet<(usize, i64)>, pairs: &[Pair]) -> BTreeSet<(usize, i64)> {
    for is_down in [true, false] {
        loop {
            let before = taken.len();
            for (child, parent) in pairs {
                let (from, to) = if is_down { (parent, child) } else { (child, parent) };
                if taken.contains(from) {
                    taken.insert(*to);
                }
            }
            if taken.len() == before {
                break;
            }
        }
    }
    taken
}

fn taken(connection: &Connection, subset: &Subset, n_tables: usize) -> BTreeSet<(usize, i64)> {
    let mut taken = BTreeSet::new();
    for table in 0..n_tables {
        let member = subset.member(&format!("T{table}")).expect("a member");
        let question = format!(
            "SELECT r.n FROM {} AS f CROSS JOIN {} AS r ON {}",
            member.rows(),
            member.table,
            member.is_row("r", "f.k")
        );
        let mut statement = connection.prepare(&question).expect("rows");
        let numbers = statement.query_map([], |row| row.get(0)).expect("rows");
        let before = taken.len();
        taken.extend(numbers.map(|number| (table, number.expect("a number"))));
        assert_eq!((taken.len() - before) as u64, member.n_rows, "each once");
    }
    taken
}

fn root(condition: &str) -> Root {
    Root { table: "t0".to_owned(), condition: condition.to_owned() }
}

fn gather(connection: &Connection, root: &Root) -> Result<Subset> {
    let schema = Schema::read(connection).expect("a schema");
    let chosen = Chosen { root, without: &BTreeSet::new(), declared: &[] };
    Subset::gather(connection, &schema, &chosen, &Interrupt::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn a_subset_is_what_looking_at_every_pair_of_rows_finds(
        plans in proptest::collection::vec(plan(), 3),
        number in 0_i64..4,
    ) {
        let connection = database(&plans);
        let rows: Vec<_> = (0..plans.len()).map(|n| stored(&connection, n)).collect();
        let start: BTreeSet<_> =
            rows[0].iter().filter(|(n, _)| n % 4 == number).map(|(n, _)| (0, *n)).collect();
        let found = gather(&connection, &root(&format!("n % 4 = {number}")));
        prop_assert_eq!(found.is_err(), start.is_empty());
        if let Ok(subset) = found {
            let expected = model(start, &pairs(&plans, &rows));
            prop_assert_eq!(taken(&connection, &subset, plans.len()), expected);
        }
    }
}

#[test]
fn a_chain_of_100_000_rows_is_followed_step_by_step_with_and_without_an_index() {
    for (start, index) in [(1, ""), (100_000, ""), (1, "CREATE INDEX by_parent ON t0 (parent);")] {
        let connection = Connection::open_in_memory().expect("a database");
        connection
            .execute_batch(&format!(
                "CREATE TABLE t0 (id INTEGER PRIMARY KEY, parent REFERENCES t0 (id));
                 INSERT INTO t0 WITH RECURSIVE n (i) AS
                     (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                     SELECT i, nullif(i - 1, 0) FROM n; {index}"
            ))
            .expect("a chain");
        let subset = gather(&connection, &root(&format!("id = {start}"))).expect("a subset");
        let member = subset.member("t0").expect("a member");
        assert_eq!((member.n_rows, member.n_all), (100_000, 100_000));
    }
}

#[test]
fn a_condition_reads_and_changes_nothing() {
    let connection = Connection::open_in_memory().expect("a database");
    connection
        .execute_batch(
            "CREATE TABLE t0 (id INTEGER PRIMARY KEY, name); INSERT INTO t0 VALUES (1, 'a');
             CREATE VIRTUAL TABLE texts USING fts4 (body);
             INSERT INTO texts VALUES ('one'); INSERT INTO texts VALUES ('two');",
        )
        .expect("a schema");
    let segments = || -> i64 {
        let question = "SELECT count(*) FROM texts_segdir";
        connection.query_row(question, [], |row| row.get(0)).expect("a count")
    };
    let before = segments();
    for hostile in [
        "1; DELETE FROM t0",
        "1) UNION SELECT 7 WHERE (1",
        "?1",
        "nobody = 1",
        "(id, name)",
        "count(*) > 0",
        "load_extension('x')",
        // The one function that writes: <https://sqlite.org/fts3.html#optimize>.
        "(SELECT optimize(texts) FROM texts LIMIT 1) IS NOT NULL",
        "id IN (DELETE FROM t0 RETURNING id)",
    ] {
        let error = gather(&connection, &root(hostile)).err().map(|error| error.to_string());
        assert!(error.is_some(), "{hostile}");
        connection.execute_batch("PRAGMA query_only = OFF").expect("off");
        drop_temp(&connection);
    }
    assert_eq!(segments(), before);
    let n: i64 = connection.query_row("SELECT count(*) FROM t0", [], |row| row.get(0)).expect("n");
    assert_eq!(n, 1);
    for harmless in
        ["id IN (SELECT rowid FROM texts WHERE texts MATCH 'one') -- ;", "t0.name = 'a'", "1"]
    {
        assert!(gather(&connection, &root(harmless)).is_ok(), "{harmless}");
        drop_temp(&connection);
    }
}

/// Drops the TEMP tables, so that another subset can be gathered.
fn drop_temp(connection: &Connection) {
    let question = "SELECT name FROM sqlite_temp_schema WHERE type = 'table'";
    let mut statement = connection.prepare(question).expect("names");
    let names = statement.query_map([], |row| row.get(0)).expect("names");
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>().expect("names");
    drop(statement);
    for name in &names {
        connection.execute_batch(&format!("DROP TABLE temp.\"{name}\"")).expect("dropped");
    }
}

#[test]
fn what_leads_nowhere_is_counted() {
    let connection = Connection::open_in_memory().expect("a database");
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE t0 (id INTEGER PRIMARY KEY, up REFERENCES t0, ghost REFERENCES ghosts (id),
                 odd REFERENCES t0 (none));
             INSERT INTO t0 VALUES (1, 9, NULL, NULL), (2, 1, 5, 5), (3, 8, 5, 5), (4, 2, NULL, NULL);",
        )
        .expect("a schema");
    let subset = gather(&connection, &root("id = 1")).expect("a subset");
    assert_eq!(
        subset.remarks,
        [
            "1 row of `t0` refers to rows of `t0` that do not exist",
            "1 row of `t0` refers to columns that `t0` has no key of",
            "1 row of `t0` refers to table `ghosts`, which does not exist",
        ]
    );
    assert_eq!(subset.member("t0").map(|member| member.n_rows), Some(3));
}
