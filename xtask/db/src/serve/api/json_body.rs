//! A JSON body: of that content type, of a limited size, and read in a limited time.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::serve::problem::Problem;

/// How long a body may be that is not an upload.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;
/// How long its sender may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A value that was sent as JSON.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        demand_type(request.headers(), "application/json")?;
        let bytes = small_body(request).await?;
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            // Otherwise, an array would do whose values are in the order of the members.
            return Err(unexpected(&"it is not an object"));
        }
        // Not by way of a `Value`, in which the second of two equal members counts.
        serde_json::from_slice(&bytes).map(Self).map_err(|error| unexpected(&error))
    }
}

fn unexpected(why: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        format!("the body is not what is expected here: {why}"),
        "see `/api/openapi.json`",
    )
}

/// Refuses a body of another content type: `text/plain` is what a foreign form can send.
///
/// # Errors
///
/// 415 with the type that is expected.
pub(crate) fn demand_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let given = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if given.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the body is not of the type `{expected}`"),
        format!("send it with `Content-Type: {expected}`"),
    ))
}

/// The body of a request that is not an upload.
///
/// # Errors
///
/// 413 if it is too large, 408 if it takes too long.
pub(crate) async fn small_body(request: Request) -> Result<axum::body::Bytes, Problem> {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n_bytes| n_bytes > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come within 10 seconds",
            "send it again",
        )),
    }
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than {MAX_BODY_BYTES} bytes"),
        "files are sent in pieces: see `/api/backup/uploads` in `/api/openapi.json`",
    )
}
