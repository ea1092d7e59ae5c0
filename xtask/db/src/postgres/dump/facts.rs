//! What a dump does not contain about itself, read in its snapshot.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::psql::Psql;

/// Facts of a database.
#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    pub(super) major: u32,
    pub(super) version: String,
    /// The snapshot, for `pg_dump --snapshot`.
    pub(super) snapshot: String,
    pub(super) extensions: BTreeMap<String, String>,
    pub(super) roles: Vec<String>,
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;";

/// The roles in `pg_shdepend` are those with rights, and all owners but the bootstrap superuser. What
/// belongs to an extension is not in a dump. A partitioned table depends on its own columns, which does not
/// make it a part of anything.
const QUERY: &str = "
    WITH members AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
      OR deptype = 'i' AND (classid, objid) <> (refclassid, refobjid)), owners AS (
      SELECT 'pg_class'::regclass AS class, oid, relowner AS owner FROM pg_class
      UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
      UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace
      UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_type
      UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata)
    SELECT current_setting('server_version_num')::int / 10000 AS major,
      split_part(current_setting('server_version'), ' ', 1) AS version,
      pg_export_snapshot() AS snapshot,
      (SELECT coalesce(json_object_agg(extname, extversion), '{}') FROM pg_extension) AS extensions,
      (SELECT coalesce(json_agg(rolname ORDER BY rolname), '[]') FROM pg_roles WHERE oid IN (
        SELECT d.refobjid FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
          WHERE d.refclassid = 'pg_authid'::regclass AND b.datname = current_database()
          AND (d.classid, d.objid) NOT IN (SELECT classid, objid FROM members)
        UNION SELECT owner FROM owners WHERE oid >= 16384
          AND (class::oid, oid) NOT IN (SELECT classid, objid FROM members))) AS roles";

impl Facts {
    /// Reads them, and opens the snapshot.
    pub(super) fn read(psql: &mut Psql<'_>) -> Result<Self> {
        psql.run(BEGIN)?;
        psql.row(QUERY)
    }
}
