//! The user's interrupt (SIGINT, SIGTERM), noticed between two steps, so that every command ends
//! with its stages removed and its locks released.
//!
//! A second interrupt, or one while a question is open, ends the process at once. That is safe too:
//! a kill at any moment leaves the whole old or the whole new state. While a command of the host is
//! supervised, the second interrupt kills that command instead, because it would continue without
//! us.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use rusqlite::{Connection, InterruptHandle};

use crate::console::refusal::{Exit, Refusal};

/// Whether the user asked to stop.
#[derive(Default)]
pub(crate) struct Interrupt {
    /// How often the user asked.
    asked: Arc<AtomicUsize>,
    asking: AtomicBool,
    /// How many suppose that the process continues until they are done.
    supervising: AtomicUsize,
    next: AtomicUsize,
    running: Mutex<Vec<(usize, InterruptHandle)>>,
}

/// Ends with the work it watches.
pub(crate) struct Watched<'a> {
    interrupt: &'a Interrupt,
    number: usize,
}

/// Ends with the question that is.
pub(crate) struct Asking<'a>(&'a Interrupt);

/// Ends with the command that is supervised.
pub(crate) struct Supervising<'a>(&'a Interrupt);

impl Interrupt {
    /// Listens to the process's signals; if another part of the host already does, it is left to
    /// that.
    pub(crate) fn listen(self: &Arc<Self>) {
        // Refused its thread, it would swallow the signals: then they end the process, as they do if
        // nobody listens.
        if std::thread::Builder::new().spawn(|| ()).map(std::thread::JoinHandle::join).is_err() {
            return;
        }
        let interrupt = Arc::clone(self);
        // The only error is that a handler is installed already: the host's own, which then rules.
        let _ = ctrlc::set_handler(move || interrupt.raise());
    }

    /// Reacts to a signal.
    pub(crate) fn raise(&self) {
        let again = self.asked.fetch_add(1, Ordering::SeqCst) > 0;
        let asking = self.asking.load(Ordering::SeqCst);
        if asking {
            let _ = std::io::stderr().write_all(b"\ninterrupted: nothing was changed\n");
        }
        let supervising = self.supervising.load(Ordering::SeqCst) > 0;
        if asking || again && !supervising {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, handle) in running.iter() {
            handle.interrupt();
        }
    }

    /// Does the same for a signal that reached another process of ours, and perhaps this one too:
    /// it never counts as the second one.
    pub(crate) fn raise_first(&self) {
        if self.asked.load(Ordering::SeqCst) == 0 {
            self.raise();
        }
    }

    /// Fails if the user asked to stop.
    ///
    /// # Errors
    ///
    /// A refusal with exit 130.
    pub(crate) fn check(&self) -> Result<()> {
        if self.asked.load(Ordering::SeqCst) > 0 { Err(Refusal::interrupted()) } else { Ok(()) }
    }

    /// How often the user asked, for those that cannot keep all of this.
    pub(crate) fn asked(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.asked)
    }

    /// Whether the user asked more than once.
    pub(crate) fn is_urgent(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 1
    }

    /// Notes an interrupt that a child was ended for, so that the cleanup afterwards can run; the
    /// next one counts again. Returns whether there was one.
    pub(crate) fn acknowledge(&self) -> bool {
        self.asked.swap(0, Ordering::SeqCst) > 0
    }

    /// Keeps the process from being ended at once, as long as the returned value lives: a command
    /// of the host is running, or its effects are being dealt with.
    pub(crate) fn while_supervising(&self) -> Supervising<'_> {
        self.supervising.fetch_add(1, Ordering::SeqCst);
        Supervising(self)
    }

    /// Interrupts this connection's statements too, as long as the returned value lives.
    pub(crate) fn watch(&self, connection: &Connection) -> Watched<'_> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.push((number, connection.get_interrupt_handle()));
        Watched { interrupt: self, number }
    }

    /// Marks that a question is open, as long as the returned value lives.
    pub(crate) fn while_asking(&self) -> Asking<'_> {
        self.asking.store(true, Ordering::SeqCst);
        Asking(self)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let mut running = self.interrupt.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(number, _)| *number != self.number);
    }
}

impl Drop for Supervising<'_> {
    fn drop(&mut self) {
        self.0.supervising.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.store(false, Ordering::SeqCst);
    }
}
