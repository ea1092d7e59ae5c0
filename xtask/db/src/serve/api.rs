//! The HTTP API: JSON in, JSON out, and every error as `application/problem+json`.

pub(crate) mod acts;
pub(crate) mod backups;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod job_routes;
pub(crate) mod json_body;
pub(crate) mod openapi;
pub(crate) mod pour;
pub(crate) mod range;
pub(crate) mod receipt_routes;
pub(crate) mod upload_routes;
