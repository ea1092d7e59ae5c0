//! `db-import --merge`: merges files of rows into the live database, after a safety backup.

mod files;
pub(super) mod job;
mod report;

use std::path::Path;

use anyhow::{Context, Result};
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::commands::import::args::{Args, OnConflict};
use crate::commands::import::merge::files::Named;
use crate::commands::import::merge::job::{Allowance, Job};
use crate::commands::import::on_server;
use crate::commands::import::source;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::files::sidecars::{WAL, beside};
use crate::files::stage::{Scratch, Stage};
use crate::host::project::{Database, Project, live_database};
use crate::host::session::Session;
use crate::operations::restore::dialogue::{self, Consent};
use crate::operations::restore::expected_live::Expected;
use crate::operations::restore::safety_backup;
use crate::recovery::database_lock::Claim;
use crate::rows::import;
use crate::rows::import::scratch::Loading;
use crate::rows::merge::report::Report;
use crate::rows::merge::request::{self, Numbering, Policy, Source, Target};
use crate::rows::merge::{self, Ending};
use crate::sqlite::connection;
use crate::sqlite::trouble::{self, Trouble};

const UNTOUCHED: &str = "the database is untouched";

/// Loads all files, each into a scratch database of its own, and merges them.
pub(super) fn run(args: &Args, session: &mut Session) -> Result<Answer> {
    let project = args.common.project(session)?;
    let database = project.one(args.common.db.as_deref())?;
    on_server::refuse(&database)?;
    policy(args)?;
    let files = files::named(session, &project, &args.files)?;
    let encoding: String = {
        let live = live_database::open(&project, &database)?;
        connection::pragma(&live, "encoding")
            .map_err(|error| live_database::explain(error, &project, &database))?
    };
    let scratch = {
        let vault = Vault::of(&project, session.now());
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        locked.keep_private()?;
        locked.scratch(&database.file_name())?
    };
    let numbering = if args.merge.trust_numbers { Numbering::Either } else { Numbering::File };
    let mut spools = Vec::new();
    for (number, file) in files.iter().enumerate() {
        spools.push(file.is_piped.then(|| spool(session, &scratch, number, file)).transpose()?);
    }
    let places = || files.iter().zip(&spools).map(|(file, spool)| lies(file, spool.as_ref()));
    // All of them together: memory can be bounded once only.
    let allowance = Allowance {
        is_lifted: args.unbounded,
        all_bytes: places().map(import::size_bytes).sum::<u64>() + live_bytes(&database),
    };
    let mut sources = Vec::new();
    for (number, (file, lies)) in files.iter().zip(places()).enumerate() {
        let path = scratch.path().join(format!("{number}.db"));
        fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let encoding = &encoding;
        let from = From { file, lies, numbering, allowance, scratch: &path, encoding };
        sources.push(from.load(session, &project)?);
    }
    let job = Job { args, project: &project, database: &database, sources: &sources, allowance };
    into_live(session, &job)
}

/// Keeps the input from a pipe in a file.
fn spool(session: &mut Session, scratch: &Scratch, number: usize, file: &Named) -> Result<Stage> {
    let spool = scratch.stage(&format!("{number}.spool"))?;
    let pipe = (file.path != Path::new("-")).then_some(&*file.path);
    source::drain(session, pipe, &mut |piece| spool.append(piece))?;
    Ok(spool)
}

fn lies<'f>(file: &'f Named, spool: Option<&'f Stage>) -> &'f Path {
    spool.map_or(&*file.path, Stage::path)
}

/// Size of the live database, including its WAL.
pub(super) fn live_bytes(database: &Database) -> u64 {
    let wal = beside(database.home(), WAL);
    import::size_bytes(database.home()) + import::size_bytes(&wal)
}

/// A file, and where its bytes are.
struct From<'a> {
    file: &'a Named,
    lies: &'a Path,
    numbering: Numbering,
    allowance: Allowance,
    /// The scratch database that gets its rows.
    scratch: &'a Path,
    /// The encoding of the live database.
    encoding: &'a str,
}

impl From<'_> {
    fn load(&self, session: &mut Session, project: &Project) -> Result<Source> {
        let Self { file, lies, numbering, allowance, scratch, encoding } = *self;
        let is_stdin = file.path == Path::new("-");
        let shown = if is_stdin { "stdin".to_owned() } else { project.path(&file.path) };
        let interrupt = session.interrupt().clone();
        let mut progress = session.progress("Reading");
        let size_bytes = import::size_bytes(lies);
        progress.expect_bytes(size_bytes);
        let bounds = &allowance.bounds(size_bytes, &progress);
        let loading = Loading { scratch, encoding: Some(encoding), interrupt: &interrupt, bounds };
        let loaded = import::load(lies, &loading, &mut |n_bytes| progress.reach(n_bytes));
        drop(progress);
        let loaded = loaded.map_err(|error| {
            let error = if file.is_piped { source::renamed(error, lies, &shown) } else { error };
            report::of_file(error, &shown)
        })?;
        for remark in loaded.remarks {
            session.warn(format!("{shown}: {remark}"));
        }
        Ok(Source {
            scratch: scratch.to_owned(),
            absent: loaded.absent,
            shown,
            numbering,
            is_own: file.is_own,
        })
    }
}

/// Merges what was loaded: safety backup, one transaction, report, derived data; `--dry-run`,
/// `--on-conflict`, `--newer`, `--strict`, `--yes` and `--db` are taken from the arguments.
pub(super) fn into_live(session: &mut Session, job: &Job<'_>) -> Result<Answer> {
    let Job { args, project, database, .. } = *job;
    let policy = policy(args)?;
    // Refuses a live database that is missing or cannot be read, before any lock is held on it.
    drop(live_database::open(project, database)?);
    if args.dry_run {
        // Before the report is made: a commit in between then refuses it, instead of being missed by it.
        let live = session.wants_json().then(|| Expected::live(session, project, database));
        let live = live.transpose()?;
        let report = act(session, job, &policy, None)?;
        return report::conclude(session, job, &report, &report::Done::Nothing(live));
    }
    if database.protected {
        let consent = Consent { named: args.common.db.as_deref(), yes: args.yes };
        dialogue::confirm_protected(session, &project.place(database), database, &consent)?;
    }
    let claim = Claim::take_settled(project, database, "db-import", &session.interrupt().clone())?;
    let vault = Vault::of(project, session.now());
    let locked = vault.lock(project.busy_timeout, session.interrupt())?;
    locked.keep_private()?;
    let mut taken = None;
    let keeping = Keeping { locked: &locked, safety: &mut taken };
    let merged = act(session, job, &policy, Some(keeping));
    let safety = match (&merged, taken) {
        (Ok(report), Some(safety)) if !report.is_written => {
            safety_backup::unneeded(&locked, safety)
        }
        (Err(error), taken) => safety_backup::after(error, &locked, taken),
        (Ok(_), taken) => taken,
    };
    safety_backup::say(session, project, safety.as_deref());
    let report = merged?;
    // The host's commands may take backups of their own.
    drop(locked);
    drop(claim);
    report::conclude(session, job, &report, &report::Done::Merged(safety))
}

/// Destination of the safety backup.
struct Keeping<'a> {
    locked: &'a Locked<'a>,
    /// The safety backup, once it is taken.
    safety: &'a mut Option<Box<Backup>>,
}

/// Merges; without a lock on the backups folder all is rolled back.
fn act(
    session: &mut Session,
    job: &Job<'_>,
    policy: &Policy,
    mut keeping: Option<Keeping<'_>>,
) -> Result<Report> {
    let Job { project, database, sources, allowance, .. } = *job;
    let interrupt = session.interrupt().clone();
    let progress = session.progress("merging");
    progress.turn_to("merging");
    let bounds = allowance.bounds(allowance.all_bytes, &progress);
    let target = Target {
        database,
        busy_timeout: project.busy_timeout,
        policy,
        interrupt: &interrupt,
        bounds: &bounds,
    };
    let ending = if keeping.is_some() { Ending::Commit } else { Ending::RollBack };
    let mut keep = || -> Result<()> {
        let Some(Keeping { locked, safety }) = &mut keeping else { return Ok(()) };
        progress.end();
        let wanted = safety_backup::wanted(session, project, database);
        let kept = safety_backup::safety_backup(session, project, locked, &wanted)?;
        let (backup, _) = kept.with_context(|| damaged(project, database))?;
        let backup = safety.insert(backup);
        match &job.args.if_live {
            Some(expected) => expected.demand_kept(backup, &project.quoted_place(database)),
            None => Ok(()),
        }
    };
    merge::merge(&target, sources, ending, &mut keep).map_err(|error| {
        let error = bounds.explain(error, UNTOUCHED);
        let is_told = error.downcast_ref::<Refusal>().is_some();
        if !is_told && trouble::trouble(&error) == Trouble::Damaged {
            return error.context(damaged(project, database));
        }
        live_database::explain(error, project, database)
    })
}

fn damaged(project: &Project, database: &Database) -> Refusal {
    Refusal {
        what: format!(
            "{} is damaged; nothing can be merged into it",
            project.quoted_place(database)
        ),
        hint: "restore a backup with `cargo xtask db-restore`".to_owned(),
        exit: Exit::No,
    }
}

/// How much may be given up, according to the flags.
fn policy(args: &Args) -> Result<Policy> {
    let on_conflict = match args.existing.on_conflict {
        OnConflict::Fail => request::OnConflict::Fail,
        OnConflict::Skip => request::OnConflict::Skip,
        OnConflict::Replace => request::OnConflict::Replace,
    };
    if args.existing.newer.is_some() && on_conflict != request::OnConflict::Replace {
        return Err(Refusal::could_not(
            "`--newer` needs `--on-conflict replace`",
            format!("it decides which of two rows is replaced; {UNTOUCHED}"),
        ));
    }
    Ok(Policy { on_conflict, newer: args.existing.newer.clone(), strict: args.existing.strict })
}
