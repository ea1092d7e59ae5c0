//! What a reset reports, whatever the engine.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::console::text;
use crate::host::project::Database;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::derived_data::Done;
use crate::operations::restore::safety_backup::{self, Kept};
use crate::recovery::database_lock::Claim;

/// What was done before the host's commands that rebuild derived data.
pub(super) const DONE: Done = Done {
    what: "the database is reset",
    content: "the database contains what the migrations created",
};

/// Output of `--json`.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) version: u32,
    /// The database's name.
    pub(super) reset: &'a str,
    pub(super) into: Cow<'a, str>,
    pub(super) tables: &'a BTreeMap<String, Option<u64>>,
    pub(super) schema_version: Option<i64>,
    pub(super) content_blake3: &'a str,
    pub(super) safety: Option<String>,
    pub(super) set_aside: Option<String>,
    /// Whether the application has written since, so that only the structure was checked.
    pub(super) written_since: bool,
}

impl<'a> Document<'a> {
    /// Of a database with these tables, each with its rows.
    pub(super) fn new(database: &'a Database, tables: &'a BTreeMap<String, Option<u64>>) -> Self {
        Self {
            version: VERSION,
            reset: &database.name,
            into: database.home().to_string_lossy(),
            tables,
            schema_version: None,
            content_blake3: "",
            safety: None,
            set_aside: None,
            written_since: false,
        }
    }
}

/// Output of `--json --dry-run`.
#[derive(Serialize)]
struct Planned<'a> {
    version: u32,
    dry_run: bool,
    /// The database's name.
    would_reset: &'a str,
    into: &'a str,
    migrate: &'a [String],
}

/// Prints the document of a dry run.
pub(super) fn plan(session: &mut Session, database: &Database, into: &str) {
    session.document(&Planned {
        version: VERSION,
        dry_run: true,
        would_reset: &database.name,
        into,
        migrate: &database.migrate,
    });
}

/// Reports that nobody has to do anything but restart, and how to go back.
pub(super) fn say_undo(session: &mut Session, claim: &Claim<'_>, kept: &Kept) {
    session.say("");
    session.say("Done. You may need to restart your backend if it was running.");
    if let Kept::Backup(safety) = kept {
        let undo = safety_backup::undo(session, claim.project, claim.database, safety);
        session.say(format!("Undo with: {undo}"));
    }
}

/// Reports how large the new database is, and what proves it.
pub(super) fn say_new(session: &mut Session, n_tables: usize, rest: &str) {
    let tables = text::count(n_tables as u64, "table");
    session.say(format!("[✓] New database built: {tables}{rest}"));
}
