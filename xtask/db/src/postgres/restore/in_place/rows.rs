//! The rows that a transaction sees, counted and hashed as a dump would have them.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::postgres::dump::copy_target::CopyTarget;
use crate::postgres::dump::proof::TableProof;
use crate::postgres::psql::Psql;
use crate::postgres::restore::in_place::extension_rows::Conditions;

/// The proofs of the tables that were loaded, by name. Of an extension's table, only the user's rows count.
///
/// # Errors
///
/// If one cannot be read.
pub(super) fn of(
    psql: &mut Psql<'_>,
    targets: &[CopyTarget],
    conditions: &Conditions,
) -> Result<BTreeMap<String, TableProof>> {
    let mut found = BTreeMap::new();
    for target in targets {
        let (mut hasher, mut rows) = (blake3::Hasher::new(), 0_u64);
        let what = match conditions.get(&target.name).filter(|condition| !condition.is_empty()) {
            None => target.sql(),
            Some(condition) => target.selection(condition),
        };
        let statement = [b"COPY ", &what[..], b" TO STDOUT;"].concat();
        psql.ask_bytes(&statement, &mut |bytes| {
            hasher.update(bytes);
            rows += memchr::memchr_iter(b'\n', bytes).count() as u64;
            Ok(())
        })?;
        let proof = TableProof { rows, blake3: hasher.finalize().to_hex().to_string() };
        found.insert(target.name.clone(), proof);
    }
    Ok(found)
}
