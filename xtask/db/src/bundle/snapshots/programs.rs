//! Runs the programs that take and remove snapshots.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::git::repository;

/// How much of what a program complains about is shown.
const MAX_COMPLAINT: usize = 400;

/// Where programs run, and what they do not get.
pub(crate) struct Programs<'a> {
    /// The project's root.
    pub(crate) folder: &'a Path,
    /// Variables of the environment that are kept from them.
    pub(crate) hidden: &'a [String],
    /// The user's interrupt.
    pub(crate) interrupt: &'a Interrupt,
}

impl Programs<'_> {
    /// Runs a program to the end and returns what it printed. It cannot ask anything.
    ///
    /// # Errors
    ///
    /// A refusal if it is not installed; what it complained about if it fails; or at the user's interrupt.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<String> {
        let (program, arguments) = words.split_first().context("a command has no words")?;
        let shell = Shell::new()?;
        shell.change_dir(self.folder);
        let (name, program) = (plain(program), PathBuf::from(program));
        let command = cmd!(shell, "{program} {arguments...}").stdin(Vec::<u8>::new());
        let mut command = Command::from(repository::without_git_variables(command));
        for variable in self.hidden {
            command.env_remove(variable);
        }
        let output = match command.output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Refusal::could_not(
                    format!("could not start `{name}`: it is not installed"),
                    "install it, or correct `[workspace.metadata.db.bundle.snapshots]`",
                ));
            }
            output => output.with_context(|| format!("could not start `{name}`"))?,
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        self.interrupt.check()?;
        let line: Vec<_> = words.iter().map(|word| plain(word.as_ref())).collect();
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = text::plain(complaint.trim());
        let complaint =
            if complaint.is_empty() { "it printed no reason".into() } else { complaint };
        bail!(
            "`{}` ended with {}: {}",
            line.join(" "),
            output.status,
            text::cut(&complaint, MAX_COMPLAINT)
        );
    }
}

fn plain(word: impl AsRef<OsStr>) -> String {
    text::plain(&word.as_ref().to_string_lossy())
}
