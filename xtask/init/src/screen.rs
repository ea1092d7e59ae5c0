//! What is printed: diffs and facts on stdout, errors and questions on stderr.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use similar::TextDiff;

use crate::files::Change;
use crate::refusal::Refusal;

/// Prints a line of the result.
#[expect(clippy::print_stdout, reason = "the one place that prints results")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a note.
#[expect(clippy::print_stderr, reason = "the one place that prints notes")]
pub(crate) fn note(line: &str) {
    eprintln!("note: {line}");
}

/// Prints changes as a unified diff, which `git apply` understands.
pub(crate) fn show(changes: &[Change]) {
    for Change { path, before, after } in changes {
        let side = |text: &Option<String>, letter: char| match text {
            Some(_) => format!("{letter}/{path}"),
            None => "/dev/null".to_owned(),
        };
        let (old, new) = (side(before, 'a'), side(after, 'b'));
        let (before, after) = (before.as_deref().unwrap_or(""), after.as_deref().unwrap_or(""));
        let diff = TextDiff::from_lines(before, after);
        say(diff.unified_diff().header(&old, &new).to_string().trim_end_matches('\n'));
    }
}

/// Prints what was done to each file.
pub(crate) fn say_written(changes: &[Change]) {
    for Change { path, before, after } in changes {
        let did = match (before, after) {
            (_, None) => "Removed",
            (None, Some(_)) => "Created",
            (Some(_), Some(_)) => "Changed",
        };
        say(&format!("{did} {path}"));
    }
}

/// Asks a question; `None` if nobody is there to answer.
///
/// # Errors
///
/// If the terminal cannot be read.
pub(crate) fn ask(question: &str) -> Result<Option<bool>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut stderr = io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// Prints why nothing was done, and what to do.
#[expect(clippy::print_stderr, reason = "the one printer of errors")]
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  caused by: {cause}");
    }
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        eprintln!("hint: {}", refusal.hint());
    }
    ExitCode::from(2)
}
