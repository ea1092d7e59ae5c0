//! The state of a database and its server, as one query reads it.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::psql::Psql;

/// Facts of a database.
#[expect(clippy::struct_excessive_bools, reason = "they are independent answers of the server")]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Facts {
    /// The first number of the server's version.
    pub major: u32,
    /// The server's version, e.g. `15.14`.
    pub version: String,
    /// The server only repeats what another one does.
    pub is_standby: bool,
    /// The encoding, e.g. `UTF8`.
    pub encoding: String,
    /// `libc`, `icu` or `builtin`.
    pub locale_provider: String,
    /// The locale that decides the order of texts.
    pub locale: String,
    /// The version of that order when the database was created; `None` if it has none.
    pub collation_version: Option<String>,
    /// Who owns the database.
    pub owner: String,
    /// We may do what its owner may.
    pub is_owner: bool,
    /// We may create databases.
    pub can_create: bool,
    /// We may do everything.
    pub is_superuser: bool,
    /// New databases are copies of it.
    pub is_template: bool,
    /// Its size on the server's disk.
    pub size_bytes: u64,
    /// The versions of the extensions by name.
    pub extensions: BTreeMap<String, String>,
    /// Other sessions with the database.
    pub sessions: Vec<Other>,
    /// The names of prepared transactions.
    pub prepared_transactions: Vec<String>,
    /// The names of logical replication slots.
    pub logical_slots: Vec<String>,
    /// The names of subscriptions.
    pub subscriptions: Vec<String>,
    /// The names of event triggers that are on.
    pub event_triggers: Vec<String>,
    /// Its dump would contain passwords of other servers: in subscriptions or user mappings.
    pub has_foreign_passwords: bool,
}

/// Another session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Other {
    /// Its process.
    pub pid: i32,
    /// The role.
    pub user: Option<String>,
    /// What it calls itself.
    pub application: String,
    /// E.g. `active`, or `idle in transaction`; `None` if it is hidden from us.
    pub state: Option<String>,
}

/// Columns that a version of the server lacks are read as NULL.
const QUERY: &str = "
    SELECT current_setting('server_version_num')::int / 10000 AS major,
      split_part(current_setting('server_version'), ' ', 1) AS version,
      pg_is_in_recovery() AS is_standby, pg_encoding_to_char(d.encoding) AS encoding,
      CASE to_jsonb(d)->>'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END
      AS locale_provider,
      coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', d.datcollate) AS locale,
      to_jsonb(d)->>'datcollversion' AS collation_version,
      pg_get_userbyid(d.datdba) AS owner, pg_has_role(d.datdba, 'MEMBER') AS is_owner,
      r.rolcreatedb OR r.rolsuper AS can_create, r.rolsuper AS is_superuser,
      d.datistemplate AS is_template, pg_database_size(d.oid) AS size_bytes,
      (SELECT coalesce(json_object_agg(extname, extversion), '{}') FROM pg_extension) AS extensions,
      (SELECT coalesce(json_agg(json_build_object('pid', pid, 'user', usename, 'application',
        coalesce(application_name, ''), 'state', state) ORDER BY pid), '[]') FROM pg_stat_activity
        WHERE datname = d.datname AND pid <> pg_backend_pid()
        AND (backend_type IS NULL OR backend_type <> 'parallel worker')) AS sessions,
      (SELECT coalesce(json_agg(gid ORDER BY gid), '[]') FROM pg_prepared_xacts
        WHERE database = d.datname) AS prepared_transactions,
      (SELECT coalesce(json_agg(slot_name ORDER BY slot_name), '[]') FROM pg_replication_slots
        WHERE database = d.datname) AS logical_slots,
      (SELECT coalesce(json_agg(subname ORDER BY subname), '[]') FROM pg_subscription
        WHERE subdbid = d.oid) AS subscriptions,
      (SELECT coalesce(json_agg(evtname ORDER BY evtname), '[]') FROM pg_event_trigger
        WHERE evtenabled <> 'D') AS event_triggers,
      EXISTS (SELECT FROM pg_subscription WHERE subdbid = d.oid)
        OR EXISTS (SELECT FROM pg_user_mappings) AS has_foreign_passwords
    FROM pg_database d JOIN pg_roles r ON r.rolname = current_user
    WHERE d.datname = current_database()";

impl Facts {
    pub(super) fn read(psql: &mut Psql<'_>) -> Result<Self> {
        psql.row(QUERY)
    }
}
