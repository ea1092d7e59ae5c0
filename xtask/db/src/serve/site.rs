//! What every request may use.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use axum::http::StatusCode;
use serde_json::Value;

use crate::host::session::Clock;
use crate::serve::about::About;
use crate::serve::child::Program;
use crate::serve::differences::Differences;
use crate::serve::downloads::Downloads;
use crate::serve::facts::{Fact, Key, Watched};
use crate::serve::jobs::Jobs;
use crate::serve::keys::Keys;
use crate::serve::parsed::Parsed;
use crate::serve::problem::Problem;
use crate::serve::receipts::Receipts;
use crate::serve::recent::Recent;
use crate::serve::refused::Refused;
use crate::serve::rendered::Rendered;
use crate::serve::uploads::Uploads;

/// The state of the server.
pub(crate) struct Site {
    /// This program.
    pub(crate) program: Program,
    /// The port that it listens on.
    pub(crate) port: u16,
    /// Who is let in.
    pub(crate) keys: Keys,
    /// What was refused.
    pub(crate) refused: Refused,
    /// What was started.
    pub(crate) jobs: Arc<Jobs>,
    /// The files that answers depend on.
    pub(crate) watched: Watched,
    /// The clock.
    pub(crate) clock: Clock,
    /// The project.
    pub(crate) about: About,
    /// What changed.
    pub(crate) differences: Differences,
    /// `db-list`.
    pub(crate) list: Fact,
    /// `db-status`.
    pub(crate) status: Fact,
    /// The answer of `GET /api/backup/status`.
    pub(crate) status_answer: Rendered,
    /// What waits for a confirmation.
    pub(crate) receipts: Receipts,
    /// Files to import.
    pub(crate) uploads: Uploads,
    /// Files of backups.
    pub(crate) downloads: Downloads,
    /// The backups as pages read them.
    pub(crate) parsed: Parsed,
    /// The first page as it was a moment ago.
    pub(crate) recent: Recent,
    /// Lines for the terminal.
    pub(crate) terminal: Sender<String>,
}

impl Site {
    /// The backups.
    ///
    /// # Errors
    ///
    /// The error of `db-list`.
    pub(crate) async fn list(&self) -> Result<Arc<Value>, Problem> {
        self.list.get(&self.program, self.key()).await
    }

    /// The health.
    ///
    /// # Errors
    ///
    /// The error of `db-status`.
    pub(crate) async fn status(&self) -> Result<Arc<Value>, Problem> {
        self.status.get(&self.program, self.key()).await
    }

    /// A backup of the list.
    ///
    /// # Errors
    ///
    /// 404 if no backup has this name.
    pub(crate) async fn backup(&self, name: &str) -> Result<Value, Problem> {
        let list = self.list().await?;
        let backups = list["backups"].as_array().into_iter().flatten();
        backups.into_iter().find(|backup| backup["name"] == name).cloned().ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "there is no backup of this name",
                "see `/api/backup/status`",
            )
        })
    }

    /// What changed between two states.
    ///
    /// # Errors
    ///
    /// The error of `db-diff`.
    pub(crate) async fn difference(&self, words: Vec<String>) -> Result<Arc<Value>, Problem> {
        let words = std::iter::once("db-diff".to_owned()).chain(words).collect();
        self.differences.get(&self.program, words, self.key()).await
    }

    fn key(&self) -> Key {
        self.watched.key(&self.jobs)
    }

    /// The beginning of every address of it.
    #[must_use]
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The address that lets one browser in.
    #[must_use]
    pub(crate) fn invitation(&self) -> String {
        format!("{}/open?t={}", self.origin(), self.keys.invitation().digits())
    }
}
