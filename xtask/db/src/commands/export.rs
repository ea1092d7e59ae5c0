//! `db-export`: the rows of a database or a backup in a portable format, in one read transaction.

mod destination;
mod output;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use xtask_db_format::{Csv, Format, Json, Jsonl, Rows, Sink, Sql};

use crate::cli::Common;
use crate::commands::export::destination::{Destination, Target};
use crate::commands::export::state::State;
use crate::commands::find;
use crate::database::Snapshot;
use crate::portable::selection::{Selection, Wanted};
use crate::portable::writing;
use crate::progress::Progress;
use crate::project::{Database, Project};
use crate::refusal::Answer;
use crate::schema::COUNTERS;
use crate::session::Session;
use crate::text;
use crate::vault::Vault;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-export                          # every row, as JSONL in a new file
  cargo xtask db-export --output data.jsonl      # replaces an earlier export of that name
  cargo xtask db-export latest --format sql --output - | sqlite3 new.db
  cargo xtask db-export --table messages --format csv --output messages.csv
  cargo xtask db-export --output - | jq -c 'select(.table == \"messages\").row'

The format is described in xtask/db/FORMAT.md. CSV is one file for each table: a folder, or with one
`--table` a file. What `--without` leaves out keeps its definition. Statistics of ANALYZE are not
exported.";

/// Arguments of `db-export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backup to export; the live database without it
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// In which format
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Kind,
    /// Where to; `-` is stdout; without it `./<database>.<time>.<format>`
    #[arg(long, value_name = "FILE|-")]
    output: Option<PathBuf>,
    /// Only this table; may be repeated
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Leave out the rows of this configured group, or of this table; may be repeated
    #[arg(long, value_name = "GROUP")]
    without: Vec<String>,
    /// Keep rowids that are no column, where a table has them
    #[arg(long)]
    rowids: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// One line for each row, with a header and a proof: the canonical one
    Jsonl,
    /// One document
    Json,
    /// Statements for the sqlite3 shell
    Sql,
    /// One file for each table
    Csv,
}

/// What was exported.
struct Exported {
    selection: Selection,
    counts: Vec<u64>,
    n_bytes: u64,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let (state, database) = self.state(session, &project)?;
        let wanted = self.wanted(&database);
        let named = format!("{}.{}", database.name, state.time(session));
        let destination = Destination::of(session, &project, &self.target(&named))?;
        let exported = self.export(session, &project, (&state, &wanted), &destination);
        let exported = match exported {
            // Who reads has seen enough.
            Err(error) if destination.is_stdout() && is_closed_pipe(&error) => {
                return Ok(Answer::Yes);
            }
            exported => exported.map_err(|error| state.explain(error, &project)),
        };
        let what = || format!("could not export {}", state.quoted_name(&project));
        let (exported, path) = exported.with_context(what)?;
        for remark in &exported.selection.remarks {
            session.warn(remark);
        }
        if let Some(path) = path {
            exported.say(session, &project, (&state, &path));
            session.document(&exported.document(&project, (&state, &path, self.format)));
        }
        Ok(Answer::Yes)
    }

    /// What is exported, and the database it is of.
    fn state(&self, session: &mut Session, project: &Project) -> Result<(State, Database)> {
        let named = self.common.db.as_deref();
        let Some(reference) = &self.reference else {
            let database = project.one(named)?;
            return Ok((State::Live(Box::new(database.clone())), database));
        };
        let vault = Vault::at(&project.backups, session.now());
        let backup = find::backup(session, project, &vault, reference, named)?;
        let database = project.databases.iter().find(|database| backup.is_of(database)).cloned();
        // A backup of something else, named by its file: it has no groups.
        let unknown = || Database::new(backup.name.file.clone(), backup.name.file.clone());
        let database = database.unwrap_or_else(unknown);
        Ok((State::Backup(Box::new(backup)), database))
    }

    /// Which tables are meant; a group before a table of its name.
    fn wanted(&self, database: &Database) -> Wanted {
        let group = |name: &String| match database.groups.get(name) {
            Some(tables) => tables.clone(),
            None => vec![name.clone()],
        };
        Wanted {
            tables: self.table.clone(),
            without: self.without.iter().flat_map(group).collect(),
            groups: database.groups.keys().cloned().collect(),
            rowids: self.rowids,
        }
    }

    /// Where to: CSV of several tables is a folder.
    fn target(&self, named: &str) -> Target<'_> {
        Target {
            output: self.output.as_deref(),
            default_name: format!("{named}.{}", self.format.word()),
            is_folder: self.is_folder(),
            is_marked: self.format != Kind::Csv,
        }
    }

    fn is_folder(&self) -> bool {
        self.format == Kind::Csv && self.table.len() != 1
    }

    fn export(
        &self,
        session: &mut Session,
        project: &Project,
        (state, wanted): (&State, &Wanted),
        destination: &Destination,
    ) -> Result<(Exported, Option<PathBuf>)> {
        let interrupt = session.interrupt().clone();
        state.read(project, &interrupt, |connection| {
            let _watched = interrupt.watch(connection);
            let snapshot = Snapshot::begin(connection)?;
            let selection = Selection::of(connection, wanted)?;
            let mut progress = Progress::new(session, "exporting");
            progress.expect_bytes(snapshot.size_bytes());
            let mut format = self.writer();
            let mut output = destination.open(session)?;
            let mut sink = Sink::new(&mut output);
            let counts = writing::write(
                (connection, &selection),
                (format.as_mut(), &mut sink),
                &interrupt,
                &mut |n_bytes| progress.reach(n_bytes),
            )?;
            let n_bytes = sink.n_bytes();
            interrupt.check()?;
            let path = output.publish(destination)?;
            Ok((Exported { selection, counts, n_bytes }, path))
        })
    }

    fn writer(&self) -> Box<dyn Format> {
        match self.format {
            Kind::Jsonl => Box::new(Jsonl::default()),
            Kind::Json => Box::new(Json::default()),
            Kind::Sql => Box::new(Sql::default()),
            Kind::Csv if self.is_folder() => Box::new(Csv::of_folder()),
            Kind::Csv => Box::new(Csv::default()),
        }
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Sql => "sql",
            Self::Csv => "csv",
        }
    }
}

impl Exported {
    /// The tables whose rows are here, and those whose rows were left out.
    fn tables(&self) -> (Vec<(&str, u64)>, Vec<&str>) {
        let tables = self.selection.header.tables.iter().zip(&self.counts);
        let here = tables.filter(|(table, _)| table.rows == Rows::Here);
        let here = here.filter(|(table, _)| table.name != COUNTERS);
        let left_out = self.selection.header.tables.iter();
        let left_out = left_out.filter(|table| table.rows == Rows::LeftOut);
        (here.map(|(t, n)| (&*t.name, *n)).collect(), left_out.map(|t| &*t.name).collect())
    }

    fn say(&self, session: &mut Session, project: &Project, (state, path): (&State, &Path)) {
        let (here, left_out) = self.tables();
        session.say(format!(
            "Exported {} → {}: {} of {}, {}",
            state.name(project),
            project.dotted(path),
            text::count(here.iter().map(|(_, n)| n).sum(), "row"),
            text::count(here.len() as u64, "table"),
            text::size(self.n_bytes)
        ));
        if !left_out.is_empty() {
            session.say(format!("Left out: the rows of {}", left_out.join(", ")));
        }
    }

    fn document(
        &self,
        project: &Project,
        (state, path, format): (&State, &Path, Kind),
    ) -> serde_json::Value {
        let (here, left_out) = self.tables();
        let source = match state {
            State::Backup(backup) => json!({ "backup": backup.name.to_string() }),
            State::Live(database) => {
                json!({ "database": database.name, "path": project.path(&database.path) })
            }
        };
        json!({
            "version": 1,
            "exported": source,
            "format": format.word(),
            "output": path,
            "size_bytes": self.n_bytes,
            "tables": here.into_iter().collect::<BTreeMap<_, _>>(),
            "left_out": left_out,
            "remarks": self.selection.remarks,
        })
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
