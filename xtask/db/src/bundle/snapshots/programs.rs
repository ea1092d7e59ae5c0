//! Runs the programs that take and remove snapshots.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::bundle::snapshots::running::{Limits, Running, Until};
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::git::repository;

/// How much of what a program complains about is shown.
const MAX_COMPLAINT: usize = 400;
/// How much of a stream is passed on at once.
const PART_BYTES: usize = 256 << 10;

/// Where programs run, and what they do not get.
pub(crate) struct Programs<'a> {
    /// The project's root.
    pub(crate) folder: &'a Path,
    /// Variables of the environment that are kept from them.
    pub(crate) hidden: &'a [String],
    /// How long one may take; one that prints a stream, how long it may print nothing.
    pub(crate) timeout: Duration,
    /// The user's interrupt.
    pub(crate) interrupt: &'a Interrupt,
}

impl Programs<'_> {
    /// Runs a program to the end and returns what it printed. It cannot ask anything.
    ///
    /// # Errors
    ///
    /// A refusal if it is not installed; what it complained about if it fails; if it takes too long; or at the user's
    /// interrupt.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<String> {
        let mut printed = Vec::new();
        self.read(words, Until::Ended, &mut |part| {
            printed.extend_from_slice(part);
            Ok(())
        })?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Runs a program that prints a stream, and passes it on in parts.
    ///
    /// # Errors
    ///
    /// As [`Self::run`]; or what `take` fails with. If the program fails at its very end, its stream is worth nothing.
    pub(crate) fn stream<S: AsRef<OsStr>>(
        &self,
        words: &[S],
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.read(words, Until::Closed, take)
    }

    fn read<S: AsRef<OsStr>>(
        &self,
        words: &[S],
        until: Until,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let line: Vec<_> = words.iter().map(|word| plain(word.as_ref())).collect();
        let line = line.join(" ");
        let limits = Limits { interrupt: self.interrupt, timeout: self.timeout, until };
        let mut running = self.start(words, limits)?;
        let mut room = vec![0; PART_BYTES];
        loop {
            let n = running.read(&mut room).map_err(|error| self.in_words(&error, &line))?;
            if n == 0 {
                break;
            }
            take(&room[..n])?;
        }
        let (status, complaint) = running.wait().map_err(|error| self.in_words(&error, &line))?;
        if status.success() {
            return Ok(());
        }
        self.interrupt.check()?;
        let complaint = text::plain(complaint.trim());
        let complaint =
            if complaint.is_empty() { "it printed no reason".into() } else { complaint };
        bail!("`{line}` ended with {status}: {}", text::cut(&complaint, MAX_COMPLAINT));
    }

    fn start<'l, S: AsRef<OsStr>>(&self, words: &[S], limits: Limits<'l>) -> Result<Running<'l>> {
        let (program, arguments) = words.split_first().context("a command has no words")?;
        let shell = Shell::new()?;
        shell.change_dir(self.folder);
        let (name, program) = (plain(program), PathBuf::from(program));
        let command = cmd!(shell, "{program} {arguments...}");
        let mut command = Command::from(repository::without_git_variables(command));
        for variable in self.hidden {
            command.env_remove(variable);
        }
        match Running::start(&mut command, limits) {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Refusal::could_not(
                format!("could not start `{name}`: it is not installed"),
                "install it, or correct `[workspace.metadata.db.bundle.snapshots]`",
            )),
            started => started.with_context(|| format!("could not start `{name}`")),
        }
    }

    /// Which program an error is about, unless the user asked to stop.
    fn in_words(&self, error: &anyhow::Error, line: &str) -> anyhow::Error {
        match self.interrupt.check() {
            Ok(()) => anyhow::anyhow!("`{line}`: {error:#}"),
            Err(interrupted) => interrupted,
        }
    }
}

fn plain(word: impl AsRef<OsStr>) -> String {
    text::plain(&word.as_ref().to_string_lossy())
}
