//! Acts in one step: verify, pin, unpin, label.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::serve::api::backups::accepted;
use crate::serve::api::json_body::JsonBody;
use crate::serve::orders::{self, Verify};
use crate::serve::problem::Problem;
use crate::serve::site::Site;

/// Body of `POST /api/backup/pin` and `/api/backup/unpin`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    r#ref: String,
}

/// Body of `POST /api/backup/label`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    r#ref: String,
    label: String,
}

/// `POST /api/backup/verify`.
pub(crate) async fn verify(
    State(site): State<Arc<Site>>,
    JsonBody(verify): JsonBody<Verify>,
) -> Result<Response, Problem> {
    Ok(accepted(&site.jobs.add(verify.order()?)?))
}

/// `POST /api/backup/pin`.
pub(crate) async fn pin(
    State(site): State<Arc<Site>>,
    JsonBody(pin): JsonBody<Pin>,
) -> Result<Response, Problem> {
    Ok(accepted(&site.jobs.add(orders::pin(&pin.r#ref, true)?)?))
}

/// `POST /api/backup/unpin`.
pub(crate) async fn unpin(
    State(site): State<Arc<Site>>,
    JsonBody(pin): JsonBody<Pin>,
) -> Result<Response, Problem> {
    Ok(accepted(&site.jobs.add(orders::pin(&pin.r#ref, false)?)?))
}

/// `POST /api/backup/label`.
pub(crate) async fn label(
    State(site): State<Arc<Site>>,
    JsonBody(label): JsonBody<Label>,
) -> Result<Response, Problem> {
    Ok(accepted(&site.jobs.add(orders::label(&label.r#ref, &label.label)?)?))
}
