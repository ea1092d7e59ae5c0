//! The objects of a database beside its tables, by the titles that `pg_dump --schema-only` gives them: functions,
//! types, sequences, rights, and whatever a later version adds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::postgres::client::{Client, Order};
use crate::postgres::dump::pieces::{Piece, Pieces};
use crate::postgres::dump::title::Title;
use crate::postgres::place::Place;

/// Titles that `pg_dump` gives parts of tables, indexes, views and triggers, which are read from the catalogue.
const OF_TABLES: [&str; 17] = [
    "TABLE",
    "TABLE DATA",
    "TABLE ATTACH",
    "DEFAULT",
    "CONSTRAINT",
    "CHECK CONSTRAINT",
    "FK CONSTRAINT",
    "INDEX",
    "INDEX ATTACH",
    "VIEW",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "TRIGGER",
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
    OWNED_BY,
];

/// A sequence that belongs to a column is a part of its table.
const OWNED_BY: &str = "SEQUENCE OWNED BY";

/// The word for each other kind.
const WORDS: [(&str, &str); 28] = [
    ("ACL", "access rights"),
    ("AGGREGATE", "aggregate"),
    ("CAST", "cast"),
    ("COLLATION", "collation"),
    ("COMMENT", "comment"),
    ("CONVERSION", "conversion"),
    ("DEFAULT ACL", "default access rights"),
    ("DOMAIN", "domain"),
    ("EVENT TRIGGER", "event trigger"),
    ("EXTENSION", "extension"),
    ("FOREIGN DATA WRAPPER", "foreign data wrapper"),
    ("FOREIGN TABLE", "foreign table"),
    ("FUNCTION", "function"),
    ("OPERATOR", "operator"),
    ("OPERATOR CLASS", "operator class"),
    ("OPERATOR FAMILY", "operator family"),
    ("POLICY", "policy"),
    ("PROCEDURE", "procedure"),
    ("PUBLICATION", "publication"),
    ("PUBLICATION TABLE", "publication of"),
    ("ROW SECURITY", "row level security of"),
    ("RULE", "rule"),
    ("SCHEMA", "schema"),
    ("SEQUENCE", "sequence"),
    ("SERVER", "foreign server"),
    ("STATISTICS", "statistics"),
    ("TYPE", "type"),
    ("USER MAPPING", "user mapping"),
];

/// The word for a kind, and a name.
pub(crate) type Name = (&'static str, String);

/// A hash of each object's definition, which may contain the password of another server.
///
/// # Errors
///
/// If `pg_dump` fails, or at the user's interrupt.
pub(crate) fn read(place: Place<'_>, major: u32) -> Result<BTreeMap<Name, String>> {
    let tools = place.programs.for_server(major)?;
    let arguments = ["--format=plain", "--no-password", "--schema-only"];
    let server = Some(place.server);
    let order = Order { program: &tools.pg_dump, arguments: &arguments, server };
    let mut client = Client::start(&order, place.interrupt)?;
    let mut found = Found::default();
    let mut pieces = Pieces::of(|buffer| client.read_much(buffer));
    while let Some(piece) = pieces.next()? {
        if let Piece::Definition(bytes) = piece {
            found.take(bytes);
        }
    }
    anyhow::ensure!(client.wait()?.success(), client.failure());
    Ok(found.objects())
}

#[derive(Default)]
struct Found {
    objects: BTreeMap<Name, blake3::Hasher>,
    owned: BTreeSet<String>,
}

impl Found {
    fn take(&mut self, piece: &[u8]) {
        let Some(title) = Title::of(piece) else { return };
        let name = named(&title);
        let is_identity = title.kind == "SEQUENCE" && contains(piece, b" ADD GENERATED ");
        if title.kind == OWNED_BY || is_identity {
            self.owned.insert(name);
        } else if !OF_TABLES.contains(&title.kind) {
            let word = WORDS.iter().find(|(kind, _)| *kind == title.kind);
            let word = word.map_or("object", |(_, word)| word);
            // Two may have one name, e.g. the rights of a table and of a column.
            self.objects.entry((word, name)).or_default().update(piece);
        }
    }

    fn objects(self) -> BTreeMap<Name, String> {
        let Self { objects, owned } = self;
        let is_own = |(word, name): &Name| *word != "sequence" || !owned.contains(name);
        let objects = objects.into_iter().filter(|(name, _)| is_own(name));
        objects.map(|(name, hasher)| (name, hasher.finalize().to_hex().to_string())).collect()
    }
}

/// The name with its schema. A right or a comment is named by what it belongs to, e.g. `TABLE users`.
fn named(title: &Title<'_>) -> String {
    let qualified = |name: &str| match title.schema {
        "-" => name.to_owned(),
        schema => format!("{schema}.{name}"),
    };
    let preposition = match title.kind {
        "ACL" => "of",
        "COMMENT" => "on",
        _ => return qualified(title.name),
    };
    let is_of_kind = |c: char| c.is_ascii_uppercase() || c == ' ';
    let end = title.name.find(|c| !is_of_kind(c)).unwrap_or(title.name.len());
    // A name in upper case may follow the kind.
    let end = title.name[..end].rfind(' ').map_or(0, |space| space + 1);
    let (kind, name) = title.name.split_at(end);
    format!("{preposition} {}{}", kind.to_ascii_lowercase(), qualified(name))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_or_a_comment_is_named_by_what_it_belongs_to() {
        for (name, kind, schema, expected) in [
            ("touch()", "FUNCTION", "public", "public.touch()"),
            ("citext", "EXTENSION", "-", "citext"),
            ("TABLE notes", "ACL", "public", "of table public.notes"),
            ("COLUMN notes.body", "COMMENT", "public", "on column public.notes.body"),
            ("MATERIALIZED VIEW ABC", "COMMENT", "s", "on materialized view s.ABC"),
            ("EXTENSION citext", "COMMENT", "-", "on extension citext"),
            ("SCHEMA public", "ACL", "-", "of schema public"),
        ] {
            assert_eq!(named(&Title { name, kind, schema }), expected);
        }
    }
}
