//! A backup of a database: the SQL that `pg_dump` prints, compressed into one file.
//!
//! `zstd -dc NAME.dump | psql` restores it without us. While it passes, hashes and rows are counted in its
//! own stream, so they belong to the snapshot that was dumped. `\restrict` and `\unrestrict`, which only
//! `psql` understands and whose key is random, are left out.

mod compress;
pub(crate) mod copy_target;
mod facts;
mod lexer;
pub(crate) mod pieces;
pub(crate) mod proof;
pub(crate) mod proving;
pub(crate) mod read_back;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use compress::{Compressing, Packed};
use facts::Facts;
use pieces::{Piece, Pieces};
use proof::DumpProof;
use proving::{N_WAITING, Proving};

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::threads::Lane;
use crate::files::stage::Stage;
use crate::postgres::client::{Client, Order};
use crate::postgres::programs::Programs;
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
    let run = run(server, programs, Some(stage), interrupt)?;
    let packed = run.packed.context("nothing was written")?;
    Ok(Dumped {
        size_bytes: packed.size_bytes,
        blake3: packed.blake3,
        proof: run.proof,
        server_version: run.facts.version,
        client_version: run.client_version,
        extensions: run.facts.extensions,
        roles: run.facts.roles,
    })
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
    let Run { proof, client_version, .. } = run(server, programs, None, interrupt)?;
    Ok(Present { proof, client_version })
}

/// A run of `pg_dump`.
struct Run {
    facts: Facts,
    client_version: String,
    proof: DumpProof,
    packed: Option<Packed>,
}

fn run(
    server: &Server,
    programs: &Programs,
    stage: Option<&Stage>,
    interrupt: &Interrupt,
) -> Result<Run> {
    // The snapshot lives as long as this session.
    let mut psql = Psql::connect(server, programs.any()?, interrupt)?;
    let facts = Facts::read(&mut psql)?;
    let tools = programs.for_server(facts.major)?;
    let snapshot = format!("--snapshot={}", facts.snapshot);
    let timeout = format!("--lock-wait-timeout={LOCK_TIMEOUT_MS}");
    let arguments = ["--format=plain", "--no-password", &snapshot, &timeout];
    let order = Order { program: &tools.pg_dump, arguments: &arguments, server: Some(server) };
    let mut client = Client::start(&order, interrupt)?;
    let Passed { packed, proof } = pass_on(&mut client, stage)?;
    psql.close()?;
    Ok(Run { facts, client_version: tools.version.clone(), proof, packed })
}

/// What became of a stream.
struct Passed {
    packed: Option<Packed>,
    proof: DumpProof,
}

/// Passes on what `pg_dump` prints, until it has ended.
fn pass_on(client: &mut Client<'_>, stage: Option<&Stage>) -> Result<Passed> {
    let passed = std::thread::scope(|scope| {
        let compressing = stage.map(Compressing::begin).transpose()?;
        let mut compressing = compressing.map(|step| Lane::begin(scope, N_WAITING, step));
        let mut proving = Proving::begin(scope);
        let mut pieces = Pieces::of(|buffer| client.read_much(buffer));
        while let Some(piece) = pieces.next()? {
            if !matches!(piece, Piece::Command(_)) {
                let bytes = proving.take(&piece)?;
                compressing.as_mut().map_or(Ok(()), |lane| lane.send(bytes))?;
            } else if !is_restriction(piece.bytes()) {
                anyhow::bail!("`pg_dump` printed a command that is not known");
            }
        }
        let is_complete = pieces.is_complete();
        let packed = compressing.map(Lane::finish).transpose()?;
        Ok((Passed { packed, proof: proving.finish()? }, is_complete))
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
