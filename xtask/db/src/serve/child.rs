//! A command of this program, started as a process of its own.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use axum::http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::{progress_lines, threads};
use crate::host::project::Project;
use crate::schedule::program;
use crate::serve::problem::Problem;

/// The first byte of such a line (RFC 7464).
const PROGRESS_MARK: u8 = 0x1e;
/// How long a document may be that is kept in memory.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;
/// How much of one line of a message is kept.
const MAX_LINE_BYTES: usize = 4 << 10;

/// How long a word of a command may be.
const MAX_WORD_BYTES: usize = 4 << 10;
/// How many words a command may have.
const MAX_WORDS: usize = 1_000;

/// This program, and where its commands run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// The program, and the words before the command.
    words: Vec<OsString>,
    root: PathBuf,
}

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Step {
    /// What is done, e.g. `Copying`.
    pub(crate) verb: String,
    /// Bytes so far, if they are counted.
    pub(crate) done_bytes: Option<u64>,
    /// Bytes in all, if that is known.
    pub(crate) total_bytes: Option<u64>,
}

/// What a command reports while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// How far it is.
    Step(Step),
    /// A line for the user.
    Line(String),
}

/// How a command ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) exit_code: Option<i32>,
    /// Its document, if it wrote a whole one.
    pub(crate) document: Option<Value>,
}

impl Program {
    /// The program that runs, for a project; `None` if its own file is unknown.
    #[must_use]
    pub(crate) fn of(project: &Project) -> Option<Self> {
        let itself = project.itself.as_ref()?;
        let before = itself.arguments.split_last().map_or(&[][..], |(_, before)| before);
        let mut words = vec![itself.program.clone().into_os_string()];
        words.extend(before.iter().cloned());
        Some(Self { words, root: project.root.clone() })
    }

    /// A command of it with nothing on stdin. It leads its own process group: an interrupt at the terminal reaches the server
    /// alone, which passes it on once.
    ///
    /// # Errors
    ///
    /// If the current folder is gone.
    pub(crate) fn command(&self, words: &[String]) -> Result<Command> {
        let mut command = program::command_in(&self.root, &self.words)?;
        command
            .args(words)
            .env(progress_lines::VARIABLE, "lines")
            .stdin(Stdio::null())
            .process_group(0);
        Ok(command)
    }

    /// Asks a question: the document of a command that changes nothing. A command that answers no has a document, too.
    ///
    /// # Errors
    ///
    /// The command's own error, or a failure to run it.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<Value, Problem> {
        let mut words: Vec<String> = words.iter().map(ToString::to_string).collect();
        demand_words(&words)?;
        words.push("--json".to_owned());
        let mut command = self.command(&words)?;
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.context("could not start this program again")?;
        let document = document_of(&mut child);
        let status = child.wait().map_err(|error| Problem::of_failure(&error.into()))?;
        let document = document?;
        match document {
            Some(document) => match Problem::of_document(&document) {
                Some(problem) => Err(problem),
                None => Ok(document),
            },
            None => Err(anyhow::anyhow!("`{}` ended with {status}", words.join(" ")).into()),
        }
    }

    /// Starts a command whose progress is followed.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub(crate) fn start(&self, words: &[String]) -> Result<Child> {
        let mut command = self.command(words)?;
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("could not start this program again")
    }
}

/// Refuses words that no command can be given: the system cuts them at a NUL, and limits their length.
///
/// # Errors
///
/// 422 for such a word.
pub(crate) fn demand_words(words: &[String]) -> Result<(), Problem> {
    let is_fit = |word: &String| word.len() <= MAX_WORD_BYTES && !word.contains('\0');
    if words.iter().all(is_fit) && words.len() <= MAX_WORDS {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "a value is too long, or contains a NUL character",
        format!("send at most {MAX_WORD_BYTES} bytes of text, and at most {MAX_WORDS} values"),
    ))
}

/// Follows a started command until it has ended.
///
/// # Errors
///
/// If its output cannot be read.
pub(crate) fn follow(mut child: Child, mut each: impl FnMut(Report) + Send) -> Result<Ended> {
    let messages = child.stderr.take();
    let report = move || {
        for line in messages.into_iter().flat_map(|messages| BufReader::new(messages).split(b'\n'))
        {
            each(report_of(&line?));
        }
        Ok(())
    };
    let (reported, document) = threads::both(report, || document_of(&mut child));
    let status = child.wait().context("could not wait for the command")?;
    reported?;
    Ok(Ended { exit_code: status.code(), document: document? })
}

/// Asks a process to end, as Ctrl-C does.
pub(crate) fn interrupt(process_id: u32) {
    let id = i32::try_from(process_id).ok().and_then(Pid::from_raw);
    if let Some(id) = id {
        // If it has ended by now, there is nothing to ask.
        let _ = kill_process(id, Signal::INT);
    }
}

fn document_of(child: &mut Child) -> Result<Option<Value>> {
    let Some(output) = child.stdout.take() else { return Ok(None) };
    let mut text = Vec::new();
    let mut output = output.take(MAX_DOCUMENT_BYTES);
    output.read_to_end(&mut text).context("could not read the answer of a command")?;
    Ok(serde_json::from_slice(&text).ok())
}

fn report_of(line: &[u8]) -> Report {
    let step = line.strip_prefix(&[PROGRESS_MARK]);
    let step = step.and_then(|json| serde_json::from_slice(json).ok());
    step.map_or_else(
        || {
            let line = &line[..line.len().min(MAX_LINE_BYTES)];
            Report::Line(String::from_utf8_lossy(line).into_owned())
        },
        Report::Step,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_from_progress() {
        let step = b"\x1e{\"verb\":\"Copying\",\"done_bytes\":1,\"total_bytes\":null}";
        let expected = Step { verb: "Copying".to_owned(), done_bytes: Some(1), total_bytes: None };
        assert_eq!(report_of(step), Report::Step(expected));
        assert_eq!(report_of(b"\x1enot json"), Report::Line("\u{1e}not json".to_owned()));
        assert_eq!(report_of(b"warning: x"), Report::Line("warning: x".to_owned()));
    }
}
