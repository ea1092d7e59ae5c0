//! The default of each setting that the host does not give, e.g. of `busy-timeout` and `migrate-timeout`.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::backups::vault;
use crate::console::remarks::Remarks;
use crate::git::repository;
use crate::host::project::bundle::Bundle;
use crate::host::project::policy::Policy;
use crate::host::project::schedule::Scheduled;
use crate::host::project::{Database, FollowBranches, Location, OnFailure, Project};
use crate::sqlite::declared_references::References;

/// How long a lock is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the host's migration may take.
const MIGRATE_TIMEOUT: Duration = Duration::from_mins(10);
/// The variable that points the host's migration at a file. A database on a server is named by the variable that
/// `url-env` names.
pub(crate) const MIGRATE_ENV: &str = "DATABASE_PATH";
/// The backups folder below the workspace root.
const BACKUPS_FOLDER: &str = "backups";

impl Database {
    /// A database with nothing configured but its place.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            location: Location::File(path.into()),
            origin: None,
            schema: Vec::new(),
            migrate: Vec::new(),
            migrate_env: MIGRATE_ENV.to_owned(),
            migrate_timeout: MIGRATE_TIMEOUT,
            allow_loss: Vec::new(),
            after_restore: Vec::new(),
            merge_key: BTreeMap::new(),
            references: References::new(),
            renumber: Vec::new(),
            groups: BTreeMap::new(),
            protected: false,
            tracked: false,
        }
    }
}

impl Project {
    /// A project with the defaults for everything that is not configured.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, databases: Vec<Database>) -> Self {
        let root = root.into();
        let git = repository::Place::of(&root);
        Self::in_repository(root, git, databases)
    }

    /// The same if it is known which repository is around it.
    pub(crate) fn in_repository(
        root: PathBuf,
        git: Option<repository::Place>,
        databases: Vec<Database>,
    ) -> Self {
        Self {
            backups: root.join(BACKUPS_FOLDER),
            git,
            root,
            busy_timeout: BUSY_TIMEOUT,
            databases,
            keep: Policy::default(),
            formats: HashMap::new(),
            read_within: vault::READ_WITHIN,
            bundle: Bundle::default(),
            schedule: Scheduled::No,
            on_failure: OnFailure::Block,
            follow_branches: FollowBranches::Never,
            hidden_variables: Vec::new(),
            search_path: OsString::new(),
            itself: None,
            remarks: Vec::new(),
            told: Remarks::default(),
        }
    }
}
