//! What cargo says of a project: its root, its packages, what they depend on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::refusal::Refusal;

/// The releases of `libsqlite3-sys` that `xtask-db` builds with: those of rusqlite 0.32 to 0.41.
const SUPPORTED: std::ops::RangeInclusive<u32> = 30..=39;

/// A project as cargo sees it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Host {
    /// The folder of the workspace's manifest, or of the only package's.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Its own packages.
    pub(crate) packages: Vec<Package>,
}

/// A package of the project.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
struct Dependency {
    name: String,
}

impl Host {
    /// Asks cargo about the project around a folder; nothing is resolved or downloaded.
    ///
    /// # Errors
    ///
    /// A refusal if cargo finds no project, or cannot read it.
    pub(crate) fn around(folder: &Path) -> Result<Self> {
        let shell = Shell::new()?;
        shell.change_dir(folder);
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = cmd!(shell, "{cargo} metadata --no-deps --offline --format-version 1")
            .quiet()
            .ignore_status()
            .output()
            .context("could not run cargo")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(anyhow::anyhow!("{}", said.trim()).context(Refusal::new(
                format!("cargo could not read the project around `{}`", folder.display()),
                "run this in a cargo project whose `Cargo.toml` cargo can read",
            )));
        }
        serde_json::from_slice(&output.stdout)
            .context("could not read what `cargo metadata` printed")
    }

    /// Whether any package depends on a crate.
    pub(crate) fn depends_on(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.depends_on(name))
    }

    /// The package of a name.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// A path relative to the root; as it is if it is outside.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// The locked `libsqlite3-sys` that `xtask-db` cannot be built with, if it is one.
    ///
    /// # Errors
    ///
    /// If `Cargo.lock` cannot be read.
    pub(crate) fn unsupported_sqlite(&self) -> Result<Option<String>> {
        let path = self.root.join("Cargo.lock");
        if !path.is_file() {
            return Ok(None);
        }
        Ok(unsupported(&fs_err::read_to_string(path)?))
    }
}

impl Package {
    /// Whether it depends on a crate.
    pub(crate) fn depends_on(&self, name: &str) -> bool {
        self.dependencies.iter().any(|dependency| dependency.name == name)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// The files in which its binaries begin.
    pub(crate) fn binaries(&self) -> Vec<&Path> {
        let is_binary = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
        self.targets.iter().filter(is_binary).map(|target| target.src_path.as_path()).collect()
    }
}

/// The first locked release of `libsqlite3-sys` outside the range.
fn unsupported(lock: &str) -> Option<String> {
    let mut lines = lock.lines();
    while lines.any(|line| line == "name = \"libsqlite3-sys\"") {
        let version = lines.next()?.strip_prefix("version = \"")?.trim_end_matches('"');
        let minor =
            version.strip_prefix("0.").and_then(|rest| rest.split('.').next()?.parse().ok());
        if !minor.is_some_and(|minor: u32| SUPPORTED.contains(&minor)) {
            return Some(version.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_that_of_rusqlite_0_32_to_0_41() {
        for (version, is_supported) in [
            ("0.28.0", false),
            ("0.30.1", true),
            ("0.38.2", true),
            ("0.39.1", true),
            ("0.40.0", false),
            ("1.0.0", false),
        ] {
            let lock = format!(
                "[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"libsqlite3-sys\"\n\
                 version = \"{version}\"\n"
            );
            let expected = (!is_supported).then(|| version.to_owned());
            assert_eq!(unsupported(&lock), expected, "{version}");
        }
    }
}
