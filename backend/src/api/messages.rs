//! `/sessions/{id}/messages` and `/messages/count`: what was said.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use crate::api::failure::Failure;
use crate::api::page::Page;
use crate::api::sessions::Created;
use crate::connections::Connections;

/// Who said it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// The body of `POST /sessions/{id}/messages`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    role: Role,
    content: String,
}

/// One row of `GET /sessions/{id}/messages`.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    id: i64,
    role: String,
    content: String,
    sent_at: String,
}

/// The answer of `GET /messages/count`.
#[derive(Debug, Serialize)]
pub(crate) struct Count {
    count: i64,
}

/// Adds a message to a session. The answer is sent after the commit: a message
/// that was answered with 201 is in the database.
pub(crate) async fn create(
    State(connections): State<Connections>,
    session: Result<Path<i64>, PathRejection>,
    body: Result<Json<NewMessage>, JsonRejection>,
) -> Result<(StatusCode, Json<Created>), Failure> {
    let Path(session) = session?;
    let Json(message) = body?;
    let id = connections.write(move |transaction| insert(transaction, session, &message)).await?;
    Ok((StatusCode::CREATED, Json(Created { id })))
}

fn insert(
    transaction: &Transaction<'_>,
    session: i64,
    message: &NewMessage,
) -> Result<i64, Failure> {
    // The clock may be before the session's time; `updated_at` never goes back.
    let touched = transaction
        .prepare_cached(
            "UPDATE sessions
             SET updated_at = max(updated_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
             WHERE id = ?1",
        )?
        .execute([session])?;
    if touched == 0 {
        return Err(no_session(session));
    }
    transaction
        .prepare_cached("INSERT INTO messages (session_id, role, content) VALUES (?1, ?2, ?3)")?
        .execute((session, message.role.as_str(), &message.content))?;
    Ok(transaction.last_insert_rowid())
}

/// Lists the messages of a session, oldest first.
pub(crate) async fn list(
    State(connections): State<Connections>,
    session: Result<Path<i64>, PathRejection>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<Message>>, Failure> {
    let Path(session) = session?;
    let Query(page) = page?;
    let messages = connections.read(move |transaction| select(transaction, session, page)).await?;
    Ok(Json(messages))
}

fn select(
    transaction: &Transaction<'_>,
    session: i64,
    page: Page,
) -> Result<Vec<Message>, Failure> {
    if !transaction.prepare_cached("SELECT 1 FROM sessions WHERE id = ?1")?.exists([session])? {
        return Err(no_session(session));
    }
    let mut statement = transaction.prepare_cached(
        "SELECT id, role, content, sent_at FROM messages
         WHERE session_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
    )?;
    let rows = statement.query_map((session, page.after(), page.limit()), |row| {
        Ok(Message {
            id: row.get(0)?,
            role: row.get(1)?,
            content: row.get(2)?,
            sent_at: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts the messages of all sessions.
pub(crate) async fn count(State(connections): State<Connections>) -> Result<Json<Count>, Failure> {
    let count = connections
        .read(|transaction| {
            Ok(transaction.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?)
        })
        .await?;
    Ok(Json(Count { count }))
}

fn no_session(id: i64) -> Failure {
    Failure::not_found(format!("there is no session `{id}`"))
}
