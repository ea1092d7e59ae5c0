//! Runs the statements of a dump in a session, as data.
//!
//! A dump is not a script: `psql` would run backslash commands in it (CVE-2025-8714). So each definition is
//! the text of a literal that only the server reads, and rows go where our own statement sends them.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::postgres::dump::copy_target::CopyTarget;
use crate::postgres::dump::definitions::Definitions;
use crate::postgres::dump::pieces::Piece;
use crate::postgres::dump::read_back::each_piece;
use crate::postgres::psql::Psql;
use crate::postgres::quoting;
use crate::postgres::restore::source::Source;
use crate::sqlite::examination::finding::Damage;

/// Settings at the beginning of a dump that are ours to decide, or that an older server does not know.
const SETTINGS_OF_OURS: [&[u8]; 4] = [
    b"SET statement_timeout = ",
    b"SET lock_timeout = ",
    b"SET idle_in_transaction_session_timeout = ",
    b"SET transaction_timeout = ",
];

/// What was loaded.
pub(super) struct Loaded {
    /// The tables that got rows.
    pub(super) targets: Vec<CopyTarget>,
    /// BLAKE3 of the definitions, as [`Definitions`] has it.
    pub(super) definitions_blake3: String,
}

/// Loads a dump within the transaction that is open.
///
/// # Errors
///
/// If the server refuses a statement, the dump is damaged or is not the one that was recorded, or at the
/// user's interrupt. Then the transaction must not be committed.
pub(super) fn load(
    psql: &mut Psql<'_>,
    source: &Source<'_>,
    existing: &BTreeSet<String>,
    interrupt: &Interrupt,
) -> Result<Loaded> {
    let (targets, definitions) = (Vec::new(), Definitions::default());
    let mut loading = Loading { psql, existing, targets, definitions };
    let read = each_piece(source.dump, interrupt, &mut |piece| loading.take(&piece))?;
    if read.blake3 != source.blake3 {
        return Err(Damage::new("the dump is not the one that was recorded").into());
    }
    let Loading { targets, definitions, .. } = loading;
    psql.settle()?;
    Ok(Loaded { targets, definitions_blake3: definitions.finish() })
}

struct Loading<'p, 'a> {
    psql: &'p mut Psql<'a>,
    /// Schemas that are there already.
    existing: &'p BTreeSet<String>,
    targets: Vec<CopyTarget>,
    definitions: Definitions,
}

impl Loading<'_, '_> {
    fn take(&mut self, piece: &Piece<'_>) -> Result<()> {
        self.definitions.take(piece);
        match piece {
            Piece::Definition(text) => self.define(text),
            Piece::Copy(_, target) => {
                self.psql.send(b"COPY ")?;
                self.psql.send(&target.sql())?;
                self.psql.send(b" FROM stdin;\n")?;
                self.targets.push(target.clone());
                Ok(())
            }
            Piece::Rows(bytes, _) | Piece::End(bytes) => self.psql.send(bytes),
            Piece::Command(_) => Err(Damage::new("the dump contains a command of `psql`").into()),
            // All of it is one transaction of ours.
            Piece::Transaction(_) | Piece::Version(_) => Ok(()),
        }
    }

    fn define(&mut self, text: &[u8]) -> Result<()> {
        let text = if is_settings(text) {
            let is_ours =
                |line: &&[u8]| SETTINGS_OF_OURS.iter().any(|start| line.starts_with(start));
            let lines = text.split_inclusive(|byte| *byte == b'\n');
            lines.filter(|line| !is_ours(line)).collect::<Vec<_>>().concat()
        } else {
            without_existing_schema(text, self.existing)
        };
        let inner = quoting::dollar_quote(&text);
        let outer = quoting::dollar_quote(&text);
        self.psql.send(format!("DO {outer}BEGIN EXECUTE {inner}").as_bytes())?;
        self.psql.send(&text)?;
        self.psql.send(format!("{inner}; END{outer};\n").as_bytes())
    }
}

/// Whether a definition is the settings at the beginning, after the comments with the versions.
fn is_settings(text: &[u8]) -> bool {
    text.starts_with(b"\nSET ")
}

/// The definition of a schema without its first statement, if the schema is there already.
fn without_existing_schema(text: &[u8], existing: &BTreeSet<String>) -> Vec<u8> {
    const CREATE: &[u8] = b"CREATE SCHEMA ";
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let is_before = line == b"\n" || line.starts_with(b"--");
        let name = line.strip_prefix(CREATE).and_then(|rest| rest.strip_suffix(b";\n"));
        if let Some(name) = name.map(String::from_utf8_lossy)
            && existing.iter().any(|schema| *schema == name || quoting::name(schema) == name)
        {
            return [&text[..at], &text[at + line.len()..]].concat();
        }
        if !is_before {
            break;
        }
        at += line.len();
    }
    text.to_vec()
}
