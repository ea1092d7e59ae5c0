//! What a killed restore of a PostgreSQL database left on the server: settled, kept and reported.

use anyhow::Result;

use crate::console::text;
use crate::host::session::Session;
use crate::operations::restore::on_server::keeping::Keeping;
use crate::postgres::restore::leftovers::{self, Leftovers};

/// Makes the database be there and accept connections, and keeps what the killed restore replaced as a
/// safety backup.
///
/// # Errors
///
/// If the server cannot be reached or refuses.
pub(crate) fn settle(session: &mut Session, keeping: &Keeping<'_>) -> Result<()> {
    let left = leftovers::settle(keeping.place)?;
    say(session, &left);
    // As long as another restore is at work, what it replaced is its own affair.
    if left.busy.is_empty() {
        for old in &left.old {
            keep(session, keeping, old);
        }
    }
    Ok(())
}

fn keep(session: &mut Session, keeping: &Keeping<'_>, old: &str) {
    match keeping.keep_old(session, old) {
        Ok(safety) => session.note(format!(
            "An interrupted restore had replaced the database: what it replaced is kept as {}",
            keeping.project.dotted(&safety.path())
        )),
        Err(error) => session.warn(format!(
            "an interrupted restore had replaced the database, and what it replaced could not be kept \
             ({error:#}); it is still on the server as `{old}`, closed to connections: dump it if you need \
             it, then drop it",
            old = text::plain(old)
        )),
    }
}

/// Reports what an earlier restore that was killed had left on the server.
fn say(session: &mut Session, left: &Leftovers) {
    if left.was_closed {
        session.note(
            "An interrupted restore had closed the database to connections: it is open again",
        );
    }
    if let Some(old) = &left.renamed {
        session.note(format!(
            "An interrupted restore had renamed the database to `{old}`: it is back"
        ));
    }
}
