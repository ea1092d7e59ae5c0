//! The alias of `.cargo/config.toml`, on a real terminal: what cargo shows at a first call and later.

use std::path::Path;

use crate::support::sandbox::Sandbox;
use crate::support::terminal::{Ended, Terminal};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

/// The line of the alias.
fn alias() -> String {
    let settings =
        fs_err::read_to_string(workspace().join(".cargo/config.toml")).expect("settings");
    let line = settings.lines().find(|line| line.starts_with("xtask = "));
    line.expect("an alias").to_owned()
}

/// A workspace with the alias and an xtask that needs nothing and prints one line.
fn small_host() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"xtask\"]\n");
    sandbox.write("xtask/Cargo.toml", "[package]\nname = \"xtask\"\nedition = \"2024\"\n");
    sandbox.write("xtask/src/main.rs", "fn main() { println!(\"the task\"); }\n");
    sandbox.write(".cargo/config.toml", format!("[alias]\n{}\n", alias()));
    sandbox
}

/// `cargo xtask` on a terminal. The toolchain is the one of this test: the sandbox has no rustup.
fn cargo_xtask(sandbox: &Sandbox) -> Option<Ended> {
    let cargo = env!("CARGO");
    let folder = Path::new(cargo).parent().expect("a folder").display();
    let script = format!("PATH='{folder}':$PATH exec '{cargo}' xtask");
    Some(Terminal::run_under(sandbox, &["sh", "-c", &script], &[])?.end())
}

#[test]
fn a_first_call_shows_that_something_is_built_and_later_ones_show_the_task_only() {
    let sandbox = small_host();
    let Some(first) = cargo_xtask(&sandbox) else { return };
    assert_eq!(first.code, Some(0), "{}", first.screen);
    assert!(first.screen.contains("] 0/1: xtask(bin)"), "{}", first.screen);
    // The bar is erased before the task begins.
    assert!(first.screen.ends_with("\r\u{1b}[Kthe task\n"), "{:?}", first.screen);
    let second = cargo_xtask(&sandbox).expect("the same terminal");
    assert_eq!((second.code, second.screen.as_str()), (Some(0), "the task\n"));
}

#[test]
fn the_guide_has_the_same_alias() {
    let guide = fs_err::read_to_string(workspace().join("docs/adoption.md")).expect("a guide");
    assert!(guide.contains(&format!("\n{}\n", alias())), "docs/adoption.md has another alias");
}
