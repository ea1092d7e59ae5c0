//! The place of a database, read from `url` or from the variable that `url-env` names.
//!
//! A URL in `Cargo.toml` may not have a password, because git keeps it forever; a variable may.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::console::refusal::Refusal;
use crate::host::configuration::sqlite_url;
use crate::host::project::Location;
use crate::postgres::server::Server;

/// What `url` in `Cargo.toml` names.
///
/// # Errors
///
/// If it is not a URL of SQLite or PostgreSQL; a refusal if it has a password.
pub(super) fn of_url(url: &OsStr, root: &Path) -> Result<Location> {
    if let Some(server) = of_server(url)? {
        if server.has_password() {
            return Err(Refusal::could_not(
                "the URL has a password, and git would keep it",
                "put the URL into a variable of `.env`, and name that with `url-env` instead of `url`",
            ));
        }
        return Ok(Location::Server(server));
    }
    let path = sqlite_url::path(url)
        .context("only `sqlite:`, `file:` and `postgres:` URLs are supported")?;
    Ok(Location::File(root.join(path)))
}

/// What the value of a variable names: a URL, or a path without a scheme.
///
/// # Errors
///
/// If it is not a path or a URL of SQLite or PostgreSQL. The message does not repeat it.
pub(super) fn of_variable(value: &OsStr, root: &Path) -> Result<Location> {
    if let Some(server) = of_server(value)? {
        return Ok(Location::Server(server));
    }
    let path = sqlite_url::path(value).or_else(|| sqlite_url::bare_path(value));
    let path = path.context("it is not a path, nor a `sqlite:`, `file:` or `postgres:` URL")?;
    Ok(Location::File(root.join(path)))
}

fn of_server(url: &OsStr) -> Result<Option<Server>> {
    match url.to_str().filter(|url| Server::is_url(url)) {
        Some(url) => Server::parse(url).map(Some),
        None => Ok(None),
    }
}
