//! The client programs on this machine: `psql` and `pg_dump`.
//!
//! Debian's `/usr/bin/psql` is a wrapper that chooses a version, and a server, by its own rules; what is
//! behind it is used instead.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::postgres::client::{Client, Order};

/// Where packages put them.
const FOLDERS: [&str; 5] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/*postgresql*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/usr/local/pgsql/bin",
];

/// The programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tools {
    /// `psql`.
    pub psql: PathBuf,
    /// `pg_dump`.
    pub pg_dump: PathBuf,
    /// As it prints it, e.g. `15.14`.
    pub version: String,
    /// Its first number.
    pub major: u32,
}

/// All versions that are installed; at least one. That of `PATH` comes first, the others from the newest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Programs(Vec<Tools>);

impl Programs {
    /// Finds them; `search_path` is the value of `PATH`.
    ///
    /// # Errors
    ///
    /// A refusal that names the package, if there are none.
    pub(crate) fn find(search_path: &OsStr, interrupt: &Interrupt) -> Result<Self> {
        let on_path = std::env::split_paths(search_path).filter(|folder| has_both(folder)).take(1);
        let on_path: Vec<_> =
            on_path.filter(|folder| !is_wrapper(&folder.join("pg_dump"))).collect();
        let mut found = Vec::new();
        for folder in on_path {
            found.extend(Tools::in_folder(&folder, interrupt)?);
        }
        let mut packaged = Vec::new();
        for folder in FOLDERS.iter().filter_map(|pattern| glob::glob(pattern).ok()).flatten() {
            let folder = folder?;
            if has_both(&folder) && !found.iter().any(|tools: &Tools| tools.is_in(&folder)) {
                packaged.extend(Tools::in_folder(&folder, interrupt)?);
            }
        }
        packaged.sort_by_key(|tools| std::cmp::Reverse(tools.major));
        found.append(&mut packaged);
        if found.is_empty() {
            return Err(Refusal::could_not(
                "`psql` and `pg_dump` are not installed",
                "install them: `apt install postgresql-client` on Debian and Ubuntu, \
                 `brew install libpq` on macOS",
            ));
        }
        Ok(Self(found))
    }

    /// Those of a folder, for tests of several versions.
    #[cfg(test)]
    pub(crate) fn of_folder(folder: &Path, interrupt: &Interrupt) -> Result<Self> {
        Ok(Self(Tools::in_folder(folder, interrupt)?.into_iter().collect()))
    }

    /// The first choice, which can talk to a server of any version.
    ///
    /// # Errors
    ///
    /// Never, because there is at least one.
    pub(crate) fn any(&self) -> Result<&Tools> {
        self.0.first().context("no client program was found")
    }

    /// The first choice that can dump a server of a version.
    ///
    /// # Errors
    ///
    /// A refusal that names the package, if all are older.
    pub(crate) fn for_server(&self, major: u32) -> Result<&Tools> {
        if let Some(tools) = self.0.iter().find(|tools| tools.major >= major) {
            return Ok(tools);
        }
        let newest = self.0.iter().map(|tools| tools.major).max().unwrap_or_default();
        Err(Refusal::could_not(
            format!(
                "the newest `pg_dump` here is version {newest}, and the server is version {major}: \
                 an older `pg_dump` cannot read it"
            ),
            format!(
                "install the client of the server's version: `apt install postgresql-client-{major}` \
                 (from <https://apt.postgresql.org> if Debian has none), `brew install \
                 postgresql@{major}` on macOS"
            ),
        ))
    }
}

impl Tools {
    /// Those of a folder; `None` if they do not run.
    fn in_folder(folder: &Path, interrupt: &Interrupt) -> Result<Option<Self>> {
        let (psql, pg_dump) = (folder.join("psql"), folder.join("pg_dump"));
        let order = Order { program: &pg_dump, arguments: &["--version"], server: None };
        let Ok(mut client) = Client::start(&order, interrupt) else { return Ok(None) };
        let (mut printed, mut part) = (Vec::new(), Vec::new());
        loop {
            client.read(&mut part)?;
            if part.is_empty() {
                break;
            }
            printed.extend_from_slice(&part);
        }
        client.wait()?;
        let version = version(&String::from_utf8_lossy(&printed)).map(str::to_owned);
        let major = version.as_deref().and_then(major);
        let tools = version.zip(major);
        Ok(tools.map(|(version, major)| Self { psql, pg_dump, version, major }))
    }

    fn is_in(&self, folder: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        real(&self.pg_dump) == real(&folder.join("pg_dump"))
    }
}

/// `15.14` in `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn version(printed: &str) -> Option<&str> {
    printed.split_once("(PostgreSQL) ")?.1.split_whitespace().next()
}

/// `18` in `18beta1`.
fn major(version: &str) -> Option<u32> {
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

fn has_both(folder: &Path) -> bool {
    folder.is_absolute() && ["psql", "pg_dump"].iter().all(|name| folder.join(name).is_file())
}

fn is_wrapper(program: &Path) -> bool {
    let real = program.canonicalize();
    real.is_ok_and(|path| path.file_name().is_some_and(|name| name.as_bytes() == b"pg_wrapper"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(major: u32) -> Tools {
        let path = PathBuf::from(format!("/{major}"));
        Tools { psql: path.clone(), pg_dump: path, version: format!("{major}.1"), major }
    }

    #[test]
    fn a_version_is_read_from_what_is_printed() {
        for (printed, expected) in [
            ("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n", Some(("15.14", 15))),
            ("pg_dump (PostgreSQL) 18beta1\n", Some(("18beta1", 18))),
            ("pg_dump 9\n", None),
        ] {
            let found = version(printed).and_then(|version| Some((version, major(version)?)));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_client_that_is_too_old_is_refused_with_the_package() {
        let programs = Programs(vec![tools(14), tools(17), tools(15)]);
        assert_eq!(programs.for_server(14).expect("tools").major, 14);
        assert_eq!(programs.for_server(15).expect("tools").major, 17);
        let error = programs.for_server(18).expect_err("too old");
        let refusal = error.downcast_ref::<Refusal>().expect("a refusal");
        assert!(refusal.hint.contains("postgresql-client-18"), "{}", refusal.hint);
    }

    #[test]
    fn without_programs_the_package_is_named() {
        let found = Programs::find(OsStr::new("/nowhere"), &Interrupt::default());
        match found {
            // This machine has them where packages put them.
            Ok(programs) => assert!(programs.any().expect("one").major > 8),
            Err(error) => assert!(format!("{error:#}").contains("not installed")),
        }
    }
}
