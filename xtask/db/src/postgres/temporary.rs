//! A database of ours under a name that nobody else uses: one that is being built, or a scratch database.
//!
//! As long as it is needed, a session holds an advisory lock on its name. So a database whose process was
//! killed is known by its free lock, and `restore/leftovers.rs` drops it.

use anyhow::Result;
use serde::Deserialize;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::files::publish::random;
use crate::postgres::maintenance;
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::{literal, name};
use crate::postgres::server::{MAX_NAME_BYTES, Server};

/// What the name of a database that is being built has after the name of the one it will replace.
pub(crate) const NEW: &str = "_xtask_new_";
/// The same of a scratch database.
pub(crate) const SCRATCH: &str = "_xtask_tmp_";
/// How many characters of chance follow.
const RANDOM_BYTES: usize = 8;

/// A database that is dropped with this value, unless it is kept.
pub(crate) struct Temporary<'a> {
    place: Place<'a>,
    name: String,
    guard: Psql<'a>,
    is_kept: bool,
}

impl<'a> Temporary<'a> {
    /// Creates one; `create` is the statement for a name.
    ///
    /// # Errors
    ///
    /// A refusal if the name is too long or we may not create databases; or what the server refuses.
    pub(crate) fn create(
        place: Place<'a>,
        ending: &str,
        create: &dyn Fn(&str) -> String,
    ) -> Result<Self> {
        // A restore has another way, a rehearsal has none.
        let or_in_place = if ending == NEW { ", or restore in place" } else { "" };
        check_length(&place.server.database, ending.len() + RANDOM_BYTES)?;
        let mut guard = maintenance::connect(place.server, place.programs, place.interrupt)?;
        check_permission(&mut guard, or_in_place)?;
        let family = family(&place.server.database, ending);
        let name = format!("{family}{:08x}", random() >> 32);
        guard.run(&format!(
            "SELECT pg_advisory_lock_shared({}), pg_advisory_lock({});",
            lock(&family),
            lock(&name)
        ))?;
        // From here on it is dropped, even if the statement fails half-way or is interrupted.
        let mut temporary = Self { place, name, guard, is_kept: false };
        temporary.guard.run(&create(&temporary.name))?;
        Ok(temporary)
    }

    /// Its name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How to reach it.
    #[must_use]
    pub(crate) fn server(&self) -> Server {
        self.place.server.with_database(&self.name)
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn place(&self) -> Place<'a> {
        self.place
    }

    /// A session beside it.
    pub(crate) fn beside(&mut self) -> &mut Psql<'a> {
        &mut self.guard
    }

    /// Keeps it: it has another name by now.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        // An interrupt must not prevent it; what stays is found by its free lock.
        let calm = Interrupt::default();
        let place = Place { interrupt: &calm, ..self.place };
        let dropped = maintenance::connect(place.server, place.programs, place.interrupt)
            .and_then(|mut psql| drop_with_sessions(&mut psql, &self.name));
        let _ = dropped;
    }
}

/// Drops a database of ours; sessions with it are ended.
///
/// # Errors
///
/// If the server refuses.
pub(crate) fn drop_with_sessions(psql: &mut Psql<'_>, database: &str) -> Result<()> {
    psql.run(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} \
         AND usesysid IS NOT NULL;",
        literal(database)
    ))?;
    // The server waits up to 5 s for sessions to end.
    psql.run(&format!("DROP DATABASE IF EXISTS {};", name(database)))
}

/// What the names of all temporary databases of one kind begin with. Its lock is shared by all that create one, also
/// before there is one: a server that was asked to create a database by a process that was killed goes on with it.
#[must_use]
pub(crate) fn family(database: &str, ending: &str) -> String {
    format!("{database}{ending}")
}

/// Whether the process that created a temporary database, or all of a family, is gone. The lock is ours then, until the
/// session ends.
///
/// # Errors
///
/// If the server refuses.
pub(crate) fn is_abandoned(psql: &mut Psql<'_>, database: &str) -> Result<bool> {
    let query = format!("SELECT pg_try_advisory_lock({}) AS is_free", lock(database));
    Ok(psql.row::<Lock>(&query)?.is_free)
}

#[derive(Debug, Deserialize)]
struct Lock {
    is_free: bool,
}

/// The two numbers of a name's lock.
fn lock(database: &str) -> String {
    format!("20250913, hashtext({})", literal(database))
}

/// Checks that a name is not cut by the server with what is added to it.
///
/// # Errors
///
/// A refusal.
pub(crate) fn check_length(database: &str, n_added: usize) -> Result<()> {
    let n_bytes = database.len() + n_added;
    if n_bytes <= MAX_NAME_BYTES {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!(
            "the name of database `{database}` is too long: with what is added to it for a copy, it \
             has {n_bytes} bytes, and a name may have {MAX_NAME_BYTES}"
        ),
        "rename it, or restore it in place",
    ))
}

#[derive(Debug, Deserialize)]
struct Permission {
    role: String,
    can_create: bool,
}

/// Whether we may create databases.
///
/// # Errors
///
/// If the server cannot be reached or refuses.
pub(crate) fn may_create(place: Place<'_>) -> Result<bool> {
    let mut psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
    let found = permission(&mut psql)?;
    psql.close()?;
    Ok(found.can_create)
}

fn permission(psql: &mut Psql<'_>) -> Result<Permission> {
    psql.row(
        "SELECT rolname AS role, rolcreatedb OR rolsuper AS can_create FROM pg_roles \
         WHERE rolname = current_user",
    )
}

fn check_permission(psql: &mut Psql<'_>, or_in_place: &str) -> Result<()> {
    let found = permission(psql)?;
    if found.can_create {
        return Ok(());
    }
    let role = &found.role;
    Err(Refusal::could_not(
        format!("the role `{role}` may not create databases"),
        format!("run `ALTER ROLE {} CREATEDB` as a superuser{or_in_place}", name(role)),
    ))
}
