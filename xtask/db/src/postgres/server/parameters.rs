//! The parameters of a URL: those of libpq, and those that only some library of an application reads.

use anyhow::Result;

use crate::console::nearest_word::nearest;
use crate::console::refusal::Refusal;

/// What a parameter means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parameter {
    Host,
    Port,
    User,
    Password,
    Database,
    /// An environment variable of libpq, and its value.
    Variable(&'static str, String),
    /// It does not concern a client of ours.
    Ignored,
}

/// Variables that a client would inherit, and that would lead it elsewhere or change what it prints.
/// Those that are not here stay: certificates, `PGPASSFILE`, and `PGPASSWORD` if the URL has none.
pub(super) const INHERITED: [&str; 23] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGCLIENTENCODING",
    "PGCONNECT_TIMEOUT",
    "PGDATESTYLE",
    "PGTZ",
    "PGGEQO",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
    "PG_COLOR",
    "PSQLRC",
    "PSQL_HISTORY",
    "PSQL_PAGER",
    "PAGER",
    "LANGUAGE",
    "LC_ALL",
];

/// <https://www.postgresql.org/docs/current/libpq-envars.html>
const VARIABLES: [(&str, &str); 20] = [
    ("hostaddr", "PGHOSTADDR"),
    ("sslmode", "PGSSLMODE"),
    ("ssl-mode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("ssl-root-cert", "PGSSLROOTCERT"),
    ("ssl-ca", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslsni", "PGSSLSNI"),
    ("passfile", "PGPASSFILE"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("require_auth", "PGREQUIREAUTH"),
    ("gssencmode", "PGGSSENCMODE"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("options", "PGOPTIONS"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
];

/// Parameters of applications' libraries (Prisma, `SQLx`, Rails, Django, node-postgres, `SQLAlchemy`), and
/// those of libpq that have no variable and change nothing in what is read.
const IGNORED: [&str; 40] = [
    "schema",
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "socket_timeout",
    "sslidentity",
    "sslaccept",
    "statement-cache-capacity",
    "statement_cache_size",
    "prepared_statements",
    "prepared_statement_cache_size",
    "prepare_threshold",
    "pool",
    "pool_size",
    "min_pool_size",
    "max_pool_size",
    "max_connections",
    "min_connections",
    "max",
    "min",
    "timeout",
    "idle_timeout",
    "acquire_timeout",
    "max_lifetime",
    "checkout_timeout",
    "reaping_frequency",
    "conn_max_age",
    "advisory_locks",
    "schema_search_path",
    "encoding",
    "client_encoding",
    "application_name",
    "fallback_application_name",
    "uselibpqcompat",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "load_balance_hosts",
];

impl Parameter {
    /// The parameter of a name.
    ///
    /// # Errors
    ///
    /// A refusal with the name, if it is unknown: it might decide which server is meant.
    pub(super) fn of(name: &str, value: &str) -> Result<Self> {
        Ok(match name {
            "host" => Self::Host,
            "port" => Self::Port,
            "user" | "username" => Self::User,
            "password" => Self::Password,
            "dbname" | "database" => Self::Database,
            "ssl" => ssl(value),
            _ if IGNORED.contains(&name) => Self::Ignored,
            _ => match VARIABLES.iter().find(|(known, _)| *known == name) {
                Some((_, variable)) => Self::Variable(variable, value.to_owned()),
                None => return Err(unknown(name)),
            },
        })
    }
}

/// What the libraries mean that have a switch instead of `sslmode`.
fn ssl(value: &str) -> Parameter {
    match value {
        "" | "1" | "true" | "require" => Parameter::Variable("PGSSLMODE", "require".to_owned()),
        "0" | "false" | "disable" => Parameter::Variable("PGSSLMODE", "disable".to_owned()),
        other => Parameter::Variable("PGSSLMODE", other.to_owned()),
    }
}

fn unknown(name: &str) -> anyhow::Error {
    // A password that was not escaped may begin what looks like a parameter.
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !is_name || name.len() > 40 {
        return Refusal::could_not(
            "the URL has a parameter that is not known here",
            "special characters in a password are escaped, e.g. `%3F` for `?`",
        );
    }
    let known = VARIABLES.iter().map(|(known, _)| *known).chain(IGNORED);
    let near = nearest(known, name);
    Refusal::could_not(
        format!("the URL has a parameter `{name}` that is not known here{near}"),
        "remove it from the URL, or set its environment variable",
    )
}
