//! Where the sequences are that an export defines.

use anyhow::Result;
use serde::Deserialize;
use xtask_db_format::postgres::Sequence;

use crate::postgres::dump_objects::Object;
use crate::postgres::psql::Psql;
use crate::postgres::quoting;

#[derive(Debug, Deserialize)]
struct Found {
    schema: String,
    name: String,
    qualified: String,
}

#[derive(Debug, Deserialize)]
struct State {
    last_value: i64,
    is_called: bool,
}

const QUERY: &str = "
    SELECT n.nspname AS schema, c.relname AS name,
      quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS qualified
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY n.nspname, c.relname";

/// Reads those among the objects of a dump. A title has a space for a line break.
pub(super) fn read(psql: &mut Psql<'_>, objects: &[Object]) -> Result<Vec<Sequence>> {
    let titled = |name: &str| name.replace(['\n', '\r'], " ");
    let is_defined = |found: &Found| {
        objects.iter().any(|object| {
            object.kind == "SEQUENCE"
                && object.name == titled(&found.name)
                && object.schema.as_deref() == Some(&titled(&found.schema))
        })
    };
    let mut sequences = Vec::new();
    for found in psql.rows::<Found>(QUERY)?.into_iter().filter(is_defined) {
        let from = quoting::qualified(&found.schema, &found.name);
        let State { last_value, is_called } =
            psql.row(&format!("SELECT last_value, is_called FROM {from}"))?;
        sequences.push(Sequence { name: found.qualified, last_value, is_called });
    }
    Ok(sequences)
}
