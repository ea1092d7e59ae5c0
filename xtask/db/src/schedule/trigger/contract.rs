//! What every trigger gets and gives, and how their programs are run.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::console::text;
use crate::host::project::schedule::When;
use crate::schedule::program;

/// The longest time between two calls, in minutes.
const HOUR: u32 = 60;

/// What a trigger calls, and when.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The id of the schedule.
    pub(crate) id: &'a str,
    /// The script.
    pub(crate) script: &'a Path,
    /// The slots.
    pub(crate) when: When,
    /// Where the user's programs and settings are.
    pub(crate) user: &'a User,
}

/// The user for whom it is installed.
#[derive(Debug)]
pub(crate) struct User {
    /// The home folder.
    pub(crate) home: PathBuf,
    /// The folder of settings: `XDG_CONFIG_HOME`, else `~/.config`.
    pub(crate) settings: PathBuf,
}

/// What an installation has to remember to leave nothing behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traces {
    /// Folders that it created, the innermost first.
    #[serde(default)]
    pub(crate) folders: Vec<PathBuf>,
    /// Whether the user had no crontab before.
    #[serde(default)]
    pub(crate) is_first_crontab: bool,
}

/// How a trigger is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It will call.
    Active,
    /// It will not call, and why.
    Inactive(String),
    /// It will call, but not always, and why.
    Sometimes {
        /// Why.
        what: String,
        /// What to do about it.
        remedy: String,
    },
}

/// The most minutes between two calls at which every slot is a call: an hour, or less for a schedule of minutes.
pub(super) fn step(when: When) -> u32 {
    match when {
        When::Minutes(n) => common_divisor(n, HOUR),
        _ => HOUR,
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// The folders of a path that are missing, the innermost first.
#[must_use]
pub(crate) fn missing(folder: &Path) -> Vec<PathBuf> {
    folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect()
}

/// Runs a program of the system's, and waits for it.
pub(super) fn output(words: &[&OsStr], input: Option<&[u8]>) -> Result<Output> {
    let shown = words.first().map(|program| program.to_string_lossy()).unwrap_or_default();
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = program::command(words)?
        .env("LC_ALL", "C")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{shown}`"))?;
    if let (Some(bytes), Some(mut stdin)) = (input, child.stdin.take()) {
        // A program that refuses before it has read everything says why.
        let _ = stdin.write_all(bytes);
    }
    child.wait_with_output().with_context(|| format!("could not wait for `{shown}`"))
}

/// The same, and its success.
pub(super) fn run(words: &[&str]) -> Result<String> {
    let all: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    let output = output(&all, None)?;
    if !output.status.success() {
        bail!("`{}` failed: {}", words.join(" "), first_line(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub(super) fn first_line(bytes: &[u8]) -> String {
    let said = String::from_utf8_lossy(bytes);
    text::plain(
        said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason").trim(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_comes_at_each_slot_and_once_an_hour() {
        for (minutes, expected) in
            [(15, 15), (16, 4), (45, 15), (60, 60), (72, 12), (360, 60), (720, 60)]
        {
            assert_eq!(step(When::Minutes(minutes)), expected, "{minutes}");
        }
        assert_eq!(step(When::Days(1)), 60);
    }
}
