//! Recovery from interrupted commands: the lock of a database, and the note of the step that was under way.

pub(crate) mod anchor;
pub(crate) mod database_lock;
pub(crate) mod interrupted_bundle;
pub(crate) mod interrupted_step;
mod lock_file;
pub(crate) mod note;
