//! The rehearsal itself: a scratch database, the host's command there, and what it did.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::backups::record::{Postgres, Record, of_dump};
use crate::console::interrupt::Interrupt;
use crate::console::threads;
use crate::files;
use crate::host::command::{self, Task};
use crate::host::project::{Database, Location, Project};
use crate::migrate::on_server::schema;
use crate::migrate::on_server::sight::Sight;
use crate::migrate::on_server::value_effects::{self, After, Before};
use crate::migrate::rehearsal_result::{Live, Rehearsal};
use crate::migrate::state::State;
use crate::migrate::verdict::effects::Effects;
use crate::postgres::catalogue::Catalogue;
use crate::postgres::dump;
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::read_back::Dump;
use crate::postgres::place::Place;
use crate::postgres::programs::Programs;
use crate::postgres::psql::Psql;
use crate::postgres::restore::source::Source;
use crate::postgres::scratch::Scratch;
use crate::postgres::server::Server;
use crate::postgres::standing;
use crate::postgres::usage::Usage;
use crate::sqlite::schema::Schema;

/// Everything that a rehearsal needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// The host.
    pub project: &'a Project,
    /// Its database.
    pub database: &'a Database,
    /// Where that is.
    pub server: &'a Server,
    /// A finished dump of it.
    pub original: &'a Path,
    /// The proof of that dump.
    pub record: &'a Record,
    /// A private folder, for the rows that are compared.
    pub scratch: &'a files::stage::Scratch,
}

/// Why it cannot be known who changed the live database.
const ANYBODY: &str = "the server does not record which session changes a definition";

/// Runs a migration on a scratch database and compares both states.
///
/// # Errors
///
/// If the scratch database cannot be created, or the command not be started.
pub(crate) fn rehearse(
    stage: &Stage<'_>,
    command: &[String],
    interrupt: &Arc<Interrupt>,
) -> Result<Rehearsal> {
    let Stage { project, database, server, record, .. } = *stage;
    let programs = Programs::find(&project.search_path, interrupt)?;
    let place = Place { server, programs: &programs, interrupt };
    let proof = of_dump::proof(record)?;
    let copied = PrivateCopy::of(place, stage.original, record, &proof)?;
    let copy = copied.scratch.server();
    let here = Place { server: &copy, ..place };
    let sight = Sight::read(here)?;
    let before = sight.state(&copied.proof);
    let usage = Usage::begin(here)?;
    let timeout = database.migrate_timeout;
    let location = &Location::Server(copy.clone());
    let task = Task { project, database, location, command, timeout };
    let ended = command::migrate(&task, interrupt)?;
    // If the connection cannot be proved, there was none.
    let opened = usage.was_used().unwrap_or(false);
    let mut rehearsal = Rehearsal {
        ended,
        opened,
        doubts: vec![ANYBODY.to_owned()],
        after: Ok(before.clone()),
        before,
        effects: Effects::default(),
        size_bytes: record.size_bytes,
    };
    if rehearsal.ended.failure().is_none() {
        let old = Before { sight: &sight, dump: Dump::File(stage.original), proof: &copied.proof };
        match judged(old, here, stage.scratch) {
            Ok(Judged { state, effects }) => {
                (rehearsal.after, rehearsal.effects) = (Ok(state), effects);
            }
            Err(error) => rehearsal.after = Err(error),
        }
    }
    Ok(rehearsal)
}

/// The newer of two states.
pub(crate) struct Judged {
    /// The state.
    pub(crate) state: State,
    /// What became of the values of the older one.
    pub(crate) effects: Effects,
}

/// Reads the state that a command left, and compares it with the one before.
///
/// # Errors
///
/// If the server refuses, there is no room, or at the user's interrupt.
pub(crate) fn judged(
    before: Before<'_>,
    place: Place<'_>,
    scratch: &files::stage::Scratch,
) -> Result<Judged> {
    let (sight, present) = threads::both(
        || Sight::read(place),
        || dump::prove(place.server, place.programs, place.interrupt),
    );
    let (sight, proof) = (sight?, present?.proof);
    let state = sight.state(&proof);
    if proof.content_blake3 == before.proof.content_blake3 {
        return Ok(Judged { state, effects: Effects::default() });
    }
    let after = After { sight: &sight, place, proof: &proof };
    let effects = value_effects::of(before, after, scratch)
        .context("could not compare the states before and after")?;
    Ok(Judged { state, effects })
}

/// The scratch database, and what a dump of it proves.
struct PrivateCopy<'a> {
    scratch: Scratch<'a>,
    proof: DumpProof,
}

impl<'a> PrivateCopy<'a> {
    /// Copies the database itself if nobody is connected to it, else from its dump. Either way it is compared with the
    /// dump: somebody may have written since.
    fn of(place: Place<'a>, dump: &Path, record: &Record, proof: &DumpProof) -> Result<Self> {
        let Postgres { client_version, extensions, .. } =
            record.postgres.as_ref().context("its record does not describe a dump")?;
        let (dump, blake3) = (Dump::File(dump), &*record.blake3);
        let source = Source { dump, blake3, proof, client_version, extensions };
        if let Some(scratch) = Scratch::by_template(place)? {
            let proved = proved(place, scratch)?;
            if proved.proof == *proof {
                return Ok(proved);
            }
        }
        let copied = proved(place, Scratch::from_backup(place, &source)?)?;
        let differences = proof.table_differences(&copied.proof.tables);
        anyhow::ensure!(
            differences.is_empty(),
            "the private copy differs from the database: {}",
            differences.join(", ")
        );
        Ok(copied)
    }
}

fn proved<'a>(place: Place<'a>, scratch: Scratch<'a>) -> Result<PrivateCopy<'a>> {
    let present = dump::prove(&scratch.server(), place.programs, place.interrupt)?;
    Ok(PrivateCopy { scratch, proof: present.proof })
}

/// The schema of the live database.
///
/// # Errors
///
/// If the server cannot be reached or refuses.
pub(crate) fn schema(project: &Project, server: &Server, interrupt: &Interrupt) -> Result<Schema> {
    let programs = Programs::find(&project.search_path, interrupt)?;
    let mut psql = Psql::connect(server, programs.any()?, interrupt)?;
    let catalogue = Catalogue::read(&mut psql)?;
    psql.close()?;
    Ok(schema::of(&catalogue, std::collections::BTreeMap::new()))
}

/// Identity of the state of the live database.
///
/// # Errors
///
/// If the server cannot be reached or refuses, or at the user's interrupt.
pub(crate) fn live(project: &Project, server: &Server, interrupt: &Interrupt) -> Result<Live> {
    let programs = Programs::find(&project.search_path, interrupt)?;
    let present = dump::prove(server, &programs, interrupt)
        .map_err(|error| standing::explain(error, server, &programs))?;
    Ok(Live {
        schema_blake3: present.proof.catalogue_blake3,
        user_version: 0,
        content_blake3: present.proof.content_blake3,
    })
}
