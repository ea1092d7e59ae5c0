//! The objects in a dump with their statements, each known by what `pg_dump` prints above it.

use anyhow::Result;

use crate::console::interrupt::Interrupt;
use crate::postgres::client::{Client, Order};
use crate::postgres::dump::pieces::{Piece, Pieces};
use crate::postgres::dump::title::Title;
use crate::postgres::programs::Tools;
use crate::postgres::quoting::printable;
use crate::postgres::server::Server;

/// The last lines of a dump.
const LAST: &str = "--\n-- PostgreSQL database dump complete\n--\n";
/// What changes settings for the objects that follow.
pub(crate) const SETTING: &str = "SET";
/// The objects that `pg_dump` creates after the rows.
const AFTER_ROWS: [&str; 18] = [
    "INDEX",
    "INDEX ATTACH",
    "CONSTRAINT",
    "FK CONSTRAINT",
    "CHECK CONSTRAINT",
    "TRIGGER",
    "RULE",
    "POLICY",
    "ROW SECURITY",
    "STATISTICS",
    "EVENT TRIGGER",
    "PUBLICATION",
    "PUBLICATION TABLE",
    "PUBLICATION TABLES IN SCHEMA",
    "SUBSCRIPTION",
    "SUBSCRIPTION TABLE",
    "MATERIALIZED VIEW DATA",
    "DEFAULT ACL",
];

/// An object, as a dump defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// The kind, e.g. `TABLE` or `FK CONSTRAINT`.
    pub kind: String,
    /// The schema, if it is in one.
    pub schema: Option<String>,
    /// The name; of what belongs to a table, the table's and its own, with a space between.
    pub name: String,
    /// The statements, without the comments above them.
    pub sql: String,
}

impl Object {
    /// Whether it is created after the rows.
    #[must_use]
    pub(crate) fn is_after_rows(&self) -> bool {
        AFTER_ROWS.contains(&self.kind.as_str())
    }
}

/// Reads the definitions in a snapshot; of some tables only, if patterns name them.
///
/// # Errors
///
/// If `pg_dump` fails, or at the user's interrupt.
pub(crate) fn read(
    server: &Server,
    tools: &Tools,
    options: &[String],
    interrupt: &Interrupt,
) -> Result<Vec<Object>> {
    let fixed = ["--format=plain", "--no-password", "--schema-only"];
    let arguments: Vec<&str> =
        fixed.into_iter().chain(options.iter().map(String::as_str)).collect();
    let order = Order { program: &tools.pg_dump, arguments: &arguments, server: Some(server) };
    let mut client = Client::start(&order, interrupt)?;
    let mut objects = Vec::new();
    let is_complete = {
        let mut pieces = Pieces::of(|buffer| client.read_much(buffer));
        loop {
            match pieces.next() {
                Ok(Some(Piece::Definition(text))) => objects.extend(objects_of(text)),
                Ok(Some(_)) => {}
                Ok(None) => break pieces.is_complete(),
                // A stream that is cut short is explained by the program.
                Err(_) => break false,
            }
        }
    };
    if client.wait()?.success() && is_complete {
        return Ok(objects);
    }
    Err(client.failure().context("`pg_dump` failed"))
}

/// The objects of a piece: the one of its title, and settings for those that follow.
#[must_use]
pub(crate) fn objects_of(piece: &[u8]) -> Vec<Object> {
    let text = printable(piece);
    let text = match text.rfind(LAST) {
        Some(at) if text[at + LAST.len()..].trim().is_empty() => &text[..at],
        _ => text.as_str(),
    };
    let Some((title, rest)) = titled(text) else { return Vec::new() };
    let (sql, settings) = without_settings(rest.trim_matches('\n'));
    let mut objects = vec![Object { sql: sql.to_owned(), ..title }];
    objects.extend(settings.into_iter().map(|line| Object {
        kind: SETTING.to_owned(),
        schema: None,
        name: String::new(),
        sql: line.to_owned(),
    }));
    objects
}

/// What the title of a piece names, and what follows the title.
fn titled(text: &str) -> Option<(Object, &str)> {
    let Title { name, kind, schema } = Title::of(text.as_bytes())?;
    let object = Object {
        kind: kind.to_owned(),
        schema: (schema != "-").then(|| schema.to_owned()),
        name: name.to_owned(),
        sql: String::new(),
    };
    let (_, rest) = text.strip_prefix("--\n")?.split_once('\n')?;
    Some((object, rest.strip_prefix("--\n").unwrap_or(rest)))
}

/// The statements without the settings that follow them, and those.
fn without_settings(text: &str) -> (&str, Vec<&str>) {
    let mut end = text.len();
    let mut settings = Vec::new();
    while let Some(start) = text[..end].trim_end_matches('\n').rfind('\n') {
        let line = text[start + 1..end].trim_matches('\n');
        if !(line.starts_with("SET default_") && line.ends_with(';')) {
            break;
        }
        settings.insert(0, line);
        end = start;
    }
    (text[..end].trim_end_matches('\n'), settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_by_its_title() {
        let piece = "--\n-- Name: a; Type: b; Type: TABLE; Schema: public; Owner: app; Tablespace: fast\n--\n\n\
             CREATE TABLE public.\"a; Type: b\" (\n    id integer\n);\n\n\nSET default_tablespace = '';\n\n\
             SET default_table_access_method = heap;\n\n";
        let found = objects_of(piece.as_bytes());
        assert_eq!(found[0].kind, "TABLE");
        assert_eq!(found[0].name, "a; Type: b");
        assert_eq!(found[0].schema.as_deref(), Some("public"));
        assert_eq!(found[0].sql, "CREATE TABLE public.\"a; Type: b\" (\n    id integer\n);");
        let settings: Vec<_> = found[1..].iter().map(|one| one.sql.as_str()).collect();
        assert_eq!(
            settings,
            ["SET default_tablespace = '';", "SET default_table_access_method = heap;"]
        );
    }

    #[test]
    fn the_end_of_a_dump_belongs_to_no_object() {
        let piece = "--\n-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: app\n--\n\nGRANT x;\n\n\n\
             --\n-- PostgreSQL database dump complete\n--\n\n";
        let found = objects_of(piece.as_bytes());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].schema.as_deref(), found[0].sql.as_str()), (None, "GRANT x;"));
        assert!(objects_of(b"\nSET statement_timeout = 0;\n\n").is_empty());
    }
}
