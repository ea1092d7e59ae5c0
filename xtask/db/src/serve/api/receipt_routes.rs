//! Acts in two steps: the plan of a restore, a pruning or an import, and its confirmation.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::serve::api::backups::accepted;
use crate::serve::api::json_body::JsonBody;
use crate::serve::orders::{self, Import, Restore};
use crate::serve::problem::Problem;
use crate::serve::receipts::{Act, Confirmed, Receipt};
use crate::serve::site::Site;

/// How many characters a typed name may have.
const MAX_TYPED: usize = 255;

/// Body of `POST /api/backup/prune`: the configured policy, and nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prune {
    #[serde(default)]
    database: Option<String>,
}

/// Body of `POST /api/receipts/{id}/confirm`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Confirmation {
    /// The name of the database, if it is protected.
    typed: Option<String>,
}

/// A receipt as an answer.
#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    act: Act,
    /// The command in a terminal that does the same.
    command: String,
    /// The document of the dry run.
    plan: &'a Value,
    /// The name that the confirmation must contain.
    typed_name: Option<&'a str>,
    valid_for_seconds: u64,
}

/// `POST /api/backup/restore`.
pub(crate) async fn restore(
    State(site): State<Arc<Site>>,
    JsonBody(restore): JsonBody<Restore>,
) -> Result<Response, Problem> {
    created(&site.plan_restore(restore).await?)
}

/// `POST /api/backup/prune`.
pub(crate) async fn prune(
    State(site): State<Arc<Site>>,
    JsonBody(prune): JsonBody<Prune>,
) -> Result<Response, Problem> {
    created(&site.plan_prune(orders::db_flag(prune.database.as_deref())?).await?)
}

/// `POST /api/backup/import`.
pub(crate) async fn import(
    State(site): State<Arc<Site>>,
    JsonBody(import): JsonBody<Import>,
) -> Result<Response, Problem> {
    created(&site.plan_import(import).await?)
}

/// `GET /api/receipts/{id}`.
pub(crate) async fn one(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let receipt = site.receipts.get(&id)?;
    Ok(Json(document(&receipt)?).into_response())
}

/// `POST /api/receipts/{id}/confirm`.
pub(crate) async fn confirm(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    JsonBody(confirmation): JsonBody<Confirmation>,
) -> Result<Response, Problem> {
    if confirmation.typed.as_ref().is_some_and(|typed| typed.chars().count() > MAX_TYPED) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "no database has such a long name", "send `typed_name`"));
    }
    match site.confirm(id, confirmation.typed).await? {
        Confirmed::Order(order) => Ok(accepted(&site.jobs.add(order)?)),
        Confirmed::Changed(receipt) => {
            let what = receipt.warning.as_deref().unwrap_or_default();
            let what = what.split(':').next().unwrap_or_default().to_lowercase();
            let hint = format!("look at the new plan at /api/receipts/{}", receipt.id);
            let mut response = Problem::new(StatusCode::CONFLICT, what, hint).into_response();
            let place = format!("/api/receipts/{}", receipt.id);
            if let Ok(place) = place.parse() {
                response.headers_mut().insert(header::LOCATION, place);
            }
            Ok(response)
        }
    }
}

fn created(receipt: &Receipt) -> Result<Response, Problem> {
    let place = [(header::LOCATION, format!("/api/receipts/{}", receipt.id))];
    Ok((StatusCode::CREATED, place, Json(document(receipt)?)).into_response())
}

fn document(receipt: &Receipt) -> Result<Document<'_>, Problem> {
    let plan = receipt.plan.as_ref().map_err(Clone::clone)?;
    Ok(Document {
        id: &receipt.id,
        act: receipt.act,
        command: receipt.order().command(),
        plan,
        typed_name: receipt.typed_name(),
        valid_for_seconds: receipt.valid_for().as_secs(),
    })
}
