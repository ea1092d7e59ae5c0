//! The HTTP API: JSON in, JSON out, and every error as `application/problem+json`.

pub(crate) mod backups;
pub(crate) mod events;
pub(crate) mod job_routes;
pub(crate) mod json_body;
