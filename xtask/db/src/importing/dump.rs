//! NEXT: SQL dumps, whoever wrote them.

use std::path::Path;

use anyhow::Result;

use crate::importing::{Loaded, Loading};
use crate::refusal::Refusal;

/// NEXT.
pub(super) fn load(
    _file: &Path,
    _loading: &Loading<'_>,
    _reach: &mut dyn FnMut(u64),
) -> Result<Loaded> {
    Err(Refusal::could_not("SQL cannot be imported yet", "nothing was changed"))
}
