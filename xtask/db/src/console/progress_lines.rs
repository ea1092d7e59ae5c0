//! Progress for a program that started this one: lines of JSON on stderr.
//!
//! Each is a text of RFC 7464 (<https://www.rfc-editor.org/rfc/rfc7464>): a record separator, an object, a line
//! feed. So it cannot be mistaken for a message, and lines of others in between do no harm. While a step goes on
//! there are at most ten a second, and one when it begins and when it ends.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// The variable that asks for the lines, with the value [`LINES`].
pub(crate) const VARIABLE: &str = "XTASK_DB_PROGRESS";

/// Its only value; every other one is ignored, because a person might have set it.
pub(crate) const LINES: &str = "lines";

/// The first byte of a line.
const RECORD_SEPARATOR: u8 = 0x1e;

const BETWEEN_LINES: Duration = Duration::from_millis(100);

/// The lines of one step, and of the steps that it turns to.
#[derive(Debug)]
pub(super) struct Lines(Mutex<State>);

#[derive(Debug)]
struct State {
    line: Line,
    last: Instant,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Line {
    verb: &'static str,
    /// `None` if nothing is counted.
    done_bytes: Option<u64>,
    /// `None` if that is unknown.
    total_bytes: Option<u64>,
}

impl Lines {
    /// A step that begins.
    pub(super) fn begin(verb: &'static str) -> Self {
        let line = Line::begin(verb);
        line.write();
        Self(Mutex::new(State { line, last: Instant::now(), has_ended: false }))
    }

    /// Remembers how much there is to do.
    pub(super) fn expect(&self, total_bytes: u64) {
        self.change(|state| state.line.total_bytes = Some(total_bytes));
    }

    /// Shows how much is done.
    pub(super) fn reach(&self, done_bytes: u64) {
        self.change(|state| {
            state.line.done_bytes = Some(done_bytes);
            state.write_if_due();
        });
    }

    /// Shows that the work continues.
    pub(super) fn beat(&self) {
        self.change(State::write_if_due);
    }

    /// Continues with another step.
    pub(super) fn turn_to(&self, verb: &'static str) {
        self.change(|state| {
            state.line.write();
            state.line = Line::begin(verb);
            state.line.write();
            state.last = Instant::now();
        });
    }

    /// Shows what was reached at the end.
    pub(super) fn end(&self) {
        self.change(|state| {
            state.line.write();
            state.has_ended = true;
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.has_ended {
            change(&mut state);
        }
    }
}

impl State {
    fn write_if_due(&mut self) {
        if self.last.elapsed() >= BETWEEN_LINES {
            self.last = Instant::now();
            self.line.write();
        }
    }
}

impl Line {
    fn begin(verb: &'static str) -> Self {
        Self { verb, done_bytes: None, total_bytes: None }
    }

    /// Writes it in one piece. If nobody reads it any more, the work continues without.
    fn write(self) {
        let mut bytes = vec![RECORD_SEPARATOR];
        if serde_json::to_writer(&mut bytes, &self).is_ok() {
            bytes.push(b'\n');
            let _ = io::stderr().write_all(&bytes);
        }
    }
}
