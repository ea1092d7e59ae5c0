//! `db-import FILE`: a new database, built separately and proved before it gets its name or
//! replaces the live one.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::backups::vault::Vault;
use crate::commands::import::args::Args;
use crate::commands::import::report::{self, Document, Made, Place};
use crate::commands::import::source::{self, Source};
use crate::commands::import::target::Target;
use crate::console::progress::Progress;
use crate::console::refusal::{Answer, Refusal};
use crate::console::{text, threads};
use crate::files::publish::{self, Published};
use crate::files::stage::{self, Stage};
use crate::host::project::{Project, live_database};
use crate::host::session::Session;
use crate::migrate::new_database::{Building, Fresh};
use crate::operations::restore::candidate::{self, Candidate};
use crate::operations::restore::derived_data::{self, Done};
use crate::operations::restore::dialogue::{self, Consent};
use crate::operations::restore::expected_live::Expected;
use crate::operations::restore::in_place;
use crate::recovery::database_lock::Claim;
use crate::restore::plan::{self, Live};
use crate::rows::import;
use crate::rows::import::cost_limits::Bounds;
use crate::rows::import::proof::{self, Proof};
use crate::rows::import::scratch::{Loaded, Loading};
use crate::sqlite::examination::finding::{Depth, Weight};
use crate::sqlite::trouble::{self, Trouble};

/// Creates a database from a file.
///
/// # Errors
///
/// A refusal if something is in the way, the file's rows violate its own schema, or the file is not
/// a whole export. Then nothing was changed.
pub(super) fn run(args: &Args, session: &mut Session) -> Result<Answer> {
    let project = args.common.project(session)?;
    refuse_foreign(args, session, &project)?;
    let target = Target::of(args, session, &project)?;
    let source = Source::of(args, session, &project, &target.path)?;
    let job = Job { args, project: &project, target: &target, source: &source };
    let what = || format!("could not import `{}`", source.shown);
    let made = if target.is_free() { job.make(session) } else { job.replace(session) };
    let document = made.with_context(what)?;
    // A failure from here on is not a failure of the import.
    if target.is_configured && !args.dry_run {
        let done = Done {
            what: "the data is imported",
            content: "the database contains what the file contained",
        };
        derived_data::rebuild(session, &project, &target.database, done)?;
    }
    session.document(&document);
    Ok(Answer::Yes)
}

/// Refuses a file that is not an export; this error comes first, whether the database exists or
/// not.
fn refuse_foreign(args: &Args, session: &Session, project: &Project) -> Result<()> {
    let [file] = args.files.as_slice() else { return Ok(()) };
    let path = session.folder().join(file);
    if !path.is_file() {
        return Ok(());
    }
    import::kind(&path)
        .map(drop)
        .map_err(|error| source::renamed(error, &path, &project.path(&path)))
}

/// Output of `--json` beside the error if rows violate the rules of their schema.
#[derive(Serialize)]
struct Violations {
    violations: Vec<String>,
}

/// One import.
struct Job<'a> {
    args: &'a Args,
    project: &'a Project,
    target: &'a Target,
    source: &'a Source,
}

impl Job<'_> {
    /// A finished file gets a name that nothing has.
    fn make(&self, session: &mut Session) -> Result<Document> {
        let path = &self.target.path;
        let folder = path.parent().context("the path does not name a file")?;
        let name = path.file_name().context("the path does not name a file")?.to_string_lossy();
        stage::sweep_dead_stages(folder, &name)?;
        let stage = Stage::create(folder, &name)?;
        let interrupt = session.interrupt().clone();
        let mut progress = session.progress("importing");
        let bounds = self.bounds(&progress);
        let loaded = self.load(&mut progress, &bounds, stage.path())?;
        let prove = || proof::prove(stage.path(), &loaded, &interrupt, &bounds);
        let (synced, proof) = threads::both(|| stage.sync(), prove);
        drop(progress);
        synced?;
        let proof = proof?;
        self.judge(session, &proof)?;
        let size_bytes = fs_err::metadata(stage.path())?.len();
        let made = self.made(&loaded, &proof, size_bytes);
        if self.args.dry_run {
            return Ok(self.tell(session, &made, &Place::WouldBeNew));
        }
        self.demand(&Live::Absent { sidecars: false })?;
        interrupt.check()?;
        // It may have come while the rows were read.
        self.target.refuse_sidecars(self.project)?;
        if stage.publish(path)? == Published::NameTaken {
            return Err(Refusal::could_not(
                format!("{} exists now", self.project.quoted_place(&self.target.database)),
                "choose another path; nothing was changed",
            ));
        }
        drop(stage);
        publish::sync_folder(folder)?;
        Ok(self.tell(session, &made, &Place::New))
    }

    /// Puts the finished database in the place of the current one, like every restore.
    fn replace(&self, session: &mut Session) -> Result<Document> {
        let (project, database) = (self.project, &self.target.database);
        if !self.args.dry_run {
            self.confirm(session)?;
        }
        let interrupt = session.interrupt().clone();
        let claim = if self.args.dry_run {
            None
        } else {
            Some(Claim::take_settled(project, database, "db-import", &interrupt)?)
        };
        let is_asked = self.args.dry_run && session.wants_json();
        let found = is_asked.then(|| Expected::live(session, project, database)).transpose()?;
        let building = Building::begin(project, database, session.now(), &interrupt)?;
        let mut progress = session.progress("importing");
        let bounds = self.bounds(&progress);
        let loaded = self.load(&mut progress, &bounds, building.path())?;
        let proof = proof::prove(building.path(), &loaded, &interrupt, &bounds)?;
        drop(progress);
        self.judge(session, &proof)?;
        let maker = &self.source.shown;
        let fresh = building.finish(maker, Depth::Quick, session.now(), &interrupt)?;
        let fresh = fresh.with_tables(maker)?;
        let Fresh { backup, verification, .. } = &fresh;
        let made = self.made(&loaded, &proof, backup.size_bytes);
        let vault = Vault::of(project, session.now());
        let locked = vault.lock(project.busy_timeout, &interrupt)?;
        let destination = candidate::destination(project, database, self.args.fresh.force);
        let plan = plan::plan(backup, &destination, &interrupt)
            .map_err(|error| live_database::explain(error, project, database))?;
        let Some(claim) = claim else {
            return Ok(self.tell(session, &made, &Place::WouldReplace(&plan.live, found)));
        };
        self.demand(&plan.live)?;
        let expected = self.args.if_live.as_ref();
        let candidate = Candidate { expected, ..Candidate::of(&plan, verification) };
        let restored = in_place::put_in_place(session, &claim, &locked, &candidate)?;
        // The host's commands may take backups of their own.
        drop(locked);
        Ok(self.tell(session, &made, &Place::Replaced(&restored)))
    }

    /// Refuses another kind of state than the expected one.
    fn demand(&self, live: &Live) -> Result<()> {
        let place = self.project.quoted_place(&self.target.database);
        let expected = self.args.if_live.as_ref();
        expected.map_or(Ok(()), |expected| expected.demand_kind(live, &place))
    }

    /// The limits for a file. Replacing a database needs a part of the memory.
    fn bounds(&self, progress: &Progress) -> Bounds {
        if self.args.unbounded {
            return Bounds::lifted(progress.interrupt(), progress.pulse());
        }
        let beside = fs_err::metadata(&self.target.path).map_or(0, |metadata| metadata.len());
        let size_bytes = self.source.size_bytes();
        Bounds::of(size_bytes, progress.interrupt(), progress.pulse()).with_memory(beside)
    }

    fn load(&self, progress: &mut Progress, bounds: &Bounds, scratch: &Path) -> Result<Loaded> {
        progress.expect_bytes(self.source.size_bytes());
        let interrupt = progress.interrupt().clone();
        let loading = Loading { scratch, encoding: None, interrupt: &interrupt, bounds };
        let reach = &mut |n_bytes| progress.reach(n_bytes);
        let loaded = import::load(&self.source.path, &loading, reach).map_err(say_untouched);
        progress.turn_to("examining");
        loaded
    }

    /// Refuses damage, and rows that violate a constraint unless the user allows them.
    fn judge(&self, session: &mut Session, proof: &Proof) -> Result<()> {
        if let Some(finding) = proof.of_weight(Weight::Structural).next() {
            return Err(Refusal::no(
                format!("its content does not form a sound database: {finding}"),
                "nothing was changed; export or dump it again, from a sound database",
            ));
        }
        for violation in proof.violations() {
            session.warn(violation);
        }
        let n = proof.n_violations();
        if n == 0 || self.args.fresh.allow_violations {
            return Ok(());
        }
        session.stream(|streamed| {
            let begun = streamed.begin_object();
            begun + &streamed.members(&Violations { violations: proof.violations() })
        });
        let verb = if n == 1 { "violates" } else { "violate" };
        Err(Refusal::no(
            format!("{} {verb} the rules of its own schema", text::count(n, "row")),
            "`--allow-violations` imports such rows as they are; nothing was changed",
        ))
    }

    fn confirm(&self, session: &mut Session) -> Result<()> {
        let (project, database) = (self.project, &self.target.database);
        let place = project.place(database);
        if database.protected {
            let consent = Consent { named: self.args.common.db.as_deref(), yes: self.args.yes };
            return dialogue::confirm_protected(session, &place, database, &consent);
        }
        if self.args.yes {
            return Ok(());
        }
        if !session.has_terminal() {
            return Err(Refusal::could_not(
                format!(
                    "replacing {} needs `--yes` when there is no terminal",
                    project.quoted_place(database)
                ),
                "pass `--yes`, or look first with `--dry-run`",
            ));
        }
        let question = format!("Replace {place} with the content of `{}` ?", self.source.shown);
        session.confirm(&question, "the database is untouched")
    }

    fn made<'a>(&'a self, loaded: &'a Loaded, proof: &'a Proof, size_bytes: u64) -> Made<'a> {
        Made { source: self.source, target: self.target, loaded, proof, size_bytes }
    }

    /// Reports the result; the document repeats it.
    fn tell(&self, session: &mut Session, made: &Made<'_>, place: &Place<'_>) -> Document {
        report::say(session, self.project, made, place);
        report::document(made, place)
    }
}

/// Adds to a failure that nothing has come of it.
fn say_untouched(error: anyhow::Error) -> anyhow::Error {
    let is_told = error.downcast_ref::<Refusal>().is_some();
    if is_told || trouble::trouble(&error) == Trouble::Interrupted {
        return error;
    }
    let exit = import::exit_of(&error);
    let hint = match import::way_out(&error) {
        Some(way_out) => format!("nothing was changed; {way_out}"),
        None => "nothing was changed".to_owned(),
    };
    let what = "its rows could not be read".to_owned();
    error.context(Refusal { what, hint, exit })
}
