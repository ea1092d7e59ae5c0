//! A restore of a PostgreSQL database that is under way: the safety backup, the new state, its proof.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::console::text;
use crate::host::session::Session;
use crate::operations::dump_source::DumpSource;
use crate::operations::restore::on_server::keeping::Keeping;
use crate::operations::restore::safety_backup;
use crate::postgres::dump;
use crate::postgres::place::Place;
use crate::postgres::restore::fill::Differs;
use crate::postgres::restore::in_place::Replaced;
use crate::postgres::restore::in_place::obstacles::Obstructed;
use crate::postgres::restore::source::{EndUnknown, Proved, Source};
use crate::postgres::restore::swap;
use crate::postgres::restore::{fill, in_place};

/// How a restore is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// In one transaction on the database itself.
    InPlace,
    /// By a new database that gets the name of the old one.
    Swap,
}

/// Which way is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The user demanded it.
    Demanded(Way),
    /// It suits the size and our rights; the other one may be taken instead.
    Suitable(Way),
}

impl Choice {
    /// The way that is tried first.
    #[must_use]
    pub(crate) fn way(self) -> Way {
        match self {
            Self::Demanded(way) | Self::Suitable(way) => way,
        }
    }
}

/// What a restore did.
pub(crate) struct Done {
    /// The way that it took.
    pub(crate) way: Way,
    /// The safety backup.
    pub(crate) safety: Option<Box<Backup>>,
    /// How far the new state was proved.
    pub(crate) proved: Proved,
    /// How long nobody could connect, and how many sessions were ended.
    pub(crate) closed: Option<(Duration, usize)>,
    /// A database that was replaced and could not be dropped.
    pub(crate) old: Option<String>,
}

/// The content is there already.
#[derive(Debug)]
pub(crate) struct AlreadyThere;

impl std::fmt::Display for AlreadyThere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the content is there already")
    }
}

impl std::error::Error for AlreadyThere {}

/// One restore that is under way.
pub(crate) struct Run<'a> {
    /// The database, and where its old state is kept.
    pub(crate) keeping: Keeping<'a>,
    /// The content of the backup.
    pub(crate) source: &'a DumpSource,
    /// The way to take.
    pub(crate) choice: Choice,
}

impl Run<'_> {
    /// Restores it.
    ///
    /// # Errors
    ///
    /// [`AlreadyThere`]; [`EndUnknown`]; after any other error the database has its old state.
    pub(crate) fn run(&self, session: &mut Session) -> Result<Done> {
        let source = self.source.source();
        if self.choice.way() == Way::Swap {
            return self.swap(session, &source);
        }
        match self.in_place(session, &source) {
            // A swap may not meet the same obstacle.
            Err(error)
                if error.is::<Obstructed>() && matches!(self.choice, Choice::Suitable(_)) =>
            {
                session.note(format!("{error:#}: restoring by a swap instead"));
                self.swap(session, &source)
            }
            done => done,
        }
    }

    fn in_place(&self, session: &mut Session, source: &Source<'_>) -> Result<Done> {
        let safety = RefCell::new(None);
        let Keeping { database, place, locked, .. } = self.keeping;
        let wanted = self.keeping.wanted(session);
        let mut progress = session.progress("Restoring");
        let restored = in_place::restore(place, source, &mut || {
            let taken = self.keeping.keep(&wanted, database, &mut progress)?;
            let is_equal = taken
                .record()
                .is_some_and(|record| record.content_blake3 == source.proof.content_blake3);
            safety.replace(Some(Box::new(taken)));
            if is_equal { Err(AlreadyThere.into()) } else { Ok(()) }
        });
        drop(progress);
        let Replaced { n_cancelled, definitions_blake3 } = restored.inspect_err(|error| {
            // Rolled back, the database is as the safety backup has it; otherwise only that may have it.
            if !error.is::<EndUnknown>() {
                safety.take().map(|safety| safety_backup::unneeded(locked, safety));
            }
        })?;
        if n_cancelled > 0 {
            session.note(format!(
                "Cancelled {} of other sessions: each waited for the restore in a transaction that the restore \
                 waited for; the sessions are still connected",
                text::count(n_cancelled, "statement")
            ));
        }
        let safety = safety.into_inner();
        let proved = prove(session, place, source, &definitions_blake3);
        Ok(Done { way: Way::InPlace, safety, proved, closed: None, old: None })
    }

    fn swap(&self, session: &mut Session, source: &Source<'_>) -> Result<Done> {
        let progress = session.progress("Restoring");
        let built = swap::build(self.keeping.place, source);
        drop(progress);
        let built = built?;
        let proved = built.proved;
        let swapped = built.swap(&session.now().format("%Y%m%d_%H%M%S").to_string())?;
        let safety = self.keeping.keep_old(session, &swapped.old);
        let (safety, old) = match safety {
            Ok(safety) => (Some(Box::new(safety)), None),
            Err(error) => {
                session.warn(format!("the replaced database could not be dumped: {error:#}"));
                (None, Some(swapped.old))
            }
        };
        let closed = Some((swapped.closed_for, swapped.n_sessions));
        Ok(Done { way: Way::Swap, safety, proved, closed, old })
    }
}

/// Proves what a restore in place made, whose rows were compared before it was committed. If the definitions read otherwise,
/// all of it is compared.
fn prove(
    session: &mut Session,
    place: Place<'_>,
    source: &Source<'_>,
    definitions_blake3: &str,
) -> Proved {
    if dump::definitions(place).is_ok_and(|now| now == definitions_blake3) {
        return Proved::Whole;
    }
    fill::prove(place, source).unwrap_or_else(|error| {
        if error.is::<Differs>() {
            session.note(format!(
                "Since the commit, {error}: an application has written, or a definition could not be \
                 restored in place; `db-restore --swap` restores every definition"
            ));
        }
        Proved::Rows
    })
}
