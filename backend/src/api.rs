//! The JSON API: which path leads where.
//!
//! Every answer is JSON; every refusal is `{"error": "…"}` with its HTTP status.

pub(crate) mod failure;
mod health;
mod memory;
mod messages;
mod page;
mod sessions;

use axum::Router;
use axum::routing::get;

use crate::api::failure::Failure;
use crate::connections::Connections;

/// The routes, over these connections.
pub(crate) fn router(connections: Connections) -> Router {
    Router::new()
        .route("/health", get(health::show))
        .route("/sessions", get(sessions::list).post(sessions::create))
        .route("/sessions/{id}/messages", get(messages::list).post(messages::create))
        .route("/messages/count", get(messages::count))
        .route("/memory", get(memory::list).post(memory::create))
        .route("/memory/search", get(memory::search))
        .fallback(async || Failure::not_found("there is nothing at this path"))
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .with_state(connections)
}
