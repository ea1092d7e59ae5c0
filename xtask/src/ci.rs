//! `ci`: for people what `.ci/run` is for machines, from any folder of the workspace.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::package;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask ci               # before a push: formatting, lints and tests
  cargo xtask ci && git push";

const SCRIPT: &str = ".ci/run";

/// Arguments of `ci`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl Args {
    /// Runs the script with this process's streams; its exit code is ours.
    #[expect(clippy::unused_self, reason = "there are no arguments yet")]
    pub(crate) fn run(self) -> Result<ExitCode> {
        let folder = std::env::current_dir().context("could not find the current folder")?;
        let root = root_above(&folder)
            .with_context(|| format!("there is no `{SCRIPT}` in this folder or above it"))?;
        let shell = Shell::new()?;
        shell.change_dir(root);
        // xshell's own `run` tells no exit code.
        let mut command = Command::from(cmd!(shell, "bash {SCRIPT}"));
        package::forget_cargo_run(&mut command);
        let status = command.status().with_context(|| format!("could not run `bash {SCRIPT}`"))?;
        Ok(exit_code(status))
    }
}

fn root_above(folder: &Path) -> Option<PathBuf> {
    let root = folder.ancestors().find(|root| root.join(SCRIPT).is_file());
    root.map(Path::to_path_buf)
}

/// A shell's convention: 128 and the signal's number, if one ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None::<i32>;
    let code = status.code().or(signal.map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_found_from_any_folder_of_the_workspace() {
        let folder = tempfile::tempdir().expect("folder");
        let deep = folder.path().join("backend/src");
        fs_err::create_dir_all(&deep).expect("folders");
        assert_eq!(root_above(&deep), None);
        fs_err::create_dir(folder.path().join(".ci")).expect("folder");
        fs_err::write(folder.path().join(SCRIPT), "exit 0\n").expect("written");
        assert_eq!(root_above(&deep).as_deref(), Some(folder.path()));
    }
}
