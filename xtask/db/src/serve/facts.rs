//! What the page shows of the databases and backups: documents of commands that look, kept as long as nothing changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::sync::Mutex;

use crate::files::sidecars::{WAL, beside};
use crate::host::project::{Location, Project};
use crate::serve::child::Program;
use crate::serve::jobs::Jobs;
use crate::serve::problem::Problem;

/// After this time, the health is asked for again although no file changed: ages count. While a job runs, files change all
/// the time, and what it did is asked for when it has ended: until then, nobody waits.
const MAX_AGE: Duration = Duration::from_mins(1);
/// Up to this age, an answer is given again although files changed.
const MIN_AGE: Duration = Duration::from_millis(500);

/// A question whose answer is kept.
pub(crate) struct Fact {
    words: &'static [&'static str],
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    document: Arc<Value>,
    key: Key,
    at: Instant,
}

/// What an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// How many jobs have ended.
    n_ended: u64,
    /// Whether one runs or waits.
    is_busy: bool,
    /// The times and sizes of the files.
    files: Vec<Option<(SystemTime, u64)>>,
}

/// The files to look at before an answer is given again.
#[derive(Debug, Clone)]
pub(crate) struct Watched(Vec<PathBuf>);

impl Watched {
    /// The files that tell whether a project's databases, backups or configuration changed.
    #[must_use]
    pub(crate) fn of(project: &Project) -> Self {
        let mut paths = vec![project.root.join("Cargo.toml"), project.backups.clone()];
        for database in &project.databases {
            if let Location::File(path) = &database.location {
                paths.extend([path.clone(), beside(path, WAL)]);
            }
        }
        Self(paths)
    }

    /// What they are now.
    #[must_use]
    pub(crate) fn key(&self, jobs: &Jobs) -> Key {
        let look = |path: &PathBuf| {
            let metadata = fs_err::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Key {
            n_ended: jobs.n_ended(),
            is_busy: !jobs.is_idle(),
            files: self.0.iter().map(look).collect(),
        }
    }
}

impl Fact {
    /// The answer to a command that looks.
    #[must_use]
    pub(crate) fn of(words: &'static [&'static str]) -> Self {
        Self { words, kept: Mutex::new(None) }
    }

    /// The answer as it is now. However many ask at once, the command runs once.
    ///
    /// # Errors
    ///
    /// As [`Program::ask`].
    pub(crate) async fn get(&self, program: &Program, key: Key) -> Result<Arc<Value>, Problem> {
        let mut kept = self.kept.lock().await;
        if let Some(document) = kept.as_ref().and_then(|kept| kept.fitting(&key)) {
            return Ok(document);
        }
        let (program, words) = (program.clone(), self.words);
        let asked = tokio::task::spawn_blocking(move || program.ask(words)).await;
        let document = asked.map_err(|error| Problem::of_failure(&error.into()))??;
        let document = Arc::new(document);
        *kept = Some(Kept { document: Arc::clone(&document), key, at: Instant::now() });
        Ok(document)
    }
}

impl Kept {
    /// The answer, if it still counts.
    fn fitting(&self, key: &Key) -> Option<Arc<Value>> {
        let is_same = self.key.files == key.files;
        let limit = if is_same || key.is_busy { MAX_AGE } else { MIN_AGE };
        let fits = self.key.n_ended == key.n_ended && self.at.elapsed() < limit;
        fits.then(|| Arc::clone(&self.document))
    }
}
