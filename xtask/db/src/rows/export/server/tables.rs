//! The tables of a database that have rows of their own: their columns, keys and parents.

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::dump_objects::Object;
use crate::postgres::psql::Psql;
use crate::postgres::quoting;

/// A table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Found {
    /// Its schema.
    pub schema: String,
    /// Its name there.
    pub name: String,
    /// Both as SQL, quoted only if necessary.
    pub qualified: String,
    /// Whether it only has partitions.
    is_partitioned: bool,
    /// The tables whose partition it is, at any depth, by their qualified names.
    pub partition_of: Vec<String>,
    /// Which rows of an extension's table a dump contains, as a condition with `WHERE`; `None` if it is no
    /// such table.
    pub condition: Option<String>,
    /// The columns whose values are given, not computed.
    pub columns: Vec<Column>,
    /// The columns of the primary key.
    pub key: Vec<KeyPart>,
    /// The tables that its foreign keys refer to, by their qualified names.
    pub parents: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as SQL.
    pub type_name: String,
    /// The name of the type in `pg_catalog`, of a domain that of its base; empty for other types.
    pub base: String,
}

/// A column of a primary key.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KeyPart {
    /// Its name.
    pub name: String,
    /// Whether a collation decides its order.
    is_collated: bool,
}

/// What belongs to an extension is left out, except the rows that the extension declares as configuration.
/// Columns that a version of the server lacks are read as NULL.
const QUERY: &str = "
    WITH config AS (SELECT unnest(extconfig) AS oid, unnest(extcondition) AS condition FROM pg_extension)
    SELECT n.nspname AS schema, c.relname AS name,
      quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS qualified,
      c.relkind = 'p' AS is_partitioned, config.condition,
      (WITH RECURSIVE above AS (
          SELECT i.inhparent AS oid FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition
          UNION SELECT i.inhparent FROM above JOIN pg_inherits i ON i.inhrelid = above.oid)
        SELECT coalesce(json_agg(quote_ident(an.nspname) || '.' || quote_ident(a.relname)), '[]')
        FROM above JOIN pg_class a USING (oid) JOIN pg_namespace an ON an.oid = a.relnamespace)
      AS partition_of,
      (SELECT coalesce(json_agg(json_build_object('name', a.attname,
          'type_name', format_type(a.atttypid, a.atttypmod), 'base', (WITH RECURSIVE base AS (
            SELECT t.* FROM pg_type t WHERE t.oid = a.atttypid
            UNION ALL SELECT t.* FROM base JOIN pg_type t ON t.oid = base.typbasetype
              WHERE base.typtype = 'd')
          SELECT coalesce(max(typname::text) FILTER (WHERE typnamespace = 'pg_catalog'::regnamespace), '')
          FROM base WHERE typtype <> 'd')) ORDER BY a.attnum), '[]')
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND coalesce(to_jsonb(a)->>'attgenerated', '') = '') AS columns,
      (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'is_collated', a.attcollation <> 0)
          ORDER BY k.place), '[]')
        FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
        WHERE i.indrelid = c.oid AND i.indisprimary
        AND k.place <= coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts)) AS key,
      (SELECT coalesce(json_agg(DISTINCT quote_ident(pn.nspname) || '.' || quote_ident(p.relname)), '[]')
        FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid
        JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE f.conrelid = c.oid AND f.contype = 'f') AS parents
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN config ON config.oid = c.oid
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND (config.oid IS NOT NULL OR NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
    ORDER BY n.nspname, c.relname";

/// Reads them, by name.
///
/// # Errors
///
/// If the server refuses.
pub(crate) fn read(psql: &mut Psql<'_>) -> Result<Vec<Found>> {
    psql.rows(QUERY)
}

impl Found {
    /// Whether it has rows of its own.
    #[must_use]
    pub(crate) fn has_rows(&self) -> bool {
        !self.is_partitioned
    }

    /// Its name with its schema, every part quoted.
    #[must_use]
    pub(crate) fn quoted(&self) -> String {
        quoting::qualified(&self.schema, &self.name)
    }

    /// Whether a user means it: by its name, with or without the schema, as SQL or as it is.
    #[must_use]
    pub(crate) fn is_named(&self, named: &str) -> bool {
        named == self.name
            || named == self.qualified
            || named == self.quoted()
            || named.strip_prefix(&self.schema).and_then(|rest| rest.strip_prefix('.'))
                == Some(self.name.as_str())
    }

    /// Whether an object of a dump is this table. A title has a space for a line break.
    #[must_use]
    pub(crate) fn is_defined_by(&self, object: &Object) -> bool {
        let is = |titled: &str, name: &str| {
            titled.len() == name.len()
                && titled.bytes().zip(name.bytes()).all(|(titled, byte)| {
                    titled == byte || titled == b' ' && (byte == b'\n' || byte == b'\r')
                })
        };
        object.kind == "TABLE"
            && is(&object.name, &self.name)
            && object.schema.as_deref().is_some_and(|schema| is(schema, &self.schema))
    }

    /// The statement that prints its rows, in an order that only their values decide.
    #[must_use]
    pub(crate) fn copy(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|column| quoting::name(&column.name)).collect();
        let order = if self.key.is_empty() {
            "(xtask_row.*)::text COLLATE \"C\"".to_owned()
        } else {
            let part = |part: &KeyPart| {
                let collation = if part.is_collated { " COLLATE \"C\"" } else { "" };
                format!("{}{collation}", quoting::name(&part.name))
            };
            self.key.iter().map(part).collect::<Vec<_>>().join(", ")
        };
        format!(
            "COPY (SELECT {} FROM ONLY {} AS xtask_row {} ORDER BY {order}) TO STDOUT;",
            columns.join(", "),
            self.quoted(),
            self.condition.as_deref().unwrap_or_default()
        )
    }
}
