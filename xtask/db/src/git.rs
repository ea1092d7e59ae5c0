//! What git says, and what follows from its branches.

pub(crate) mod branches;
pub(crate) mod caller;
pub(crate) mod index;
pub(crate) mod reflog;
pub(crate) mod repository;
