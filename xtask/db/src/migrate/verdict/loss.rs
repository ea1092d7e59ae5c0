//! The states that are compared, and a loss.

use crate::migrate::state::State;
use crate::migrate::verdict::effects::Effects;

/// The states before and after a migration, and the effects of the migration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison<'a> {
    /// Before.
    pub before: &'a State,
    /// After.
    pub after: &'a State,
    /// Effects that row counts do not show.
    pub effects: &'a Effects,
}

/// Something that a migration takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The names that let it through, the narrowest first; none, if nothing does.
    pub names: Vec<String>,
    /// Description of the loss.
    pub what: String,
}
