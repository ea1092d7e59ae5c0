//! The local page and its HTTP API: who is let in, what is refused, and what becomes of jobs.

pub(crate) mod browser;
pub(crate) mod entry;
pub(crate) mod floods;
pub(crate) mod foreign_pages;
pub(crate) mod hosts;
pub(crate) mod interrupted;
pub(crate) mod jobs;
pub(crate) mod memory;
pub(crate) mod paths;
pub(crate) mod wire;
pub(crate) mod words;
