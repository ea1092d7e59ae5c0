//! Limits what the definitions in a file may do during an import. They are SQL from another source:
//! each may create only its own object, and nothing else happens.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, ErrorCode};

use crate::sqlite::schema;

/// The modules of tables whose rows an export has.
const MODULES: [&str; 6] = ["fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"];

/// PRAGMAs that modules read while they create their tables.
const PRAGMAS_OF_MODULES: [&str; 2] = ["page_size", "data_version"];

/// A kind of object, as `sqlite_schema` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    Index,
    View,
    Trigger,
}

/// An object that is to be created.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Kind of the object.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The table of an index or a trigger.
    pub table: String,
}

/// An object that is being created.
struct Creating {
    object: Object,
    /// Whether it turned out to be a virtual table, whose module writes and reads tables of its own.
    is_virtual: bool,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Index => "index",
            Self::View => "view",
            Self::Trigger => "trigger",
        }
    }
}

/// Watches over a connection until that is closed.
pub(super) struct Guard {
    /// The object that may be created now; our own statements are not watched.
    creating: Arc<Mutex<Option<Creating>>>,
}

impl Guard {
    /// Sets itself up before a scratch connection.
    pub(super) fn on(connection: &mut Connection) -> Self {
        let creating = Arc::new(Mutex::new(None::<Creating>));
        let shared = Arc::clone(&creating);
        let judge = move |asked: AuthContext<'_>| {
            let mut creating = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let is_allowed = creating.as_mut().is_none_or(|creating| creating.allows(&asked));
            if is_allowed { Authorization::Allow } else { Authorization::Deny }
        };
        // Older versions of rusqlite answer with nothing, newer ones with a result; SQLite itself
        // never fails here.
        let _ = connection.authorizer(Some(judge));
        Self { creating }
    }

    /// Runs one statement that must create one object.
    ///
    /// # Errors
    ///
    /// If it is not one, does anything else, or SQLite refuses it.
    pub(super) fn create(&self, connection: &Connection, object: &Object, sql: &str) -> Result<()> {
        let what = format!("could not create {} `{}`", object.kind.word(), object.name);
        // A full-text index may still have to write what it was given, which is not part of this.
        connection.execute_batch("SAVEPOINT pending; RELEASE pending")?;
        let before = last_entry(connection)?;
        self.set(Some(object.clone()));
        let created = run_one(connection, sql);
        self.set(None);
        created.map_err(explain).and_then(|()| is_new(connection, object, before)).context(what)
    }

    fn set(&self, object: Option<Object>) {
        let creating = object.map(|object| Creating { object, is_virtual: false });
        *self.creating.lock().unwrap_or_else(PoisonError::into_inner) = creating;
    }
}

fn explain(error: anyhow::Error) -> anyhow::Error {
    let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    match code {
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            anyhow::anyhow!("its definition does something else")
        }
        _ => error,
    }
}

/// Runs the first statement; a second one is refused, or skipped in older versions of rusqlite.
fn run_one(connection: &Connection, sql: &str) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    ensure!(statement.parameter_count() == 0, "its definition has parameters");
    let _ = statement.raw_query().next()?;
    Ok(())
}

/// The row of the schema's last entry; 0 without any.
fn last_entry(connection: &Connection) -> Result<i64> {
    let question = "SELECT coalesce(max(rowid), 0) FROM sqlite_schema";
    Ok(connection.query_row(question, [], |row| row.get(0))?)
}

/// A statement may do nothing at all, e.g. `EXPLAIN CREATE …`. Only the entries that came with it are
/// read: SQLite appends them.
fn is_new(connection: &Connection, object: &Object, before: i64) -> Result<()> {
    let question = "SELECT count(*) FROM sqlite_schema
        WHERE rowid > ?1 AND type = ?2 AND lower(name) = lower(?3)";
    let is_it = (before, object.kind.word(), &object.name);
    let n: i64 = connection.query_row(question, is_it, |row| row.get(0))?;
    ensure!(n == 1, "its definition creates something else");
    Ok(())
}

impl Creating {
    /// Whether an action of a statement belongs to the creation.
    fn allows(&mut self, asked: &AuthContext<'_>) -> bool {
        let Object { kind, name, table } = &self.object;
        let is = |found: &str| found.eq_ignore_ascii_case(name);
        let is_shadow = |found: &str| self.is_virtual && is_shadow(name, found);
        if asked.database_name.is_some_and(|name| name != "main") {
            return false;
        }
        match &asked.action {
            AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name } => is_schema(table_name) || is_shadow(table_name),
            AuthAction::CreateTable { table_name } => {
                let is_counters = *table_name == schema::COUNTERS;
                *kind == Kind::Table && (is(table_name) || is_counters || is_shadow(table_name))
            }
            AuthAction::CreateIndex { index_name, table_name } => match kind {
                // Of its own keys, or of a module's tables.
                Kind::Table => is(table_name) || is_shadow(table_name),
                Kind::Index => is(index_name) && table_name.eq_ignore_ascii_case(table),
                _ => false,
            },
            AuthAction::Reindex { index_name } => *kind == Kind::Index && is(index_name),
            AuthAction::CreateView { view_name } => *kind == Kind::View && is(view_name),
            AuthAction::CreateTrigger { trigger_name, table_name } => {
                let is_of_table = table_name.eq_ignore_ascii_case(table);
                *kind == Kind::Trigger && is(trigger_name) && is_of_table
            }
            AuthAction::CreateVtable { table_name, module_name } => {
                self.is_virtual = *kind == Kind::Table && is(table_name) && is_known(module_name);
                self.is_virtual
            }
            AuthAction::Pragma { pragma_name, .. } => {
                self.is_virtual && PRAGMAS_OF_MODULES.contains(pragma_name)
            }
            // `CREATE TABLE … AS SELECT` would bring rows of its own.
            AuthAction::Select => self.is_virtual,
            AuthAction::Read { .. } | AuthAction::Function { .. } => true,
            _ => false,
        }
    }
}

fn is_known(module: &str) -> bool {
    let module = module.to_ascii_lowercase();
    let module = module.as_str();
    MODULES.contains(&module) || schema::MODULES_WITHOUT_CONTENT.contains(&module)
}

fn is_schema(table: &str) -> bool {
    ["sqlite_master", "sqlite_schema"].contains(&table)
}

/// Whether a table has a name like those that a module keeps for a virtual table.
fn is_shadow(name: &str, table: &str) -> bool {
    let (start, rest) = (table.get(..name.len()), table.get(name.len()..));
    start.is_some_and(|start| start.eq_ignore_ascii_case(name))
        && rest.is_some_and(|rest| rest.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use rusqlite::OpenFlags;

    use super::*;

    fn created(kind: Kind, name: &str, sql: &str) -> Result<()> {
        let flags = OpenFlags::default();
        let mut connection = Connection::open_in_memory_with_flags(flags).expect("a database");
        connection.execute_batch("CREATE TABLE old (a)").expect("a table");
        let guard = Guard::on(&mut connection);
        let object = Object { kind, name: name.to_owned(), table: "old".to_owned() };
        guard.create(&connection, &object, sql)
    }

    #[test]
    fn a_definition_creates_its_object() {
        for (kind, name, sql) in [
            (Kind::Table, "t", "CREATE TABLE t (a PRIMARY KEY, b UNIQUE DEFAULT (lower('X')))"),
            (Kind::Table, "T", "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT) -- so"),
            (Kind::Table, "t", "CREATE TABLE \"t\" (a TEXT, b AS (a || 'x'), CHECK (a > ''));"),
            (Kind::Table, "t", "CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID"),
            (Kind::Table, "t", "CREATE TABLE t (a ANY REFERENCES old (a)) STRICT"),
            (Kind::Table, "t", "CREATE VIRTUAL TABLE t USING fts5(a, content='old')"),
            (Kind::Table, "t", "CREATE VIRTUAL TABLE t USING fts4(a, languageid='lang')"),
            (Kind::Table, "t", "CREATE VIRTUAL TABLE t USING rtree(id, x0, x1, +more)"),
            (Kind::Table, "t", "CREATE VIRTUAL TABLE t USING fts5vocab('old', 'row')"),
            (Kind::Index, "i", "CREATE UNIQUE INDEX i ON old (a COLLATE NOCASE) WHERE a > 'x'"),
            (Kind::View, "v", "CREATE VIEW v AS SELECT * FROM old, elsewhere"),
            (Kind::Trigger, "r", "CREATE TRIGGER r AFTER INSERT ON old BEGIN SELECT 1; END"),
        ] {
            if let Err(error) = created(kind, name, sql) {
                panic!("{sql}: {error:#}");
            }
        }
    }

    #[test]
    fn a_look_at_what_was_created_does_not_grow_with_the_schema() {
        let n_steps = |n_tables: usize| {
            let mut connection = Connection::open_in_memory().expect("a database");
            for number in 0..n_tables {
                connection.execute(&format!("CREATE TABLE t{number} (a)"), []).expect("a table");
            }
            let before = last_entry(&connection).expect("an entry");
            connection.execute("CREATE TABLE t (a PRIMARY KEY)", []).expect("a table");
            let steps = Arc::new(Mutex::new(0));
            let counted = Arc::clone(&steps);
            let count = move || {
                *counted.lock().expect("a number") += 1;
                false
            };
            // As a bound is set, for every version of rusqlite.
            let bounded: &mut Connection = &mut connection;
            let _ = bounded.progress_handler(1, Some(count));
            let name = "t".to_owned();
            let object = Object { kind: Kind::Table, table: name.clone(), name };
            last_entry(&connection).expect("an entry");
            is_new(&connection, &object, before).expect("it is there");
            let n_steps: u32 = *steps.lock().expect("a number");
            assert!(n_steps > 0, "nothing was counted");
            n_steps
        };
        assert_eq!(n_steps(10), n_steps(1000));
    }

    #[test]
    fn a_definition_that_does_anything_else_is_refused() {
        for (kind, name, sql) in [
            (Kind::Table, "t", "CREATE TABLE other (a)"),
            (Kind::Table, "t", "CREATE TABLE t_x (a)"),
            (Kind::Table, "t", "CREATE TABLE t AS SELECT 1 AS a"),
            (Kind::Table, "t", "CREATE TEMP TABLE t (a)"),
            (Kind::Table, "t", "CREATE TABLE temp.t (a)"),
            (Kind::Table, "t", "CREATE TABLE t (a); CREATE TABLE u (a)"),
            (Kind::Table, "t", "CREATE TABLE t (a); DELETE FROM old"),
            (Kind::Table, "t", "EXPLAIN CREATE TABLE t (a)"),
            (Kind::Table, "t", "CREATE VIEW t AS SELECT 1"),
            (Kind::Table, "t", "CREATE VIRTUAL TABLE t USING unknown(a)"),
            (Kind::Table, "t", "ATTACH 'other.db' AS other"),
            (Kind::Table, "t", "PRAGMA writable_schema = ON"),
            (Kind::Table, "t", "PRAGMA page_size"),
            (Kind::Table, "t", "DELETE FROM old"),
            (Kind::Table, "t", "DROP TABLE old"),
            (Kind::Table, "t", "ALTER TABLE old RENAME TO t"),
            (Kind::Table, "t", "COMMIT"),
            (Kind::Table, "t", "VACUUM INTO 'other.db'"),
            (Kind::Table, "t", "SELECT load_extension('x')"),
            (Kind::Table, "t", "CREATE TABLE t (a DEFAULT ?1)"),
            (Kind::Table, "t", ""),
            (Kind::Table, "t", "-- nothing"),
            (Kind::Table, "sqlite_x", "CREATE TABLE sqlite_x (a)"),
            (Kind::Index, "i", "CREATE INDEX j ON old (a)"),
            (Kind::Index, "i", "CREATE TABLE i (a)"),
            (Kind::View, "v", "CREATE TABLE v (a)"),
            (Kind::View, "v", "SELECT 1"),
            (Kind::Trigger, "r", "CREATE TEMP TRIGGER r AFTER INSERT ON old BEGIN SELECT 1; END"),
        ] {
            assert!(created(kind, name, sql).is_err(), "{sql}");
        }
    }
}
