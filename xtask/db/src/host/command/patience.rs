//! How long to wait for a command.

use std::time::Duration;

/// How often a child is asked whether it has ended.
pub(super) const PAUSE: Duration = Duration::from_millis(10);
/// So long may a group that was asked to end (SIGTERM) take before it is killed or the user
/// interrupts again.
pub(super) const GRACE: Duration = Duration::from_secs(2);
