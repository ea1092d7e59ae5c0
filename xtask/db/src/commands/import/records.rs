//! `db-import --records`: merges rows from another tool's records into the live database.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde::Serialize;
use xtask_db_format::records::Pointer;

use crate::backups::vault::Vault;
use crate::commands::import::args::Args;
use crate::commands::import::merge;
use crate::commands::import::merge::job::{Allowance, Job};
use crate::commands::import::on_server;
use crate::console::nearest_word::nearest;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::files::stage::Scratch;
use crate::host::command::{Task, output};
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::rows::import::cost_limits::Bounds;
use crate::rows::import::records::mapping::Mapping;
use crate::rows::import::records::{self, Loaded};
use crate::rows::import::scratch::Loading;
use crate::rows::merge::request::{Numbering, Source};
use crate::sqlite::schema::Schema;

const UNTOUCHED: &str = "nothing was imported, and the database is untouched";

/// Output of `--json` if there is no record: the same as for a merge of no file, with a warning.
#[derive(Serialize)]
struct Nothing<'a> {
    version: u32,
    dry_run: bool,
    into: Cow<'a, str>,
    inserted: u64,
    replaced: u64,
    files: [(); 0],
    problems: [(); 0],
    warnings: [String; 1],
    safety: (),
}

/// The source of the records.
enum Input<'a> {
    File(PathBuf),
    Stdin,
    Command(&'a [String]),
}

/// Reads the records into a scratch database and merges that.
pub(super) fn run(args: &Args, session: &mut Session) -> Result<Answer> {
    let input = Input::of(args, session)?;
    let pointer =
        Pointer::parse(args.records.pointer.as_deref().unwrap_or_default()).map_err(|error| {
            Refusal::could_not(
                error.to_string(),
                "write it like `--records /assistants`; `cargo xtask db-import --help` explains it",
            )
        })?;
    let project = args.common.project(session)?;
    let database = project.one(args.common.db.as_deref())?;
    on_server::refuse(&database)?;
    let (mapping, encoding) = mapping(args, &project, &database)
        .map_err(|error| live_database::explain(error, &project, &database))?;
    let shown = input.shown(&project);
    let scratch = scratch(session, &project, &database)?;
    let path = scratch.path().join(database.file_name());
    fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let all = Gathered {
        input: &input,
        pointer: &pointer,
        mapping: &mapping,
        shown: &shown,
        project: &project,
        database: &database,
        encoding: &encoding,
    };
    let loaded = all.load(session, &path)?;
    let answer = tell(args, session, &shown, &loaded)?;
    if loaded.n_records == 0 {
        all.say_empty(args, session);
        return Ok(answer);
    }
    let source = Source {
        scratch: path,
        absent: std::collections::BTreeSet::new(),
        shown: input.name(&project),
        numbering: Numbering::Target,
        is_own: false,
    };
    let allowance = Allowance { is_lifted: true, all_bytes: 0 };
    let sources = &[source];
    let job = Job { args, project: &project, database: &database, sources, allowance };
    merge::into_live(session, &job)
}

/// Everything needed to read records.
struct Gathered<'a> {
    input: &'a Input<'a>,
    pointer: &'a Pointer,
    mapping: &'a Mapping,
    shown: &'a str,
    project: &'a Project,
    /// The database that gets their rows.
    database: &'a Database,
    /// Its encoding.
    encoding: &'a str,
}

impl Input<'_> {
    fn of<'a>(args: &'a Args, session: &Session) -> Result<Input<'a>> {
        match (args.files.as_slice(), args.records.command.as_slice()) {
            ([], []) => Err(Refusal::could_not(
                "there is nothing to read records from",
                "name a file, `-` for standard input, or a command after `--`",
            )),
            ([], command) => Ok(Input::Command(command)),
            ([file], []) if file == Path::new("-") => Ok(Input::Stdin),
            ([file], []) => Ok(Input::File(session.folder().join(file))),
            _ => Err(Refusal::could_not(
                "records are read from one place at a time",
                "name one file, or `-`, or a command after `--`",
            )),
        }
    }

    /// Its name; of a command nothing more, since arguments may be secret.
    fn name(&self, project: &Project) -> String {
        match self {
            Self::File(path) => project.path(path),
            Self::Stdin => "stdin".to_owned(),
            Self::Command(command) => command.first().cloned().unwrap_or_default(),
        }
    }

    /// The name in sentences.
    fn shown(&self, project: &Project) -> String {
        let name = self.name(project);
        match self {
            Self::File(_) => format!("`{name}`"),
            Self::Stdin => "standard input".to_owned(),
            Self::Command(_) => format!("what `{}` printed", text::plain(&name)),
        }
    }
}

/// The piped input.
struct Piped<'s>(&'s mut Session);

impl std::io::Read for Piped<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(to)
    }
}

impl Gathered<'_> {
    fn load(&self, session: &mut Session, scratch: &Path) -> Result<Loaded> {
        let Self { project, database, .. } = *self;
        let interrupt = session.interrupt().clone();
        let mut progress = session.progress("reading");
        // Records bring values and no SQL.
        let bounds = Bounds::lifted(&interrupt, progress.pulse());
        let encoding = Some(self.encoding);
        let loading = Loading { scratch, encoding, interrupt: &interrupt, bounds: &bounds };
        let mut load = |input: &mut dyn std::io::Read| {
            let origin = records::Origin { shown: self.shown, input, pointer: self.pointer };
            records::load(origin, self.mapping, &loading, &mut |n| progress.reach(n))
        };
        match self.input {
            Input::Stdin => load(&mut Piped(session)),
            Input::File(path) => {
                let mut file = fs_err::File::open(path).with_context(|| Refusal {
                    what: format!("could not read {}", self.shown),
                    hint: UNTOUCHED.to_owned(),
                    exit: Exit::CouldNot,
                })?;
                load(&mut file)
            }
            Input::Command(command) => {
                let timeout = Duration::MAX;
                let location = &database.location;
                let task = Task { project, database, location, command, timeout };
                output::read(&task, &interrupt, load).map_err(|error| {
                    if error.downcast_ref::<Refusal>().is_some() {
                        return error;
                    }
                    error.context(Refusal {
                        what: format!("could not import {}", self.shown),
                        hint: UNTOUCHED.to_owned(),
                        exit: Exit::CouldNot,
                    })
                })
            }
        }
    }

    /// An empty list is not an order to empty the table.
    fn say_empty(&self, args: &Args, session: &mut Session) {
        let Self { project, database, .. } = *self;
        let place = match self.pointer.to_string().as_str() {
            "" => "contains no records".to_owned(),
            pointer => format!("contains an empty array at `{pointer}`"),
        };
        let table = &self.mapping.table;
        let what = format!("{} {place}; the rows of `{table}` stay as they are", self.shown);
        session.say(format!("Nothing to import into {}: {what}", project.place(database)));
        session.document(&Nothing {
            version: VERSION,
            dry_run: args.dry_run,
            into: database.home().to_string_lossy(),
            inserted: 0,
            replaced: 0,
            files: [],
            problems: [],
            warnings: [what],
            safety: (),
        });
    }
}

/// The source of each column's values, and the encoding of the database.
fn mapping(args: &Args, project: &Project, database: &Database) -> Result<(Mapping, String)> {
    let schema = Schema::read(&*live_database::open(project, database)?)?;
    let name = args.records.table.as_deref().unwrap_or_default();
    let Some(table) = schema.table(name) else {
        let known = || schema.tables.values().map(|table| table.name.as_str());
        let names: Vec<_> = known().map(|name| format!("`{name}`")).collect();
        let place = project.quoted_place(database);
        let what = match schema.views.get(&name.to_ascii_lowercase()) {
            Some(_) => format!("`{name}` is a view of {place}, which accepts no rows"),
            None => format!("{place} has no table `{name}`{}", nearest(known(), name)),
        };
        return Err(Refusal::could_not(what, format!("its tables are {}", names.join(", "))));
    };
    let encoding = schema.settings.get("encoding").cloned().unwrap_or_default();
    Ok((Mapping::of(table, &args.records.map, &args.records.set)?, encoding))
}

/// A private folder beside the backups, which is removed afterwards.
fn scratch(session: &Session, project: &Project, database: &Database) -> Result<Scratch> {
    let vault = Vault::of(project, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    locked.keep_private()?;
    locked.scratch(&database.file_name())
}

/// Reports values of the records that are lost; with `--strict`, refuses all of them.
fn tell(args: &Args, session: &mut Session, shown: &str, loaded: &Loaded) -> Result<Answer> {
    if args.existing.strict && !loaded.losses.is_empty() {
        return Err(Refusal::no(
            format!("{shown}: {}", loaded.losses.join("; ")),
            format!("without `--strict` this is a warning; {UNTOUCHED}"),
        ));
    }
    for loss in &loaded.losses {
        session.warn(format!("{shown}: {loss}"));
    }
    for note in &loaded.notes {
        session.note(format!("{shown}: {note}"));
    }
    Ok(Answer::Yes)
}
