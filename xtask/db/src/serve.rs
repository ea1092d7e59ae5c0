//! The local web page and its HTTP API.
//!
//! The server opens no database and writes no backup: every question and every act is a command of this program, started as
//! a process of its own (`child.rs`). So answers, refusals, locks and proofs are those of the terminal, memory does not grow
//! with a database, and a command that fails takes nothing with it.

mod about;
mod api;
mod assets;
mod child;
mod differences;
mod documents;
mod downloads;
mod facts;
mod guard;
mod job;
mod jobs;
mod keys;
mod orders;
mod page_acts;
mod page_plans;
mod page_routes;
mod page_view;
mod pages;
mod parsed;
mod plans;
mod problem;
mod receipts;
mod recent;
mod refused;
mod rendered;
mod router;
pub(crate) mod server;
mod site;
mod stream;
mod uploads;
