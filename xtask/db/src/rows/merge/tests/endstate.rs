//! Random lists whose rows swap places, move up and come in between, held against a plain model: what counts
//! is whether all rows can coexist in the end.

use proptest::prelude::*;

use super::*;

/// A kind of table: its columns, the key of its rows, and the columns that must be unique.
#[derive(Debug, Clone, Copy)]
struct Kind {
    table: &'static str,
    index: &'static str,
    key: &'static str,
    /// Columns that no two rows share; NULL equals nothing.
    unique: &'static str,
}

const KINDS: [Kind; 8] = [
    Kind {
        table: "k TEXT PRIMARY KEY, list TEXT NOT NULL, at INTEGER, UNIQUE (list, at)",
        index: "",
        key: "k",
        unique: "iif(at IS NULL, NULL, list || at)",
    },
    Kind {
        table: "k TEXT PRIMARY KEY, list TEXT NOT NULL, at INTEGER UNIQUE",
        index: "WITHOUT ROWID",
        key: "k",
        unique: "at",
    },
    Kind {
        table: "id INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE, list TEXT NOT NULL CHECK (list <> ''), at INTEGER",
        index: "; CREATE UNIQUE INDEX i ON t (at) WHERE list = 'a'",
        key: "k",
        unique: "iif(list = 'a', at, NULL)",
    },
    Kind {
        table: "k TEXT UNIQUE NOT NULL, list TEXT NOT NULL, at INTEGER",
        index: "; CREATE UNIQUE INDEX i ON t (abs(at) % 4, lower(list))",
        key: "k",
        unique: "iif(at IS NULL, NULL, (abs(at) % 4) || list)",
    },
    Kind {
        table: "k TEXT PRIMARY KEY, list TEXT NOT NULL, at INTEGER, g AS (at / 2) STORED UNIQUE",
        index: "",
        key: "k",
        unique: "at / 2",
    },
    Kind {
        table: "k TEXT UNIQUE NOT NULL, list TEXT NOT NULL, at INTEGER, g AS (list || at)",
        index: "; CREATE UNIQUE INDEX i ON t (g)",
        key: "k",
        unique: "list || at",
    },
    Kind {
        table: "k TEXT NOT NULL UNIQUE, list TEXT NOT NULL, at INTEGER UNIQUE ON CONFLICT REPLACE",
        index: "",
        key: "k",
        unique: "at",
    },
    // A primary key that moves from row to row.
    Kind {
        table: "k TEXT NOT NULL UNIQUE, list TEXT NOT NULL, at INTEGER, p TEXT AS (list || coalesce(at, k)) UNIQUE",
        index: "",
        key: "k",
        unique: "list || coalesce(at, k)",
    },
];

/// The rows of one side by their keys: a list and a place in it.
type Rows = BTreeMap<u8, (u8, Option<u8>)>;

fn rows() -> impl Strategy<Value = Rows> {
    let place = prop_oneof![6 => (0_u8..7).prop_map(Some), 1 => Just(None)];
    proptest::collection::btree_map(0_u8..7, (0_u8..2, place), 0..7)
}

fn list(list: u8) -> &'static str {
    ["a", "b"][usize::from(list)]
}

/// Puts rows into a database, as far as they fit there; returns those that do.
fn live(place: &Place, name: &str, kind: Kind, rows: &Rows) -> Rows {
    let (table, index) = (kind.table, kind.index);
    let connection = place.make(name, &format!("CREATE TABLE t ({table}) {index}"));
    let mut fitting = Rows::new();
    for (key, row) in rows {
        let insert = "INSERT OR ABORT INTO t (k, list, at) VALUES (?1, ?2, ?3)";
        if connection.execute(insert, (format!("k{key}"), list(row.0), row.1)).is_ok() {
            fitting.insert(*key, *row);
        }
    }
    fitting
}

/// Whether all rows can coexist.
fn fits(place: &Place, kind: Kind, rows: &Rows) -> bool {
    let memory = place.open("model");
    memory.execute_batch("CREATE TEMP TABLE m (k TEXT, list TEXT, at INTEGER)").expect("made");
    for (key, row) in rows {
        let insert = "INSERT INTO m VALUES (?1, ?2, ?3)";
        memory.execute(insert, (format!("k{key}"), list(row.0), row.1)).expect("put");
    }
    let question = format!("SELECT count({u}) = count(DISTINCT {u}) FROM m", u = kind.unique);
    memory.query_row(&question, [], |row| row.get(0)).expect("an answer")
}

fn shown(rows: &Rows) -> Vec<String> {
    let shown = rows.iter().map(|(key, (of, at))| {
        let at = at.map_or("Null".to_owned(), |at| format!("Integer({at})"));
        format!("Text(\"k{key}\")|Text(\"{}\")|{at}", list(*of))
    });
    shown.collect()
}

const ALL: &str = "SELECT k, list, at FROM t ORDER BY k";

/// As many cases as `PROPTEST_CASES` requests, else few.
fn few() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = if usual.cases == 256 { 64 } else { usual.cases };
    ProptestConfig { cases, ..usual }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn what_can_stand_together_in_the_end_is_merged_and_nothing_else(
        here in rows(), file in rows(), kind in 0_usize..KINDS.len(), shuffle in any::<bool>()
    ) {
        let kind = KINDS[kind];
        let place = Place::new().keyed("t", &[kind.key]);
        let here = live(&place, "here", kind, &here);
        // Half of the files have the same rows at other places, as somebody leaves them who drags them about.
        let file = if shuffle {
            let mut places: Vec<_> = here.values().copied().collect();
            let by = usize::from(!places.is_empty());
            places.rotate_left(by);
            here.keys().copied().zip(places).collect()
        } else {
            file
        };
        let file = live(&place, "file", kind, &file);
        let before = place.rows("here", ALL);
        let rowids = || place.rows("here", "SELECT k, rowid FROM t ORDER BY k");
        let ids_before = if kind.index == "WITHOUT ROWID" { Vec::new() } else { rowids() };
        let mut end = here.clone();
        end.extend(file.iter().map(|(key, row)| (*key, *row)));
        let report = place.merge_with("here", &["file"], &policy(OnConflict::Replace));
        let report = report.expect("a report");
        prop_assert_eq!(report.problems.is_empty(), fits(&place, kind, &end), "{:#?}", report);
        let (after, wanted) = (place.rows("here", ALL), shown(&end));
        prop_assert_eq!(&after, if report.problems.is_empty() { &wanted } else { &before });
        if kind.index != "WITHOUT ROWID" {
            let ids = rowids();
            prop_assert!(ids_before.iter().all(|row| ids.contains(row)), "{ids_before:?} {ids:?}");
        }
        prop_assert_eq!(place.rows("here", "PRAGMA integrity_check"), [r#"Text("ok")"#]);
    }

    #[test]
    fn with_skip_what_is_here_stays_and_what_has_a_place_comes(
        here in rows(), file in rows(), kind in 0_usize..KINDS.len()
    ) {
        let kind = KINDS[kind];
        let place = Place::new().keyed("t", &[kind.key]);
        let here = live(&place, "here", kind, &here);
        let file = live(&place, "file", kind, &file);
        let mut end = here.clone();
        for (key, row) in file.iter().filter(|(key, _)| !here.contains_key(key)) {
            end.insert(*key, *row);
            if !fits(&place, kind, &end) {
                end.remove(key);
            }
        }
        let report = place.merge_with("here", &["file"], &policy(OnConflict::Skip)).expect("a report");
        prop_assert!(report.problems.is_empty(), "{:#?}", report);
        prop_assert_eq!(place.rows("here", ALL), shown(&end));
        let left_out: u64 = report.tables().map(|table| table.left_out.n).sum();
        let n_new = file.keys().filter(|key| !here.contains_key(key)).count();
        prop_assert_eq!(usize::try_from(left_out).expect("few") + end.len() - here.len(), n_new);
    }
}
