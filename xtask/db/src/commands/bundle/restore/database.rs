//! The database of a bundle: its backup goes into the backups folder, and then the ordinary restore does the rest.

use anyhow::{Context, Result};

use crate::backups::backup::Backup;
use crate::backups::kind::Kind as BackupKind;
use crate::backups::reader::Contents;
use crate::backups::record::Record;
use crate::backups::vault::Vault;
use crate::bundle::journal::{OLD, State};
use crate::commands::bundle::RestoreArgs;
use crate::commands::bundle::restore::{Restoring, server};
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::host::project::{Database, Location, Project};
use crate::host::session::Session;
use crate::operations::restore::request::Request;

impl Restoring {
    pub(super) fn restore_database(
        &mut self,
        session: &mut Session,
        args: &RestoreArgs,
        at: usize,
    ) -> Result<()> {
        let project = self.project(session, args)?;
        let name = self.journal.steps[at].name.clone();
        let database = project.one(Some(&name))?;
        if self.journal.steps[at].backup.is_none() {
            let backup = self.publish(session, &project, at)?;
            self.journal.steps[at].backup = Some(backup.name.to_string());
            self.note(at, State::Waiting)?;
        }
        if self.journal.steps[at].state == State::Waiting {
            let existed = exists(session, &project, &database)?;
            let step = &mut self.journal.steps[at];
            step.existed = Some(existed);
            step.sequence_before = Some(highest(session, &project)?);
            self.note(at, State::Switching)?;
        }
        if let Location::Server(server) = &database.location
            && !exists(session, &project, &database)?
        {
            server::create(session, &project, server)?;
        }
        let backup = self.journal.steps[at].backup.clone().context("it has no backup")?;
        restore(session, &project, &name, backup)?;
        self.journal.steps[at].safety = self.safety(session, &project, at)?;
        // If it has none, there was no database: a later one belongs to another restore.
        self.journal.steps[at].sequence_before = None;
        self.note(at, State::Done)
    }

    /// The project as it is now: by this time, `.env` may be in its place.
    pub(super) fn project(&self, session: &mut Session, args: &RestoreArgs) -> Result<Project> {
        match args.common.project_to_recover(session) {
            Err(_) if !self.given.is_empty() => session.project_with(&self.given),
            project => project,
        }
    }

    /// Publishes the backup of a bundle in the backups folder, as any other.
    fn publish(&self, session: &Session, project: &Project, at: usize) -> Result<Backup> {
        let folder = &self.journal.steps[at].new;
        let there = Vault::for_project(project, folder, session.now()).backups()?;
        let [backup] = &there[..] else {
            anyhow::bail!("the item `{}` is not one backup", self.journal.steps[at].name);
        };
        let record = backup.record().context("the backup in the bundle has no record")?;
        let vault = Vault::of(project, session.now());
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        locked.keep_private()?;
        let is_same = |one: &&Backup| {
            one.record()
                .is_some_and(|other| other.file == record.file && other.blake3 == record.blake3)
        };
        if let Some(same) = locked.backups()?.iter().find(is_same) {
            return Ok(same.clone());
        }
        let stage = locked.stage(&backup.name)?;
        let hashes = Contents::open(backup)?.copy_into(&stage, session.interrupt())?;
        anyhow::ensure!(
            hashes.blake3 == record.blake3,
            "the backup in the bundle is not the one that its record describes"
        );
        stage.sync()?;
        let sequence = locked.next_sequence()?;
        locked.publish(&stage, backup.name.clone(), Record { sequence, ..record.clone() })
    }

    /// Refuses an undo that would end in the middle, because a safety backup was pruned or removed since.
    pub(super) fn demand_safety_backups(
        &self,
        session: &mut Session,
        args: &RestoreArgs,
    ) -> Result<()> {
        let project = self.project(session, args)?;
        let backups = Vault::of(&project, session.now()).backups()?;
        for step in &self.journal.steps {
            let Some(safety) = &step.safety else { continue };
            if !backups.iter().any(|backup| backup.name.to_string() == *safety) {
                return Err(Refusal::could_not(
                    format!(
                        "the safety backup of `{}`, {safety}, is gone: the restore cannot be undone",
                        step.name
                    ),
                    format!(
                        "restore an older backup with `cargo xtask db-restore --db {}`; replaced files are in `{}`",
                        step.name,
                        self.folder.join(OLD).display()
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Undoes the restore of a database: what it replaced is a safety backup.
    pub(super) fn undo_database(
        &mut self,
        session: &mut Session,
        args: &RestoreArgs,
        at: usize,
    ) -> Result<()> {
        let project = self.project(session, args)?;
        let step = &self.journal.steps[at];
        let (name, existed) = (step.name.clone(), step.existed == Some(true));
        let database = project.one(Some(&name))?;
        let safety = match &step.safety {
            Some(safety) => Some(safety.clone()),
            // It was interrupted before that was noted.
            None => self.safety(session, &project, at)?,
        };
        if let Some(safety) = safety {
            return restore(session, &project, &name, safety);
        }
        if !existed {
            session.warn(format!(
                "{} was not there before the restore, and stays: remove it if you do not want it",
                project.quoted_place(&database)
            ));
        }
        Ok(())
    }
}

impl Restoring {
    /// The safety backup of what the restore of a database replaced: the first one since, because a restore that was
    /// repeated has taken further ones. None if the database already was as the bundle has it.
    fn safety(&self, session: &Session, project: &Project, at: usize) -> Result<Option<String>> {
        let step = &self.journal.steps[at];
        let before = step.sequence_before.unwrap_or(u64::MAX);
        let backups = Vault::of(project, session.now()).backups()?;
        let is_safety = |one: &&Backup| {
            one.kind() == Some(BackupKind::Safety)
                && one
                    .record()
                    .is_some_and(|record| record.database == step.name && record.sequence > before)
        };
        let sequence = |one: &&Backup| one.record().map(|record| record.sequence);
        let first = backups.iter().filter(is_safety).min_by_key(sequence);
        Ok(first.map(|backup| backup.name.to_string()))
    }
}

/// Restores a backup by the ordinary way.
fn restore(session: &mut Session, project: &Project, database: &str, backup: String) -> Result<()> {
    let request = Request {
        reference: Some(backup),
        yes: true,
        into: None,
        tables: Vec::new(),
        dry_run: false,
        way: None,
        force: false,
        command: "db-bundle",
        if_live: None,
        database: Some(database.to_owned()),
    };
    match request.run(session, project)? {
        Answer::Yes => Ok(()),
        _ => Err(Refusal::no(
            format!("`{}` was not restored", text::plain(database)),
            "the messages above have the reason",
        )),
    }
}

/// The highest number of a backup in the folder.
fn highest(session: &Session, project: &Project) -> Result<u64> {
    let backups = Vault::of(project, session.now()).backups()?;
    Ok(backups
        .iter()
        .filter_map(|one| one.record().map(|record| record.sequence))
        .max()
        .unwrap_or(0))
}

/// Whether a database is there: its file, or its name on the server.
fn exists(session: &Session, project: &Project, database: &Database) -> Result<bool> {
    match &database.location {
        Location::File(path) => Ok(path.exists()),
        Location::Server(server) => server::has(session, project, server),
    }
}
