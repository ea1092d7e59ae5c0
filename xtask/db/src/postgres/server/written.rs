//! The URL as it was written, for the host's own commands: with its password, its driver and the parameters
//! that only they understand.

use std::fmt::Write as _;

use crate::postgres::server::escapes;
use crate::postgres::server::parameters::Parameter;
use crate::postgres::server::secret::Secret;

/// The parts around the name of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// The scheme, the user with the password, the host and the port.
    before: Secret,
    /// The parameters, without those that name a database.
    parameters: Secret,
}

impl Written {
    /// Takes a URL apart; `before` is everything up to the slash before the database.
    pub(super) fn of(before: &str, query: &str) -> Self {
        let names_database = |parameter: &&str| {
            let name = parameter.split('=').next().unwrap_or_default();
            let name = escapes::decoded(name).unwrap_or_default();
            matches!(Parameter::of(&name, ""), Ok(Parameter::Database))
        };
        let others = query.split('&').filter(|parameter| !names_database(parameter));
        let parameters = others.collect::<Vec<_>>().join("&");
        Self { before: Secret::new(before.to_owned()), parameters: Secret::new(parameters) }
    }

    /// The URL of a database on that server. It may contain the password.
    pub(super) fn url(&self, database: &str) -> String {
        let mut url = format!("{}/", self.before.reveal());
        for byte in database.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                url.push(char::from(byte));
            } else {
                let _ = write!(url, "%{byte:02X}");
            }
        }
        let parameters = self.parameters.reveal();
        if !parameters.is_empty() {
            let _ = write!(url, "?{parameters}");
        }
        url
    }
}
