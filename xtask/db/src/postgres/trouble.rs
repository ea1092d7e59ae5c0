//! What a server or a client program complains about, as far as it decides what we do.

use std::fmt;

use crate::console::text;

/// A complaint: of the server with its SQLSTATE
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), or of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Five characters; `None` if the program complains, or could not connect.
    pub sqlstate: Option<String>,
    /// The message, with its details on further lines.
    pub message: String,
}

/// Parts of a complaint that help nobody who did not write the statement.
const LEFT_OUT: [&str; 11] = [
    "LOCATION:",
    "STATEMENT:",
    "CONTEXT:",
    "QUERY:",
    "LINE ",
    "SCHEMA NAME:",
    "TABLE NAME:",
    "COLUMN NAME:",
    "DATATYPE NAME:",
    "CONSTRAINT NAME:",
    // A whole row, which may contain anything.
    "DETAIL:  Failing row contains",
];

impl Trouble {
    /// Reads what a program wrote to its stderr; `None` if that is nothing but warnings.
    #[must_use]
    pub(crate) fn read(stderr: &str) -> Option<Self> {
        let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let is_error = |line: &&str| severity(line).is_some() || is_of_program(line);
        let at = lines.iter().position(is_error)?;
        let first = lines[at];
        let (sqlstate, head) = match severity(first) {
            Some((sqlstate, message)) => (Some(sqlstate), message),
            None => (None, without_program(first)),
        };
        let more = lines[at + 1..].iter().take_while(|line| !is_error(line));
        let more = more.filter(|line| !is_left_out(line)).take(6).map(|line| without_place(line));
        let message = std::iter::once(head).chain(more).collect::<Vec<_>>().join("; ");
        Some(Self { sqlstate: sqlstate.map(str::to_owned), message })
    }

    /// What to report if a program ended without a complaint that can be read.
    #[must_use]
    pub(crate) fn unexplained(program: &str, stderr: &str) -> Self {
        let last = stderr.lines().rfind(|line| !line.trim().is_empty());
        let message = match last {
            Some(line) => line.trim().to_owned(),
            None => format!("`{program}` ended early"),
        };
        Self { sqlstate: None, message }
    }

    /// Whether it is the one of this SQLSTATE.
    #[must_use]
    pub(crate) fn is(&self, sqlstate: &str) -> bool {
        self.sqlstate.as_deref() == Some(sqlstate)
    }
}

/// The SQLSTATE and the message of a verbose line: `psql:<stdin>:1: ERROR:  42P01: no such table`. The
/// severity may be in any language.
fn severity(line: &str) -> Option<(&str, &str)> {
    let is_state = |word: &str| {
        word.len() == 5
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
            && !word.starts_with("00")
            && !word.starts_with("01")
            && !word.starts_with("02")
    };
    line.match_indices(":  ").find_map(|(at, _)| {
        let (state, message) = line[at + 3..].split_once(": ")?;
        is_state(state).then_some((state, message))
    })
}

fn is_of_program(line: &str) -> bool {
    [" error: ", " fatal: "].iter().any(|word| line.contains(word)) && line.contains(": ")
        || line.starts_with("error: ")
}

fn without_program(line: &str) -> &str {
    let at = ["error: ", "fatal: "].iter().find_map(|word| Some(line.find(word)? + word.len()));
    at.map_or(line, |at| &line[at..])
}

/// A line without the place in what `psql` reads: `psql:<stdin>:9: `.
fn without_place(line: &str) -> &str {
    let place = line.strip_prefix("psql:<stdin>:").and_then(|rest| rest.split_once(": "));
    place.map_or(line, |(_, rest)| rest).trim()
}

fn is_left_out(line: &str) -> bool {
    let line = line.trim_start();
    LEFT_OUT.iter().any(|start| line.starts_with(start)) || line.starts_with('^')
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::plain(&self.message))?;
        self.sqlstate.iter().try_for_each(|state| write!(f, " (SQLSTATE {state})"))
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stderr: &str, expected: Option<(Option<&str>, &str)>) {
        let found = Trouble::read(stderr);
        let found = found.as_ref().map(|t| (t.sqlstate.as_deref(), t.message.as_str()));
        assert_eq!(found, expected, "{stderr}");
    }

    #[test]
    fn the_first_complaint_counts_with_what_explains_it() {
        check("", None);
        check("psql:<stdin>:2: WARNING:  01000: careful\n", None);
        check("psql:<stdin>:2: NOTICE:  00000: table does not exist\n", None);
        check(
            "psql:<stdin>:9: ERROR:  23505: duplicate key\nDETAIL:  Key (id)=(1).\nLOCATION:  x.c:1\n",
            Some((Some("23505"), "duplicate key; DETAIL:  Key (id)=(1).")),
        );
        check(
            "psql:<stdin>:1: FEHLER:  42P01: Relation »x« existiert nicht\nLINE 1: SELECT\n    ^\n",
            Some((Some("42P01"), "Relation »x« existiert nicht")),
        );
        check(
            "psql:<stdin>:7: FATAL:  57P01: ended\npsql:<stdin>:7: server closed the connection\n",
            Some((Some("57P01"), "ended; server closed the connection")),
        );
        check(
            "psql: error: connection to server at \"::1\", port 1 failed: Connection refused\n\tIs the server running?\n",
            Some((
                None,
                "connection to server at \"::1\", port 1 failed: Connection refused; Is the server running?",
            )),
        );
        check(
            "pg_dump: error: query failed: ERROR:  canceling\npg_dump: detail: Query was: LOCK TABLE x\n",
            Some((
                None,
                "query failed: ERROR:  canceling; pg_dump: detail: Query was: LOCK TABLE x",
            )),
        );
    }
}
