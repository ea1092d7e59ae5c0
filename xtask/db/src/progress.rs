//! What accompanies long work: a bar where it takes longer than a second, on a terminal only, and
//! the user's interrupt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt::Interrupt;
use crate::session::Session;

const QUIET_TIME: Duration = Duration::from_secs(1);

/// How far a long step has come, in bytes.
pub(crate) struct Progress {
    bar: ProgressBar,
    began: Instant,
    waiting: bool,
    interrupt: Arc<Interrupt>,
}

impl Progress {
    /// A bar that stays hidden for its first second, and for ever where nobody watches.
    #[must_use]
    pub(crate) fn new(session: &Session, verb: &'static str) -> Self {
        let bar = ProgressBar::hidden();
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix} {bar:20} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        ) {
            bar.set_style(style);
        }
        bar.set_prefix(verb);
        let interrupt = Arc::clone(session.interrupt());
        Self { bar, began: Instant::now(), waiting: session.shows_progress(), interrupt }
    }

    /// A bar that is never seen.
    #[must_use]
    pub(crate) fn hidden(interrupt: &Arc<Interrupt>) -> Self {
        let interrupt = Arc::clone(interrupt);
        Self { bar: ProgressBar::hidden(), began: Instant::now(), waiting: false, interrupt }
    }

    /// The user's interrupt, which ends what takes long.
    #[must_use]
    pub(crate) fn interrupt(&self) -> &Arc<Interrupt> {
        &self.interrupt
    }

    /// Says how much there is to do.
    pub(crate) fn expect_bytes(&self, total_bytes: u64) {
        self.bar.set_length(total_bytes);
    }

    /// Says how much is done.
    pub(crate) fn reach(&mut self, done_bytes: u64) {
        if self.waiting && self.began.elapsed() > QUIET_TIME {
            self.waiting = false;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(done_bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
