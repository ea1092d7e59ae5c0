//! `GET /api/backup/diff`: what changed between two states.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::serve::orders;
use crate::serve::problem::Problem;
use crate::serve::site::Site;

/// Query of `GET /api/backup/diff`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diff {
    /// The older state.
    a: String,
    /// The newer state; the live database without it.
    b: Option<String>,
    /// The only table.
    table: Option<String>,
    /// Whether the values of rows are listed.
    #[serde(default)]
    rows: bool,
}

/// Compares.
pub(crate) async fn diff(
    State(site): State<Arc<Site>>,
    query: Result<Query<Diff>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(diff) = query.map_err(|rejection| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Problem::new(status, rejection.body_text(), "see `/api/openapi.json`")
    })?;
    let mut words = vec!["db-diff".to_owned(), orders::checked(&diff.a)?];
    if let Some(b) = diff.b.filter(|b| b != "live") {
        words.push(orders::checked(&b)?);
    }
    if let Some(table) = diff.table {
        words.push(format!("--table={}", orders::checked_name(&table)?));
    }
    words.extend(diff.rows.then(|| "--rows".to_owned()));
    site.ask(words).await.map(Json)
}
