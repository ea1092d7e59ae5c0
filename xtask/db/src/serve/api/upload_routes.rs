//! `/api/backup/uploads/…`: files in pieces.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use crate::serve::api::json_body::{JsonBody, demand_type};
use crate::serve::orders;
use crate::serve::problem::Problem;
use crate::serve::site::Site;
use crate::serve::uploads::{Upload, Writer};

/// How long the sender may wait between two parts of a piece.
const PATIENCE: Duration = Duration::from_secs(30);

/// Body of `POST /api/backup/uploads`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announced {
    /// The name of the file.
    name: String,
    /// Its size.
    size_bytes: u64,
}

/// `POST /api/backup/uploads`.
pub(crate) async fn begin(
    State(site): State<Arc<Site>>,
    JsonBody(announced): JsonBody<Announced>,
) -> Result<Response, Problem> {
    orders::checked_file_name(&announced.name)?;
    let upload = site.uploads.begin(announced.name, announced.size_bytes)?;
    let place = [(header::LOCATION, format!("/api/backup/uploads/{}", upload.id))];
    Ok((StatusCode::CREATED, place, Json(upload)).into_response())
}

/// `GET /api/backup/uploads/{id}`.
pub(crate) async fn one(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Upload>, Problem> {
    site.uploads.get(&id).map(Json)
}

/// `PATCH /api/backup/uploads/{id}`.
pub(crate) async fn append(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Upload>, Problem> {
    demand_type(request.headers(), "application/octet-stream")?;
    let offset = request.headers().get("upload-offset");
    let offset = offset.and_then(|value| value.to_str().ok()?.parse().ok()).ok_or_else(|| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the header `Upload-Offset` is missing or not a number",
            "send the number of bytes that are there already",
        )
    })?;
    let mut writer = site.uploads.writer(&id, offset)?;
    receive(&mut writer, request.into_body()).await?;
    Ok(Json(writer.upload))
}

/// Appends a body as it comes; what came before a cut stays.
///
/// # Errors
///
/// 408 if nothing comes any more, and as [`Writer::append`].
pub(crate) async fn receive(writer: &mut Writer, mut body: Body) -> Result<(), Problem> {
    loop {
        let next =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context));
        let piece = match tokio::time::timeout(PATIENCE, next).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(_))) => return Err(cut("the connection was cut")),
            Err(_) => return Err(cut("nothing came for 30 seconds")),
        };
        tokio::task::block_in_place(|| writer.append(&piece))?;
    }
}

fn cut(what: &str) -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, what, "ask for the offset, and go on there")
}
