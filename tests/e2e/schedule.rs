//! Backups by the clock.

mod export;
mod fake_machine;
mod known_damage;
mod late;
mod messages;
mod real_triggers;
mod runs;
mod timer_alone;
mod together;
mod trigger_files;
mod triggers;
mod year;

use std::path::PathBuf;

use crate::support::sandbox::Sandbox;

/// A schedule at two in the night.
const AT_TWO: &str = "[workspace.metadata.db.schedule]\nat = \"02:00\"\n";

/// A workspace with one database and a schedule.
fn scheduled() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(AT_TWO);
    sandbox
}

/// The schedule's own folder.
fn home(sandbox: &Sandbox) -> PathBuf {
    let all = sandbox.path("../home/.local/state/xtask-db/schedule");
    let mut found = fs_err::read_dir(all).expect("a schedule").map(|one| one.expect("one").path());
    let home = found.next().expect("a schedule");
    assert!(found.next().is_none(), "two schedules");
    home
}

/// The log of its runs.
fn log(sandbox: &Sandbox) -> String {
    fs_err::read_to_string(home(sandbox).join("log")).expect("a log")
}

/// Gives a file or a folder of the workspace another name.
#[expect(clippy::disallowed_methods, reason = "nothing of ours is published")]
fn rename(sandbox: &Sandbox, from: &str, to: &str) {
    fs_err::rename(sandbox.path(from), sandbox.path(to)).expect("renamed");
}

/// Adds a message, so that the database changes.
fn change(sandbox: &Sandbox, content: &str) {
    sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{content}')"));
}
