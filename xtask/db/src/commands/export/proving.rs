//! A backup that goes to stdout is proved while its rows are written, so that the first ones need not wait until
//! gigabytes are hashed. The end of the export waits: without it, no format is complete (`output.rs`).

use std::sync::Arc;
use std::thread::Scope;

use anyhow::Result;

use crate::commands::export::source::State;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::threads::{self, Beside};

/// The proof of a state, which may still be under way.
pub(super) struct Proving<'scope> {
    /// `None` once it ended.
    thread: Option<Beside<'scope, Result<Vec<String>>>>,
    warnings: Vec<String>,
}

impl<'scope> Proving<'scope> {
    /// Begins on another thread; proves at once if there is none.
    ///
    /// # Errors
    ///
    /// As [`State::prove`], if there is no thread.
    pub(super) fn begin(
        scope: &'scope Scope<'scope, '_>,
        state: &'scope State,
        interrupt: &Arc<Interrupt>,
    ) -> Result<Self> {
        let interrupt = Arc::clone(interrupt);
        match threads::beside(scope, move || state.prove(&interrupt)) {
            Ok(thread) => Ok(Self { thread: Some(thread), warnings: Vec::new() }),
            Err(None) => anyhow::bail!("the proof of the backup did not begin"),
            Err(Some(prove)) => Ok(Self { thread: None, warnings: prove()? }),
        }
    }

    /// Waits for the end of the proof.
    ///
    /// # Errors
    ///
    /// As [`State::prove`]; the hint of a refusal is about the part that was written.
    pub(super) fn conclude(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.warnings =
            threads::join(thread).map_err(|error| match error.downcast_ref::<Refusal>() {
                Some(refusal) if !refusal.hint.is_empty() => {
                    let hint = "the export ends early: do not use it; choose another backup with \
                            `cargo xtask db-list`";
                    Refusal { hint: hint.to_owned(), ..refusal.clone() }.into()
                }
                _ => error,
            })?;
        Ok(())
    }

    /// Remarks for the user, once it ended.
    pub(super) fn warnings(self) -> Vec<String> {
        self.warnings
    }
}
