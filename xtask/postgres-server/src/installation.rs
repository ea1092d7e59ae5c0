//! The programs of a PostgreSQL server, and the user that they run as.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// Names the folder of the programs, if it is not that of the newest server of Debian.
const VARIABLE: &str = "XTASK_POSTGRES_BIN";
/// Where Debian has a folder for each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// What an installation must have.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_dump"];

/// The programs of a server: `initdb`, `postgres` and the clients of the same version.
#[derive(Debug, Clone)]
pub struct Installation {
    folder: PathBuf,
}

impl Installation {
    /// The installation that `XTASK_POSTGRES_BIN` names, else the newest of Debian's; `None` if
    /// there is none.
    ///
    /// # Errors
    ///
    /// If the variable names a folder in which a program is missing: it is set so that no test is
    /// skipped.
    pub fn find() -> Result<Option<Self>> {
        let Some(folder) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            return Ok(newest_of_debian().map(|folder| Self { folder }));
        };
        let missing = PROGRAMS.iter().find(|name| !folder.join(name).is_file());
        if let Some(missing) = missing {
            bail!("`{VARIABLE}` names `{}`, which has no `{missing}`", folder.display());
        }
        Ok(Some(Self { folder }))
    }

    /// The folder of the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of the programs, with nothing in its environment but `PATH`; as another user if we are
    /// root, whom a server refuses.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        as_server(&self.folder.join(name))
    }
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = fs_err::read_dir(DEBIAN).ok()?.flatten();
    let major = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let numbered = versions.filter_map(|entry| Some((major(&entry.path())?, entry.path())));
    let folders = numbered.map(|(major, path)| (major, path.join("bin")));
    let is_complete = |bin: &Path| PROGRAMS.iter().all(|name| bin.join(name).is_file());
    folders.filter(|(_, bin)| is_complete(bin)).max().map(|(_, bin)| bin)
}

/// A program as the user of servers.
#[expect(clippy::disallowed_methods, reason = "a server is another process than a tool of ours")]
pub(crate) fn as_server(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .current_dir("/");
    if let Some(user) = OtherUser::needed() {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Gives a folder to the user of servers.
///
/// # Errors
///
/// If its owner or its mode cannot be changed.
pub(crate) fn give_away(folder: &Path) -> Result<()> {
    fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    if let Some(user) = OtherUser::needed() {
        std::os::unix::fs::chown(folder, Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}

/// The user that a server runs as if we are root.
#[derive(Debug, Clone, Copy)]
struct OtherUser {
    uid: u32,
    gid: u32,
}

impl OtherUser {
    fn needed() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = fs_err::read_to_string("/etc/passwd").ok()?;
        let of = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2).map(|field| field.parse().ok());
            Some(Self { uid: fields.next()??, gid: fields.next()?? })
        };
        of("postgres").or_else(|| of("nobody"))
    }
}
