//! `torture`: builds and runs the package of that name, which no other task compiles.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask torture --minutes 3
  cargo xtask torture --seed 4711 --runs 1     # the same run again
  cargo xtask torture --help-all               # every option";

/// Arguments of `torture`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Options of the package: `--minutes N`, `--runs N`, `--seed N`, `--only SCENARIO`, `--jobs N`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

impl Args {
    /// Runs the package with this program under test; its exit code is ours.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let xtask = std::env::current_exe().context("could not find this program")?;
        let options = self.options.iter().map(|option| {
            if option == "--help-all" { OsString::from("--help") } else { option.clone() }
        });
        let shell = Shell::new()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command =
            Command::from(cmd!(shell, "{cargo} run --quiet --package torture -- --xtask {xtask}"));
        let status = command.args(options).status().context("could not run cargo")?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(2)))
    }
}
