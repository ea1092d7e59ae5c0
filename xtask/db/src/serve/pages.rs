//! The pages: pure functions from documents to HTML. They need no script; `assets/page.js` adds live
//! progress, uploads in pieces, and filters that answer at once.
//!
//! No page has an inline style or script, and none refers to another host.

pub(crate) mod backup;
pub(crate) mod context;
pub(crate) mod diff;
pub(crate) mod failure;
pub(crate) mod home;
pub(crate) mod icons;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod job_state;
pub(crate) mod jobs;
pub(crate) mod layout;
pub(crate) mod login;
pub(crate) mod parts;
pub(crate) mod receipt;
pub(crate) mod web_address;
pub(crate) mod words;
