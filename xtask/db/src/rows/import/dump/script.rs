//! Runs one SQL file: how each statement is handled, and the state of the file so far.

use anyhow::{Result, bail, ensure};
use rusqlite::Connection;
use xtask_db_format::Piece;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::import::cost_limits::{self, Bounds};
use crate::rows::import::dump::one_statement::run_one;
use crate::rows::import::dump::pragmas::{self, Verdict};
use crate::rows::import::dump::reserved_tables::{self, Own};
use crate::rows::import::dump::shadow_tables::{Definition, Shadows};
use crate::rows::import::dump::statement_guard::{self, Guard};
use crate::rows::import::dump::words::{self, Act};
use crate::rows::import::dump::{foreign_files, odd_texts};
use crate::rows::import::scratch::Loading;
use crate::sqlite::connection;
use crate::sqlite::trouble::{self, Trouble};

/// Commands of the shell that change how it reads and shows, and nothing else.
const HARMLESS_COMMANDS: [&str; 17] = [
    ".bail",
    ".changes",
    ".dbconfig",
    ".echo",
    ".eqp",
    ".explain",
    ".headers",
    ".header",
    ".limit",
    ".mode",
    ".nullvalue",
    ".print",
    ".prompt",
    ".separator",
    ".stats",
    ".timer",
    ".width",
];

/// Characters of a statement that a message shows.
const SHOWN: usize = 60;

const HINT_DENIED: &str =
    "nothing was changed; remove the statement from the file to import the rest";
const HINT_DATA_ONLY: &str =
    "nothing was changed; the file contains rows without tables, as `.dump --data-only` writes it";
const HINT_FAILED: &str = "nothing was changed; correct the file, or dump the database again";

/// A transaction of the file's own. It has no effect: everything runs in one transaction of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// There was none.
    Never,
    /// One is open.
    Open,
    /// The last one was committed.
    Committed,
}

/// A file that runs.
pub(super) struct Running<'a> {
    connection: &'a Connection,
    guard: &'a Guard,
    bounds: &'a Bounds,
    /// The encoding that the database is to have, whatever the file sets.
    encoding: Option<&'a str>,
    has_begun: bool,
    transaction: Transaction,
    shadows: Shadows,
    remarks: Vec<String>,
}

impl<'a> Running<'a> {
    /// Begins, with nothing done yet.
    pub(super) fn new(connection: &'a Connection, guard: &'a Guard, loading: &Loading<'a>) -> Self {
        Self {
            connection,
            guard,
            bounds: loading.bounds,
            encoding: loading.encoding,
            transaction: Transaction::Never,
            has_begun: false,
            shadows: Shadows::default(),
            remarks: Vec::new(),
        }
    }

    /// Runs a statement, or passes it over if it does not matter.
    ///
    /// # Errors
    ///
    /// If it may not run or fails.
    pub(super) fn statement(&mut self, bytes: &[u8]) -> Result<()> {
        let rewritten;
        let sql = if let Some(sql) = odd_texts::plain(bytes) {
            sql
        } else {
            self.begin_ours()?;
            let encoding: String = connection::pragma(self.connection, "encoding")?;
            rewritten = odd_texts::rewritten(bytes, &encoding)?;
            &rewritten
        };
        match words::act(sql) {
            Act::Begin => self.begin(),
            Act::Commit => self.commit(),
            Act::Rollback => {
                bail!("it rolls everything back, because the program that wrote it met an error")
            }
            Act::Savepoint => bail!("savepoints do not belong in a dump"),
            Act::Pragma(name) => self.pragma(&name, sql),
            Act::Vacuum => {
                ensure!(!sql.to_ascii_lowercase().contains("into"), "it writes another file");
                Ok(())
            }
            Act::Insert(table) => self.insert(&table, sql),
            Act::CreateTable(table) if self.shadows.has(&table) => Ok(()),
            Act::CreateTable(table) if self.shadows.knows(&table) => {
                self.begin_ours()?;
                self.shadows.add(self.connection, &table, sql)
            }
            Act::CreateVirtualTable { table, module } => {
                self.begin_ours()?;
                self.shadows.make(self.connection, &Definition { table, module, sql })
            }
            Act::CreateReserved(table) if reserved_tables::own(&table).is_some() => Ok(()),
            Act::CreateTable(_) | Act::CreateReserved(_) => self.execute(sql),
            Act::Change(table) | Act::Drop(table) if reserved_tables::own(&table).is_some() => {
                self.begin_ours()?;
                reserved_tables::change(self.connection, &table, sql)
            }
            Act::Change(_) | Act::Drop(_) | Act::Other => self.other(sql),
            Act::Foreign(word) => bail!("{}", foreign_files::unknown(&word)),
        }
    }

    /// Passes a command of the shell over.
    ///
    /// # Errors
    ///
    /// If it does more than change how the shell reads and shows.
    pub(super) fn command(line: &[u8]) -> Result<()> {
        let line = String::from_utf8_lossy(line);
        let word = line.split_whitespace().next().unwrap_or_default();
        let is_harmless = HARMLESS_COMMANDS.contains(&word);
        ensure!(is_harmless, "it is a command of the sqlite3 shell, which is not run here");
        Ok(())
    }

    /// Ends the file: everything is committed.
    ///
    /// # Errors
    ///
    /// A refusal if it was cut short or has no table.
    pub(super) fn finish(mut self) -> Result<(Shadows, Vec<String>)> {
        if self.transaction == Transaction::Open {
            return Err(Refusal::no(
                "the file ends before its COMMIT: it was cut short",
                "nothing was changed; dump the database again",
            ));
        }
        let question = "SELECT count(*) FROM main.sqlite_schema
                        WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
        let n_tables: i64 = self.connection.query_row(question, [], |row| row.get(0))?;
        if n_tables == 0 {
            return Err(Refusal::could_not(
                "the file creates no table",
                "nothing was changed; an empty or a truncated file is not a dump",
            ));
        }
        reserved_tables::settle_counters(self.connection)?;
        self.connection.execute_batch("COMMIT")?;
        if self.transaction == Transaction::Never {
            let remark = "the file has no COMMIT, which would show that it is complete: check that \
                          everything is there";
            self.remarks.push(remark.to_owned());
        }
        Ok((self.shadows, self.remarks))
    }

    fn begin(&mut self) -> Result<()> {
        ensure!(self.transaction != Transaction::Open, "a transaction is open already");
        self.transaction = Transaction::Open;
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        ensure!(self.transaction == Transaction::Open, "no transaction is open");
        self.transaction = Transaction::Committed;
        Ok(())
    }

    fn pragma(&mut self, name: &str, sql: &str) -> Result<()> {
        match pragmas::verdict(name) {
            Verdict::Run if name == "encoding" && (self.has_begun || self.encoding.is_some()) => {}
            Verdict::Run => self.connection.execute_batch(sql)?,
            Verdict::Pass => {}
            Verdict::PassAndSay => {
                let remark = format!("`PRAGMA {name}` was skipped: it does not affect the content");
                if !self.remarks.contains(&remark) {
                    self.remarks.push(remark);
                }
            }
            Verdict::Refuse => bail!("`PRAGMA {name}` does not belong in a dump"),
        }
        Ok(())
    }

    fn insert(&mut self, table: &str, sql: &str) -> Result<()> {
        self.begin_ours()?;
        if self.shadows.has(table) {
            return self.shadows.fill(self.connection, table, sql);
        }
        if self.shadows.passes_over(table) {
            return Ok(());
        }
        match reserved_tables::own(table) {
            Some(Own::Schema) => match words::schema_row(sql) {
                Some(values) => self.shadows.restore(self.connection, values),
                None => self.execute(sql),
            },
            Some(own) => reserved_tables::insert(self.connection, own, sql),
            None => self.execute(sql),
        }
    }

    /// Runs a statement that only SQLite understands, except queries: nobody would read the result.
    fn other(&mut self, sql: &str) -> Result<()> {
        self.begin_ours()?;
        if self.connection.prepare(sql)?.readonly() {
            return Ok(());
        }
        self.execute(sql)
    }

    fn execute(&mut self, sql: &str) -> Result<()> {
        self.begin_ours()?;
        run_one(self.connection, sql)
    }

    /// Begins our only transaction; the encoding can be set only before that.
    fn begin_ours(&mut self) -> Result<()> {
        if !self.has_begun {
            self.has_begun = true;
            if let Some(encoding) = self.encoding {
                self.connection.execute_batch(&format!("PRAGMA encoding = \"{encoding}\""))?;
            }
            self.guard.rest(|| self.bounds.set_room_of(self.connection))?;
            self.connection.execute_batch("BEGIN")?;
        }
        Ok(())
    }

    /// Names the statement of the file that an error belongs to, and why.
    pub(super) fn blame(&self, error: anyhow::Error, piece: Piece<'_>, line: u64) -> anyhow::Error {
        let (Piece::Statement(bytes) | Piece::Command(bytes)) = piece;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
        let shown = text::cut(&text::plain(shown.trim_end()), SHOWN);
        let at = format!("line {line}, `{shown}`");
        let message = message(&error);
        let outside =
            message.strip_prefix("no such function: ").and_then(statement_guard::function_outside);
        if let Some(reason) = self.guard.take_reason().or(outside) {
            return Refusal::could_not(format!("{at}, is refused: {reason}"), HINT_DENIED);
        }
        if let Some(what) = self.bounds.exceeded_by(&error) {
            return cost_limits::refuse(
                &format!("{at}, is refused: {what}"),
                "nothing was changed",
            );
        }
        let by_content = matches!(
            trouble::trouble(&error),
            Trouble::Other | Trouble::ReadOnly | Trouble::Damaged
        );
        if !by_content || error.downcast_ref::<Refusal>().is_some() {
            return error.context(format!("could not run {at}"));
        }
        let is_without_table = message.starts_with("no such table: ")
            && bytes.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"INSERT"));
        let hint = if is_without_table { HINT_DATA_ONLY } else { HINT_FAILED };
        Refusal::could_not(format!("{at}, cannot be imported: {message}"), hint)
    }
}

/// An error in the words of SQLite, without the statement, which may be long.
fn message(error: &anyhow::Error) -> String {
    let said = match error.downcast_ref::<rusqlite::Error>() {
        Some(rusqlite::Error::SqlInputError { msg, .. }) => msg.clone(),
        _ => trouble::message(error),
    };
    text::plain(&said)
}
