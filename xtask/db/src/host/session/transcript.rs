//! Everything that is printed, beside the streams: for runs that nobody watches.

use chrono::{DateTime, FixedOffset};

/// Takes a time and a line.
type EachLine = Box<dyn FnMut(&str, &str)>;

/// The lines of a run, which go to a log too.
pub(super) struct Transcript {
    each: EachLine,
    lines: Vec<String>,
}

impl Transcript {
    /// An empty one; `each` gets every line, with the time at which it was printed.
    pub(super) fn of(each: impl FnMut(&str, &str) + 'static) -> Self {
        Self { each: Box::new(each), lines: Vec::new() }
    }

    /// The lines so far.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Adds a line that is fit to be printed.
    pub(super) fn add(&mut self, now: DateTime<FixedOffset>, line: String) {
        (self.each)(&now.format("%Y-%m-%dT%H:%M:%S%:z").to_string(), &line);
        self.lines.push(line);
    }
}
