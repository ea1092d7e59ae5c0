//! A scratch database on the same server, for a drill or a rehearsal; it is dropped with its value.

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::maintenance;
use crate::postgres::place::Place;
use crate::postgres::properties::Properties;
use crate::postgres::quoting::{literal, name};
use crate::postgres::restore::fill;
use crate::postgres::restore::source::{Proved, Source};
use crate::postgres::server::Server;
use crate::postgres::temporary::{SCRATCH, Temporary};
use crate::postgres::trouble::Trouble;

/// The first server that can choose how a template is copied: by files, a quarter of the time
/// (<https://www.postgresql.org/docs/15/sql-createdatabase.html>).
const STRATEGY_SINCE: u32 = 15;
/// Somebody is connected to the template, or we may not copy it.
const NO_TEMPLATE: [&str; 2] = ["55006", "42501"];

/// A scratch database.
pub(crate) struct Scratch<'a>(Temporary<'a>);

impl<'a> Scratch<'a> {
    /// Copies the database itself; `None` if somebody is connected to it, whom this would keep waiting.
    ///
    /// # Errors
    ///
    /// A refusal if we may not create databases; or what the server refuses.
    pub(crate) fn by_template(place: Place<'a>) -> Result<Option<Self>> {
        let mut psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
        let query = format!(
            "SELECT current_setting('server_version_num')::int / 10000 AS major, \
             (SELECT count(*) FROM pg_stat_activity WHERE datname = {} AND usesysid IS NOT NULL) \
             AS n_sessions",
            literal(&place.server.database)
        );
        let Template { major, n_sessions } = psql.row(&query)?;
        let properties = Properties::read(&mut psql, &place.server.database)?;
        psql.close()?;
        if n_sessions > 0 {
            return Ok(None);
        }
        let strategy = if major >= STRATEGY_SINCE { " STRATEGY file_copy" } else { "" };
        let template = name(&place.server.database);
        let owner = name(&properties.owner);
        let create = |new: &str| {
            format!("CREATE DATABASE {} TEMPLATE {template}{strategy} OWNER {owner};", name(new))
        };
        let is_no_template = |error: &anyhow::Error| {
            let trouble = error.downcast_ref::<Trouble>();
            trouble.is_some_and(|trouble| NO_TEMPLATE.iter().any(|state| trouble.is(state)))
        };
        match Temporary::create(place, SCRATCH, &create) {
            Ok(mut database) => {
                let settings = properties.settings(database.name());
                database.beside().run(&settings)?;
                Ok(Some(Self(database)))
            }
            Err(error) if is_no_template(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Loads a backup into a new database with the encoding and locale of this one.
    ///
    /// # Errors
    ///
    /// A refusal if we may not create databases; if the dump is damaged; or what the server refuses.
    pub(crate) fn from_backup(place: Place<'a>, source: &Source<'_>) -> Result<Self> {
        let scratch = Self::empty(place)?;
        let server = scratch.server();
        fill::fill(Place { server: &server, ..place }, source)?;
        Ok(scratch)
    }

    /// Creates an empty one with the encoding, the locale, the owner and the settings of this one.
    ///
    /// # Errors
    ///
    /// A refusal if we may not create databases; or what the server refuses.
    pub(crate) fn empty(place: Place<'a>) -> Result<Self> {
        let mut psql = maintenance::connect(place.server, place.programs, place.interrupt)?;
        let properties = Properties::read(&mut psql, &place.server.database)?;
        psql.close()?;
        let mut database = Temporary::create(place, SCRATCH, &|new| properties.create(new))?;
        let settings = properties.settings(database.name());
        database.beside().run(&settings)?;
        Ok(Self(database))
    }

    /// How to reach it.
    #[must_use]
    pub(crate) fn server(&self) -> Server {
        self.0.server()
    }

    /// Compares it with a backup.
    ///
    /// # Errors
    ///
    /// If they differ, or it cannot be read.
    pub(crate) fn prove(&self, source: &Source<'_>) -> Result<Proved> {
        let server = self.server();
        fill::prove(Place { server: &server, ..self.0.place() }, source)
    }
}

#[derive(Debug, Deserialize)]
struct Template {
    major: u32,
    n_sessions: u64,
}
