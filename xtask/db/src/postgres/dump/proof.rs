//! What proves the content of a dump.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Hashes of a dump's SQL: equal for two databases with equal content, whichever server and client
/// versions wrote their names into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DumpProof {
    /// BLAKE3 of everything.
    pub content_blake3: String,
    /// BLAKE3 of the definitions: of everything but rows, values of sequences, and large objects.
    pub catalogue_blake3: String,
    /// Size of the SQL.
    pub sql_bytes: u64,
    /// The tables by their name as SQL writes it, e.g. `public."Order"`.
    pub tables: BTreeMap<String, TableProof>,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableProof {
    /// How many there are.
    pub rows: u64,
    /// BLAKE3 of their lines.
    pub blake3: String,
}

impl DumpProof {
    /// Where another proof differs, as fragments; empty if both prove the same content.
    #[must_use]
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = self.table_differences(&other.tables);
        if self.catalogue_blake3 != other.catalogue_blake3 {
            found.push("the definitions differ".to_owned());
        }
        if found.is_empty() && self.content_blake3 != other.content_blake3 {
            found.push(
                "values of sequences, large objects or the order of the content differ".to_owned(),
            );
        }
        found
    }

    /// The same of the tables only.
    #[must_use]
    pub(crate) fn table_differences(&self, others: &BTreeMap<String, TableProof>) -> Vec<String> {
        let mut found = Vec::new();
        for (name, proof) in &self.tables {
            match others.get(name) {
                None => found.push(format!("table `{name}` is missing")),
                Some(other) if other.rows != proof.rows => found.push(format!(
                    "table `{name}` has {} rows instead of {}",
                    other.rows, proof.rows
                )),
                Some(other) if other != proof => {
                    found.push(format!("table `{name}` has other values"));
                }
                Some(_) => {}
            }
        }
        let more = others.keys().filter(|name| !self.tables.contains_key(*name));
        found.extend(more.map(|name| format!("table `{name}` was not there before")));
        found
    }
}
