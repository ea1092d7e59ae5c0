//! `db-diff`: what changed between two states, a backup and the live database or two backups.

mod json_document;
mod of_server;
mod report;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::backups::backup::Backup;
use crate::backups::reader::{Contents, PlainFile};
use crate::backups::vault::Vault;
use crate::commands::diff::json_document::{Compared, DifferingRow, List, Written};
use crate::commands::flags::Common;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Answer;
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::operations::find_backup;
use crate::operations::state_document::StateDocument;
use crate::rows::diff::script::Script;
use crate::rows::diff::states::between;
use crate::rows::diff::{self, Depth, Difference, Row, Wanted, dumps};
use crate::sqlite::connection;
use crate::sqlite::read_only::Looking;
use crate::sqlite::snapshot::Snapshot;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-diff                    # newest backup against live database
  cargo xtask db-diff latest~1 latest --rows --table messages
  cargo xtask db-diff ./before.db ./after.db    # any two SQLite files
  cargo xtask db-restore @main --into copy.db
  cargo xtask db-diff --sql @main | sqlite3 copy.db    # makes copy.db current

Rows are matched by primary key or rowid. SQLite's own statistics are not
compared.";

/// Arguments of `db-diff`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that the user types")]
pub(crate) struct Args {
    /// The older state: a backup, or the path of any SQLite file [default: the
    /// newest backup of this worktree]
    #[arg(value_name = "A")]
    a: Option<String>,
    /// The newer state, a backup or a path [default: the live database]
    #[arg(value_name = "B")]
    b: Option<String>,
    /// Compare only the schemas
    #[arg(long, conflicts_with_all = ["rows", "sql"])]
    schema: bool,
    /// Show the values of the rows that differ
    #[arg(long, conflicts_with = "sql")]
    rows: bool,
    /// Print SQL that turns A into B, for the sqlite3 shell
    #[arg(long)]
    sql: bool,
    /// Compare only this table (repeatable)
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Exit with 1 if the states differ
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// A state to compare.
enum State {
    Backup(Box<Backup>),
    Live(Box<Database>),
}

/// Two states to compare.
struct Pair {
    /// The older state.
    a: State,
    /// The newer one.
    b: State,
}

/// One side of a comparison, while it is read.
struct Side<'s> {
    /// Name in messages.
    name: String,
    state: diff::State<'s>,
}

/// A state that is open.
enum Opened<'c> {
    Backup { connection: Connection, file: PlainFile<'c> },
    Live(Looking),
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project(session)?;
        let mut answer = Answer::Yes;
        let list = if self.sql { Some(List::Sql) } else { self.rows.then_some(List::Rows) };
        let mut written = Written::new(list);
        for pair in self.pairs(session, &project)? {
            let difference = self.compare(session, &project, &pair, &mut written)?;
            let (a, b) = (pair.a.document(&project), pair.b.document(&project));
            written.difference(session, Compared::of(&difference, a, b));
            answer = self.judge(answer, &difference);
        }
        written.finish(session);
        Ok(answer)
    }

    /// The states to compare: if there are several databases, each with its own newest backup.
    fn pairs(&self, session: &mut Session, project: &Project) -> Result<Vec<Pair>> {
        let vault = Vault::of(project, session.now());
        let named = self.common.db.as_deref();
        let databases = project.chosen(named)?;
        let Some(a) = &self.a else {
            if self.sql {
                // One script after the other would turn neither database into what it should be.
                project.one(named)?;
            }
            let mut pairs = Vec::new();
            for database in databases {
                let name = Some(database.name.as_str());
                let wanted = find_backup::Wanted { reference: "latest", database: name };
                let newest = find_backup::backup(session, project, &vault, wanted)?;
                pairs.push(Pair {
                    a: State::Backup(Box::new(newest)),
                    b: State::Live(Box::new(database)),
                });
            }
            return Ok(pairs);
        };
        let a = self.state(session, project, &vault, a)?;
        let b = match &self.b {
            Some(b) => self.state(session, project, &vault, b)?,
            None => State::Live(Box::new(match &a {
                State::Backup(a) => match databases.into_iter().find(|one| a.is_named_for(one)) {
                    Some(database) => database,
                    None => project.one(named)?,
                },
                State::Live(_) => project.one(named)?,
            })),
        };
        Ok(vec![Pair { a, b }])
    }

    /// The state that an argument means: a file by its path, unless it is a backup, or a REF.
    fn state(
        &self,
        session: &mut Session,
        project: &Project,
        vault: &Vault,
        named: &str,
    ) -> Result<State> {
        let path = session.folder().join(named);
        let is_path = named.contains('/') || named == "." || named == "..";
        let is_backup = path.parent().and_then(|folder| fs_err::canonicalize(folder).ok())
            == fs_err::canonicalize(vault.folder()).ok();
        if is_path && !is_backup && path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(State::Live(Box::new(Database::new(name, path))));
        }
        let database = self.common.db.as_deref();
        let wanted = find_backup::Wanted { reference: named, database };
        Ok(State::Backup(Box::new(find_backup::backup(session, project, vault, wanted)?)))
    }

    fn compare(
        &self,
        session: &mut Session,
        project: &Project,
        pair: &Pair,
        written: &mut Written,
    ) -> Result<Difference> {
        let Pair { a, b } = pair;
        let interrupt = session.interrupt().clone();
        match (a.is_on_server(), b.is_on_server()) {
            (true, true) => return self.compare_dumps(session, project, pair, written),
            (false, false) => {}
            _ => return Err(of_server::two_engines()),
        }
        let (a_contents, b_contents) = (a.contents()?, b.contents()?);
        let a_opened = a.open(project, a_contents.as_ref(), &interrupt)?;
        let b_opened = b.open(project, b_contents.as_ref(), &interrupt)?;
        let _watched =
            (interrupt.watch(a_opened.connection()), interrupt.watch(b_opened.connection()));
        let explain = |error| match b {
            State::Live(database) => live_database::explain(error, project, database),
            State::Backup(_) => error,
        };
        let what = format!("could not compare {} with {}", a.name(project), b.name(project));
        let compared = (|| {
            let _reading = Snapshot::begin(a_opened.connection())?;
            let _reading_too = Snapshot::begin(b_opened.connection())?;
            let a = Side { name: a.name(project), state: a_opened.state(&interrupt) };
            let b = Side { name: b.name(project), state: b_opened.state(&interrupt) };
            self.say(session, &a, &b, written)
        })();
        let compared = [&a_opened, &b_opened].into_iter().fold(compared, Opened::prove);
        compared.map_err(explain).context(what)
    }

    /// Compares two states of PostgreSQL databases.
    fn compare_dumps(
        &self,
        session: &mut Session,
        project: &Project,
        pair: &Pair,
        written: &mut Written,
    ) -> Result<Difference> {
        if self.sql {
            return Err(of_server::no_script());
        }
        let (a, b) = (pair.a.name(project), pair.b.name(project));
        let interrupt = session.interrupt().clone();
        let compared = (|| {
            let a_side = pair.a.dumped(project, &interrupt)?;
            let b_side = pair.b.dumped(project, &interrupt)?;
            let are_equal = a_side.proof().content_blake3 == b_side.proof().content_blake3;
            if are_equal && self.table.is_empty() {
                let difference = Difference::default();
                report::begin(session, &a, &b, &difference);
                report::end(session, &difference);
                return Ok(difference);
            }
            if let Some(line) = a_side.warning(&b_side) {
                session.warn(line);
            }
            let dumps = dumps::Pair::open(a_side.dump(), b_side.dump(), &interrupt)?;
            let mut wanted = Wanted { tables: self.table.clone(), depth: Depth::Counts };
            let mut difference = dumps.schema(&wanted)?;
            report::begin(session, &a, &b, &difference);
            if !self.schema {
                if self.rows {
                    wanted.depth = Depth::Values;
                }
                difference = dumps.rows(&wanted, &mut tell_rows(session, written))?;
            }
            report::end(session, &difference);
            Ok(difference)
        })();
        compared
            .map_err(of_server::explain)
            .with_context(|| format!("could not compare {a} with {b}"))
    }

    /// Compares two open states, and reports the differences.
    fn say(
        &self,
        session: &mut Session,
        a: &Side<'_>,
        b: &Side<'_>,
        written: &mut Written,
    ) -> Result<Difference> {
        let mut wanted = Wanted { tables: self.table.clone(), depth: Depth::Schema };
        if self.sql {
            wanted.depth = Depth::Rewrite;
            let mut script = Script::new(a.state, b.state, &self.table)?;
            session.say(format!("-- Turns {} into {}", a.name, b.name));
            let mut say = |session: &mut Session, lines: Vec<String>| {
                for line in lines {
                    session.say_statement(&line);
                    written.row(session, &line);
                }
            };
            let difference = between(a.state, b.state, &wanted, &mut |row| {
                script.row(row);
                say(session, script.take());
            })?;
            script.finish(&difference);
            say(session, script.take());
            return Ok(difference);
        }
        let mut difference = between(a.state, b.state, &wanted, &mut |_| {})?;
        report::begin(session, &a.name, &b.name, &difference);
        if !self.schema {
            wanted.depth = if self.rows { Depth::Values } else { Depth::Counts };
            difference = between(a.state, b.state, &wanted, &mut tell_rows(session, written))?;
        }
        report::end(session, &difference);
        Ok(difference)
    }

    /// The worst answer so far: that there is a difference, if `--exit-code` asks for that, then
    /// that something could not be compared.
    fn judge(&self, answer: Answer, difference: &Difference) -> Answer {
        if !self.exit_code {
            return answer;
        }
        match answer {
            Answer::No => Answer::No,
            _ if difference.is_different() => Answer::No,
            _ if !difference.is_complete() => Answer::CannotTell,
            answer => answer,
        }
    }
}

/// Prints rows that differ, each below the name of its table.
fn tell_rows(session: &mut Session, written: &mut Written) -> impl FnMut(&Row<'_>) {
    let mut table = String::new();
    move |row| {
        report::row(session, row, &mut table);
        if session.wants_json() {
            written.row(session, &DifferingRow::of(row));
        }
    }
}

impl State {
    /// Whether it is one of a PostgreSQL database.
    fn is_on_server(&self) -> bool {
        match self {
            Self::Backup(backup) => of_server::is_dump(backup),
            Self::Live(database) => database.server().is_some(),
        }
    }

    /// Its dump; of the live database, a new one.
    fn dumped(&self, project: &Project, interrupt: &Interrupt) -> Result<of_server::Side> {
        match self {
            Self::Backup(backup) => of_server::Side::of_backup(backup),
            Self::Live(database) => of_server::Side::of_live(project, database, interrupt),
        }
    }

    /// The name in messages.
    fn name(&self, project: &Project) -> String {
        match self {
            Self::Backup(backup) => backup.name.to_string(),
            Self::Live(database) => project.place(database),
        }
    }

    fn document(&self, project: &Project) -> StateDocument {
        match self {
            Self::Backup(backup) => StateDocument::of_backup(backup),
            Self::Live(database) => StateDocument::of_live(project, database),
        }
    }

    /// The bytes of a backup, which is locked so that pruning does not remove it.
    fn contents(&self) -> Result<Option<Contents>> {
        match self {
            Self::Backup(backup) => Contents::open(backup).map(Some),
            Self::Live(_) => Ok(None),
        }
    }

    /// Opens it.
    fn open<'c>(
        &self,
        project: &Project,
        contents: Option<&'c Contents>,
        interrupt: &Interrupt,
    ) -> Result<Opened<'c>> {
        match (self, contents) {
            (Self::Backup(backup), Some(contents)) => {
                let file = contents.file(interrupt)?;
                let connection = connection::open_immutable(file.path())
                    .with_context(|| format!("could not open `{}`", backup.name))?;
                Ok(Opened::Backup { connection, file })
            }
            (Self::Backup(backup), None) => anyhow::bail!("`{}` is not open", backup.name),
            (Self::Live(database), _) => live_database::open(project, database).map(Opened::Live),
        }
    }
}

impl Opened<'_> {
    fn state<'s>(&'s self, interrupt: &'s Interrupt) -> diff::State<'s> {
        match self {
            Self::Backup { connection, file } => {
                diff::State::of_file(connection, file.path(), interrupt)
            }
            Self::Live(looking) => diff::State::of(looking),
        }
    }

    /// Returns the data that was read, if it is proved to belong to one state.
    fn prove<T>(read: Result<T>, opened: &Self) -> Result<T> {
        match opened {
            Self::Backup { .. } => read,
            Self::Live(looking) => looking.proved(read),
        }
    }

    fn connection(&self) -> &Connection {
        match self {
            Self::Backup { connection, .. } => connection,
            Self::Live(looking) => looking,
        }
    }
}
