//! The SQLite with which the application is built, and whether that version can lose commits.
//!
//! SQLite 3.7.0 to 3.51.2 can lose commits if one process runs a WAL checkpoint while another one
//! writes; this is fixed in 3.51.3, and in 3.50.7 and 3.44.6 of older branches
//! (<https://sqlite.org/wal.html>).

use std::path::Path;

use crate::health::problem::Problem;
use crate::host::project::{Database, Project};
use crate::sqlite::probe::{self, Standing};

/// The SQLite that each release of `libsqlite3-sys` bundles: `SQLITE_VERSION` in the `sqlite3/sqlite3.h`
/// of that release on crates.io, read from each of them. Of 0.25, 0.26 and 0.31 to 0.37 these are the last.
const BUNDLED: [(Release, &str); 15] = [
    (Release(0, 25, 2), "3.39.2"),
    (Release(0, 26, 0), "3.41.2"),
    (Release(0, 27, 0), "3.44.0"),
    (Release(0, 28, 0), "3.45.0"),
    (Release(0, 29, 0), "3.46.0"),
    (Release(0, 30, 0), "3.46.0"),
    (Release(0, 30, 1), "3.46.0"),
    (Release(0, 31, 0), "3.48.0"),
    (Release(0, 32, 0), "3.49.1"),
    (Release(0, 33, 0), "3.49.1"),
    (Release(0, 34, 0), "3.49.2"),
    (Release(0, 35, 0), "3.50.2"),
    (Release(0, 36, 0), "3.51.1"),
    (Release(0, 37, 0), "3.51.3"),
    (Release(0, 38, 2), "3.53.2"),
];
/// The first release whose SQLite is fixed. None before it bundles 3.44.6 or 3.50.7.
const FIXED: Release = Release(0, 37, 0);
/// `sqlx-sqlite` 0.9.0 asks for `>=0.30.1, <0.38.0`, 0.8 for 0.30.1 alone.
const SQLX: Release = Release(0, 9, 0);
/// `rusqlite` 0.39.0 asks for 0.37.0, 0.38.0 for 0.36.0.
const RUSQLITE: Release = Release(0, 39, 0);
/// `diesel` 2.3.14 asks for `>=0.17.2, <0.39.0`.
const DIESEL: Release = Release(2, 3, 14);

/// The version of a crate or of SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Release(u32, u32, u32);

impl Release {
    /// Parses `0.30.1`; anything after the numbers is ignored.
    fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['.', '-', '+']).map_while(|part| part.parse().ok());
        let [major, minor, patch, ..] = numbers.collect::<Vec<_>>()[..] else { return None };
        Some(Self(major, minor, patch))
    }

    /// Whether this version of SQLite can lose commits.
    fn can_lose_commits(self) -> bool {
        match self {
            Self(3, 44, patch) => patch < 6,
            Self(3, 50, patch) => patch < 7,
            version => version >= Self(3, 7, 0) && version < Self(3, 51, 3),
        }
    }
}

/// A remark if the SQLite of the application can lose commits, or if that is unknown; `None` without a
/// `Cargo.lock`, and if no database is in WAL mode.
#[must_use]
pub(crate) fn remark(project: &Project) -> Option<Problem> {
    let is_wal = |path: &Path| match probe::look(path) {
        Ok(Standing::Sqlite(header)) => header.is_wal(),
        // It may become one.
        _ => true,
    };
    if !project.databases.iter().filter_map(Database::file_if_any).any(is_wal) {
        return None;
    }
    let lock = fs_err::read_to_string(project.root.join("Cargo.lock")).ok()?;
    judge(&Lock(toml::from_str(&lock).ok()?), rusqlite::version())
}

/// A `Cargo.lock`.
struct Lock(toml::Table);

impl Lock {
    fn packages<'l>(&'l self, name: &'l str) -> impl Iterator<Item = &'l toml::Value> {
        let packages = self.0.get("package").and_then(toml::Value::as_array).into_iter().flatten();
        packages.filter(move |package| package.get("name").and_then(|n| n.as_str()) == Some(name))
    }

    /// The lowest version of a package.
    fn release(&self, name: &str) -> Option<Release> {
        let version = |package: &toml::Value| Release::parse(package.get("version")?.as_str()?);
        self.packages(name).filter_map(version).min()
    }

    /// Whether `libsqlite3-sys` compiles its own SQLite: it needs a C compiler only then.
    fn is_bundled(&self) -> bool {
        let is_cc = |name: &toml::Value| {
            name.as_str().is_some_and(|name| name.split(' ').next() == Some("cc"))
        };
        self.packages("libsqlite3-sys").all(|package| {
            let dependencies = package.get("dependencies").and_then(toml::Value::as_array);
            dependencies.is_some_and(|dependencies| dependencies.iter().any(is_cc))
        })
    }
}

/// Judges the application's SQLite; `own` is the one that this very program was built with, which is the
/// application's too if both are in one workspace.
fn judge(lock: &Lock, own: &str) -> Option<Problem> {
    const EFFECT: &str = "can lose commits if one process runs a WAL checkpoint while another one \
                          writes; fixed in 3.51.3 (https://sqlite.org/wal.html)";
    let linked = lock.release("libsqlite3-sys");
    if lock.packages("xtask-db").next().is_some() {
        return Release::parse(own)?.can_lose_commits().then(|| {
            let what = format!("SQLite {own}, which this workspace is built with, {EFFECT}");
            Problem::new("wal-reset", what, cure(lock))
        });
    }
    let linked = linked?;
    let Release(major, minor, patch) = linked;
    let package = format!("libsqlite3-sys {major}.{minor}.{patch} in Cargo.lock");
    if !lock.is_bundled() {
        let what = format!(
            "which SQLite the application uses is unknown: {package} uses the system's; one before \
             3.51.3, except 3.50.7 and 3.44.6, {EFFECT}"
        );
        let remedy = "ask the application itself: `SELECT sqlite_version()`";
        return Some(Problem::new("wal-reset-unknown", what, remedy));
    }
    (linked < FIXED).then(|| {
        let known = BUNDLED.iter().find(|(release, _)| *release == linked);
        let version = known.map_or("before 3.51.3", |(_, version)| version);
        let what = format!("the application's SQLite {version} ({package}) {EFFECT}");
        Problem::new("wal-reset", what, cure(lock))
    })
}

/// How to get a fixed SQLite: update the packages that require the old one, then the library
/// itself, which otherwise stays as it is.
fn cure(lock: &Lock) -> String {
    let is_before = |name, release| lock.release(name).is_some_and(|found| found < release);
    let diesel = if is_before("diesel", DIESEL) { "cargo update -p diesel && " } else { "" };
    let required = [("sqlx-sqlite", SQLX, "sqlx 0.9"), ("rusqlite", RUSQLITE, "rusqlite 0.39")];
    let old = required.iter().filter(|(name, release, _)| is_before(name, *release));
    let newer: Vec<&str> = old.map(|(_, _, newer)| *newer).collect();
    let first = match newer[..] {
        [] => String::new(),
        _ => format!("   # first require {} in Cargo.toml", newer.join(" and ")),
    };
    format!("{diesel}cargo update -p libsqlite3-sys --precise 0.37.0{first}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lock of packages as `sqlx-sqlite 0.8.6`; `+` compiles C.
    fn lock(packages: &[&str]) -> Lock {
        let mut text = String::new();
        for package in packages {
            let (name, version) = package.split_once(' ').expect("a version");
            let cc = if version.ends_with('+') { "\"cc\"" } else { "" };
            let version = version.trim_end_matches('+');
            let lines = ["[[package]]", "name = \"", name, "\"\nversion = \"", version, "\""];
            text.push_str(&[lines[0], "\n", &lines[1..].concat()].concat());
            text.push_str(&["\ndependencies = [", cc, "]\n"].concat());
        }
        Lock(toml::from_str(&text).expect("a lock"))
    }

    #[test]
    fn versions_that_can_lose_commits_are_told_from_fixed_ones() {
        for (version, expected) in [
            ("3.6.23", false),
            ("3.7.0", true),
            ("3.44.5", true),
            ("3.44.6", false),
            ("3.45.0", true),
            ("3.50.6", true),
            ("3.50.7", false),
            ("3.51.2", true),
            ("3.51.3", false),
            ("3.53.2", false),
        ] {
            let release = Release::parse(version).expect("a version");
            assert_eq!(release.can_lose_commits(), expected, "{version}");
        }
    }

    #[test]
    fn the_table_agrees_with_the_first_fixed_release() {
        for (release, version) in BUNDLED {
            let version = Release::parse(version).expect("a version");
            assert_eq!(version.can_lose_commits(), release < FIXED, "{release:?}");
        }
        assert!(BUNDLED.is_sorted());
    }

    #[test]
    fn each_lock_has_its_remark_and_its_cure() {
        let precise = "cargo update -p libsqlite3-sys --precise 0.37.0";
        for (packages, own, said, cure) in [
            (
                &["libsqlite3-sys 0.30.1+", "sqlx-sqlite 0.8.6"][..],
                "3.53.2",
                Some(
                    "the application's SQLite 3.46.0 (libsqlite3-sys 0.30.1 in Cargo.lock) can lose",
                ),
                format!("{precise}   # first require sqlx 0.9 in Cargo.toml"),
            ),
            (
                &["libsqlite3-sys 0.30.1+", "sqlx-sqlite 0.9.0"],
                "3.53.2",
                Some("SQLite 3.46.0"),
                precise.to_owned(),
            ),
            (
                &["libsqlite3-sys 0.25.1+", "diesel 2.2.0"],
                "3.53.2",
                Some("SQLite before 3.51.3 (libsqlite3-sys 0.25.1"),
                format!("cargo update -p diesel && {precise}"),
            ),
            (
                &["libsqlite3-sys 0.36.0+", "rusqlite 0.38.0", "xtask-db 0.1.0"],
                "3.51.1",
                Some("SQLite 3.51.1, which this workspace is built with, can lose"),
                format!("{precise}   # first require rusqlite 0.39 in Cargo.toml"),
            ),
            (
                &["libsqlite3-sys 0.30.1", "sqlx-sqlite 0.8.6"],
                "3.53.2",
                Some("unknown: libsqlite3-sys 0.30.1 in Cargo.lock uses the system's"),
                "ask the application itself: `SELECT sqlite_version()`".to_owned(),
            ),
            (&["libsqlite3-sys 0.37.0+", "sqlx-sqlite 0.9.0"], "3.46.0", None, String::new()),
            (&["libsqlite3-sys 0.99.0+"], "3.46.0", None, String::new()),
            (&["libsqlite3-sys 0.38.2+", "xtask-db 0.1.0"], "3.53.2", None, String::new()),
            (&["serde 1.0.0"], "3.46.0", None, String::new()),
        ] {
            let remark = judge(&lock(packages), own);
            let what = remark.as_ref().map(|remark| remark.what.as_str());
            assert_eq!(what.is_some(), said.is_some(), "{packages:?}: {what:?}");
            let (what, said) = (what.unwrap_or_default(), said.unwrap_or_default());
            assert!(what.contains(said), "{packages:?}: {what}");
            assert_eq!(
                remark.map_or_else(String::new, |remark| remark.remedy),
                cure,
                "{packages:?}"
            );
        }
    }
}
