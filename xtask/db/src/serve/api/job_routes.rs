//! `/api/jobs/…`: what was started.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use crate::serve::job::Job;
use crate::serve::problem::Problem;
use crate::serve::site::Site;

/// Answer of `GET /api/jobs`.
#[derive(Serialize)]
pub(crate) struct All {
    /// Newest first.
    jobs: Vec<Job>,
}

/// `GET /api/jobs`.
pub(crate) async fn all(State(site): State<Arc<Site>>) -> Json<All> {
    Json(All { jobs: site.jobs.all() })
}

/// `GET /api/jobs/{id}`.
pub(crate) async fn one(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Job>, Problem> {
    site.jobs.get(&id).map(Json).ok_or_else(unknown)
}

/// `POST /api/jobs/{id}/cancel`.
pub(crate) async fn cancel(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Job>, Problem> {
    site.jobs.cancel(&id).map(Json).ok_or_else(unknown)
}

/// There is no such job.
#[must_use]
pub(crate) fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such job", "see `/api/jobs`")
}
