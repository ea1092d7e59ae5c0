//! The plan of a restore, which reads both sides and touches nothing.
//!
//! It decides what happens to the current state (`Live`), whether the restore is safe at all, and
//! whether there is room for it. `restore/write.rs` applies it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::reader::Contents;
use crate::backups::set_aside;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::files::{free_space, holders};
use crate::sqlite::connection::{self, quoted};
use crate::sqlite::header::Header;
use crate::sqlite::probe::{self, Standing};
use crate::sqlite::snapshot::Snapshot;
use crate::sqlite::trouble::{self, Trouble, trouble};
use crate::sqlite::{access, read_only};

/// The live database as a restore finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Live {
    /// There is no file, or one of 0 bytes; sidecars may be there.
    Absent {
        /// Whether there is a WAL or journal without its database.
        sidecars: bool,
    },
    /// SQLite reads it.
    Readable(Shape),
    /// SQLite cannot read it, and why.
    Unreadable(String),
    /// It may be an encrypted database.
    MayBeEncrypted,
}

/// The settings that two databases must share, in one snapshot: the file's own header may be older
/// than the WAL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Page size.
    pub(crate) page_size_bytes: u64,
    /// `UTF-8`, `UTF-16le` or `UTF-16be`.
    pub(crate) encoding: String,
    /// Whether the journal is a WAL.
    pub(crate) wal: bool,
}

/// Plan of a restore.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Backup from which the pages come.
    pub backup: Backup,
    /// The header of the backup.
    pub header: Header,
    /// File to which they are written; a symbolic link is resolved.
    pub target: PathBuf,
    /// Current state of the destination.
    pub live: Live,
    /// The page size that a private copy is converted to first, if the live WAL asks for it.
    pub convert_to_bytes: Option<u64>,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
}

/// The destination of a restore, and its conditions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination<'a> {
    /// The file whose content is replaced.
    pub path: &'a Path,
    /// The folder that the safety backup goes to.
    pub backups: &'a Path,
    /// Whether a file that may be an encrypted database is replaced too.
    pub force: bool,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
}

/// Looks at both sides and decides; touches nothing.
///
/// # Errors
///
/// A refusal if the restore would not be safe; a failure if the live database stays locked.
pub(crate) fn plan(
    backup: &Backup,
    destination: &Destination<'_>,
    interrupt: &Interrupt,
) -> Result<Plan> {
    let contents = Contents::open(backup)?;
    let Standing::Sqlite(header) = contents.standing()? else {
        return Err(Refusal::no(
            format!("`{}` is not an SQLite database", backup.name),
            "choose another backup with `cargo xtask db-list`; the database is untouched",
        ));
    };
    let plan = Plan::onto_what_is_there(backup, header, destination)?;
    if plan.convert_to_bytes.is_some() {
        refuse_renumbering(&contents, interrupt)?;
    }
    demand_space(&plan, destination.backups)?;
    Ok(plan)
}

impl Plan {
    /// Makes the plan again: the live database may have appeared, disappeared or changed while a
    /// question was open; the backup has not.
    ///
    /// # Errors
    ///
    /// As [`plan`].
    pub(crate) fn anew(
        &self,
        destination: &Destination<'_>,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let plan = Self::onto_what_is_there(&self.backup, self.header, destination)?;
        if plan.convert_to_bytes.is_some() && self.convert_to_bytes.is_none() {
            refuse_renumbering(&Contents::open(&self.backup)?, interrupt)?;
        }
        demand_space(&plan, destination.backups)?;
        Ok(plan)
    }

    fn onto_what_is_there(
        backup: &Backup,
        header: Header,
        destination: &Destination<'_>,
    ) -> Result<Self> {
        let Destination { path, force, busy_timeout, .. } = *destination;
        let (target, live) = present(path, force, busy_timeout)?;
        let backup = backup.clone();
        let convert_to_bytes = None;
        let mut plan = Self { backup, header, target, live, convert_to_bytes, busy_timeout };
        if let Live::Readable(live) = &plan.live {
            refuse_other_encoding(&plan, live, force)?;
            if live.wal && live.page_size_bytes != header.page_size_bytes() {
                plan.convert_to_bytes = Some(live.page_size_bytes);
            }
        }
        Ok(plan)
    }
}

/// The current state of the file at a path, through symbolic links, if it may be replaced.
///
/// # Errors
///
/// A refusal if it may be an encrypted database, or was deleted while somebody has it open, and
/// force is not used; a failure if it stays locked.
pub(crate) fn present(
    target: &Path,
    force: bool,
    busy_timeout: Duration,
) -> Result<(PathBuf, Live)> {
    let target = resolve(target)?;
    access::demand_writable(&target)?;
    let live = live(&target, busy_timeout)?;
    if live == Live::MayBeEncrypted && !force {
        return Err(Refusal::could_not(
            format!(
                "`{}` may be an encrypted database, which xtask-db cannot read",
                target.display()
            ),
            "with `--force` its raw files are set aside and it is replaced",
        ));
    }
    if matches!(live, Live::Absent { .. }) {
        refuse_deleted_file(&target, force)?;
    }
    Ok((target, live))
}

/// The file behind symbolic links, or the path itself if nothing exists there yet.
fn resolve(target: &Path) -> Result<PathBuf> {
    match fs_err::canonicalize(target) {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if fs_err::symlink_metadata(target).is_ok() {
                return Err(Refusal::could_not(
                    format!("`{}` is a dangling symbolic link", target.display()),
                    "create the folder it points into, or remove the link",
                ));
            }
            Ok(std::path::absolute(target)?)
        }
        Err(error) => Err(error.into()),
    }
}

fn live(target: &Path, busy_timeout: Duration) -> Result<Live> {
    let absent = || Live::Absent {
        sidecars: set_aside::raw_files(target).len() > usize::from(target.is_file()),
    };
    match probe::look(target)? {
        Standing::Missing | Standing::Empty => Ok(absent()),
        Standing::Other(engine) => Err(Refusal::could_not(
            format!("`{}` is {}", target.display(), engine.what),
            engine.hint,
        )),
        Standing::NotAFile(kind) => Err(Refusal::could_not(
            format!("`{}` is {kind}, not a database", target.display()),
            "correct the configured path, or move what is there away",
        )),
        Standing::Foreign { may_be_encrypted: true } => Ok(Live::MayBeEncrypted),
        Standing::Foreign { .. } => Ok(Live::Unreadable("it is not an SQLite database".to_owned())),
        Standing::Sqlite(_) => {
            let read = || -> Result<Shape> {
                let connection = read_only::open(target, busy_timeout)?;
                let snapshot = Snapshot::begin(&connection)?;
                Ok(Shape {
                    page_size_bytes: snapshot.page_size_bytes,
                    encoding: connection::pragma(&connection, "encoding")?,
                    wal: snapshot.journal_mode == "wal",
                })
            };
            match read() {
                Ok(shape) => Ok(Live::Readable(shape)),
                Err(error) if trouble(&error) == Trouble::Damaged => {
                    Ok(Live::Unreadable(trouble::message(&error)))
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// An application that has the deleted file open still writes into it, and nobody else can read that.
fn refuse_deleted_file(target: &Path, force: bool) -> Result<()> {
    let holders = holders::of_deleted(target);
    if holders.is_empty() || force {
        return Ok(());
    }
    let who = holders::sentence_of(&holders);
    Err(Refusal::locked(
        format!("`{}` was deleted while in use{who}", target.display()),
        format!(
            "its data can be copied from `/proc/{}/fd`; then stop the application and restore \
             again, or pass `--force`: what it writes from now on is lost",
            holders[0].pid
        ),
    ))
}

/// Connections that are open would fail from then on with "attached databases must use the same text
/// encoding as main database".
fn refuse_other_encoding(plan: &Plan, live: &Shape, force: bool) -> Result<()> {
    if live.encoding == plan.header.encoding() {
        return Ok(());
    }
    let both =
        format!("the backup is {}, the live database {}", plan.header.encoding(), live.encoding);
    match holders::of(&plan.target) {
        Some(holders) if !holders.seen.is_empty() => Err(Refusal::could_not(
            format!("{both}{}", holders::sentence_of(&holders.seen)),
            "stop the application and restore again; the database is untouched",
        )),
        Some(holders) if holders.complete => Ok(()),
        _ if force => Ok(()),
        _ => Err(Refusal::could_not(
            format!("{both}, and it is unknown whether another user has it open"),
            "stop the application and restore again with `--force`; the database is untouched",
        )),
    }
}

/// The conversion of a page size renumbers the rowids of tables without INTEGER PRIMARY KEY; a
/// full-text index or an application that kept such rowids would then find the wrong rows.
fn refuse_renumbering(contents: &Contents, interrupt: &Interrupt) -> Result<()> {
    let file = contents.file(interrupt)?;
    let connection = connection::open_immutable(file.path())?;
    let mut statement = connection.prepare(
        "SELECT t.name FROM pragma_table_list AS t
         WHERE t.schema = 'main' AND t.type = 'table' AND NOT t.wr
           AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) AS c
                           WHERE c.pk = 1 AND upper(c.type) = 'INTEGER')",
    )?;
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in tables {
        let any = format!("SELECT EXISTS (SELECT 1 FROM {})", quoted(&table));
        if connection.query_row(&any, [], |row| row.get::<_, bool>(0))? {
            return Err(Refusal::could_not(
                format!(
                    "the page sizes differ, and converting would renumber the rowids of `{table}`"
                ),
                "stop the application, run `PRAGMA journal_mode=DELETE` on the live database and \
                 restore again: then no conversion is needed",
            ));
        }
    }
    Ok(())
}

fn demand_space(plan: &Plan, backups: &Path) -> Result<()> {
    let raw_bytes: u64 = set_aside::raw_files(&plan.target)
        .iter()
        .filter_map(|path| Some(fs_err::metadata(path).ok()?.len()))
        .sum();
    let new_bytes = plan.backup.size_bytes;
    let live_bytes = fs_err::metadata(&plan.target).map_or(0, |metadata| metadata.len());
    let is_readable = matches!(plan.live, Live::Readable(_));
    // The backup API reads from a plain file only; so does a conversion.
    let for_file = plan.backup.name.format == Format::Pages && !is_readable;
    let copied_bytes = if plan.convert_to_bytes.is_some() || for_file { new_bytes } else { 0 };
    // Beside the safety copy: a WAL grows by the backup, a rollback journal by the old database.
    let for_backups = raw_bytes + copied_bytes;
    let for_target = match &plan.live {
        Live::Readable(shape) if shape.wal => new_bytes + new_bytes.saturating_sub(live_bytes),
        Live::Absent { .. } => new_bytes,
        _ => live_bytes + new_bytes.saturating_sub(live_bytes),
    };
    let folder = plan.target.parent().unwrap_or(Path::new("/"));
    if free_space::same_file_system(folder, backups) {
        return free_space::demand(
            folder,
            for_backups + for_target,
            "this restore with its safety backup",
        );
    }
    free_space::demand(backups, for_backups, "the safety backup")?;
    free_space::demand(folder, for_target, "this restore")
}
