//! The environment, as the session hands it on.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Environment variables by name; their values need not be UTF-8. A variable whose name is not
/// UTF-8 is not one that we read.
pub(crate) type Environment = BTreeMap<String, OsString>;
