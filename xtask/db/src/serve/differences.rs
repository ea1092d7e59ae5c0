//! What changed between two states: documents of `db-diff`, kept as long as nothing changed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::Semaphore;

use crate::serve::child::Program;
use crate::serve::facts::Key;
use crate::serve::problem::Problem;

/// How many answers are kept.
const MAX_KEPT: usize = 16;

/// The answers, the newest last.
pub(crate) struct Differences {
    kept: Mutex<VecDeque<Kept>>,
    /// One comparison at a time: each reads a whole database.
    turn: Semaphore,
}

struct Kept {
    words: Vec<String>,
    key: Key,
    document: Result<Arc<Value>, Problem>,
}

impl Differences {
    /// None yet.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self { kept: Mutex::new(VecDeque::new()), turn: Semaphore::new(1) }
    }

    /// The answer to a `db-diff` with these words.
    ///
    /// # Errors
    ///
    /// As [`Program::ask`].
    pub(crate) async fn get(
        &self,
        program: &Program,
        words: Vec<String>,
        key: Key,
    ) -> Result<Arc<Value>, Problem> {
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        if let Some(document) = self.known(&words, &key) {
            return document;
        }
        let (program, asked) = (program.clone(), words.clone());
        let answer = tokio::task::spawn_blocking(move || {
            program.ask(&asked.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let document = answer.await.map_err(|error| Problem::of_failure(&error.into()))?;
        let document = document.map(Arc::new);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.words != words);
        if kept.len() == MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back(Kept { words, key, document: document.clone() });
        document
    }

    fn known(&self, words: &[String], key: &Key) -> Option<Result<Arc<Value>, Problem>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.iter().find(|kept| kept.words == words && kept.key == *key)?;
        Some(kept.document.clone())
    }
}
