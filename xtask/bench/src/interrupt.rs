//! Ctrl-C ends a bench in good order: the child ends by the same signal, and the folder is removed.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens to the process's signals.
pub(super) fn listen() -> Result<()> {
    ctrlc::set_handler(|| ASKED.store(true, Ordering::SeqCst))
        .context("could not listen to signals")
}

/// Whether the user asked to stop.
pub(super) fn was_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Fails if the user asked to stop.
pub(super) fn check() -> Result<()> {
    ensure!(!was_asked(), "interrupted");
    Ok(())
}
