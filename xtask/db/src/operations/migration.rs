//! The steps of a migration, shared by `db-migrate`, `db-pre-migrate` and `db-pre-deploy`.

pub(crate) mod conclusion;
pub(crate) mod document;
pub(crate) mod job;
pub(crate) mod live_on_server;
pub(crate) mod live_run;
pub(crate) mod rehearsal_end;
pub(crate) mod rehearsal_steps;
pub(crate) mod rehearsed;
pub(crate) mod report;
mod room;
pub(crate) mod way_back;
