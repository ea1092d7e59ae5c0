//! Virtual tables as other tools dump them: their definition as a row of the schema, then their
//! shadow tables with all rows.
//!
//! The definition is run, so that the module creates its shadow tables as it needs them; then the
//! rows of the dump replace theirs. None of these rows is trusted: at the end the module itself
//! checks them, and an index that does not match its rows is rebuilt.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::import::dump::one_statement::run_one;
use crate::rows::import::dump::reserved_tables::SchemaRow;
use crate::rows::import::dump::words::{self, Act};
use crate::sqlite::connection::quoted;
use crate::sqlite::trouble::{self, Trouble};

/// The virtual tables of a dump.
#[derive(Debug, Default)]
pub(super) struct Shadows {
    tables: Vec<Virtual>,
}

/// The definition of a virtual table.
pub(super) struct Definition<'a> {
    /// Its name.
    pub table: String,
    /// Its module, in lower case.
    pub module: String,
    /// The statement.
    pub sql: &'a str,
}

#[derive(Debug)]
struct Virtual {
    name: String,
    module: String,
    /// The tables of its module, in lower case.
    shadows: BTreeSet<String>,
    /// Whether their rows come from the dump.
    is_filled: bool,
    /// Whether its definition was a row of the schema, so that its module's tables follow.
    is_restored: bool,
    /// Whether rows were skipped that are also in its module's tables.
    is_passed: bool,
}

/// The endings of the names of a module's shadow tables (<https://sqlite.org/fts5.html>, section 9;
/// <https://sqlite.org/fts3.html#shadow_tables>; <https://sqlite.org/rtree.html>, section 8).
fn endings(module: &str) -> &'static [&'static str] {
    match module {
        "fts5" => &["_data", "_idx", "_content", "_docsize", "_config"],
        "fts3" | "fts4" => &["_content", "_segments", "_segdir", "_docsize", "_stat"],
        "rtree" | "rtree_i32" | "geopoly" => &["_node", "_parent", "_rowid"],
        _ => &[],
    }
}

impl Shadows {
    /// Runs the definitions in rows of the schema.
    ///
    /// # Errors
    ///
    /// If a row is not of a virtual table, nor of something that the file has created already; as
    /// SQLite's.
    pub(super) fn restore(&mut self, connection: &Connection, values: &str) -> Result<()> {
        for row in SchemaRow::all(connection, values).context("it is not a row of the schema")? {
            if is_of(connection, &row.kind, &row.name)? {
                continue;
            }
            let is_virtual = row.kind == "table" && row.name == row.table && row.root == 0;
            match words::act(&row.sql) {
                Act::CreateVirtualTable { table, module } if is_virtual && table == row.name => {
                    self.make(connection, &Definition { table, module, sql: &row.sql })?;
                    if let Some(made) = self.tables.last_mut() {
                        made.is_restored = true;
                    }
                }
                _ => bail!("only virtual tables are written into the schema itself"),
            }
        }
        Ok(())
    }

    /// Runs a definition. Tables of the names that its module will need have come before it perhaps;
    /// their rows go into those that the module makes.
    ///
    /// # Errors
    ///
    /// As SQLite's.
    pub(super) fn make(&mut self, connection: &Connection, new: &Definition<'_>) -> Result<()> {
        if is_there(connection, &new.table)? {
            return run_one(connection, new.sql);
        }
        let old = move_away(connection, &new.table, &new.module)?;
        run_one(connection, new.sql)?;
        let mut shadows = BTreeSet::new();
        for ending in endings(&new.module) {
            let shadow = format!("{}{ending}", new.table);
            if is_there(connection, &shadow)? {
                shadows.insert(shadow.to_ascii_lowercase());
            }
        }
        self.tables.push(Virtual {
            name: new.table.clone(),
            module: new.module.clone(),
            shadows,
            is_filled: false,
            is_restored: false,
            is_passed: false,
        });
        self.move_back(connection, &old)
    }

    /// Whether to skip a row of this table: Python's `iterdump()` writes the rows of a virtual
    /// table, and then those of its module's tables, which contain the same and more.
    pub(super) fn passes_over(&mut self, table: &str) -> bool {
        let is_it = |one: &&mut Virtual| one.is_restored && one.name.eq_ignore_ascii_case(table);
        let Some(found) = self.tables.iter_mut().find(is_it) else { return false };
        found.is_passed = true;
        true
    }

    /// Whether a virtual table may have a table of this name, which its module creates only when it
    /// is needed, e.g. the statistics of an FTS3 table that was merged.
    pub(super) fn knows(&self, table: &str) -> bool {
        self.owner(table).is_some()
    }

    fn owner(&self, table: &str) -> Option<usize> {
        let is_its = |one: &Virtual| {
            let start = table.get(..one.name.len());
            let rest = table.get(one.name.len()..).unwrap_or_default();
            start.is_some_and(|start| start.eq_ignore_ascii_case(&one.name))
                && endings(&one.module).contains(&rest.to_ascii_lowercase().as_str())
        };
        self.tables.iter().position(is_its)
    }

    /// Creates a table that a module has not made by itself.
    ///
    /// # Errors
    ///
    /// As SQLite's.
    pub(super) fn add(&mut self, connection: &Connection, table: &str, sql: &str) -> Result<()> {
        let Some(at) = self.owner(table) else { bail!("`{table}` is not a table of a module") };
        writing_shadows(connection, || run_one(connection, sql))?;
        self.tables[at].shadows.insert(table.to_ascii_lowercase());
        Ok(())
    }

    /// Whether this table belongs to a module.
    pub(super) fn has(&self, table: &str) -> bool {
        !self.tables.is_empty() && self.position(table).is_some()
    }

    fn position(&self, table: &str) -> Option<usize> {
        let table = table.to_ascii_lowercase();
        self.tables.iter().position(|one| one.shadows.contains(&table))
    }

    /// Runs a statement that puts a row into a module's table.
    ///
    /// # Errors
    ///
    /// As SQLite's.
    pub(super) fn fill(&mut self, connection: &Connection, table: &str, sql: &str) -> Result<()> {
        let Some(at) = self.position(table) else { bail!("`{table}` is not a table of a module") };
        writing_shadows(connection, || {
            self.empty(connection, at)?;
            run_one(connection, sql)
        })
    }

    /// Removes the rows that the module has put into its tables.
    fn empty(&mut self, connection: &Connection, at: usize) -> Result<()> {
        let table = &mut self.tables[at];
        if !table.is_filled {
            table.is_filled = true;
            for shadow in &table.shadows {
                connection.execute_batch(&format!("DELETE FROM main.{}", quoted(shadow)))?;
            }
        }
        Ok(())
    }

    /// Moves the rows that tables had before into those of the module.
    fn move_back(&mut self, connection: &Connection, old: &[(String, String)]) -> Result<()> {
        for (name, moved) in old {
            let shadow = name.to_ascii_lowercase();
            let (name, moved, at) = (quoted(name), quoted(moved), self.position(name));
            writing_shadows(connection, || {
                let Some(at) = at else {
                    // Its module makes it only when it is needed.
                    let back = format!("ALTER TABLE main.{moved} RENAME TO {name}");
                    self.tables.last_mut().map(|made| made.shadows.insert(shadow));
                    return Ok(connection.execute_batch(&back)?);
                };
                self.empty(connection, at)?;
                Ok(connection.execute_batch(&format!(
                    "INSERT INTO main.{name} SELECT * FROM main.{moved}; DROP TABLE main.{moved}"
                ))?)
            })?;
        }
        Ok(())
    }

    /// Lets the modules check the rows that the dump has put into their tables, on a connection
    /// that has not seen them before. Returns the tables that were rebuilt.
    ///
    /// # Errors
    ///
    /// A refusal if a table is damaged and nothing is there to build it from.
    pub(super) fn examine(&self, connection: &Connection) -> Result<Vec<&str>> {
        let mut rebuilt = Vec::new();
        if let Some(table) = self.tables.iter().find(|table| table.is_passed && !table.is_filled) {
            return Err(Refusal::could_not(
                format!("the tables of virtual table `{}` are missing", text::plain(&table.name)),
                "nothing was changed; dump the whole database again",
            ));
        }
        for table in self.tables.iter().filter(|table| table.is_filled) {
            let Some(finding) = finding(connection, table)? else { continue };
            let name = quoted(&table.name);
            let again = format!("INSERT INTO main.{name}({name}) VALUES('rebuild')");
            let is_rebuilt = table.module.starts_with("fts")
                && connection.execute_batch(&again).is_ok()
                && self::finding(connection, table)?.is_none();
            if !is_rebuilt {
                return Err(Refusal::no(
                    format!("virtual table `{}` is damaged: {finding}", text::plain(&table.name)),
                    "nothing was changed; dump the database again, or export it",
                ));
            }
            rebuilt.push(table.name.as_str());
        }
        Ok(rebuilt)
    }
}

/// Gives the tables that have the names a module will need other names for a while: after VACUUM,
/// virtual tables are last in the schema, and in a dump.
fn move_away(connection: &Connection, name: &str, module: &str) -> Result<Vec<(String, String)>> {
    let mut old = Vec::new();
    for ending in endings(module) {
        let shadow = format!("{name}{ending}");
        if is_there(connection, &shadow)? {
            let moved = format!("xtask-db moved {shadow}");
            let (from, to) = (quoted(&shadow), quoted(&moved));
            connection.execute_batch(&format!("ALTER TABLE main.{from} RENAME TO {to}"))?;
            old.push((shadow, moved));
        }
    }
    Ok(old)
}

fn is_there(connection: &Connection, table: &str) -> Result<bool> {
    is_of(connection, "table", table)
}

fn is_of(connection: &Connection, kind: &str, name: &str) -> Result<bool> {
    let question = "SELECT count(*) FROM main.sqlite_schema
                    WHERE type = ?1 AND name = ?2 COLLATE NOCASE";
    Ok(connection.query_row(question, [kind, name], |row| row.get::<_, i64>(0))? > 0)
}

/// Does something that may write modules' tables, which defence forbids.
fn writing_shadows(connection: &Connection, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let set = |on| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, on);
    set(false)?;
    let done = act();
    set(true)?;
    done
}

/// The problem that a module finds in a table of its own, if there is one.
fn finding(connection: &Connection, table: &Virtual) -> Result<Option<String>> {
    let name = quoted(&table.name);
    let said = if table.module.starts_with("fts") {
        let check = format!("INSERT INTO main.{name}({name}) VALUES('integrity-check')");
        connection.execute_batch(&check).map(|()| "ok".to_owned())
    } else {
        let question = "SELECT rtreecheck('main', ?1)";
        connection.query_row(question, [&table.name], |row| row.get(0))
    };
    match said.map_err(anyhow::Error::from) {
        Ok(said) => Ok((said != "ok").then(|| text::cut(&text::plain(&said), 200))),
        Err(error) if trouble::trouble(&error) == Trouble::Interrupted => Err(error),
        Err(error) => Ok(Some(trouble::message(&error))),
    }
}
