//! The rows of a database for an export, in one snapshot: the definitions as `pg_dump` writes them, the rows
//! as `COPY` prints them.
//!
//! Rows are sorted by primary key, or by all their values, in an order that no locale decides: equal content
//! gives equal bytes.

pub(crate) mod selection;
mod sequences;
mod tables;

use anyhow::{Context, Result};
use serde::Deserialize;
use xtask_db_format::Sink;
use xtask_db_format::postgres::{Column, CopyLines, Definition, Format, Header, Kind, Table};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::postgres::dump_objects::{self, Object, SETTING};
use crate::postgres::place::Place;
use crate::postgres::psql::Psql;
use crate::postgres::trouble::Trouble;
use crate::rows::export::server::selection::{Selection, Wanted};
use crate::rows::export::server::tables::Found;

/// An export whose rows can be read.
pub(crate) struct Rows<'a> {
    psql: Psql<'a>,
    /// What the export says of itself.
    pub(crate) header: Header,
    /// For each table of the header, the statement that prints its rows; `None` if they are left out.
    sources: Vec<Option<String>>,
    /// Remarks for the user.
    pub(crate) remarks: Vec<String>,
}

/// Settings besides those of every session: how values are printed, and that no row is hidden silently.
const SETTINGS: &str = "SET timezone = 'UTC'; SET bytea_output = hex; SET lc_monetary = 'C'; \
     SET xmloption = content; SET row_security = off; SET lock_timeout = '30s';";
/// The role may not read something, or not all of its rows.
const NOT_ALLOWED: &str = "42501";
/// A lock was not granted in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// Rows after which somebody looks whether to continue.
const ROWS_BETWEEN_LOOKS: u64 = 1 << 12;

#[derive(Debug, Deserialize)]
struct Facts {
    major: u32,
    snapshot: String,
    encoding: String,
    n_large_objects: u64,
    foreign_tables: Vec<String>,
    populated_views: Vec<String>,
}

const FACTS: &str = "
    SELECT current_setting('server_version_num')::int / 10000 AS major, pg_export_snapshot() AS snapshot,
      (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()) AS encoding,
      (SELECT count(*) FROM pg_largeobject_metadata) AS n_large_objects,
      (SELECT coalesce(json_agg(oid::regclass::text ORDER BY oid), '[]') FROM pg_class
        WHERE relkind = 'f') AS foreign_tables,
      (SELECT coalesce(json_agg(quote_ident(nspname) || '.' || quote_ident(relname)), '[]')
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'm' AND relispopulated) AS populated_views";

/// Opens a snapshot and reads everything but the rows.
///
/// # Errors
///
/// A refusal if a wanted table is not there, or the role may not read everything; or what the server
/// refuses.
pub(crate) fn open<'a>(place: Place<'a>, wanted: &Wanted) -> Result<Rows<'a>> {
    opened(place, wanted).map_err(explained)
}

fn opened<'a>(place: Place<'a>, wanted: &Wanted) -> Result<Rows<'a>> {
    let mut psql = Psql::connect(place.server, place.programs.any()?, place.interrupt)?;
    psql.run(SETTINGS)?;
    let all = tables::read(&mut psql)?;
    let first = Selection::of(&all, wanted)?;
    // Locked before the snapshot is taken: a table that is rewritten in between would seem empty
    // (<https://www.postgresql.org/docs/current/mvcc-caveats.html>).
    psql.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")?;
    for table in &first.tables {
        psql.run(&format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE;", table.quoted()))?;
    }
    let facts: Facts = psql.row(FACTS)?;
    let all = tables::read(&mut psql)?;
    let selection = Selection::of(&all, wanted)?;
    let tools = place.programs.for_server(facts.major)?;
    let mut options = vec![format!("--snapshot={}", facts.snapshot)];
    if !wanted.tables.is_empty() {
        options.extend(selection.defined.iter().map(|table| format!("--table={}", table.quoted())));
    }
    let objects = dump_objects::read(place.server, tools, &options, place.interrupt)?;
    let is_defined = |table: &Found| {
        table.condition.is_some() || objects.iter().any(|object| table.is_defined_by(object))
    };
    let chosen: Vec<&Found> =
        selection.tables.iter().copied().filter(|table| is_defined(table)).collect();
    let mut header = Header::of_encoding(facts.encoding.clone());
    header.sequences = sequences::read(&mut psql, &objects)?;
    for object in &objects {
        let is_after = !header.after.is_empty() || object.is_after_rows();
        let to = if is_after { &mut header.after } else { &mut header.before };
        to.push(definition(object));
    }
    if wanted.tables.is_empty() {
        header.after.extend(refreshes(&objects, &facts));
    }
    header.tables = chosen.iter().map(|table| head(table, selection.is_left_out(table))).collect();
    let source = |table: &&Found| (!selection.is_left_out(table)).then(|| table.copy());
    let sources = chosen.iter().map(source).collect();
    let remarks = remarks(&facts, &selection, wanted);
    Ok(Rows { psql, header, sources, remarks })
}

fn head(table: &Found, is_left_out: bool) -> Table {
    let column = |column: &tables::Column| Column {
        name: column.name.clone(),
        type_name: column.type_name.clone(),
        kind: Kind::of_type(&column.base),
    };
    Table {
        name: table.qualified.clone(),
        rows: is_left_out.then_some("left-out"),
        columns: table.columns.iter().map(column).collect(),
        key: table.key.iter().map(|part| part.name.clone()).collect(),
    }
}

fn definition(object: &Object) -> Definition {
    // Every new database has this schema.
    let is_public = object.kind == "SCHEMA" && object.name == "public";
    let sql = if is_public {
        object.sql.replacen("CREATE SCHEMA public;", "CREATE SCHEMA IF NOT EXISTS public;", 1)
    } else {
        object.sql.clone()
    };
    let kind =
        if object.kind == SETTING { "setting".to_owned() } else { object.kind.to_lowercase() };
    Definition { kind, name: object.name.clone(), sql }
}

/// Fills the materialized views that are filled in the database, in the order in which they were created.
fn refreshes(objects: &[Object], facts: &Facts) -> Vec<Definition> {
    let views = objects.iter().filter(|object| object.kind == "MATERIALIZED VIEW");
    let filled = views.filter_map(|view| {
        let start = "CREATE MATERIALIZED VIEW ";
        let rest = view.sql.strip_prefix(start)?;
        let view_name = facts.populated_views.iter().find(|one| {
            rest.strip_prefix(one.as_str()).is_some_and(|rest| rest.starts_with([' ', '\n', '(']))
        })?;
        Some(Definition {
            kind: "materialized view data".to_owned(),
            name: view.name.clone(),
            sql: format!("REFRESH MATERIALIZED VIEW {view_name};"),
        })
    });
    filled.collect()
}

fn remarks(facts: &Facts, selection: &Selection<'_>, wanted: &Wanted) -> Vec<String> {
    let mut remarks = Vec::new();
    if facts.n_large_objects > 0 {
        let n = text::count(facts.n_large_objects, "large object");
        remarks.push(format!("not exported: {n}; a backup contains them"));
    }
    if wanted.tables.is_empty() && !facts.foreign_tables.is_empty() {
        let tables = facts.foreign_tables.join(", ");
        remarks.push(format!(
            "the rows of foreign tables are on another server and are not exported: {}",
            text::plain(&tables)
        ));
    }
    remarks.extend(selection.missing_parents());
    remarks
}

impl Rows<'_> {
    /// Writes everything; returns the number of rows of each table of the header. `look` hears now and then
    /// how many bytes were written, and may end it.
    ///
    /// # Errors
    ///
    /// If a table cannot be read, the sink fails, or as `look`.
    pub(crate) fn write(
        &mut self,
        format: &mut dyn Format,
        to: &mut Sink<'_>,
        look: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<Vec<u64>> {
        let Self { psql, header, sources, .. } = self;
        format.begin(header, to)?;
        let mut counts = Vec::new();
        for (table, source) in header.tables.iter().zip(sources) {
            look(to.n_bytes())?;
            let Some(copy) = source else {
                counts.push(0);
                continue;
            };
            format.begin_table(table, to)?;
            let n_rows = copy_rows(psql, copy, &mut |line, n_rows| {
                format.row(line, to)?;
                if n_rows % ROWS_BETWEEN_LOOKS == 0 { look(to.n_bytes()) } else { Ok(()) }
            });
            let what = || format!("could not export table `{}`", text::plain(&table.name));
            counts.push(n_rows.map_err(explained).with_context(what)?);
            format.end_table(to)?;
        }
        format.end(header, &counts, to)?;
        Ok(counts)
    }

    /// Ends the snapshot.
    ///
    /// # Errors
    ///
    /// If the session fails at its end.
    pub(crate) fn close(self) -> Result<()> {
        self.psql.close()
    }
}

/// Hands on the lines of a table with their numbers, from 1; returns how many there were.
fn copy_rows(
    psql: &mut Psql<'_>,
    copy: &str,
    each: &mut dyn FnMut(&[u8], u64) -> Result<()>,
) -> Result<u64> {
    let (mut lines, mut n_rows) = (CopyLines::default(), 0);
    psql.ask(copy, &mut |bytes| {
        lines.take(bytes, &mut |line| {
            n_rows += 1;
            each(line, n_rows)
        })
    })?;
    lines.finish()?;
    Ok(n_rows)
}

/// Adds what to do if the role may not read something.
fn explained(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Trouble>() {
        Some(trouble) if trouble.is(NOT_ALLOWED) => Refusal::could_not(
            text::plain(&trouble.message),
            "an export must not leave rows out silently: connect as the owner of the tables, or as a role \
             that may read all rows (`BYPASSRLS`, `pg_read_all_data`)",
        ),
        Some(trouble) if trouble.is(LOCK_NOT_AVAILABLE) => Refusal::locked(
            "another session keeps a table locked that must be read",
            "let it end, e.g. a migration or a `VACUUM FULL`, and try again",
        ),
        _ => error,
    }
}
