//! The build with the feature, and the command in it.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::console::refusal::{Answer, Refusal};
use crate::host::session::Session;
use crate::operations::bundle_feature::{BUILT, MARK};

/// Variables that `cargo run` sets for this package: build scripts would run again because of them.
const OF_CARGO_RUN: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// What encrypts and decrypts: without optimisation, a dev build takes many times as long for it.
const OPTIMISED: [&str; 6] =
    ["age", "chacha20", "chacha20poly1305", "poly1305", "salsa20", "scrypt"];

/// Builds it, and puts it in the place of this program; returns only if that fails.
///
/// # Errors
///
/// A refusal if this program was not started by cargo.
pub(crate) fn run_with_feature(session: &mut Session) -> Result<Answer> {
    let by_hand =
        "add the feature to the xtask's dependency: `xtask-db = { …, features = [\"bundle\"] }`";
    if session.variable(MARK).is_some() {
        return Err(Refusal::could_not("this program was built without bundles", by_hand));
    }
    let Some(folder) = session.variable("CARGO_MANIFEST_DIR").map(PathBuf::from) else {
        return Err(Refusal::could_not(
            "this program was built without bundles, and cargo has not started it",
            "run `cargo xtask db-bundle …`, which builds what is missing once",
        ));
    };
    let is_release = session.binary().is_some_and(|binary| {
        binary
            .parent()
            .is_some_and(|folder| folder.file_name().is_some_and(|name| name == "release"))
    });
    let cargo = session.variable("CARGO").map_or_else(|| "cargo".into(), ToOwned::to_owned);
    let is_built = session.binary().is_some_and(|binary| binary.with_file_name(BUILT).exists());
    if !is_built {
        session
            .note("Building what encrypts and archives bundles, once; this takes a minute or two");
    }
    let manifest = folder.join("Cargo.toml");
    let shell = Shell::new()?;
    let mut command = Command::from(cmd!(
        shell,
        "{cargo} run --quiet --manifest-path {manifest} --features xtask-db/bundle"
    ));
    if is_release {
        command.arg("--release");
    }
    for package in OPTIMISED {
        command.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=3"));
    }
    if session.has_terminal() {
        command.args([
            "--config",
            "term.progress.when='always'",
            "--config",
            "term.progress.width=80",
        ]);
    }
    command.arg("--").args(session.arguments());
    for prefix in OF_CARGO_RUN {
        for name in session.variables_beginning_with(prefix) {
            command.env_remove(name);
        }
    }
    command.env(MARK, "1");
    Err(command.exec()).context("could not run cargo")
}
