//! `db-serve`: the local web page and its HTTP API.
//!
//! What answers is compiled only with the feature `serve`. Without it, the command builds this program once more with the
//! feature, and runs in it.

#[cfg(feature = "serve")]
mod server;

#[cfg(not(feature = "serve"))]
use anyhow::Result;

use crate::commands::flags::Common;
#[cfg(not(feature = "serve"))]
use crate::console::refusal::Answer;
#[cfg(not(feature = "serve"))]
use crate::host::session::Session;
#[cfg(not(feature = "serve"))]
use crate::operations::optional_feature::{SERVE, rebuild};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-serve --open
  cargo xtask db-serve --port 0";

/// Arguments of `db-serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port to listen on, on this machine only; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 4848)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[cfg(not(feature = "serve"))]
impl Args {
    #[expect(
        clippy::unused_self,
        reason = "the program with the feature reads the arguments again"
    )]
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        rebuild::run_with(session, &SERVE)
    }
}
