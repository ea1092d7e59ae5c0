//! The request for a backup, and the result.

use std::time::Duration;

use chrono::{DateTime, FixedOffset};

use crate::backups::backup::Backup;
use crate::backups::format::Format;
use crate::backups::kind::Kind;
use crate::backups::record::Record;
use crate::backups::writer::Locked;
use crate::git::recorded::{Enters, Git};
use crate::host::project::{Database, FollowBranches, Project};
use crate::sqlite::digest::database::Groups;
use crate::sqlite::examination::finding::Finding;

/// How thoroughly a backup is examined before a command relies on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Check that all pages are there, and reread the packs that were unread for longest.
    AtIds,
    /// Read every page from the disk: the next step destroys something that only this backup
    /// contains.
    AtPages,
}

impl Look {
    /// How a kind is examined. The checkpoint of a branch that is left is relied upon only if the
    /// database is switched then.
    #[must_use]
    pub(crate) fn at(kind: Kind, follow: FollowBranches) -> Self {
        match kind {
            Kind::Safety | Kind::PreMigrate | Kind::PreDeploy => Self::AtPages,
            Kind::Branch if follow != FollowBranches::Never => Self::AtPages,
            Kind::Branch | Kind::Manual | Kind::PreCommit | Kind::Scheduled => Self::AtIds,
        }
    }
}

/// The backup to take.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    /// Database to back up.
    pub database: &'a Database,
    /// Why.
    pub kind: Kind,
    /// How thoroughly it is examined before it is published.
    pub look: Look,
    /// How its bytes are to be kept.
    pub format: Format,
    /// Label that the user gives it.
    pub label: Option<String>,
    /// Whether pruning must leave it.
    pub pinned: bool,
    /// State of the worktree.
    pub git: Option<Git>,
    /// The branch whose branch point it is.
    pub enters: Option<Enters>,
    /// The schema files whose change it is taken for.
    pub paths: Vec<String>,
    /// The backup that is about to take its place.
    pub replaced_by: Option<String>,
    /// The moment it is.
    pub now: DateTime<FixedOffset>,
    /// A whole backup that makes a new one of the same content unnecessary.
    pub unless_equal: Option<&'a Record>,
}

impl<'a> Wanted<'a> {
    /// A plain backup of a kind, without a label or other options.
    #[must_use]
    pub(crate) fn new(database: &'a Database, kind: Kind, now: DateTime<FixedOffset>) -> Self {
        Self {
            database,
            kind,
            look: Look::at(kind, FollowBranches::Never),
            format: Format::Plain,
            label: None,
            pinned: false,
            git: None,
            enters: None,
            paths: Vec::new(),
            replaced_by: None,
            now,
            unless_equal: None,
        }
    }
}

/// A backup that is to be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capture<'a> {
    /// The backups folder that it goes to.
    pub locked: &'a Locked<'a>,
    /// The project.
    pub project: &'a Project,
    /// The backup to take.
    pub wanted: &'a Wanted<'a>,
}

/// Result of taking a backup.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A backup, the version of its schema, the time it took, and the ids of its groups.
    Backup(Box<Backup>, Option<i64>, Duration, Groups),
    /// A separate record and a hard link to an equal backup, with the name of that backup.
    Linked(Box<Backup>, String),
    /// Nothing: the content equals that of [`Wanted::unless_equal`].
    Unchanged,
    /// Nothing: the source is structurally damaged.
    Damaged(Vec<Finding>),
}
