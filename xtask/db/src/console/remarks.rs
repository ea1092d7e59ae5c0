//! Remarks for the user that are not failures: nouns leave them here, and the session prints them
//! before its next line.

use std::sync::{Arc, Mutex, PoisonError};

/// Remarks that wait to be printed; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remarks(Arc<Mutex<Vec<String>>>);

impl Remarks {
    /// Leaves one, unless the same waits already.
    pub(crate) fn leave(&self, remark: String) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.contains(&remark) {
            waiting.push(remark);
        }
    }

    /// Takes all that wait.
    #[must_use]
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
