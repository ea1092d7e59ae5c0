//! One backup of each database, or none if `--if-changed` finds it unchanged.

use std::path::PathBuf;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::backups::record::Record;
use crate::backups::vault::Vault;
use crate::backups::writer::Locked;
use crate::backups::{privacy, set_aside};
use crate::capture::request::{Capture, Taken, Wanted};
use crate::capture::{self, checkpoint};
use crate::console::refusal::Refusal;
use crate::console::{secrets, text};
use crate::files::free_space;
use crate::git::recorded;
use crate::host::project::{Database, Project};
use crate::host::session::{Session, failure};
use crate::operations::retain::prune_automatic;
use crate::sqlite::examination::finding::{Finding, Weight};
use crate::sqlite::probe::{self, Standing};

/// The backups to take.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Request {
    /// Label that the user gives them.
    pub(crate) label: Option<String>,
    /// Whether pruning must leave them.
    pub(crate) pin: bool,
    /// The folder to write to, if not the backups folder.
    pub(crate) output: Option<PathBuf>,
    /// Whether the newest intact backup is enough if it has the same content.
    pub(crate) if_changed: bool,
    /// Whether the raw files of a damaged database are set aside.
    pub(crate) damaged: bool,
    /// Why they are taken.
    pub(crate) kind: Kind,
    /// How they are stored, if not as configured.
    pub(crate) format: Option<Format>,
    /// Name of the only database to back up, if one is named.
    pub(crate) database: Option<String>,
    /// Whether the configured retention follows a backup of an automatic kind.
    pub(crate) retain: bool,
}

/// The folder that the backups of all databases go to.
struct Folder<'a> {
    project: &'a Project,
    locked: &'a Locked<'a>,
    /// The part of the repository's state that a record contains.
    git: Option<recorded::Git>,
}

/// Result for one database.
pub(crate) enum Done {
    Backup(Box<Backup>),
    Unchanged(Backup),
    Aside(PathBuf),
}

impl Request {
    /// The request of `db-setup`: a backup of each database that has changed since its newest one.
    pub(crate) fn if_changed(database: Option<String>) -> Self {
        Self {
            label: None,
            pin: false,
            output: None,
            if_changed: true,
            damaged: false,
            kind: Kind::Manual,
            format: None,
            database,
            retain: true,
        }
    }

    /// The same; returns, for each database, the new backup or the equal one.
    pub(crate) fn take_all(&self, session: &mut Session, project: &Project) -> Result<Vec<Backup>> {
        let done = self.back_up_each(session, project)?.into_iter();
        let backups = done.filter_map(|(_, one)| match one {
            Done::Backup(backup) => Some(*backup),
            Done::Unchanged(backup) => Some(backup),
            Done::Aside(_) => None,
        });
        Ok(backups.collect())
    }

    pub(crate) fn back_up_each(
        &self,
        session: &mut Session,
        project: &Project,
    ) -> Result<Vec<(String, Done)>> {
        let databases = project.chosen(self.database.as_deref())?;
        let folder = match &self.output {
            Some(folder) => session.folder().join(folder),
            None => project.backups.clone(),
        };
        let vault = match &self.output {
            Some(_) => Vault::for_project(project, &folder, session.now()),
            None => Vault::of(project, session.now()),
        };
        let locked = vault.lock(project.busy_timeout, session.interrupt())?;
        if self.output.is_none() {
            locked.keep_private()?;
            if let Some(open) = privacy::open_to_others(&vault, &project.root) {
                session.warn(format!("{}: `{}` closes it", open.what, open.remedy));
            }
        }
        let git = project.git.as_ref().and_then(crate::git::repository::Place::state);
        let folder = Folder { project, locked: &locked, git };
        let mut done = Vec::new();
        let mut failure = None;
        for database in &databases {
            match self.one(session, &folder, database) {
                Ok(one) => done.push((database.name.clone(), one)),
                Err(error) => {
                    // Every database gets its turn; the last error is the printer's.
                    if let Some(earlier) = failure.replace(error) {
                        session.complain(&failure::layout(&earlier).0);
                    }
                }
            }
            if self.kind.is_automatic() && self.retain {
                prune_automatic(session, project, &locked, database)?;
            }
        }
        failure.map_or(Ok(done), Err)
    }

    fn one(&self, session: &mut Session, folder: &Folder<'_>, database: &Database) -> Result<Done> {
        let Folder { project, locked, git } = folder;
        warn_of_network(session, project, database);
        let format = self.format.unwrap_or_else(|| project.format(self.kind));
        let wanted = Wanted {
            label: self.label.as_deref().map(|label| secrets::masked(label).into_owned()),
            pinned: self.pin,
            git: git.clone(),
            format,
            ..Wanted::new(database, self.kind, session.now())
        };
        let newest = if self.if_changed || self.kind.is_automatic() {
            let interrupt = session.interrupt().clone();
            let capture = Capture { locked, project, wanted: &wanted };
            let (newest, remark) = checkpoint::newest_whole(capture, &interrupt)?;
            if let Some(remark) = remark {
                session.warn(remark);
            }
            newest
        } else {
            None
        };
        let unless_equal = newest.as_ref().and_then(Backup::record);
        let wanted = Wanted { unless_equal, now: session.now(), ..wanted };
        let capture = Capture { locked, project, wanted: &wanted };
        let mut progress = session.progress("Copying");
        let taken = if self.if_changed {
            capture::take(capture, &mut progress)
        } else {
            checkpoint::take(capture, newest.as_ref(), &mut progress)
        };
        drop(progress);
        match (taken, &newest) {
            (Ok(Taken::Backup(backup, version, took, _)), _) => {
                session.say(format!("Backup created at {}", project.dotted(&backup.path())));
                if let Some(record) = backup.record() {
                    session.say(summary(record, version, took));
                    warn_of_findings(session, &record.examined.findings);
                }
                Ok(Done::Backup(backup))
            }
            (Ok(Taken::Linked(backup, equal)), _) => {
                session.say(format!("Backup created at {}", project.dotted(&backup.path())));
                session.say(format!("Unchanged since {equal}: a hard link, no space used"));
                Ok(Done::Backup(backup))
            }
            (Ok(Taken::Unchanged), Some(newest)) => {
                let place = project.dotted(&newest.path());
                session.say(format!("Unchanged since {place}: no new backup was needed"));
                Ok(Done::Unchanged(newest.clone()))
            }
            (Ok(Taken::Unchanged), None) => anyhow::bail!("nothing to compare with was given"),
            (Ok(Taken::Damaged(findings)), _) => self.damaged(session, folder, database, &findings),
            (Err(error), _) if self.damaged && is_unreadable(database)? => {
                let findings = [Finding::structural(error.to_string())];
                self.damaged(session, folder, database, &findings)
            }
            (Err(error), _) if error.downcast_ref::<Refusal>().is_some() => Err(error),
            (Err(error), _) => {
                Err(error.context(format!("could not back up {}", project.quoted_place(database))))
            }
        }
    }

    fn damaged(
        &self,
        session: &mut Session,
        folder: &Folder<'_>,
        database: &Database,
        findings: &[Finding],
    ) -> Result<Done> {
        let Folder { project, locked, .. } = folder;
        let path = project.quoted_place(database);
        let n = text::count(findings.len() as u64, "structural finding");
        session.warn(format!("{path} is damaged: {n}"));
        for finding in findings {
            session.warn(format!("  {finding}"));
        }
        if !self.damaged {
            return Err(Refusal::no(
                format!("{path} is structurally damaged, so no backup of it was published"),
                "keep its raw files with `cargo xtask db-backup --damaged`; `cargo xtask \
                 db-restore` restores an older backup",
            ));
        }
        let time = session.now().naive_local();
        let folder = set_aside::set_aside(database.file()?, locked.vault().folder(), time)?.folder;
        session.say(format!("Raw files set aside in {}", project.dotted(&folder)));
        Ok(Done::Aside(folder))
    }
}

fn is_unreadable(database: &Database) -> Result<bool> {
    Ok(matches!(probe::look(database.file()?)?, Standing::Foreign { .. } | Standing::Empty))
}

fn warn_of_network(session: &mut Session, project: &Project, database: &Database) {
    if let Some(kind) = database.file_if_any().and_then(free_space::network) {
        session.warn(format!(
            "{} is on {kind}: SQLite's locks are not reliable there; move the database to a local \
             disk",
            project.place(database)
        ));
    }
}

/// The line under "Backup created": size, tables, schema, how it was examined, in how long.
fn summary(record: &Record, version: Option<i64>, took: std::time::Duration) -> String {
    let tables = text::count(record.tables.len() as u64, "table");
    let rows = text::count(record.n_rows(), "row");
    let version = version.map_or_else(String::new, |v| format!(", schema version {v}"));
    if let Some(postgres) = &record.postgres {
        let (size, took) = (text::size(record.size_bytes), text::took(took));
        let server = text::plain(&postgres.server_version);
        return format!(
            "{size}, {tables}, {rows}, from PostgreSQL {server}, BLAKE3 of each table recorded, in {took}"
        );
    }
    let examined = match record.examined.findings.iter().map(|f| f.kind).max() {
        None => "quick_check ok".to_owned(),
        Some(Weight::Unchecked) => "quick_check incomplete".to_owned(),
        Some(_) => {
            let n = record.examined.findings.len() as u64;
            format!("quick_check: {}", text::count(n, "data finding"))
        }
    };
    let size = text::size(record.size_bytes);
    let took = text::took(took);
    format!("{size}, {tables}, {rows}{version}, {examined}, BLAKE3 recorded, in {took}")
}

fn warn_of_findings(session: &mut Session, findings: &[Finding]) {
    for finding in findings {
        session.warn(finding.to_string());
    }
    if findings.iter().any(|finding| finding.kind == Weight::Data) {
        session.warn("the backup is an exact copy; these findings are in the database itself");
    }
}
