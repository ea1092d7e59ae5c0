//! What the tests stand on: the sandbox, a terminal, `strace`, broken states.

pub(crate) mod browser;
pub(crate) mod guide_host;
pub(crate) mod live_damage;
pub(crate) mod markdown;
pub(crate) mod museum;
pub(crate) mod page_server;
pub(crate) mod postgres_migrations;
pub(crate) mod postgres_server;
pub(crate) mod sandbox;
pub(crate) mod shell_migrations;
pub(crate) mod small_disk;
pub(crate) mod strace;
pub(crate) mod terminal;
pub(crate) mod web_receiver;
