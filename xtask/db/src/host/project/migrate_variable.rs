//! The variable that points the host's command at a database: a file by its path, a server by its URL.

use std::ffi::OsString;

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::project::{Database, Location};

/// What a template for a server contains.
const URL: &str = "{url}";

impl Database {
    /// The variable and its value that point the host's command at a database, e.g. at a private copy. The value may
    /// contain a password: it goes into the environment of that command and nowhere else.
    #[must_use]
    pub(crate) fn variable_of(&self, location: &Location) -> (String, OsString) {
        match location {
            Location::File(path) => self.migrate_variable(path),
            Location::Server(server) => match self.migrate_env.split_once('=') {
                None => (self.migrate_env.clone(), server.url().into()),
                Some((variable, template)) => {
                    (variable.to_owned(), template.replace(URL, &server.url()).into())
                }
            },
        }
    }

    /// The name of that variable.
    #[must_use]
    pub(crate) fn variable_name(&self) -> &str {
        self.migrate_env.split('=').next().unwrap_or_default()
    }

    /// Checks that the host's command can be pointed at another database on the server.
    ///
    /// # Errors
    ///
    /// A refusal that names the key to set.
    pub(crate) fn demand_variable(&self) -> Result<()> {
        if self.server().is_none() {
            return Ok(());
        }
        let header = self.header();
        let example =
            format!("set `migrate-env` in `{header}`, e.g. `migrate-env = \"DATABASE_URL\"`");
        if self.migrate_env.is_empty() {
            return Err(Refusal::could_not(
                format!(
                    "no variable is configured from which the migration of `{}` reads its URL",
                    text::plain(&self.name)
                ),
                format!("{example}; it runs on a private copy first, and gets the URL of that"),
            ));
        }
        let is_lost = |(_, template): (&str, &str)| !template.contains(URL);
        if self.migrate_env.split_once('=').is_some_and(is_lost) {
            return Err(Refusal::could_not(
                format!("`migrate-env` in `{header}` does not contain `{URL}`"),
                format!(
                    "{example}, or a template with `{URL}`: a database on a server has no path"
                ),
            ));
        }
        Ok(())
    }
}
