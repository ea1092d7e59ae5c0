//! A server and a database on it, as a URL names them
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>).
//!
//! The password is in no message, no `Debug` and no argument: it leaves only by
//! [`Server::environment`], and by [`Server::url`] into the environment of the host's own command.

mod escapes;
mod parameters;
mod secret;
mod written;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use parameters::{INHERITED, Parameter};
use secret::Secret;
use written::Written;

use crate::console::refusal::Refusal;

const PORT: u16 = 5432;
/// Longer names are cut by the server (<https://www.postgresql.org/docs/current/limits.html>).
pub(crate) const MAX_NAME_BYTES: usize = 63;

/// How to reach a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Name, address or folder of a socket; `None` is what the client was built with.
    pub(crate) host: Option<String>,
    /// The port.
    pub(crate) port: u16,
    /// The role; `None` is the name of the user at the operating system.
    pub(crate) user: Option<String>,
    /// The database.
    pub(crate) database: String,
    password: Option<Secret>,
    /// What else the client should know, by environment variable.
    others: BTreeMap<&'static str, String>,
    /// See [`Server::home`].
    home: PathBuf,
    /// See [`Server::url`].
    written: Written,
}

impl Server {
    /// Whether a text is a URL of PostgreSQL.
    #[must_use]
    pub(crate) fn is_url(text: &str) -> bool {
        after_scheme(text).is_some()
    }

    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// A refusal, which shows no part of the URL but the name of a parameter.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let url = url.split('#').next().unwrap_or_default();
        let rest = after_scheme(url)
            .ok_or_else(|| refused("the URL does not begin with `postgres://`", ""))?;
        let scheme = &url[..url.len() - rest.len()];
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let (host, port) = host_and_port(host)?;
        let mut server = Self {
            host: given(host)?,
            port: PORT,
            user: given(user)?,
            database: escapes::decoded(database)?,
            password: given(password)?.map(Secret::new),
            others: BTreeMap::new(),
            home: PathBuf::new(),
            written: Written::of(&format!("{scheme}{authority}"), query),
        };
        if !port.is_empty() {
            server.port = parse_port(port)?;
        }
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            server.take(parameter)?;
        }
        server.checked()
    }

    /// Takes one parameter of the query.
    fn take(&mut self, parameter: &str) -> Result<()> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (escapes::decoded(name)?, escapes::decoded(value)?);
        match Parameter::of(&name, &value)? {
            Parameter::Host => self.host = Some(value).filter(|value| !value.is_empty()),
            Parameter::Port => self.port = parse_port(&value)?,
            Parameter::User => self.user = Some(value).filter(|value| !value.is_empty()),
            Parameter::Database => self.database = value,
            Parameter::Password => self.password = Some(Secret::new(value)),
            Parameter::Variable(variable, value) => {
                self.others.insert(variable, value);
            }
            Parameter::Ignored => {}
        }
        Ok(())
    }

    fn checked(self) -> Result<Self> {
        if self.database.is_empty() {
            return Err(refused(
                "the URL names no database",
                "write its name at the end: `postgres://localhost/NAME`",
            ));
        }
        if self.host.as_deref().is_some_and(|host| host.contains(',')) {
            return Err(refused(
                "the URL names several hosts",
                "name the one host whose database should be backed up and restored",
            ));
        }
        let texts = [Some(&self.database), self.host.as_ref(), self.user.as_ref()];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(refused("the URL contains the byte 0", ""));
        }
        Ok(self.at_home())
    }

    fn at_home(mut self) -> Self {
        self.home = format!("postgres://{}", self.place()).into();
        self
    }

    /// The same server, and another database on it.
    #[must_use]
    pub(crate) fn with_database(&self, name: &str) -> Self {
        Self { database: name.to_owned(), ..self.clone() }.at_home()
    }

    /// The URL as it was written, with this database in it: for the environment of the host's own command, and
    /// for nothing else, because it may contain the password.
    #[must_use]
    pub(crate) fn url(&self) -> String {
        self.written.url(&self.database)
    }

    /// Whether the password came with the URL.
    #[must_use]
    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Where it is, without anything secret: `host:port/database`.
    #[must_use]
    pub fn place(&self) -> String {
        let host = self.host.as_deref().unwrap_or("localhost");
        let host = if host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        format!("{host}:{}/{}", self.port, self.database)
    }

    /// Where it is, as records have it: the URL without anything secret. Its last part names its backups.
    #[must_use]
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Whether it is on this machine: a socket, or an address of the loopback.
    #[must_use]
    pub(crate) fn is_loopback(&self) -> bool {
        let is_near = |host: &str| {
            host.starts_with(['/', '@'])
                || host.eq_ignore_ascii_case("localhost")
                || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        let address = self.others.get("PGHOSTADDR").map(String::as_str);
        address.or(self.host.as_deref()).is_none_or(is_near)
    }

    /// The variables for a client: each is set to a value or removed. Whatever would lead it
    /// elsewhere or change what it prints is removed; `~/.pgpass` is the client's own business.
    #[must_use]
    pub(crate) fn environment(&self) -> Vec<(&'static str, Option<OsString>)> {
        let mut variables: BTreeMap<&'static str, Option<OsString>> =
            INHERITED.into_iter().map(|name| (name, None)).collect();
        let mut set = |name, value: &str| variables.insert(name, Some(value.into()));
        set("PGDATABASE", &self.database);
        set("PGPORT", &self.port.to_string());
        set("PGAPPNAME", "xtask-db");
        set("PGCONNECT_TIMEOUT", "10");
        // The time zone of a role, a database or a server would be in the text of every timestamp.
        set("PGTZ", "UTC");
        // Messages are read by us, and must be in one language.
        set("LC_ALL", "C");
        for (name, value) in [("PGHOST", &self.host), ("PGUSER", &self.user)] {
            if let Some(value) = value {
                set(name, value);
            }
        }
        for (name, value) in &self.others {
            set(name, value);
        }
        if let Some(password) = &self.password {
            set("PGPASSWORD", password.reveal());
        }
        variables.into_iter().collect()
    }
}

/// What follows the scheme: `postgres`, `postgresql`, or one of these with a driver (`postgresql+asyncpg`).
fn after_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let (engine, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
    let is_ours = ["postgres", "postgresql"].iter().any(|name| engine.eq_ignore_ascii_case(name));
    let is_word = driver.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_ours && is_word).then_some(rest)
}

/// The host and the port, still escaped; an IPv6 address without its brackets.
fn host_and_port(text: &str) -> Result<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) =
            rest.split_once(']').ok_or_else(|| refused("the URL has a `[` without a `]`", ""))?;
        return Ok((address, rest.strip_prefix(':').unwrap_or(rest)));
    }
    Ok(text.rsplit_once(':').unwrap_or((text, "")))
}

fn given(text: &str) -> Result<Option<String>> {
    Ok(Some(escapes::decoded(text)?).filter(|text| !text.is_empty()))
}

fn parse_port(text: &str) -> Result<u16> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| refused("the URL has no valid port", "a port is a number up to 65535"))
}

/// A refusal of a URL, of which nothing is shown: a password may be anywhere in it.
fn refused(what: &str, hint: &str) -> anyhow::Error {
    let form = "a URL is written `postgres://user:password@host:port/database`, and special \
                characters in a password are escaped, e.g. `%40` for `@`";
    Refusal::could_not(what, if hint.is_empty() { form } else { hint })
}

#[cfg(test)]
mod tests;
