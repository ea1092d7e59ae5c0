//! `GET /api/openapi.json`: the description of the API, written by hand and held to the server by tests.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

/// The document.
const DESCRIPTION: &str = include_str!("openapi.json");

/// The description.
pub(crate) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}
