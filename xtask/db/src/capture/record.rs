//! The record of a backup that is being taken.

use std::collections::BTreeMap;

use crate::backups::record::{self, Examined, Postgres, Record, Sqlite};
use crate::capture::request::Capture;
use crate::postgres::dump::Dumped;
use crate::sqlite::examination::Examination;
use crate::sqlite::examination::finding::Depth;
use crate::sqlite::snapshot::copy::Copied;

/// Program and version that write a record.
pub(crate) const TOOL: &str = concat!("xtask-db ", env!("CARGO_PKG_VERSION"));

/// The record of a copy, without the place that publishing gives it.
pub(crate) fn record_of(
    capture: Capture<'_>,
    copied: &Copied,
    journal_mode: String,
    examination: Examination,
) -> Record {
    let header = copied.header;
    let requested = requested(capture);
    let examined = Examined { findings: examination.findings, ..requested.examined };
    Record {
        size_bytes: copied.size_bytes,
        blake3: copied.hashes.blake3.clone(),
        content_blake3: copied.hashes.content_blake3.clone(),
        sqlite: Some(Sqlite {
            version: rusqlite::version().to_owned(),
            page_size_bytes: header.page_size_bytes(),
            page_count: copied.size_bytes / header.page_size_bytes().max(1),
            journal_mode,
            user_version: header.user_version(),
            application_id: header.application_id(),
            encoding: header.encoding().to_owned(),
            unknown: serde_json::Map::new(),
        }),
        schema_blake3: examination.schema_blake3,
        schema_version: examination.schema_version,
        tables: examination.tables,
        examined,
        ..requested
    }
}

/// The record of a dump, without the place that publishing gives it.
pub(crate) fn record_of_dump(capture: Capture<'_>, dumped: Dumped) -> Record {
    let Dumped { size_bytes, blake3, proof, .. } = dumped;
    let rows = proof.tables.iter().map(|(table, proof)| (table.clone(), Some(proof.rows)));
    let hashes = proof.tables.iter().map(|(table, proof)| (table.clone(), proof.blake3.clone()));
    Record {
        size_bytes,
        blake3,
        content_blake3: proof.content_blake3,
        schema_blake3: proof.catalogue_blake3,
        tables: rows.collect(),
        postgres: Some(Postgres {
            server_version: dumped.server_version,
            client_version: dumped.client_version,
            sql_bytes: proof.sql_bytes,
            tables: hashes.collect(),
            extensions: dumped.extensions,
            roles: dumped.roles,
            unknown: serde_json::Map::new(),
        }),
        ..requested(capture)
    }
}

/// The record of a backup as it was requested, without what its content gives it.
#[must_use]
pub(super) fn requested(capture: Capture<'_>) -> Record {
    let Capture { project, wanted, .. } = capture;
    Record {
        version: record::VERSION,
        sequence: 0,
        database: wanted.database.name.clone(),
        source: project.plain_place(wanted.database),
        file: String::new(),
        kind: wanted.kind,
        label: wanted.label.clone(),
        pinned: wanted.pinned,
        created_at: wanted.now,
        size_bytes: 0,
        blake3: String::new(),
        content_blake3: String::new(),
        sqlite: None,
        postgres: None,
        schema_blake3: String::new(),
        schema_version: None,
        tables: BTreeMap::new(),
        examined: Examined {
            at: wanted.now,
            depth: Depth::Quick,
            findings: Vec::new(),
            unknown: serde_json::Map::new(),
        },
        verified: None,
        git: wanted.git.clone(),
        enters: wanted.enters.clone(),
        paths: wanted.paths.clone(),
        replaced_by: wanted.replaced_by.clone(),
        stored: None,
        home: None,
        tool: TOOL.to_owned(),
        record_blake3: None,
        unknown: serde_json::Map::new(),
    }
}

/// The record of a backup with the content of another one, whose bytes the caller has proved.
#[must_use]
pub(crate) fn record_again(capture: Capture<'_>, old: &Record) -> Record {
    let Capture { project, wanted, .. } = capture;
    Record {
        database: wanted.database.name.clone(),
        source: project.plain_place(wanted.database),
        kind: wanted.kind,
        label: wanted.label.clone(),
        pinned: wanted.pinned,
        created_at: wanted.now,
        verified: None,
        git: wanted.git.clone(),
        enters: wanted.enters.clone(),
        paths: wanted.paths.clone(),
        replaced_by: wanted.replaced_by.clone(),
        stored: old.stored.clone().map(|stored| record::Stored { new_bytes: 0, ..stored }),
        home: None,
        tool: TOOL.to_owned(),
        unknown: serde_json::Map::new(),
        ..old.clone()
    }
}
