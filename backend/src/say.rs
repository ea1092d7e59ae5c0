//! What the program says: results on stdout, errors on stderr.
//!
//! A reader that has gone away is nobody's fault, so a closed pipe is not an error.

use std::io::{self, ErrorKind, Write as _};

use anyhow::{Context as _, Error, Result};

/// Prints one line to stdout, at once.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("could not write to stdout")
        }
        _ => Ok(()),
    }
}

/// Prints an error and its causes to stderr.
pub(crate) fn failure(error: &Error) {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str("  caused by: ");
        text.push_str(&cause.to_string());
        text.push('\n');
    }
    // If stderr is gone, the exit code is all that is left to say it with.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// `1 session`, `2 sessions`.
pub(crate) fn counted(count: usize, singular: &str, plural: &str) -> String {
    let noun = if count == 1 { singular } else { plural };
    format!("{count} {noun}")
}
