//! What a restore in place could not drop or create again.

use anyhow::Result;
use serde::Deserialize;

use crate::console::refusal::{Exit, Refusal};
use crate::postgres::psql::Psql;

/// Something is in the way that a swap would not meet; nothing was begun.
#[derive(Debug)]
pub(crate) struct Obstructed;

impl std::fmt::Display for Obstructed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a restore in place could not drop or create it again")
    }
}

impl std::error::Error for Obstructed {}

#[derive(Debug, Deserialize)]
struct Obstacle {
    kind: String,
    name: String,
}

/// Extensions that keep more than their own objects: hypertables and their like are not ordinary tables.
/// The roles that we may act as are those whose member we are.
const QUERY: &str = "
    SELECT 'the extension' AS kind, extname AS name FROM pg_extension
      WHERE extname IN ('timescaledb', 'citus', 'pg_partman', 'pglogical', 'pipelinedb', 'anon')
    UNION ALL SELECT 'the event trigger', evtname FROM pg_event_trigger t
      WHERE evtenabled <> 'D' AND (NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
        OR EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_event_trigger'::regclass
          AND objid = t.oid AND deptype = 'e'))
    UNION ALL SELECT 'the subscription', subname FROM pg_subscription s
      JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()
    UNION ALL SELECT 'the schema of another owner', nspname FROM pg_namespace n
      WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
        AND NOT pg_has_role(nspowner, 'MEMBER')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass
          AND objid = n.oid AND deptype = 'e')
    UNION ALL SELECT 'the table of another owner', c.oid::regclass::text FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND NOT pg_has_role(relowner, 'MEMBER')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
          AND objid = c.oid AND deptype = 'e')
    UNION ALL SELECT 'the large object of another owner', oid::text FROM pg_largeobject_metadata
      WHERE NOT pg_has_role(lomowner, 'MEMBER')
    ORDER BY 1, 2 LIMIT 20";

/// Looks for what is in the way.
///
/// # Errors
///
/// A refusal that names it.
pub(super) fn check(psql: &mut Psql<'_>) -> Result<()> {
    let found: Vec<Obstacle> = psql.rows(QUERY)?;
    if found.is_empty() {
        return Ok(());
    }
    let all: Vec<_> =
        found.iter().map(|found| format!("{} `{}`", found.kind, found.name)).collect();
    let refusal = Refusal {
        what: format!("the database cannot be restored in place because of {}", all.join(", ")),
        hint: "restore it with `db-restore --swap`".to_owned(),
        exit: Exit::CouldNot,
    };
    Err(anyhow::Error::from(Obstructed).context(refusal))
}
