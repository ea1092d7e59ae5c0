//! How a program with the feature `bundle` and one without it recognise each other.

/// Set for the program that was built with the feature: if it has no `db-bundle` either, it does not build again.
pub(super) const MARK: &str = "XTASK_DB_WITH_BUNDLE";
/// Beside the program after it was built with the feature.
pub(super) const BUILT: &str = ".xtask-db-bundle";
