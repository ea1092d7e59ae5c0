//! Putting a backup back: a plan that touches nothing, then the safety backup, the write through
//! SQLite's own locks, and the proof.
//!
//! The live database and its sidecars are never renamed, copied over or unlinked: an application
//! that runs would go on writing into a file that nobody reads again. Instead the backup's pages are
//! written *into* the live file in one transaction (`synchronous=EXTRA`, because at FULL a power cut
//! right after "success" brought the old state back in rollback mode), so that everybody sees either
//! the old or the new state and keeps working.

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::aside;
use crate::backup::Backup;
use crate::copy::{self, Locking};
use crate::database::{self, Snapshot, Trouble, quoted, trouble};
use crate::durable::{self, Stage};
use crate::examination::{self, Depth, Finding, Weight};
use crate::holders;
use crate::interrupt::Interrupt;
use crate::locked::Locked;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::space;
use crate::standing::{self, Header, Standing};
use crate::taking;

/// The live database as a restore finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Live {
    /// Nothing there, or a file of 0 bytes; sidecars may lie about.
    Absent {
        /// Whether a WAL or journal without its database lies there.
        sidecars: bool,
    },
    /// SQLite reads it.
    Readable(Shape),
    /// SQLite cannot read it, and why.
    Unreadable(String),
    /// It may be an encrypted database.
    MayBeEncrypted,
}

/// What must agree between two databases, as one snapshot has it: the file's own header may be older
/// than what stands in the WAL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Page size.
    pub(crate) page_size_bytes: u64,
    /// `UTF-8`, `UTF-16le` or `UTF-16be`.
    pub(crate) encoding: String,
    /// Whether the journal is a WAL.
    pub(crate) wal: bool,
}

/// What a restore will do.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Where the pages come from.
    pub backup: Backup,
    /// The header of the backup.
    pub header: Header,
    /// Where they go; a symbolic link is resolved.
    pub target: PathBuf,
    /// What is there now.
    pub live: Live,
    /// The page size that a private copy is converted to first, where the live WAL asks for it.
    pub convert_to_bytes: Option<u64>,
}

/// What `keep` fails with where SQLite reads the live database but finds it damaged: its raw files
/// must be set aside first, while no connection is open.
#[derive(Debug)]
pub(crate) struct LiveIsDamaged;

impl std::fmt::Display for LiveIsDamaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the present database is damaged")
    }
}

impl std::error::Error for LiveIsDamaged {}

/// How the result was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proved {
    /// The live database's content equals the backup's.
    Equal,
    /// Others have written since; what is there now is structurally sound.
    WrittenSince,
}

/// Looks at both sides and decides; touches nothing.
///
/// # Errors
///
/// A refusal where the restore would not be safe; a failure where the live database stays locked.
pub(crate) fn plan(
    backup: &Backup,
    target: &Path,
    backups: &Path,
    force: bool,
    busy_timeout: Duration,
) -> Result<Plan> {
    let target = resolve(target)?;
    let Standing::Sqlite(header) = standing::look(&backup.path())? else {
        return Err(Refusal::no(
            format!("`{}` is no SQLite database", backup.name),
            "choose another backup with `cargo xtask db-list`; the database is untouched",
        ));
    };
    let live = live(&target, busy_timeout)?;
    if live == Live::MayBeEncrypted && !force {
        return Err(Refusal::could_not(
            format!("`{}` may be an encrypted database, which this cannot read", target.display()),
            "with `--force` its raw files are set aside and the backup is put in its place",
        ));
    }
    let mut plan = Plan { backup: backup.clone(), header, target, live, convert_to_bytes: None };
    if let Live::Readable(live) = &plan.live {
        refuse_other_encoding(&plan, live, force)?;
        if live.wal && live.page_size_bytes != header.page_size_bytes() {
            refuse_renumbering(backup)?;
            plan.convert_to_bytes = Some(live.page_size_bytes);
        }
    }
    demand_space(&plan, backups)?;
    Ok(plan)
}

/// The file behind symbolic links, or the path itself where nothing is there yet.
fn resolve(target: &Path) -> Result<PathBuf> {
    match fs_err::canonicalize(target) {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if fs_err::symlink_metadata(target).is_ok() {
                return Err(Refusal::could_not(
                    format!("`{}` is a symbolic link to nothing", target.display()),
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
        sidecars: aside::raw_files(target).len() > usize::from(target.is_file()),
    };
    match standing::look(target)? {
        Standing::Missing | Standing::Empty => Ok(absent()),
        Standing::NotAFile(kind) => Err(Refusal::could_not(
            format!("`{}` is {kind}, not a database", target.display()),
            "correct the configured path, or move what is there away",
        )),
        Standing::Foreign { may_be_encrypted: true } => Ok(Live::MayBeEncrypted),
        Standing::Foreign { .. } => Ok(Live::Unreadable("it is no SQLite database".to_owned())),
        Standing::Sqlite(_) => {
            let read = || -> Result<Shape> {
                let connection = database::open_live(target, busy_timeout)?;
                let snapshot = Snapshot::begin(&connection)?;
                Ok(Shape {
                    page_size_bytes: snapshot.page_size_bytes,
                    encoding: database::pragma(&connection, "encoding")?,
                    wal: snapshot.journal_mode == "wal",
                })
            };
            match read() {
                Ok(shape) => Ok(Live::Readable(shape)),
                Err(error) if trouble(&error) == Trouble::Damaged => {
                    Ok(Live::Unreadable(database::message(&error)))
                }
                Err(error) => Err(error),
            }
        }
    }
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
        Some(holders) if holders.is_empty() => Ok(()),
        None if force => Ok(()),
        Some(_) => Err(Refusal::could_not(
            format!("{both}{}", holders::sentence(&plan.target)),
            "stop the application and restore again; the database is untouched",
        )),
        None => Err(Refusal::could_not(
            format!("{both}, and this system does not say who has it open"),
            "stop the application and restore again with `--force`; the database is untouched",
        )),
    }
}

/// The conversion of a page size renumbers the rowids of tables without INTEGER PRIMARY KEY; a
/// full-text index or an application that kept such rowids would then find the wrong rows.
fn refuse_renumbering(backup: &Backup) -> Result<()> {
    let connection = database::open_immutable(&backup.path())?;
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
                 restore again: no conversion is needed then",
            ));
        }
    }
    Ok(())
}

fn demand_space(plan: &Plan, backups: &Path) -> Result<()> {
    let raw_bytes: u64 = aside::raw_files(&plan.target)
        .iter()
        .filter_map(|path| Some(fs_err::metadata(path).ok()?.len()))
        .sum();
    let new_bytes = plan.backup.size_bytes;
    let live_bytes = fs_err::metadata(&plan.target).map_or(0, |metadata| metadata.len());
    let converted_bytes = if plan.convert_to_bytes.is_some() { new_bytes } else { 0 };
    // Beside the safety copy: a WAL grows by the backup, a rollback journal by the old database.
    let for_backups = raw_bytes + converted_bytes;
    let for_target = match &plan.live {
        Live::Readable(shape) if shape.wal => new_bytes + new_bytes.saturating_sub(live_bytes),
        Live::Absent { .. } => new_bytes,
        _ => live_bytes + new_bytes.saturating_sub(live_bytes),
    };
    let folder = plan.target.parent().unwrap_or(Path::new("/"));
    if same_file_system(folder, backups) {
        return space::demand(
            folder,
            for_backups + for_target,
            "this restore with its safety backup",
        );
    }
    space::demand(backups, for_backups, "the safety backup")?;
    space::demand(folder, for_target, "this restore")
}

fn same_file_system(a: &Path, b: &Path) -> bool {
    let device = |path: &Path| {
        let existing = path.ancestors().find(|path| path.exists())?;
        Some(fs_err::metadata(existing).ok()?.dev())
    };
    device(a) == device(b)
}

/// The pages as the live database takes them, kept until the restore is proved.
pub(crate) struct Source {
    path: PathBuf,
    content_blake3: String,
    _stage: Option<Stage>,
}

impl Source {
    /// The backup itself, or its private copy with the page size of the live database.
    ///
    /// # Errors
    ///
    /// Where the copy cannot be made.
    pub(crate) fn prepare(
        plan: &Plan,
        locked: &Locked<'_>,
        content_blake3: &str,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let Some(page_size_bytes) = plan.convert_to_bytes else {
            let content_blake3 = content_blake3.to_owned();
            return Ok(Self { path: plan.backup.path(), content_blake3, _stage: None });
        };
        let stage = locked.stage(&plan.backup.name)?;
        copy_file(&plan.backup.path(), &stage, interrupt)?;
        let connection = database::open_or_create(stage.path(), Duration::ZERO)?;
        {
            let _watched = interrupt.watch(&connection);
            connection.execute_batch(&format!(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
                 PRAGMA page_size={page_size_bytes}; VACUUM;"
            ))?;
        }
        connection.close().map_err(|(_, error)| error)?;
        let findings = examination::examine(stage.path(), Depth::Quick, interrupt)?.findings;
        anyhow::ensure!(
            !examination::has(&findings, Weight::Structural),
            "the converted copy failed its examination"
        );
        let connection = database::open_immutable(stage.path())?;
        let folder = locked.vault().folder();
        let content_blake3 = taking::content_hash(&connection, folder, interrupt)?;
        Ok(Self { path: stage.path().to_owned(), content_blake3, _stage: Some(stage) })
    }
}

/// Copies a finished file into an empty stage, hashing on the way.
///
/// # Errors
///
/// Where it cannot be read, or the disk is full or fails.
pub(crate) fn copy_file(
    from: &Path,
    stage: &Stage,
    interrupt: &Interrupt,
) -> Result<crate::content::Hashes> {
    use std::io::Read as _;

    let mut file = fs_err::File::open(from)?;
    let mut hashing = crate::content::Hashing::default();
    let mut piece = Vec::new();
    loop {
        interrupt.check()?;
        piece.clear();
        (&mut file).take(1 << 20).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(hashing.finish());
        }
        hashing.update(&piece);
        stage.append(&piece)?;
    }
}

/// Writes the pages into the target in one transaction and leaves it durable. `keep` keeps the
/// present state, while nobody else can commit: every write that was acknowledged is either in what
/// was kept last, or made after the restore. It may be called more than once.
///
/// # Errors
///
/// Where it stays locked, the disk is full or fails, or at the user's interrupt: the old state is
/// there then.
pub(crate) fn put_back(
    plan: &Plan,
    source: &Source,
    busy_timeout: Duration,
    interrupt: &Interrupt,
    progress: &mut Progress,
    mut keep: impl FnMut() -> Result<()>,
) -> Result<()> {
    let folder = plan.target.parent().context("a database lies in a folder")?;
    fs_err::create_dir_all(folder)?;
    let alone = holders::of(&plan.target).is_some_and(|holders| holders.is_empty());
    let is_new = !matches!(plan.live, Live::Readable(_));
    if is_new {
        keep()?;
    }
    // Closed after every connection: closing it earlier would drop their locks.
    let counter = ChangeCounter::of(&plan.target);
    let from = database::open_immutable(&source.path)?;
    let mut to = database::open_or_create(&plan.target, busy_timeout)?;
    match plan.live {
        // Read as empty until the restore commits: unreadable before, the backup afterwards.
        Live::Unreadable(_) | Live::MayBeEncrypted => set_reset(&to, true)?,
        Live::Absent { .. } => {
            let n_pages: i64 = database::pragma(&to, "page_count")?;
            anyhow::ensure!(n_pages == 0, "a database appeared there meanwhile; restore again");
        }
        Live::Readable(_) => {}
    }
    to.execute_batch("PRAGMA synchronous=EXTRA")?;
    progress.expect_bytes(plan.backup.size_bytes);
    let mut keeping = Keeping { plan, counter: &counter, busy_timeout, keep: &mut keep };
    for n_left in (0..MOST_RACES).rev() {
        let stepped = copy::step_through(&from, &mut to, interrupt, progress, &mut keeping);
        match stepped {
            Err(error) if n_left > 0 && error.downcast_ref::<Raced>().is_some() => {}
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    set_reset(&to, false)?;
    if is_new && plan.backup.record().is_some_and(|record| record.sqlite.journal_mode == "wal") {
        // The application sets its mode itself, as a rule; a restored file should not differ.
        database::pragma::<String>(&to, "journal_mode=WAL")?;
    }
    if alone {
        // Best effort: a WAL that stays is read with the database.
        let _ = to.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        to.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    }
    to.close().map_err(|(_, error)| error)?;
    drop(counter);
    if is_new {
        fs_err::File::open(&plan.target)?.sync_all()?;
        durable::sync_folder(folder)?;
    }
    Ok(())
}

/// How often a writer may slip in between the safety backup and the restore's own lock.
const MOST_RACES: u32 = 30;

/// A writer slipped in: what was kept is not the newest state any more.
#[derive(Debug)]
struct Raced;

impl std::fmt::Display for Raced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the application keeps committing between the safety backup and the restore")
    }
}

impl std::error::Error for Raced {}

/// Keeps the present state in the one moment in which nobody else can commit.
///
/// In WAL mode that is when the restore holds the write lock: readers still read. In
/// rollback-journal mode nobody can read then; so another connection holds writers back while the
/// state is kept, lets go right before the restore locks, and the change counter tells whether
/// anybody slipped in.
struct Keeping<'a, K> {
    plan: &'a Plan,
    counter: &'a ChangeCounter,
    busy_timeout: Duration,
    keep: &'a mut K,
}

impl<K: FnMut() -> Result<()>> Locking for Keeping<'_, K> {
    fn before(&mut self) -> Result<()> {
        match &self.plan.live {
            Live::Readable(shape) if !shape.wal => {
                let guard = database::open_live(&self.plan.target, self.busy_timeout)?;
                guard.execute_batch("BEGIN IMMEDIATE")?;
                (self.keep)()?;
                self.counter.remember()
            }
            _ => Ok(()),
        }
    }

    fn locked(&mut self) -> Result<()> {
        match &self.plan.live {
            Live::Readable(shape) if shape.wal => (self.keep)(),
            Live::Readable(_) if self.counter.has_changed()? => Err(Raced.into()),
            _ => Ok(()),
        }
    }
}

/// The change counter in the header of a database in rollback-journal mode: every commit raises it
/// (<https://sqlite.org/fileformat2.html#file_change_counter>). In WAL mode it says nothing.
struct ChangeCounter {
    file: Option<fs_err::File>,
    seen: std::cell::Cell<Option<[u8; 4]>>,
}

impl ChangeCounter {
    fn of(path: &Path) -> Self {
        Self { file: fs_err::File::open(path).ok(), seen: std::cell::Cell::new(None) }
    }

    fn read(&self) -> Result<Option<[u8; 4]>> {
        let mut counter = [0; 4];
        let Some(file) = &self.file else { return Ok(None) };
        file.file().read_exact_at(&mut counter, 24)?;
        Ok(Some(counter))
    }

    fn remember(&self) -> Result<()> {
        self.seen.set(self.read()?);
        Ok(())
    }

    fn has_changed(&self) -> Result<bool> {
        Ok(self.read()? != self.seen.get())
    }
}

/// Whether SQLite takes an unreadable database for an empty one
/// (<https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigresetdatabase>).
fn set_reset(connection: &Connection, on: bool) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, on)?;
    Ok(())
}

/// Reads the live database once more and compares its content with the source's.
///
/// # Errors
///
/// Where they differ though nobody else could have written, or the live database is damaged.
pub(crate) fn prove(
    plan: &Plan,
    source: &Source,
    scratch: &Path,
    busy_timeout: Duration,
    interrupt: &Interrupt,
) -> Result<Proved> {
    let connection = database::open_live(&plan.target, busy_timeout)?;
    if taking::content_hash(&connection, scratch, interrupt)? == source.content_blake3 {
        return Ok(Proved::Equal);
    }
    let others = holders::of(&plan.target).is_none_or(|holders| !holders.is_empty());
    anyhow::ensure!(
        others,
        "the live database is not equal to the backup, though nobody else has it open"
    );
    let _watched = interrupt.watch(&connection);
    let findings = examination::check(&connection, Depth::Quick)?;
    let first = findings.iter().find(|finding| finding.kind == Weight::Structural);
    match first.map(Finding::to_string) {
        None => Ok(Proved::WrittenSince),
        Some(finding) => anyhow::bail!("the live database is damaged after the restore: {finding}"),
    }
}

/// Restores a backup into a scratch file as a real restore would and compares the contents.
///
/// # Errors
///
/// Where any step fails or the contents differ.
pub(crate) fn drill(
    backup: &Backup,
    locked: &Locked<'_>,
    content_blake3: &str,
    interrupt: &Interrupt,
) -> Result<()> {
    let stage = locked.stage(&backup.name)?;
    let folder = locked.vault().folder();
    let plan = plan(backup, stage.path(), folder, false, Duration::ZERO)?;
    let source = Source::prepare(&plan, locked, content_blake3, interrupt)?;
    // A scratch file in WAL mode would leave sidecars that no stage removes.
    let plan = Plan { backup: without_journal_mode(plan.backup.clone()), ..plan };
    put_back(&plan, &source, Duration::ZERO, interrupt, &mut Progress::hidden(), || Ok(()))?;
    match prove(&plan, &source, folder, Duration::ZERO, interrupt)? {
        Proved::Equal => Ok(()),
        Proved::WrittenSince => anyhow::bail!("somebody wrote into the scratch file"),
    }
}

fn without_journal_mode(mut backup: Backup) -> Backup {
    if let crate::record::Proof::Recorded(record) = &mut backup.proof {
        "delete".clone_into(&mut record.sqlite.journal_mode);
    }
    backup
}
