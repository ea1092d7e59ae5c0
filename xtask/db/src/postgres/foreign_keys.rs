//! Rows whose parent is missing: behind a foreign key that is not validated, or written while its triggers were
//! off.

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::psql::Psql;

/// A foreign key, and how many rows break it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The table with the key, as a dump names it.
    pub child: String,
    /// The table that it refers to.
    pub parent: String,
    /// Rows that refer to no row of that.
    pub n_rows: u64,
}

#[derive(Debug, Deserialize)]
struct Key {
    child: String,
    parent: String,
    columns: Vec<String>,
    matches: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Count {
    n: u64,
}

/// Keys of partitions are those of the partitioned table.
const KEYS: &str = "
    SELECT format('%I.%I', n.nspname, c.relname) AS child, format('%I.%I', m.nspname, p.relname) AS parent,
      (SELECT json_agg(format('child.%I', a.attname)) FROM pg_attribute a
        WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) AS columns,
      (SELECT json_agg(format('parent.%I OPERATOR(%I.%s) child.%I', b.attname, s.nspname, q.oprname,
        a.attname)) FROM unnest(k.conkey, k.confkey, k.conpfeqop) AS pair (own, other, equal)
        JOIN pg_operator q ON q.oid = pair.equal JOIN pg_namespace s ON s.oid = q.oprnamespace
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.own
        JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.other) AS matches
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace m ON m.oid = p.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname !~ '^pg_' ORDER BY 1, 2, k.conname";

/// The foreign keys that rows break.
///
/// # Errors
///
/// If the server refuses.
pub(crate) fn broken(psql: &mut Psql<'_>) -> Result<Vec<Broken>> {
    let keys: Vec<Key> = psql.rows(KEYS)?;
    let mut broken = Vec::new();
    for Key { child, parent, columns, matches } in keys {
        let given: Vec<_> = columns.iter().map(|name| format!("{name} IS NOT NULL")).collect();
        let Count { n } = psql.row(&format!(
            "SELECT count(*) AS n FROM {child} AS child WHERE {} AND NOT EXISTS \
             (SELECT FROM {parent} AS parent WHERE {})",
            given.join(" AND "),
            matches.join(" AND ")
        ))?;
        if n > 0 {
            broken.push(Broken { child, parent, n_rows: n });
        }
    }
    Ok(broken)
}
