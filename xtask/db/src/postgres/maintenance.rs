//! A session beside the database: what renames, closes or drops it must not be connected to it.

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::postgres::programs::Programs;
use crate::postgres::psql::Psql;
use crate::postgres::quoting;
use crate::postgres::server::Server;
use crate::postgres::trouble::Trouble;

/// Databases that every server has, unless somebody dropped them.
const DATABASES: [&str; 2] = ["postgres", "template1"];

/// Connects to a database of the server that is not the one of `server`.
///
/// # Errors
///
/// If none of them can be reached.
pub(crate) fn connect<'a>(
    server: &Server,
    programs: &Programs,
    interrupt: &'a Interrupt,
) -> Result<Psql<'a>> {
    let mut names = DATABASES.iter().filter(|name| **name != server.database).peekable();
    loop {
        let name = names.next().map_or("template1", |name| name);
        match Psql::connect(&server.with_database(name), programs.any()?, interrupt) {
            Err(error) if error.is::<Trouble>() && names.peek().is_some() => {}
            result => return result,
        }
    }
}

/// Opens or closes a database to new connections.
///
/// # Errors
///
/// If the server refuses.
pub(crate) fn allow_connections(psql: &mut Psql<'_>, name: &str, allow: Allow) -> Result<()> {
    let value = match allow {
        Allow::Yes => "true",
        Allow::No => "false",
    };
    psql.run(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS {value};", quoting::name(name)))
}

/// Whether a database accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allow {
    /// It does.
    Yes,
    /// It does not.
    No,
}
