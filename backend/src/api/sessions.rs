//! `/sessions`: the talks.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::failure::Failure;
use crate::api::page::Page;
use crate::connections::Connections;

/// What a new row is answered with, once it is committed.
#[derive(Debug, Serialize)]
pub(crate) struct Created {
    pub(crate) id: i64,
}

/// The body of `POST /sessions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSession {
    title: String,
    persona_id: Option<i64>,
}

/// One row of `GET /sessions`.
#[derive(Debug, Serialize)]
pub(crate) struct Session {
    id: i64,
    title: String,
    persona_id: Option<i64>,
    created_at: String,
    updated_at: String,
    archived_at: Option<String>,
}

/// Starts a session.
pub(crate) async fn create(
    State(connections): State<Connections>,
    body: Result<Json<NewSession>, JsonRejection>,
) -> Result<(StatusCode, Json<Created>), Failure> {
    let Json(session) = body?;
    let id = connections
        .write(move |transaction| {
            transaction
                .prepare_cached("INSERT INTO sessions (title, persona_id) VALUES (?1, ?2)")?
                .execute((session.title.trim(), session.persona_id))?;
            Ok(transaction.last_insert_rowid())
        })
        .await?;
    Ok((StatusCode::CREATED, Json(Created { id })))
}

/// Lists the sessions, oldest first.
pub(crate) async fn list(
    State(connections): State<Connections>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<Session>>, Failure> {
    let Query(page) = page?;
    let sessions = connections
        .read(move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT id, title, persona_id, created_at, updated_at, archived_at
                 FROM sessions WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let rows = statement.query_map((page.after(), page.limit()), |row| {
                Ok(Session {
                    id: row.get(0)?,
                    title: row.get(1)?,
                    persona_id: row.get(2)?,
                    created_at: row.get(3)?,
                    updated_at: row.get(4)?,
                    archived_at: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await?;
    Ok(Json(sessions))
}
