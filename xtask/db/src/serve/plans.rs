//! The plans of acts in two steps, and questions that take a while: on threads that may wait.

use std::sync::Arc;

use serde_json::Value;

use crate::serve::orders::{Import, Restore};
use crate::serve::problem::Problem;
use crate::serve::receipts::{Act, Confirmed, Receipt, Wish};
use crate::serve::site::Site;

impl Site {
    /// The document of a command that changes nothing.
    ///
    /// # Errors
    ///
    /// The command's own error.
    pub(crate) async fn ask(self: &Arc<Self>, words: Vec<String>) -> Result<Value, Problem> {
        self.on_thread(move |site| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            site.program.ask(&words)
        })
        .await
    }

    /// The plan of a restore.
    ///
    /// # Errors
    ///
    /// A problem if there can be none.
    pub(crate) async fn plan_restore(
        self: &Arc<Self>,
        restore: Restore,
    ) -> Result<Receipt, Problem> {
        let title = format!("Restore {}", restore.r#ref);
        let words = restore.words()?;
        self.plan(Wish { act: Act::Restore, title, words, upload: None }).await
    }

    /// The plan of a pruning by the configured policy.
    ///
    /// # Errors
    ///
    /// A problem if there can be none.
    pub(crate) async fn plan_prune(
        self: &Arc<Self>,
        db_flag: Option<String>,
    ) -> Result<Receipt, Problem> {
        let words = std::iter::once("db-prune".to_owned()).chain(db_flag).collect();
        self.plan(Wish { act: Act::Prune, title: "Prune".to_owned(), words, upload: None }).await
    }

    /// The plan of an import.
    ///
    /// # Errors
    ///
    /// A problem if a part of the file is missing.
    pub(crate) async fn plan_import(self: &Arc<Self>, import: Import) -> Result<Receipt, Problem> {
        let file = self.uploads.whole(&import.upload)?;
        let upload = self.uploads.get(&import.upload)?;
        let words = import.words(file.display().to_string())?;
        let title = format!("Import {}", upload.name);
        self.plan(Wish { act: Act::Import, title, words, upload: Some(upload.id) }).await
    }

    /// Confirms a plan.
    ///
    /// # Errors
    ///
    /// As [`crate::serve::receipts::Receipts::confirm`].
    pub(crate) async fn confirm(
        self: &Arc<Self>,
        id: String,
        typed: Option<String>,
    ) -> Result<Confirmed, Problem> {
        self.on_thread(move |site| site.receipts.confirm(&site.program, &id, typed.as_deref()))
            .await
    }

    async fn plan(self: &Arc<Self>, wish: Wish) -> Result<Receipt, Problem> {
        self.on_thread(move |site| site.receipts.make(&site.program, wish)).await
    }

    async fn on_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let site = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&site)).await;
        done.map_err(|error| Problem::of_failure(&error.into()))?
    }
}
