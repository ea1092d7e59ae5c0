//! The log of what was refused: on the terminal, and in a file of the state folder.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::Sender;

use axum::http::Method;
use chrono::{DateTime, FixedOffset};

use crate::console::text;
use crate::host::session::Clock;
use crate::schedule::home::Home;
use crate::schedule::log;

/// How many lines are written in one minute; more are counted.
const MAX_LINES: u64 = 60;
/// How much of a request, and of why it was refused, is written.
const MAX_ASKED: usize = 200;

/// Where refused requests are written down.
pub(crate) struct Refused {
    home: Home,
    clock: Clock,
    terminal: Sender<String>,
    minute: Mutex<Minute>,
}

#[derive(Default)]
struct Minute {
    began: Option<DateTime<FixedOffset>>,
    n_refused: u64,
}

/// A request as it is written down: without its query, in which a token may be.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// Its method.
    pub(crate) method: &'a Method,
    /// Its path.
    pub(crate) path: &'a str,
    /// The status of its answer.
    pub(crate) status: u16,
}

impl Refused {
    /// A log in the folder of a project; the terminal gets its lines, too.
    #[must_use]
    pub(crate) fn new(home: Home, clock: Clock, terminal: Sender<String>) -> Self {
        Self { home, clock, terminal, minute: Mutex::default() }
    }

    /// Writes down a request that was refused, and why.
    pub(crate) fn note(&self, asked: &Asked<'_>, why: &str) {
        let now = (self.clock)();
        let shown = text::cut(&format!("{} {}", asked.method, asked.path), MAX_ASKED);
        let line = format!("refused {shown}: {} {}", asked.status, text::cut(why, MAX_ASKED));
        self.write(now, self.due(now, line));
    }

    /// Writes down a connection that was closed without a request.
    pub(crate) fn note_connection(&self, why: &str) {
        let now = (self.clock)();
        self.write(now, self.due(now, format!("refused a connection: {why}")));
    }

    /// The lines to write now.
    fn due(&self, now: DateTime<FixedOffset>, line: String) -> Vec<String> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        let is_over = minute.began.is_none_or(|began| (now - began).num_seconds() >= 60);
        if is_over {
            let n_left_out = minute.n_refused.saturating_sub(MAX_LINES);
            if n_left_out > 0 {
                lines.push(format!("refused {}", text::count(n_left_out, "more request")));
            }
            *minute = Minute { began: Some(now), n_refused: 0 };
        }
        minute.n_refused += 1;
        if minute.n_refused <= MAX_LINES {
            lines.push(line);
        }
        lines
    }

    fn write(&self, now: DateTime<FixedOffset>, lines: Vec<String>) {
        let Ok(file) = log::open(&self.home) else { return };
        for line in lines {
            let line = text::plain(&line);
            log::append(&file, &now.to_rfc3339(), &line);
            // The terminal is gone when the server ends.
            let _ = self.terminal.send(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let now = DateTime::parse_from_rfc3339("2025-09-13T14:25:30+02:00").expect("a time");
        let (terminal, _lines) = std::sync::mpsc::channel();
        let home = Home::of_copy(&PathBuf::from("/nowhere/schedule/id/xtask")).expect("a place");
        let refused = Refused::new(home, Arc::new(move || now), terminal);
        let written: usize = (0..10_000).map(|n| refused.due(now, format!("line {n}")).len()).sum();
        assert_eq!(written as u64, MAX_LINES);
        let later = now + TimeDelta::seconds(61);
        let lines = refused.due(later, "after".to_owned());
        assert_eq!(lines, ["refused 9,940 more requests", "after"]);
    }
}
