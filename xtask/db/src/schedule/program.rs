//! Other programs as processes of their own.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

/// A program and its arguments, to be started without a shell, in the current folder.
///
/// # Errors
///
/// If there are no words, or the current folder is gone.
pub(crate) fn command<S: AsRef<OsStr>>(words: &[S]) -> Result<Command> {
    of(&Shell::new()?, words)
}

/// The same in another folder.
///
/// # Errors
///
/// As [`command`].
pub(crate) fn command_in<S: AsRef<OsStr>>(folder: &Path, words: &[S]) -> Result<Command> {
    let shell = Shell::new()?;
    shell.change_dir(folder);
    of(&shell, words)
}

fn of<S: AsRef<OsStr>>(shell: &Shell, words: &[S]) -> Result<Command> {
    let (program, arguments) = words.split_first().context("no program was named")?;
    let program = program.as_ref();
    Ok(Command::from(cmd!(shell, "{program} {arguments...}")))
}
