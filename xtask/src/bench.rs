//! `bench`: builds and runs the package of that name, which no other task compiles.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::package;

/// Arguments of `bench`: all of them are the package's, `--help` too.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Options of the package; `--help` prints them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

impl Args {
    /// Runs the package in place of this program, which is the one that it times.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut bench = package::command("bench", &self.options)?;
        bench.env("XTASK", package::xtask()?);
        package::exec(bench)
    }
}
