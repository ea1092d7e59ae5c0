//! What the statements of a definition name: the kind of object, its table, owner, key and value.

use std::collections::BTreeMap;

use crate::rows::diff::dumps::names;
use crate::sqlite::schema::change::Kind;

/// The names of tables as statements have them, by schema and name as titles have them.
pub(super) type Titles = BTreeMap<(Option<String>, String), String>;

/// What belongs to a table by its title: the table's name comes first.
const OF_TABLES: [&str; 7] =
    ["CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "TRIGGER", "RULE", "POLICY", "DEFAULT"];

/// What is known by the kind and the name of another object.
const ON_OBJECTS: [&str; 3] = ["ACL", "COMMENT", "SECURITY LABEL"];

/// The title of an object.
pub(super) struct Title<'t> {
    pub(super) kind: &'t str,
    pub(super) schema: Option<&'t str>,
    pub(super) name: &'t str,
}

impl Title<'_> {
    /// The table that the object belongs to, if it is a part of one.
    pub(super) fn table(&self, sql: &str, titles: &Titles) -> Option<String> {
        let table_of = |name: &str| titles.get(&(self.schema.map(str::to_owned), name.to_owned()));
        match self.kind {
            "INDEX" => index_table(sql),
            "SEQUENCE OWNED BY" => {
                let (_, column) = sql.rsplit_once(" OWNED BY ")?;
                let end = names::end_of_path(column);
                let mut parts = names::parts(&column[..end])?;
                parts.pop();
                let is_it = |table: &&String| names::parts(table).is_some_and(|one| one == parts);
                titles.values().find(is_it).cloned()
            }
            "ROW SECURITY" | "TABLE ATTACH" => table_of(self.name).cloned(),
            kind if OF_TABLES.contains(&kind) => self.before_space(titles).map(|at| at.1),
            _ => None,
        }
    }

    /// Its own name: of a part of a table, without that of the table.
    pub(super) fn own_name(&self, titles: &Titles) -> String {
        let own = self.before_space(titles).filter(|_| OF_TABLES.contains(&self.kind));
        match (own, self.schema) {
            (Some((at, _)), _) => self.name[at + 1..].to_owned(),
            // The name begins with a kind.
            (None, Some("public")) if ON_OBJECTS.contains(&self.kind) => self.name.to_owned(),
            (None, Some(schema)) if ON_OBJECTS.contains(&self.kind) => {
                format!("{} in {schema}", self.name)
            }
            (None, schema) => qualified(schema, self.name),
        }
    }

    /// The longest name of a table before a space, and where that is.
    fn before_space(&self, titles: &Titles) -> Option<(usize, String)> {
        self.name.match_indices(' ').rev().find_map(|(at, _)| {
            let name = self.name[..at].to_owned();
            Some((at, titles.get(&(self.schema.map(str::to_owned), name))?.clone()))
        })
    }
}

/// The kind that a title names.
pub(super) fn kind(title: &str) -> Kind {
    const WORDS: [(&str, &str); 25] = [
        ("MATERIALIZED VIEW", "materialized view"),
        ("CONSTRAINT", "constraint"),
        ("FK CONSTRAINT", "foreign key"),
        ("CHECK CONSTRAINT", "check constraint"),
        ("FUNCTION", "function"),
        ("PROCEDURE", "procedure"),
        ("AGGREGATE", "aggregate"),
        ("SEQUENCE", "sequence"),
        ("SEQUENCE OWNED BY", "owner of sequence"),
        ("TYPE", "type"),
        ("DOMAIN", "domain"),
        ("EXTENSION", "extension"),
        ("SCHEMA", "schema"),
        ("RULE", "rule"),
        ("POLICY", "policy"),
        ("ROW SECURITY", "row security"),
        ("DEFAULT", "default"),
        ("ACL", "access rights to"),
        ("DEFAULT ACL", "default access rights"),
        ("COMMENT", "comment on"),
        ("TABLE ATTACH", "partition"),
        ("INDEX ATTACH", "index of partition"),
        ("FOREIGN TABLE", "foreign table"),
        ("BLOBS", "contents of large objects"),
        ("PUBLICATION", "publication"),
    ];
    match title {
        "VIEW" => Kind::View,
        "INDEX" => Kind::Index,
        "TRIGGER" => Kind::Trigger,
        _ => {
            let word = WORDS.iter().find(|(known, _)| *known == title);
            Kind::Object(word.map_or("object", |(_, word)| word))
        }
    }
}

/// The name in a `CREATE TABLE`, as the dump writes it everywhere.
pub(super) fn table_name(sql: &str) -> Option<&str> {
    let rest =
        ["CREATE TABLE ", "CREATE UNLOGGED TABLE "].iter().find_map(|s| sql.strip_prefix(s))?;
    Some(&rest[..names::end_of_path(rest)])
}

/// The table of an index.
fn index_table(sql: &str) -> Option<String> {
    let starts = ["CREATE INDEX ", "CREATE UNIQUE INDEX "];
    let rest = starts.iter().find_map(|start| sql.strip_prefix(start))?;
    let (_, rest) = names::identifier(rest)?;
    let rest = rest.strip_prefix(" ON ")?;
    let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
    Some(rest[..names::end_of_path(rest)].to_owned())
}

/// A definition without the statement that gives it an owner, and the owner.
pub(super) fn without_owner(sql: &str) -> (String, Option<String>) {
    let is_it = |line: &&str| line.starts_with("ALTER ") && line.contains(" OWNER TO ");
    let Some(line) = sql.lines().rev().find(is_it) else { return (sql.to_owned(), None) };
    let owner = line.rsplit_once(" OWNER TO ").map(|(_, owner)| owner.trim_end_matches(';'));
    let rest = sql.replacen(line, "", 1).trim_end().to_owned();
    (rest, owner.map(str::to_owned))
}

/// What a sequence will give, in words: `3` if it gave that last, `1, not used yet` before the first time.
pub(super) fn sequence_value(sql: &str) -> Option<String> {
    let (rest, is_called) = sql.trim_end().trim_end_matches(");").rsplit_once(", ")?;
    let (_, value) = rest.rsplit_once(", ")?;
    Some(if is_called == "true" { value.to_owned() } else { format!("{value}, not used yet") })
}

/// The columns of a primary key.
pub(super) fn primary_key(sql: &str) -> Option<Vec<String>> {
    let (_, list) = sql.strip_prefix("ALTER TABLE ")?.split_once(" PRIMARY KEY (")?;
    let (mut key, mut rest) = (Vec::new(), list);
    loop {
        let (name, after) = names::identifier(rest)?;
        key.push(name);
        match after.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return after.starts_with(')').then_some(key),
        }
    }
}

/// A name with its schema.
pub(super) fn qualified(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"))
}
