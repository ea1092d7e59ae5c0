//! The feature `bundle`: a program without it builds itself once more with it, and runs the command in that.

#[cfg(not(feature = "bundle"))]
pub(crate) mod rebuild;

#[cfg(feature = "bundle")]
use crate::host::session::Session;

/// Set for the program that was built with the feature: if it has no `db-bundle` either, it does not build again.
const MARK: &str = "XTASK_DB_WITH_BUNDLE";
/// Beside the program after it was built with the feature.
const BUILT: &str = ".xtask-db-bundle";

/// Notes that this program was built with the feature by the one without it.
#[cfg(feature = "bundle")]
pub(crate) fn note(session: &Session) {
    if let (Some(_), Some(binary)) = (session.variable(MARK), session.binary()) {
        // Without it, the next call reports once more that it builds.
        let _ = fs_err::write(binary.with_file_name(BUILT), "");
    }
}
