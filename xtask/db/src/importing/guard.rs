//! What an import lets the definitions in a file do. They are SQL that somebody else wrote: each may
//! create the one object that it is said to create, and nothing else happens.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::schema;

/// The modules of tables whose rows an export has.
const MODULES: [&str; 6] = ["fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly"];

/// What modules ask while they create their tables.
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
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The table of an index or a trigger.
    pub table: String,
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
    /// What may be created now; what is ours is not watched.
    creating: Arc<Mutex<Option<Object>>>,
}

impl Guard {
    /// Sets itself up before a scratch connection.
    pub(super) fn on(connection: &mut Connection) -> Self {
        let creating = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&creating);
        let judge = move |asked: AuthContext<'_>| {
            let creating = shared.lock().unwrap_or_else(PoisonError::into_inner);
            match &*creating {
                Some(object) if !allows(object, &asked) => Authorization::Deny,
                _ => Authorization::Allow,
            }
        };
        // Older versions of rusqlite answer with nothing, newer ones with a result; SQLite itself
        // never fails here.
        let _ = connection.authorizer(Some(judge));
        Self { creating }
    }

    /// Runs one statement that creates one object.
    ///
    /// # Errors
    ///
    /// Where it is not one, does anything else, or SQLite refuses it.
    pub(super) fn create(&self, connection: &Connection, object: Object, sql: &str) -> Result<()> {
        let what = format!("could not create {} `{}`", object.kind.word(), object.name);
        // A full-text index may still have to write what it was given, which is no part of this.
        connection.execute_batch("SAVEPOINT pending; RELEASE pending")?;
        self.set(Some(object.clone()));
        let created = run_one(connection, sql);
        self.set(None);
        created.and_then(|()| is_there(connection, &object)).context(what)
    }

    fn set(&self, object: Option<Object>) {
        *self.creating.lock().unwrap_or_else(PoisonError::into_inner) = object;
    }
}

/// Runs the first statement; a second one is refused, or in older versions of rusqlite passed over.
fn run_one(connection: &Connection, sql: &str) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    ensure!(statement.parameter_count() == 0, "its definition has parameters");
    let _ = statement.raw_query().next()?;
    Ok(())
}

/// A statement may do nothing at all, as `EXPLAIN CREATE …`.
fn is_there(connection: &Connection, object: &Object) -> Result<()> {
    let question = "SELECT count(*) FROM sqlite_schema WHERE type = ?1 AND lower(name) = lower(?2)";
    let is_it = [object.kind.word(), &object.name];
    let n: i64 = connection.query_row(question, is_it, |row| row.get(0))?;
    ensure!(n == 1, "its definition creates something else");
    Ok(())
}

/// Whether what a statement asks for belongs to the creation of an object.
fn allows(object: &Object, asked: &AuthContext<'_>) -> bool {
    let is = |name: &str| name.eq_ignore_ascii_case(&object.name);
    let of_table = |name: &str| name.eq_ignore_ascii_case(&object.table);
    let is_its_own = |table: &str| is_schema(table) || is_shadow(object, table);
    if asked.database_name.is_some_and(|name| name != "main") {
        return false;
    }
    match &asked.action {
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name } => is_its_own(table_name),
        AuthAction::CreateTable { table_name } => {
            object.kind == Kind::Table
                && (is(table_name)
                    || *table_name == schema::COUNTERS
                    || is_shadow(object, table_name))
        }
        AuthAction::CreateIndex { index_name, table_name } => match object.kind {
            // Of its own keys, or of a module's tables.
            Kind::Table => is(table_name) || is_shadow(object, table_name),
            Kind::Index => is(index_name) && of_table(table_name),
            _ => false,
        },
        AuthAction::Reindex { index_name } => object.kind == Kind::Index && is(index_name),
        AuthAction::CreateView { view_name } => object.kind == Kind::View && is(view_name),
        AuthAction::CreateTrigger { trigger_name, table_name } => {
            object.kind == Kind::Trigger && is(trigger_name) && of_table(table_name)
        }
        AuthAction::CreateVtable { table_name, module_name } => {
            let module = module_name.to_ascii_lowercase();
            let is_known = MODULES.contains(&module.as_str())
                || schema::MODULES_WITHOUT_CONTENT.contains(&module.as_str());
            object.kind == Kind::Table && is(table_name) && is_known
        }
        AuthAction::Pragma { pragma_name, .. } => PRAGMAS_OF_MODULES.contains(pragma_name),
        AuthAction::Read { .. } | AuthAction::Function { .. } => true,
        // `CREATE TABLE … AS SELECT` would bring rows of its own; modules ask too, of their tables,
        // which `is_there` tells apart.
        AuthAction::Select => object.kind != Kind::Index,
        _ => false,
    }
}

fn is_schema(table: &str) -> bool {
    ["sqlite_master", "sqlite_schema"].contains(&table)
}

/// Whether a table is one that a module keeps for a virtual one.
fn is_shadow(object: &Object, table: &str) -> bool {
    let start = table.get(..object.name.len());
    object.kind == Kind::Table
        && start.is_some_and(|start| start.eq_ignore_ascii_case(&object.name))
        && table[object.name.len()..].starts_with('_')
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
        guard.create(&connection, object, sql)
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
            (Kind::View, "v", "CREATE VIEW v AS SELECT * FROM old, nothing"),
            (Kind::Trigger, "r", "CREATE TRIGGER r AFTER INSERT ON old BEGIN SELECT 1; END"),
        ] {
            if let Err(error) = created(kind, name, sql) {
                panic!("{sql}: {error:#}");
            }
        }
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
