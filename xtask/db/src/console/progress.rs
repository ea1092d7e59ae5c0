//! Progress of long work: a bar if it takes longer than a second, on a terminal only, or lines for a program;
//! and the user's interrupt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::interrupt::Interrupt;
use crate::console::progress_lines::Lines;

const QUIET_TIME: Duration = Duration::from_secs(1);

/// Milliseconds between two signs of life.
const BETWEEN_BEATS: u64 = 100;

/// How far a long step has come, in bytes.
pub(crate) struct Progress {
    pulse: Pulse,
    interrupt: Arc<Interrupt>,
}

/// Shows that a long step is alive.
#[derive(Debug, Clone)]
pub(crate) struct Pulse(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    bar: ProgressBar,
    lines: Option<Lines>,
    began: Instant,
    waiting: AtomicBool,
    /// Milliseconds from the beginning to the last beat.
    last_beat: AtomicU64,
}

impl Progress {
    /// A bar that stays hidden for its first second.
    #[must_use]
    pub(crate) fn shown(interrupt: &Arc<Interrupt>, verb: &'static str) -> Self {
        let pulse = Pulse::new(true, None);
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix} {bar:20} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left {spinner}",
        ) {
            pulse.0.bar.set_style(style);
        }
        pulse.0.bar.set_prefix(verb);
        Self { pulse, interrupt: Arc::clone(interrupt) }
    }

    /// Lines on stderr for the program that started this one.
    #[must_use]
    pub(crate) fn in_lines(interrupt: &Arc<Interrupt>, verb: &'static str) -> Self {
        let pulse = Pulse::new(false, Some(Lines::begin(verb)));
        Self { pulse, interrupt: Arc::clone(interrupt) }
    }

    /// A bar that is never seen.
    #[must_use]
    pub(crate) fn hidden(interrupt: &Arc<Interrupt>) -> Self {
        Self { pulse: Pulse::none(), interrupt: Arc::clone(interrupt) }
    }

    /// The user's interrupt, which ends long steps.
    #[must_use]
    pub(crate) fn interrupt(&self) -> &Arc<Interrupt> {
        &self.interrupt
    }

    /// Shows that work continues whose length is unknown.
    #[must_use]
    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Reports how much there is to do.
    pub(crate) fn expect_bytes(&self, total_bytes: u64) {
        self.pulse.0.bar.set_length(total_bytes);
        self.with_lines(|lines| lines.expect(total_bytes));
    }

    /// Reports how much is done.
    pub(crate) fn reach(&mut self, done_bytes: u64) {
        self.pulse.show();
        self.pulse.0.bar.set_position(done_bytes);
        self.with_lines(|lines| lines.reach(done_bytes));
    }

    /// Takes it away permanently, because others are to be seen.
    pub(crate) fn end(&self) {
        self.pulse.0.waiting.store(false, Ordering::Relaxed);
        self.pulse.0.bar.finish_and_clear();
        self.with_lines(Lines::end);
    }

    /// Continues with another step of the same work, whose length is unknown.
    pub(crate) fn turn_to(&self, verb: &'static str) {
        if let Ok(style) = ProgressStyle::with_template("{prefix} {spinner} {elapsed}") {
            self.pulse.0.bar.set_style(style);
        }
        self.pulse.0.bar.set_prefix(verb);
        self.with_lines(|lines| lines.turn_to(verb));
    }

    fn with_lines(&self, change: impl FnOnce(&Lines)) {
        if let Some(lines) = &self.pulse.0.lines {
            change(lines);
        }
    }
}

impl Pulse {
    /// A progress bar that is not shown.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self::new(false, None)
    }

    fn new(waiting: bool, lines: Option<Lines>) -> Self {
        Self(Arc::new(Shown {
            bar: ProgressBar::hidden(),
            lines,
            began: Instant::now(),
            waiting: AtomicBool::new(waiting),
            last_beat: AtomicU64::new(0),
        }))
    }

    /// Shows that the work continues; costs next to nothing.
    pub(crate) fn beat(&self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if now.saturating_sub(self.0.last_beat.load(Ordering::Relaxed)) < BETWEEN_BEATS {
            return;
        }
        self.0.last_beat.store(now, Ordering::Relaxed);
        self.show();
        self.0.bar.tick();
        if let Some(lines) = &self.0.lines {
            lines.beat();
        }
    }

    fn show(&self) {
        let is_due = self.0.waiting.load(Ordering::Relaxed) && self.0.began.elapsed() > QUIET_TIME;
        if is_due && self.0.waiting.swap(false, Ordering::Relaxed) {
            self.0.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
