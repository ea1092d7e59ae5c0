//! Limits what the statements of a foreign SQL file may do: work on tables, views, triggers and
//! indexes of the scratch database, and nothing beyond it.
//!
//! SQLite asks about everything that a statement would do, including its triggers and views
//! (<https://sqlite.org/c3ref/set_authorizer.html>). Everything that is not known to be harmless is denied.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// The modules whose tables store their data in the database, or show the content of an index.
const MODULES: [&str; 9] = [
    "fts3",
    "fts3tokenize",
    "fts4",
    "fts4aux",
    "fts5",
    "fts5vocab",
    "rtree",
    "rtree_i32",
    "geopoly",
];

/// Tables that exist by themselves and show the data below the rows.
const TABLES_BELOW: [&str; 6] =
    ["sqlite_dbpage", "dbstat", "bytecode", "tables_used", "sqlite_stmt", "fsdir"];

/// SQLite's functions that reach out of the database, and similar ones that hosts and shells add.
const FUNCTIONS_OUTSIDE: [&str; 10] = [
    "load_extension",
    "fts3_tokenizer",
    "readfile",
    "writefile",
    "edit",
    "fsdir",
    "lsmode",
    "sqlite_log",
    "zipfile",
    "eval",
];

/// The settings of a dump that belong to its content, those that we make, and those that modules
/// query.
const PRAGMAS: [&str; 7] = [
    "encoding",
    "page_size",
    "user_version",
    "application_id",
    "ignore_check_constraints",
    "data_version",
    "page_count",
];

/// Watches over a connection until that is closed.
pub(super) struct Guard {
    denied: Arc<Mutex<Option<String>>>,
    /// Whether the running statement is ours.
    is_resting: Arc<AtomicBool>,
}

impl Guard {
    /// Sets itself up before a connection.
    ///
    /// # Errors
    ///
    /// If SQLite cannot be told to ask.
    pub(super) fn on(connection: &mut Connection) -> Result<Self> {
        let denied = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&denied);
        let is_resting = Arc::new(AtomicBool::new(false));
        let rests = Arc::clone(&is_resting);
        let judge = move |asked: AuthContext<'_>| {
            if rests.load(Ordering::Relaxed) {
                return Authorization::Allow;
            }
            let Some(reason) = reason(&asked) else { return Authorization::Allow };
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            Authorization::Deny
        };
        connection.authorizer(Some(judge)).settled()?;
        Ok(Self { denied, is_resting })
    }

    /// Lets a statement of our own run that a file's must not be.
    pub(super) fn rest<T>(&self, ours: impl FnOnce() -> T) -> T {
        self.is_resting.store(true, Ordering::Relaxed);
        let done = ours();
        self.is_resting.store(false, Ordering::Relaxed);
        done
    }

    /// The reason why the last statement was denied, if it was.
    pub(super) fn take_reason(&self) -> Option<String> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The answer to setting an authorizer: nothing in older versions of rusqlite, a result since 0.38.
trait Settled {
    fn settled(self) -> Result<()>;
}

impl Settled for () {
    fn settled(self) -> Result<()> {
        Ok(())
    }
}

impl Settled for rusqlite::Result<()> {
    fn settled(self) -> Result<()> {
        Ok(self?)
    }
}

/// Why a function must not be called.
pub(super) fn function_outside(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    FUNCTIONS_OUTSIDE
        .contains(&name.as_str())
        .then(|| format!("`{name}()` reaches beyond the database"))
}

/// The reason why an action is denied, if it is.
fn reason(asked: &AuthContext<'_>) -> Option<String> {
    use AuthAction as A;
    match &asked.action {
        A::Attach { .. } | A::Detach { .. } => {
            Some("it opens or leaves another database".to_owned())
        }
        A::CreateTempIndex { .. }
        | A::CreateTempTable { .. }
        | A::CreateTempTrigger { .. }
        | A::CreateTempView { .. } => {
            Some("what it creates is temporary and would be lost".to_owned())
        }
        A::CreateVtable { module_name, .. } | A::DropVtable { module_name, .. } => {
            let is_known = MODULES.iter().any(|known| module_name.eq_ignore_ascii_case(known));
            (!is_known).then(|| format!("module `{module_name}` is not one that a dump needs"))
        }
        A::Function { function_name } => function_outside(function_name),
        A::Pragma { pragma_name, .. } => {
            let is_known = PRAGMAS.iter().any(|known| pragma_name.eq_ignore_ascii_case(known));
            (!is_known).then(|| format!("`PRAGMA {pragma_name}` does not belong in a dump"))
        }
        A::Read { table_name, .. }
        | A::Insert { table_name }
        | A::Update { table_name, .. }
        | A::Delete { table_name } => {
            let is_below = TABLES_BELOW.iter().any(|below| table_name.eq_ignore_ascii_case(below));
            is_below.then(|| format!("`{table_name}` is below the rows"))
        }
        A::AlterTable { database_name: database, .. } if *database != "main" => {
            Some("it changes another database".to_owned())
        }
        A::AlterTable { .. }
        | A::Analyze { .. }
        | A::CreateIndex { .. }
        | A::CreateTable { .. }
        | A::CreateTrigger { .. }
        | A::CreateView { .. }
        | A::DropIndex { .. }
        | A::DropTable { .. }
        | A::DropTrigger { .. }
        | A::DropView { .. }
        | A::Recursive
        | A::Reindex { .. }
        // Modules make them around their own work.
        | A::Savepoint { .. }
        | A::Select
        | A::Transaction { .. } => None,
        _ => Some("SQLite asks for something unknown".to_owned()),
    }
}
