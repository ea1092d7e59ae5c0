//! `db-restore`: puts a backup back; a dialogue without REF.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::aside;
use crate::backup::Backup;
use crate::cli::Common;
use crate::commands::{find, list};
use crate::durable::{self, Published, Stage};
use crate::examination::Depth;
use crate::git;
use crate::hostcommand;
use crate::progress::Progress;
use crate::project::{Database, Project};
use crate::record::Kind;
use crate::refusal::{Answer, Exit, Refusal};
use crate::restoring::{self, Live, Plan, Proved, Source};
use crate::session::Session;
use crate::space;
use crate::tables;
use crate::taking::{self, Taken, Wanted};
use crate::text;
use crate::vault::{Locked, Vault};
use crate::verification::{self, Outcome, Verification};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-restore                       # choose from a list
  cargo xtask db-restore latest --yes
  cargo xtask db-restore @main --dry-run
  cargo xtask db-restore 3d --into /tmp/three-days-ago.db
  cargo xtask db-restore latest --table messages --yes

REF is `latest`, `latest~2`, `oldest`, `safety`, a file name, a path, the beginning of a name or of
its time (`2025-09-13_14`), `@branch`, an age (`2h`, `3d`) or a git revision (`HEAD~3`, `v1.2`).";

const PAGE: usize = 30;

/// Arguments of `db-restore`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which backup; asked for without it
    #[arg(value_name = "REF", allow_hyphen_values = true)]
    reference: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Write the backup to this file instead, leaving the live database alone
    #[arg(long, value_name = "PATH")]
    into: Option<PathBuf>,
    /// Put back only this table (repeatable)
    #[arg(long = "table", value_name = "T", conflicts_with = "into")]
    tables: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Restore over what may be an encrypted database, over an existing `--into` file, or from a
    /// backup that cannot be proved whole
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What was kept of the replaced state.
enum Kept {
    Backup(Box<Backup>),
    Aside(PathBuf),
    Nothing,
}

impl Args {
    pub(crate) fn run(mut self, session: &mut Session) -> Result<Answer> {
        let project = session.project(&self.common)?;
        let vault = Vault::at(&project.backups, session.now());
        let asked = self.reference.is_none();
        if asked && !session.has_terminal() {
            return Err(Refusal::could_not(
                "without a terminal `db-restore` needs a REF and `--yes`",
                "as `cargo xtask db-restore latest --yes`; `cargo xtask db-list` shows the backups",
            ));
        }
        let Some(backup) = self.choose(session, &project, &vault)? else {
            session.note("Nothing was restored.");
            return Ok(Answer::No);
        };
        let database = self.database(&project, &backup)?;
        if self
            .into
            .as_ref()
            .is_some_and(|path| !session.folder().join(path).exists())
        {
            return self.write_elsewhere(session, &project, &backup);
        }
        let database = self.target(session, &project, &database)?;
        let verification = self.examine(session, &project, &database, &backup)?;
        if !self.tables.is_empty() {
            return self.put_tables_back(session, &project, &database, &backup);
        }
        let plan = restoring::plan(
            &backup,
            &database.path,
            &project.backups,
            self.force,
            project.busy_timeout,
        )
        .map_err(|error| taking::explain(error, &project, &database))?;
        point_out_old_schema(session, &project, &database, &verification);
        if self.dry_run {
            say_plan(session, &project, &database, &plan);
            return Ok(Answer::Yes);
        }
        self.confirm(session, &project, &database, &backup, asked)?;
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        locked.keep_from_git()?;
        restore(session, &project, &database, &locked, &plan, &verification)
    }

    /// The backup that REF names, or that the user picks from the list; `None` for `q`.
    fn choose(
        &mut self,
        session: &mut Session,
        project: &Project,
        vault: &Vault,
    ) -> Result<Option<Backup>> {
        if let Some(reference) = &self.reference {
            let named = self.common.db.as_deref();
            return find::backup(session, project, vault, reference, named).map(Some);
        }
        let database = project.one(self.common.db.as_deref())?;
        let mut backups = vault.backups()?;
        backups.retain(|backup| backup.is_of(&database));
        if backups.is_empty() {
            return Err(Refusal::could_not(
                format!("there are no backups in `{}`", vault.folder().display()),
                "take one with `cargo xtask db-backup`",
            ));
        }
        pick(session, project, vault, &backups)
    }

    /// Whose backup it is: the named database's, the record's, else the only one's.
    fn database(&self, project: &Project, backup: &Backup) -> Result<Database> {
        if self.common.db.is_none() && project.databases.len() > 1 {
            let owner = project
                .databases
                .iter()
                .find(|database| backup.is_of(database));
            if let Some(owner) = owner {
                return Ok(owner.clone());
            }
        }
        project.one(self.common.db.as_deref())
    }

    /// The live database, or with `--into` and `--force` the existing file in its place.
    fn target(
        &self,
        session: &Session,
        project: &Project,
        database: &Database,
    ) -> Result<Database> {
        let Some(into) = &self.into else {
            return Ok(database.clone());
        };
        let path = session.folder().join(into);
        if !self.force {
            return Err(Refusal::could_not(
                format!("`{}` exists already", project.path(&path)),
                "choose another path, or say `--force` to restore over it after a safety backup",
            ));
        }
        let name = path
            .file_name()
            .context("`--into` names no file")?
            .to_string_lossy();
        let mut other = Database::new(name, path.clone());
        other.origin = Some("--into".to_owned());
        Ok(other)
    }

    /// Examines the candidate before anything is touched.
    fn examine(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        backup: &Backup,
    ) -> Result<Verification> {
        let interrupt = session.interrupt().clone();
        let verification = verification::verify(backup, Depth::Deep, &interrupt)
            .with_context(|| format!("could not restore `{}`", project.place(database)))?;
        for reason in &verification.reasons {
            session.warn(format!("{}: {reason}", backup.name));
        }
        for warning in &verification.warnings {
            session.warn(format!("{}: {warning}", backup.name));
        }
        let untouched =
            "choose another backup with `cargo xtask db-list`; the database is untouched";
        match verification.outcome {
            Outcome::Damaged => Err(Refusal::no(
                format!(
                    "`{}` failed its examination: {}",
                    backup.name,
                    text::count(verification.reasons.len() as u64, "reason")
                ),
                untouched,
            )),
            Outcome::CannotTell if !self.force => Err(Refusal::could_not(
                format!("`{}` cannot be proved whole", backup.name),
                format!("{untouched}; `--force` restores it all the same"),
            )),
            Outcome::CannotTell | Outcome::Whole => Ok(verification),
        }
    }

    fn confirm(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        backup: &Backup,
        asked: bool,
    ) -> Result<()> {
        let place = project.place(database);
        let untouched = "the database is untouched";
        if database.protected {
            return confirm_protected(
                session,
                &place,
                database,
                self.common.db.as_deref(),
                self.yes,
            );
        }
        if self.yes {
            return Ok(());
        }
        if !session.has_terminal() {
            return Err(Refusal::could_not(
                format!("restoring into `{place}` needs `--yes` where there is no terminal to ask"),
                "say `--yes`, or look first with `--dry-run`",
            ));
        }
        if !asked {
            say_choice(session, backup);
        }
        session.confirm(&format!("Restore this backup into {place} ?"), untouched)
    }

    /// `--into` a path where nothing is yet: the backup's bytes, proved.
    fn write_elsewhere(
        &self,
        session: &mut Session,
        project: &Project,
        backup: &Backup,
    ) -> Result<Answer> {
        let Some(into) = &self.into else {
            return Ok(Answer::Yes);
        };
        let path = session.folder().join(into);
        let shown = project.dotted(&path);
        let database = Database::new("into", &path);
        let verification = self.examine(session, project, &database, backup)?;
        if let Some(sidecar) = aside::raw_files(&path).first() {
            return Err(Refusal::could_not(
                format!(
                    "`{}` lies there and would be taken for part of it",
                    project.path(sidecar)
                ),
                "move it away, or choose another path",
            ));
        }
        if fs_err::symlink_metadata(&path).is_ok() {
            return Err(Refusal::could_not(
                format!("`{shown}` is a symbolic link to nothing"),
                "choose another path",
            ));
        }
        let folder = path.parent().context("`--into` names no file")?;
        space::demand(folder, backup.size_bytes, "the copy")?;
        if self.dry_run {
            session.say(format!("Would write {} → {shown}", backup.name));
            return Ok(Answer::Yes);
        }
        let name = path
            .file_name()
            .context("`--into` names no file")?
            .to_string_lossy();
        let _held = backup.hold()?;
        let stage = Stage::create(folder, &name)?;
        let hashes = restoring::copy_file(&backup.path(), &stage, session.interrupt())?;
        anyhow::ensure!(
            hashes.content_blake3 == verification.content_blake3,
            "the copy is not equal to the backup"
        );
        stage.sync()?;
        if stage.publish(&path)? == Published::NameTaken {
            return Err(Refusal::could_not(
                format!("`{shown}` exists already"),
                "choose another path",
            ));
        }
        drop(stage);
        durable::sync_folder(folder)?;
        session.say(format!("[✓] Written → {shown}"));
        session.say("[✓] SQLite integrity_check: ok, content equal to the backup's");
        session.document(&json!({
            "version": 1,
            "restored": backup.to_json(session.now())?,
            "into": path,
            "content_blake3": hashes.content_blake3,
        }));
        Ok(Answer::Yes)
    }

    fn put_tables_back(
        &self,
        session: &mut Session,
        project: &Project,
        database: &Database,
        backup: &Backup,
    ) -> Result<Answer> {
        // Refuses a live database that is missing or cannot be read.
        drop(taking::open(project, database)?);
        let list = self.tables.join(", ");
        let place = project.place(database);
        if self.dry_run {
            session.say("Would take a safety backup first");
            session.say(format!(
                "Would put back {list} from {} into {place}",
                backup.name
            ));
            return Ok(Answer::Yes);
        }
        self.confirm(session, project, database, backup, false)?;
        let vault = Vault::at(&project.backups, session.now());
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        let live = Live::Readable(crate::database::Header([0; crate::database::HEADER_LENGTH]));
        let kept = keep(session, project, database, &locked, &live)?;
        let Kept::Backup(safety) = kept else {
            return Err(Refusal::no(
                format!("`{place}` is damaged; single tables cannot be put back into it"),
                "restore the whole database: leave `--table` out",
            ));
        };
        let interrupt = session.interrupt().clone();
        let _held = backup.hold()?;
        let done = tables::put_back(
            &database.path,
            &backup.path(),
            &self.tables,
            project.busy_timeout,
            &interrupt,
        )
        .map_err(|error| taking::explain(error, project, database))?;
        for table in &done {
            let before = table
                .n_before
                .map_or("missing".to_owned(), |n| format!("{n} rows"));
            session.say(format!(
                "[✓] {}: {before} → {} rows",
                text::plain(&table.table),
                table.n_after
            ));
        }
        say_undo(session, &safety);
        session.document(&json!({
            "version": 1,
            "restored": backup.to_json(session.now())?,
            "tables": done.iter().map(|t| json!({"table": t.table, "rows": t.n_after})).collect::<Vec<_>>(),
            "safety": safety.name.to_string(),
        }));
        after_restore(session, project, database)
    }
}

/// The dialogue's list; a wrong number asks again.
fn pick(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    backups: &[Backup],
) -> Result<Option<Backup>> {
    session.note("Select a backup to restore (newest first):");
    session.note(format!("Backup dir: {}", vault.folder().display()));
    session.note("");
    let mut shown = 0;
    show_page(session, project, backups, &mut shown);
    loop {
        let answer = session.ask("Enter number to restore (or 'q' to quit): ")?;
        let Some(answer) = answer else {
            return Ok(None);
        };
        if answer.eq_ignore_ascii_case("q") {
            return Ok(None);
        }
        if answer.is_empty() && shown < backups.len() {
            show_page(session, project, backups, &mut shown);
            continue;
        }
        let chosen = answer
            .parse::<usize>()
            .ok()
            .and_then(|n| backups.get(n.checked_sub(1)?));
        if let Some(backup) = chosen {
            say_choice(session, backup);
            return Ok(Some(backup.clone()));
        }
        let answer = text::plain(&answer);
        session.note(format!(
            "`{answer}` is no number from 1 to {}.",
            backups.len()
        ));
    }
}

fn show_page(session: &mut Session, project: &Project, backups: &[Backup], shown: &mut usize) {
    let end = backups.len().min(*shown + PAGE);
    for (i, backup) in backups.iter().enumerate().take(end).skip(*shown) {
        let size = text::size(backup.size_bytes).replace(' ', "");
        let time = backup.name.time.format("%Y-%m-%d %H:%M:%S");
        let details = list::details(project, backup, session.now());
        let name = text::plain(&backup.name.to_string());
        session.note(format!("{}) {name} {size} {time}  {details}", i + 1));
    }
    *shown = end;
    if end < backups.len() {
        session.note(format!(
            "{end} of {} shown; press Enter for more.",
            backups.len()
        ));
    }
}

fn say_choice(session: &mut Session, backup: &Backup) {
    session.note("");
    session.note("You chose:");
    session.note(format!(
        "  {}",
        text::plain(&backup.path().to_string_lossy())
    ));
}

/// A protected database's name has to be typed out; without a terminal, as `--db NAME --yes`.
pub(crate) fn confirm_protected(
    session: &mut Session,
    place: &str,
    database: &Database,
    named: Option<&str>,
    yes: bool,
) -> Result<()> {
    if !session.has_terminal() {
        if yes && named == Some(database.name.as_str()) {
            return Ok(());
        }
        return Err(Refusal::could_not(
            format!("`{place}` is protected"),
            format!("without a terminal say `--db {} --yes`", database.name),
        ));
    }
    let question = format!("{place} is protected. Type `{}` to go on: ", database.name);
    match session.ask(&question)? {
        Some(answer) if answer == database.name => Ok(()),
        _ => Err(Refusal::no("not confirmed", "the database is untouched")),
    }
}

/// Safety backup, write, proof, derived data.
fn restore(
    session: &mut Session,
    project: &Project,
    database: &Database,
    locked: &Locked<'_>,
    plan: &Plan,
    verification: &Verification,
) -> Result<Answer> {
    let place = project.dotted(&database.path);
    let interrupt = session.interrupt().clone();
    let _held = plan.backup.hold()?;
    let source = Source::prepare(plan, locked, &verification.content_blake3, &interrupt)?;
    let kept = keep(session, project, database, locked, &plan.live)?;
    let mut progress = Progress::new(session, "Restoring");
    let put = restoring::put_back(
        plan,
        &source,
        project.busy_timeout,
        &interrupt,
        &mut progress,
    );
    drop(progress);
    put.map_err(|error| taking::explain(error, project, database))
        .with_context(|| {
            could_not_restore(project, database, &kept, "the old state is in place")
        })?;
    session.say(format!("[✓] Restored → {place}"));
    let folder = locked.vault().folder();
    let proved = restoring::prove(plan, &source, folder, project.busy_timeout, &interrupt)
        .with_context(|| could_not_restore(project, database, &kept, "it could not be proved"))?;
    match proved {
        Proved::Equal => session.say("[✓] SQLite integrity_check: ok"),
        Proved::WrittenSince => {
            session.say("[✓] SQLite quick_check: ok (the application has written since)");
        }
    }
    session.say("");
    session.say("Done. You may need to restart your backend if it was running.");
    if let Kept::Backup(safety) = &kept {
        say_undo(session, safety);
    }
    session.document(&json!({
        "version": 1,
        "restored": plan.backup.to_json(session.now())?,
        "into": plan.target,
        "safety": match &kept { Kept::Backup(b) => Some(b.name.to_string()), _ => None },
        "set_aside": match &kept { Kept::Aside(folder) => Some(folder), _ => None },
        "content_blake3": verification.content_blake3,
        "written_since": proved == Proved::WrittenSince,
    }));
    after_restore(session, project, database)
}

fn could_not_restore(project: &Project, database: &Database, kept: &Kept, state: &str) -> String {
    let kept = match kept {
        Kept::Backup(safety) => format!("; `{}` is its safety backup", safety.name),
        Kept::Aside(folder) => format!("; its raw files are in `{}`", project.path(folder)),
        Kept::Nothing => String::new(),
    };
    format!(
        "could not restore `{}`: {state}{kept}",
        project.path(&database.path)
    )
}

fn say_undo(session: &mut Session, safety: &Backup) {
    session.say(format!("Undo with: cargo xtask db-restore {}", safety.name));
}

/// Keeps the present state: a safety backup, or its raw files set aside where it cannot be read.
fn keep(
    session: &mut Session,
    project: &Project,
    database: &Database,
    locked: &Locked<'_>,
    live: &Live,
) -> Result<Kept> {
    if *live == (Live::Absent { sidecars: false }) {
        session.say("[✓] There was no database to keep");
        return Ok(Kept::Nothing);
    }
    if matches!(live, Live::Readable(_)) {
        let wanted = Wanted {
            database,
            kind: Kind::Safety,
            label: None,
            pinned: false,
            git: project.git.as_ref().and_then(git::Place::state),
            now: session.now(),
            unless_equal: None,
        };
        let mut progress = Progress::new(session, "Keeping the present state");
        let interrupt = session.interrupt().clone();
        let taken = taking::take(locked, project, &wanted, &interrupt, &mut progress);
        drop(progress);
        match taken.context("could not take the safety backup; the database is untouched")? {
            Taken::Backup(backup, ..) => {
                let path = project.dotted(&backup.path());
                session.say(format!("[✓] Safety backup created → {path}"));
                return Ok(Kept::Backup(backup));
            }
            Taken::Damaged(findings) => {
                for finding in findings {
                    session.note(format!("The present database is damaged: {finding}"));
                }
            }
            Taken::Unchanged => {}
        }
    }
    let time = session.now().naive_local();
    let folder = aside::set_aside(&database.path, locked.vault().folder(), time)?;
    session.say(format!(
        "[✓] Raw files set aside → {}",
        project.dotted(&folder)
    ));
    Ok(Kept::Aside(folder))
}

/// Runs the host's commands that rebuild derived data; the restored data stays whatever they do.
fn after_restore(session: &mut Session, project: &Project, database: &Database) -> Result<Answer> {
    for command in &database.after_restore {
        session.note(format!("Running {}", command.join(" ")));
        hostcommand::run(project, database, command, &database.path).map_err(|error| {
            error.context(Refusal {
                what: format!("the data is restored, but `{}` failed", command.join(" ")),
                hint: "run it by hand; the database holds the backup's content".to_owned(),
                exit: Exit::CouldNot,
            })
        })?;
    }
    Ok(Answer::Yes)
}

fn say_plan(session: &mut Session, project: &Project, database: &Database, plan: &Plan) {
    let place = project.place(database);
    match &plan.live {
        Live::Absent { sidecars: false } => session.say("There is no database to keep"),
        Live::Readable(_) => {
            let folder = project.dotted(&project.backups);
            session.say(format!(
                "Would create a safety backup of {place} in {folder}"
            ));
        }
        Live::Unreadable(why) => {
            session.say(format!(
                "Would set the raw files of {place} aside: {}",
                text::plain(why)
            ));
        }
        Live::Absent { sidecars: true } | Live::MayBeEncrypted => {
            session.say(format!("Would set the raw files of {place} aside"));
        }
    }
    if let Some(page_size_bytes) = plan.convert_to_bytes {
        session.say(format!(
            "Would convert a copy to the page size {page_size_bytes} first"
        ));
    }
    let size = text::size(plan.backup.size_bytes);
    session.say(format!(
        "Would restore {} ({size}) → {place}",
        plan.backup.name
    ));
    for command in &database.after_restore {
        session.say(format!("Would run {}", command.join(" ")));
    }
    session.document(&json!({
        "version": 1,
        "dry_run": true,
        "would_restore": plan.backup.name.to_string(),
        "into": plan.target,
    }));
}

/// Points out that the code expects a newer schema than the backup has.
fn point_out_old_schema(
    session: &mut Session,
    project: &Project,
    database: &Database,
    verification: &Verification,
) {
    let Some(version) = verification
        .examination
        .schema_version
        .filter(|version| *version > 0)
    else {
        return;
    };
    let newest = newest_migration(&project.root, &database.schema);
    if let Some((newest, file)) = newest
        && version < newest
    {
        session.note(format!(
            "Note: the backup has schema version {version}, the code's newest migration is {newest} \
             ({}): run the migrations afterwards{}",
            project.path(&file),
            match database.migrate.join(" ") {
                command if command.is_empty() => String::new(),
                command => format!(" with `{command}`"),
            }
        ));
    }
}

/// The highest number that begins the name of a schema file, or of its folder.
fn newest_migration(root: &Path, patterns: &[String]) -> Option<(i64, PathBuf)> {
    let root = glob::Pattern::escape(&root.to_string_lossy());
    let files = patterns
        .iter()
        .filter_map(|pattern| glob::glob(&format!("{root}/{pattern}")).ok())
        .flatten()
        .flatten();
    files
        .filter_map(|file| Some((number_of(&file)?, file)))
        .max()
}

fn number_of(file: &Path) -> Option<i64> {
    let leading = |name: &str| {
        // diesel writes 2024-05-01-120000_name/up.sql
        let name = name.strip_prefix(['V', 'm']).unwrap_or(name);
        let end = name
            .find(|c: char| !c.is_ascii_digit() && c != '-')
            .unwrap_or(name.len());
        name[..end].replace('-', "").parse().ok()
    };
    let own = leading(file.file_name()?.to_str()?);
    own.or_else(|| leading(file.parent()?.file_name()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_by_their_names() {
        for (file, number) in [
            ("m/0003_search.sql", Some(3)),
            ("m/20240501120000_a.sql", Some(20_240_501_120_000)),
            ("m/2024-05-01-120000_a/up.sql", Some(20_240_501_120_000)),
            ("m/V2__a.sql", Some(2)),
            ("m/schema.sql", None),
        ] {
            assert_eq!(number_of(Path::new(file)), number, "{file}");
        }
    }
}
