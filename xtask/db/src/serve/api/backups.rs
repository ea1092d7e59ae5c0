//! `/api/backup/…`: what there is, and what can be done.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::Value;

use crate::serve::api::json_body::JsonBody;
use crate::serve::job::Job;
use crate::serve::orders::Create;
use crate::serve::problem::Problem;
use crate::serve::site::Site;

/// Answer of `GET /api/backup/status`.
#[derive(Serialize)]
struct Status<'a> {
    /// The document of `db-status --json`.
    health: &'a Value,
    /// The backups of `db-list --json`, newest first.
    backups: &'a Value,
}

/// `GET /api/backup/status`.
pub(crate) async fn status(State(site): State<Arc<Site>>) -> Result<Response, Problem> {
    // Both questions at once.
    let asked = Arc::clone(&site);
    let health = tokio::spawn(async move { asked.status().await });
    let list = site.list().await?;
    let health = health.await.map_err(anyhow::Error::from)??;
    let answer = site.status_answer.get([health, list], |[health, list]| {
        Ok(serde_json::to_vec(&Status { health, backups: &list["backups"] })?)
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}

/// `POST /api/backup/create`.
pub(crate) async fn create(
    State(site): State<Arc<Site>>,
    JsonBody(create): JsonBody<Create>,
) -> Result<Response, Problem> {
    Ok(accepted(&site.jobs.add(create.order()?)?))
}

/// `202 Accepted`: the job, and where to look at it.
#[must_use = "it is the answer"]
pub(crate) fn accepted(job: &Job) -> Response {
    let place = [(header::LOCATION, format!("/api/jobs/{}", job.id))];
    (StatusCode::ACCEPTED, place, Json(job)).into_response()
}
