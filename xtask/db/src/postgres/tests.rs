//! What the tests of this wing share.

pub(super) mod server;
