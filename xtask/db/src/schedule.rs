//! Backups by the clock: when they are due, what the runs remember, and what starts them. The records of the backups are
//! the truth; what is remembered here says which steps of a slot are done, and whom to tell of a failure.

pub(crate) mod call;
pub(crate) mod home;
pub(crate) mod installation;
pub(crate) mod lateness;
pub(crate) mod log;
pub(crate) mod moved;
pub(crate) mod outbox;
pub(crate) mod program;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod trigger;
