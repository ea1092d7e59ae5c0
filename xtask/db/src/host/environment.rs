//! The environment, as the session hands it on.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Environment variables by name; their values need not be UTF-8. One whose name is not is none of ours.
pub(crate) type Environment = BTreeMap<String, OsString>;
