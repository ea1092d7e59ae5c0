//! A backup of a database: the SQL that `pg_dump` prints, compressed into one file.
//!
//! `zstd -dc NAME.dump | psql` restores it without us. While it passes, hashes and rows are counted in its
//! own stream, so they belong to the snapshot that was dumped. `\restrict` and `\unrestrict`, which only
//! `psql` understands and whose key is random, are left out.

mod compress;
pub(crate) mod copy_target;
pub(crate) mod definitions;
mod facts;
mod lexer;
pub(crate) mod pieces;
pub(crate) mod proof;
pub(crate) mod proving;
pub(crate) mod read_back;
pub(crate) mod title;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use compress::{Compressing, Packed};
use definitions::Definitions;
use facts::Facts;
use pieces::{Piece, Pieces};
use proof::DumpProof;
use proving::{N_WAITING, Proving, Shared};

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::threads::{Lane, Step};
use crate::files::stage::Stage;
use crate::postgres::client::{Client, Order};
use crate::postgres::place::Place;
use crate::postgres::programs::{Programs, Tools};
use crate::postgres::psql::Psql;
use crate::postgres::server::Server;
use crate::postgres::trouble::Trouble;
use crate::sqlite::examination::finding::Damage;

/// How long `pg_dump` waits for a lock on its tables, in milliseconds.
const LOCK_TIMEOUT_MS: u32 = 30_000;

/// What was dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dumped {
    /// Size of the file.
    pub size_bytes: u64,
    /// BLAKE3 of the file.
    pub blake3: String,
    /// What proves its content.
    pub proof: DumpProof,
    /// The server's version, e.g. `15.14`.
    pub server_version: String,
    /// The version of `pg_dump`.
    pub client_version: String,
    /// The versions of the extensions by name.
    pub extensions: BTreeMap<String, String>,
    /// The roles that own something or have rights, sorted.
    pub roles: Vec<String>,
}

/// Dumps one snapshot of a database into an empty stage, which is not synced yet.
///
/// # Errors
///
/// If the server cannot be reached or read, the programs are too old, the disk is full, or at the user's
/// interrupt. The stage is then useless.
pub(crate) fn dump(
    server: &Server,
    programs: &Programs,
    stage: &Stage,
    interrupt: &Interrupt,
) -> Result<Dumped> {
    let compressing = Compressing::begin(stage)?;
    let (Packed { size_bytes, blake3 }, dumped) =
        dump_through(place(server, programs, interrupt), compressing)?;
    Ok(Dumped { size_bytes, blake3, ..dumped })
}

/// Dumps one snapshot of a database through a step that keeps its bytes. What the step returns is beside
/// what was dumped, whose size and hash are the caller's to add.
///
/// # Errors
///
/// As [`dump`], or the error of the step.
pub(crate) fn dump_through<S>(place: Place<'_>, step: S) -> Result<(S::Done, Dumped)>
where
    S: Step<Shared> + Send,
    S::Done: Send,
{
    let Run { facts, client_version, proof, kept } = run(place, Some(step))?;
    let Facts { version, extensions, roles, .. } = facts;
    let dumped = Dumped {
        size_bytes: 0,
        blake3: String::new(),
        proof,
        server_version: version,
        client_version,
        extensions,
        roles,
    };
    Ok((kept.context("nothing was kept")?, dumped))
}

fn place<'a>(server: &'a Server, programs: &'a Programs, interrupt: &'a Interrupt) -> Place<'a> {
    Place { server, programs, interrupt }
}

/// What a dump would prove, and the version of `pg_dump` that did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    /// What the database contains now.
    pub proof: DumpProof,
    /// The version of `pg_dump`.
    pub client_version: String,
}

/// Proves what a database contains now, as [`dump`] would, without a file.
///
/// # Errors
///
/// As [`dump`].
pub(crate) fn prove(
    server: &Server,
    programs: &Programs,
    interrupt: &Interrupt,
) -> Result<Present> {
    let place = place(server, programs, interrupt);
    let Run { proof, client_version, .. } = run(place, None::<Compressing<'_>>)?;
    Ok(Present { proof, client_version })
}

/// A run of `pg_dump`.
struct Run<D> {
    facts: Facts,
    client_version: String,
    proof: DumpProof,
    kept: Option<D>,
}

fn run<S>(place: Place<'_>, step: Option<S>) -> Result<Run<S::Done>>
where
    S: Step<Shared> + Send,
    S::Done: Send,
{
    let Begun { psql, facts, tools, mut client } = Begun::begin(place, &[])?;
    let Passed { kept, proof } = pass_on(&mut client, step)?;
    psql.close()?;
    Ok(Run { facts, client_version: tools.version.clone(), proof, kept })
}

/// `pg_dump` at work.
struct Begun<'a> {
    /// The snapshot lives as long as this session.
    psql: Psql<'a>,
    facts: Facts,
    tools: &'a Tools,
    client: Client<'a>,
}

impl<'a> Begun<'a> {
    fn begin(place: Place<'a>, more: &[&str]) -> Result<Self> {
        let Place { server, programs, interrupt } = place;
        let mut psql = Psql::connect(server, programs.any()?, interrupt)?;
        let facts = Facts::read(&mut psql)?;
        let tools = programs.for_server(facts.major)?;
        let snapshot = format!("--snapshot={}", facts.snapshot);
        let timeout = format!("--lock-wait-timeout={LOCK_TIMEOUT_MS}");
        let arguments = ["--format=plain", "--no-password", &snapshot, &timeout];
        let arguments = [&arguments, more].concat();
        let order = Order { program: &tools.pg_dump, arguments: &arguments, server: Some(server) };
        let client = Client::start(&order, interrupt)?;
        Ok(Self { psql, facts, tools, client })
    }
}

/// BLAKE3 of the definitions that a database has now, as [`Definitions`] hashes those of a dump.
///
/// # Errors
///
/// As [`dump`].
pub(crate) fn definitions(place: Place<'_>) -> Result<String> {
    let Begun { psql, mut client, .. } = Begun::begin(place, &["--schema-only"])?;
    let mut definitions = Definitions::default();
    let mut pieces = Pieces::of(|buffer| client.read_much(buffer));
    while let Some(piece) = pieces.next()? {
        definitions.take(&piece);
    }
    let is_complete = pieces.is_complete();
    if !client.wait()?.success() || !is_complete {
        return Err(explained(client.failure()));
    }
    psql.close()?;
    Ok(definitions.finish())
}

/// What became of a stream.
struct Passed<D> {
    kept: Option<D>,
    proof: DumpProof,
}

/// Passes on what `pg_dump` prints, until it has ended.
fn pass_on<S>(client: &mut Client<'_>, step: Option<S>) -> Result<Passed<S::Done>>
where
    S: Step<Shared> + Send,
    S::Done: Send,
{
    let passed = std::thread::scope(|scope| {
        let mut keeping = step.map(|step| Lane::begin(scope, N_WAITING, step));
        let mut proving = Proving::begin(scope);
        let mut pieces = Pieces::of(|buffer| client.read_much(buffer));
        while let Some(piece) = pieces.next()? {
            if !matches!(piece, Piece::Command(_)) {
                let bytes = proving.take(&piece)?;
                keeping.as_mut().map_or(Ok(()), |lane| lane.send(bytes))?;
            } else if !is_restriction(piece.bytes()) {
                anyhow::bail!("`pg_dump` printed a command that is not known");
            }
        }
        let is_complete = pieces.is_complete();
        let kept = keeping.map(Lane::finish).transpose()?;
        Ok((Passed { kept, proof: proving.finish()? }, is_complete))
    });
    let (passed, is_complete) = match passed {
        Ok(passed) => passed,
        // A stream that is cut short is explained by the program.
        Err(error) if error.is::<Damage>() => return Err(explained(client.failure())),
        Err(error) => return Err(error),
    };
    if client.wait()?.success() && is_complete {
        return Ok(passed);
    }
    Err(explained(client.failure()))
}

/// Whether a line is one of the two that only newer versions of `psql` understand.
fn is_restriction(line: &[u8]) -> bool {
    line.starts_with(b"\\restrict ") || line.starts_with(b"\\unrestrict ")
}

fn explained(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Trouble>() {
        Some(trouble) if trouble.message.contains("LOCK TABLE") => Refusal::locked(
            "another session keeps a table locked that must be dumped",
            "let it end, e.g. a migration or a `VACUUM FULL`, and try again",
        ),
        _ => error.context("`pg_dump` failed"),
    }
}

#[cfg(test)]
mod tests;
