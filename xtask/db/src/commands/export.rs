//! `db-export` (formats: `export/format.rs`): the rows of a database or a backup in a portable format, in one read transaction.

mod destination;
mod format;
mod of_server;
mod output;
mod proving;
mod report;
mod shared_file;
mod source;

use std::path::PathBuf;

use anyhow::Result;
use xtask_db_format::{Sink, Writer};

use crate::backups::vault::Vault;
use crate::commands::export::destination::{Destination, Target};
use crate::commands::export::format::Format;
use crate::commands::export::of_server::{Job, Server};
use crate::commands::export::output::Written;
use crate::commands::export::proving::Proving;
use crate::commands::export::report::Exported;
use crate::commands::export::shared_file::Share;
use crate::commands::export::source::State;
use crate::commands::flags::Common;
use crate::console::progress::Progress;
use crate::console::refusal::{Answer, Refusal};
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::operations::find_backup;
use crate::rows::export::selection::{Selection, Wanted};
use crate::rows::export::server::selection;
use crate::rows::export::subset::condition::Root;
use crate::rows::export::writer;
use crate::rows::import::cost_limits::Bounds;
use crate::sqlite::declared_references::Followed;
use crate::sqlite::snapshot::Snapshot;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-export                          # all rows, to a new JSONL file
  cargo xtask db-export --output data.jsonl      # replaces an earlier export
  cargo xtask db-export latest --format sql --output - | sqlite3 new.db
  cargo xtask db-export --table messages --format csv --output messages.csv
  cargo xtask db-export --output - | jq -c 'select(.table == \"messages\").row'
  cargo xtask db-export --root personas --where \"name = 'Ada'\" --output a.jsonl
  cargo xtask db-export --share shared           # then commit shared/

CSV needs one file per table: the output is a folder, or with one `--table` a
single file. A table that `--without` leaves out keeps its definition. ANALYZE
statistics are not exported. docs/formats.md of xtask-db describes the formats.

`--root` exports the rows that match `--where`, all rows that refer to them
through foreign keys, and the parents that these rows need. A parent that is
included only for this reason does not bring in its other children. All tables
keep their definitions.

`--share` always writes the same file on a machine, <user>_<six digits>.jsonl.
Others merge it with `cargo xtask db-import --merge DIR`. The digits are chosen
once and kept in ~/.local/state/xtask-db/machine; XTASK_DB_MACHINE overrides
them. With several databases, each has its own folder in DIR.";

/// Arguments of `db-export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Backup to export [default: the live database]
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// `jsonl` (one row per line, and a proof), `json` (one document), `sql`
    /// (for the sqlite3 shell or psql) or `csv` (one file per table)
    #[arg(long, value_enum, default_value = "jsonl", hide_possible_values = true)]
    format: Format,
    /// File to write; `-` is stdout [default: `./<database>.<time>.<format>`]
    #[arg(long, value_name = "FILE|-")]
    output: Option<PathBuf>,
    /// Export only this table (repeatable)
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Export only the rows of this table that match `--where`, the rows that
    /// refer to them, and the rows that these need
    #[arg(long, value_name = "TABLE", requires = "condition", conflicts_with = "table")]
    root: Option<String>,
    /// SQL expression over the columns of the `--root` table, e.g. `name =
    /// 'Ada'`
    #[arg(long = "where", value_name = "EXPR", requires = "root")]
    condition: Option<String>,
    /// Write this machine's file into this folder, which git should track;
    /// create the folder if it is missing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["reference", "output"])]
    share: Option<PathBuf>,
    /// Leave out the rows of this table or configured group (repeatable)
    #[arg(long, value_name = "TABLE|GROUP")]
    without: Vec<String>,
    /// Also export the rowids of tables that have no column for them
    #[arg(long)]
    rowids: bool,
    /// Lift the limits on the length of values and on the work of `--where`,
    /// which depend on the size of the database
    #[arg(long, requires = "root")]
    unbounded: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let (state, database) = self.state(session, &project)?;
        let server = Server::of(&project, &state)?;
        if server.is_some() {
            of_server::refuse_flags_of_files(&self.flags_of_files())?;
        }
        let wanted = self.wanted(&database);
        let share = self.prepare_share(session, &project, &database)?;
        let destination = if let Some(share) = &share {
            share.destination(session, &project)?
        } else {
            let named = format!("{}.{}", database.name, state.time(session));
            Destination::of(session, &project, &self.target(&named))?
        };
        let export = Export {
            args: &self,
            project: &project,
            state: &state,
            wanted: &wanted,
            destination: &destination,
        };
        let done = match &server {
            Some(server) => export.of_server().run(server, session),
            None => export.run(session),
        };
        let (exported, written) = match done {
            Ok(exported) => exported,
            // The reader of the pipe has seen enough.
            Err(error) if destination.is_stdout() && is_closed_pipe(&error) => {
                return Ok(Answer::Yes);
            }
            Err(error) => {
                if let Some(share) = &share {
                    share.say_what_is_left(session, &project);
                }
                let what = format!("could not export {}", state.quoted_name(&project));
                return Err(state.explain(error, &project).context(what));
            }
        };
        for remark in &exported.remarks {
            session.warn(remark);
        }
        if let Some(written) = written {
            exported.say(session, &project, &state, &written);
            if let Some(share) = &share {
                share.say_who_gets_it(session, &project, &written);
            }
            session.document(&exported.document(&project, &state, &written, self.format));
        }
        Ok(Answer::Yes)
    }

    /// Prepares this machine's shared file, if one is to be written.
    fn prepare_share(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
    ) -> Result<Option<Share>> {
        let Some(folder) = &self.share else { return Ok(None) };
        if self.format != Format::Jsonl {
            return Err(Refusal::could_not(
                format!("`--share` and `--format {}` do not go together", self.format.word()),
                "a shared file is always JSONL, which others can merge",
            ));
        }
        Share::prepare(session, project, database, folder).map(Some)
    }

    /// The state to export, and its database.
    fn state(&self, session: &mut Session, project: &Project) -> Result<(State, Database)> {
        let named = self.common.db.as_deref();
        let Some(reference) = &self.reference else {
            let database = project.one(named)?;
            return Ok((State::Live(Box::new(database.clone())), database));
        };
        let vault = Vault::of(project, session.now());
        let wanted = find_backup::Wanted { reference, database: named };
        let backup = find_backup::backup(session, project, &vault, wanted)?;
        let database =
            project.databases.iter().find(|database| backup.is_named_for(database)).cloned();
        // A backup of something else, named by its file: it has no groups.
        let unknown = || Database::new(backup.name.file.clone(), backup.name.file.clone());
        let database = database.unwrap_or_else(unknown);
        Ok((State::Backup(Box::new(backup)), database))
    }

    /// The tables to export; a group before a table of the same name.
    fn wanted(&self, database: &Database) -> Wanted {
        let group = |name: &String| match database.groups.get(name) {
            Some(tables) => tables.clone(),
            None => vec![name.clone()],
        };
        let root = |(table, condition)| Root { table, condition };
        Wanted {
            tables: self.table.clone(),
            root: self.root.clone().zip(self.condition.clone()).map(root),
            references: match self.reference {
                Some(_) => Followed::Known(database.references.clone()),
                None => Followed::All(database.references.clone()),
            },
            without: self.without.iter().flat_map(group).collect(),
            groups: database.groups.keys().cloned().collect(),
            rowids: self.rowids,
        }
    }

    /// The flags that were given and have a meaning for SQLite only.
    fn flags_of_files(&self) -> Vec<&'static str> {
        let flags = [
            ("--root", self.root.is_some()),
            ("--share", self.share.is_some()),
            ("--rowids", self.rowids),
        ];
        flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect()
    }

    /// The destination: CSV of several tables is a folder.
    fn target(&self, named: &str) -> Target<'_> {
        Target {
            output: self.output.as_deref(),
            default_name: format!("{named}.{}", self.format.word()),
            is_folder: self.is_folder(),
            is_marked: self.format != Format::Csv,
        }
    }

    fn is_folder(&self) -> bool {
        self.format == Format::Csv && self.table.len() != 1
    }

    /// Limits for choosing rows, because an expression may run forever.
    fn bounds(&self, size_bytes: u64, progress: &Progress) -> Bounds {
        if self.unbounded || self.root.is_none() {
            return Bounds::lifted(progress.interrupt(), progress.pulse());
        }
        Bounds::of(size_bytes, progress.interrupt(), progress.pulse())
    }
}

/// One export: its state, its rows and its destination.
struct Export<'a> {
    args: &'a Args,
    project: &'a Project,
    state: &'a State,
    wanted: &'a Wanted,
    destination: &'a Destination,
}

impl Export<'_> {
    /// The same for a PostgreSQL database.
    fn of_server(&self) -> Job<'_> {
        let Wanted { tables, without, groups, .. } = self.wanted.clone();
        Job {
            project: self.project,
            state: self.state,
            wanted: selection::Wanted { tables, without, groups },
            format: self.args.format,
            is_folder: self.args.is_folder(),
            destination: self.destination,
        }
    }

    fn run(&self, session: &mut Session) -> Result<(Exported, Option<Written>)> {
        let interrupt = session.interrupt().clone();
        let (written, warnings) = std::thread::scope(|scope| -> Result<_> {
            if !(self.destination.is_stdout() && self.state.is_plain()) {
                let warnings = self.state.prove(&interrupt)?;
                return Ok((self.write(session, &mut || Ok(())), warnings));
            }
            let mut proving = Proving::begin(scope, self.state, &interrupt)?;
            let written = self.write(session, &mut || proving.conclude());
            if !written.as_ref().is_err_and(is_closed_pipe) {
                // Whatever went wrong: if the backup is damaged, that is why.
                proving.conclude()?;
            }
            Ok((written, proving.warnings()))
        })?;
        for line in warnings {
            session.warn(line);
        }
        written
    }

    /// Writes the rows; before the end of the export, `prove` proves what they were read from.
    fn write(
        &self,
        session: &mut Session,
        prove: &mut dyn FnMut() -> Result<()>,
    ) -> Result<(Exported, Option<Written>)> {
        let Self { args, project, state, wanted, destination } = *self;
        let interrupt = session.interrupt().clone();
        state.read(project, &interrupt, |connection| {
            let _watched = interrupt.watch(connection);
            let mut progress = session.progress("exporting");
            let size_bytes = Snapshot::begin(connection)?.size_bytes();
            let bounds = args.bounds(size_bytes, &progress);
            bounds.set_on(connection)?;
            let snapshot = Snapshot::begin(connection)?;
            let selection = Selection::of(connection, wanted, &interrupt)
                .map_err(|error| bounds.explain(error, "nothing was exported"))?;
            bounds.lift_from(connection);
            progress.expect_bytes(snapshot.size_bytes());
            let mut format = args.format.writer(args.is_folder());
            let mut output = destination.open(session)?;
            let mut sink = Sink::new(&mut output);
            let mut writer = Writer { format: format.as_mut(), to: &mut sink };
            let counts = writer::write(connection, &selection, &mut writer, &mut |n_bytes| {
                progress.reach(n_bytes);
                interrupt.check()
            })?;
            let n_bytes = sink.n_bytes();
            interrupt.check()?;
            let exported = Exported::of(selection, &counts, n_bytes);
            if args.share.is_some() {
                exported.refuse_nothing()?;
            }
            prove()?;
            let written = output.publish(destination)?;
            Ok((exported, written))
        })
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
