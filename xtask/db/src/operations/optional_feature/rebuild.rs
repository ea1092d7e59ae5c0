//! The build with the feature, and the command in it.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::console::refusal::{Answer, Refusal};
use crate::host::session::Session;
use crate::operations::optional_feature::Feature;

/// Variables that `cargo run` sets for this package: build scripts would run again because of them.
const OF_CARGO_RUN: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Builds it, and puts it in the place of this program; returns only if that fails.
///
/// # Errors
///
/// A refusal if this program was not started by cargo.
pub(crate) fn run_with(session: &mut Session, feature: &Feature) -> Result<Answer> {
    let Feature { name, lacks, command: task, .. } = feature;
    if session.variable(feature.mark).is_some() {
        return Err(Refusal::could_not(
            format!("this program was built without {lacks}"),
            format!(
                "add the feature to the xtask's dependency: `xtask-db = {{ …, features = [\"{name}\"] }}`"
            ),
        ));
    }
    let Some(folder) = session.variable("CARGO_MANIFEST_DIR").map(PathBuf::from) else {
        return Err(Refusal::could_not(
            format!("this program was built without {lacks}, and cargo has not started it"),
            format!("run `cargo xtask {task} …`, which builds what is missing once"),
        ));
    };
    let is_release = session.binary().is_some_and(|binary| {
        binary
            .parent()
            .is_some_and(|folder| folder.file_name().is_some_and(|name| name == "release"))
    });
    let cargo = session.variable("CARGO").map_or_else(|| "cargo".into(), ToOwned::to_owned);
    let is_built =
        session.binary().is_some_and(|binary| binary.with_file_name(feature.built).exists());
    if !is_built {
        session.note(feature.notice);
    }
    let manifest = folder.join("Cargo.toml");
    let shell = Shell::new()?;
    let mut command = Command::from(cmd!(
        shell,
        "{cargo} run --quiet --manifest-path {manifest} --features xtask-db/{name}"
    ));
    if is_release {
        command.arg("--release");
    }
    for package in feature.optimised {
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
    command.env(feature.mark, "1");
    Err(command.exec()).context("could not run cargo")
}
