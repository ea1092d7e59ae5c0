//! `/memory` and `/memory/search`: what the assistant remembers.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use crate::api::failure::Failure;
use crate::api::page::Page;
use crate::api::sessions::Created;
use crate::connections::Connections;

/// The body of `POST /memory`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEntry {
    topic: String,
    content: String,
    #[serde(default = "fact")]
    kind: String,
    #[serde(default = "ordinary")]
    importance: i64,
    session_id: Option<i64>,
}

fn fact() -> String {
    "fact".to_owned()
}

fn ordinary() -> i64 {
    3
}

/// One row of `GET /memory` and `GET /memory/search`.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    id: i64,
    session_id: Option<i64>,
    kind: String,
    topic: String,
    content: String,
    importance: i64,
    created_at: String,
}

/// The columns of an [`Entry`], in the order in which [`entry`] reads them.
macro_rules! entries {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, e.session_id, e.kind, e.topic, e.content, e.importance, e.created_at ",
            $rest
        )
    };
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        session_id: row.get(1)?,
        kind: row.get(2)?,
        topic: row.get(3)?,
        content: row.get(4)?,
        importance: row.get(5)?,
        created_at: row.get(6)?,
    })
}

/// Remembers something; the search finds it from then on.
pub(crate) async fn create(
    State(connections): State<Connections>,
    body: Result<Json<NewEntry>, JsonRejection>,
) -> Result<(StatusCode, Json<Created>), Failure> {
    let Json(new) = body?;
    let id = connections
        .write(move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO memory_entries (session_id, kind, topic, content, importance)
                     VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
                )?
                .query_row(
                    (new.session_id, new.kind, new.topic.trim(), new.content, new.importance),
                    |row| row.get(0),
                )
                .map_err(Failure::from)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(Created { id })))
}

/// Lists the entries, oldest first.
pub(crate) async fn list(
    State(connections): State<Connections>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<Entry>>, Failure> {
    let Query(page) = page?;
    let found = connections
        .read(move |transaction| {
            let mut statement = transaction.prepare_cached(entries!(
                "FROM memory_entries AS e WHERE e.id > ?1 ORDER BY e.id LIMIT ?2"
            ))?;
            let rows = statement.query_map((page.after(), page.limit()), entry)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    Ok(Json(found))
}

/// The query of `GET /memory/search`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    q: String,
    #[serde(default = "fifty")]
    limit: u32,
}

fn fifty() -> u32 {
    50
}

/// Finds the entries that hold all words of the query, best first.
pub(crate) async fn search(
    State(connections): State<Connections>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Vec<Entry>>, Failure> {
    let Query(search) = search?;
    let Some(expression) = match_expression(&search.q) else {
        return Err(Failure::bad_request("`q` contains no word to search for"));
    };
    let found = connections
        .read(move |transaction| {
            let mut statement = transaction.prepare_cached(entries!(
                "FROM memory_search JOIN memory_entries AS e ON e.id = memory_search.rowid
                 WHERE memory_search MATCH ?1 ORDER BY rank, e.id LIMIT ?2"
            ))?;
            let rows = statement.query_map((expression, search.limit), entry)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    Ok(Json(found))
}

/// The words of `query` as FTS5 strings, so that nothing in them is taken for
/// an operator (<https://sqlite.org/fts5.html#fts5_strings>).
fn match_expression(query: &str) -> Option<String> {
    let words: Vec<String> = query
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::match_expression;

    #[test]
    fn a_query_is_only_words() {
        let check = |query: &str, expected: Option<&str>| {
            assert_eq!(match_expression(query).as_deref(), expected, "{query:?}");
        };
        check("tea", Some("\"tea\""));
        check("  green   tea ", Some("\"green\" \"tea\""));
        check("tea OR coffee*", Some("\"tea\" \"OR\" \"coffee*\""));
        check("a\"b", Some("\"a\"\"b\""));
        check("tea\0pot", Some("\"tea\" \"pot\""));
        check("", None);
        check(" \" - * ", None);
    }
}
