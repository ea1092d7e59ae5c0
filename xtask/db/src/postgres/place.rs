//! Where something happens: a database, and the means to get there.

use crate::console::interrupt::Interrupt;
use crate::postgres::programs::Programs;
use crate::postgres::server::Server;

/// A database, the programs and what ends the work early.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The database.
    pub server: &'a Server,
    /// The client programs.
    pub programs: &'a Programs,
    /// The user's interrupt.
    pub interrupt: &'a Interrupt,
}
