//! `/health`: whether the database answers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::api::failure::Failure;
use crate::connections::Connections;

/// The state for a monitor.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
    schema_version: i64,
}

/// Reads the schema version, which needs a lock and a page of the database.
pub(crate) async fn show(State(connections): State<Connections>) -> Result<Json<Health>, Failure> {
    let schema_version = connections
        .read(|transaction| Ok(transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?))
        .await?;
    Ok(Json(Health { status: "ok", schema_version }))
}
