//! NEXT: records.

use anyhow::Result;

use crate::commands::import::Args;
use crate::refusal::{Answer, Refusal};
use crate::session::Session;

/// NEXT.
pub(super) fn run(_args: &Args, _session: &mut Session) -> Result<Answer> {
    Err(Refusal::could_not("this way of importing is not built yet", "nothing was changed"))
}
