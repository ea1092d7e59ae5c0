//! What belongs to a database and is in no dump of it: encoding, locale, owner, settings, rights.
//!
//! A new database gets them by hand, because they hang on the old one's number.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Deserialize;

use crate::console::refusal::Refusal;
use crate::postgres::psql::Psql;
use crate::postgres::quoting::{literal, name};

/// The properties of a database.
#[derive(Debug, Deserialize)]
pub(crate) struct Properties {
    pub(crate) owner: String,
    encoding: String,
    /// `c`, `i` or `b`; older servers have only the first.
    provider: Option<String>,
    collate: String,
    ctype: String,
    locale: Option<String>,
    rules: Option<String>,
    /// `None` is where a new database is without being asked; to name it needs a right.
    tablespace: Option<String>,
    limit: i32,
    comment: Option<String>,
    /// `None` means the default rights.
    rights: Option<Vec<Right>>,
    settings: Vec<Setting>,
}

#[derive(Debug, Deserialize)]
struct Right {
    /// `None` is everybody.
    grantee: Option<String>,
    privilege: String,
    grantable: bool,
}

#[derive(Debug, Deserialize)]
struct Setting {
    role: Option<String>,
    name: String,
    value: String,
}

/// Columns that a version of the server lacks are read as NULL.
const QUERY: &str = "
    SELECT pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
      to_jsonb(d)->>'datlocprovider' AS provider, d.datcollate AS collate, d.datctype AS ctype,
      coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') AS locale,
      to_jsonb(d)->>'daticurules' AS rules,
      (SELECT t.spcname WHERE d.dattablespace NOT IN (SELECT dattablespace FROM pg_database
        WHERE datname = 'template0')) AS tablespace, d.datconnlimit AS \"limit\",
      shobj_description(d.oid, 'pg_database') AS comment,
      CASE WHEN d.datacl IS NOT NULL THEN coalesce((SELECT json_agg(json_build_object(
        'grantee', CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END,
        'privilege', privilege_type, 'grantable', is_grantable)) FROM aclexplode(d.datacl)), '[]')
      END AS rights,
      coalesce((SELECT json_agg(json_build_object(
        'role', CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
        'name', split_part(item, '=', 1), 'value', substr(item, strpos(item, '=') + 1)))
        FROM pg_db_role_setting s, unnest(s.setconfig) AS item WHERE s.setdatabase = d.oid), '[]')
      AS settings
    FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = ";

impl Properties {
    /// Reads them in a session with any database of the server.
    ///
    /// # Errors
    ///
    /// A refusal, if there is no such database.
    pub(crate) fn read(psql: &mut Psql<'_>, database: &str) -> Result<Self> {
        let found = psql.rows(&format!("{QUERY}{}", literal(database)))?.pop();
        found.ok_or_else(|| {
            Refusal::could_not(
                format!("there is no database `{database}` on the server"),
                "create it, e.g. with `createdb`, or correct the URL",
            )
        })
    }

    /// The statement that creates an empty database with the same encoding and locale.
    pub(crate) fn create(&self, database: &str) -> String {
        let mut sql = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {} \
             OWNER {}",
            name(database),
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype),
            name(&self.owner),
        );
        let locale = self.locale.as_deref().map(literal).unwrap_or_default();
        let _ = match self.provider.as_deref() {
            Some("i") => write!(sql, " LOCALE_PROVIDER icu ICU_LOCALE {locale}"),
            Some("b") => write!(sql, " LOCALE_PROVIDER builtin BUILTIN_LOCALE {locale}"),
            Some(_) => write!(sql, " LOCALE_PROVIDER libc"),
            None => Ok(()),
        };
        if let Some(tablespace) = &self.tablespace {
            let _ = write!(sql, " TABLESPACE {}", name(tablespace));
        }
        if let Some(rules) = &self.rules {
            let _ = write!(sql, " ICU_RULES {}", literal(rules));
        }
        sql + ";"
    }

    /// The statements that carry over what does not influence what a session reads: limit, comment, rights.
    pub(crate) fn carry_over(&self, database: &str) -> String {
        let to = name(database);
        let mut sql = format!("ALTER DATABASE {to} CONNECTION LIMIT {};", self.limit);
        if let Some(comment) = &self.comment {
            let _ = write!(sql, "COMMENT ON DATABASE {to} IS {};", literal(comment));
        }
        let Some(rights) = &self.rights else { return sql };
        let _ = write!(sql, "REVOKE ALL ON DATABASE {to} FROM PUBLIC, {};", name(&self.owner));
        for right in rights {
            let grantee = right.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), name);
            let option = if right.grantable { " WITH GRANT OPTION" } else { "" };
            let privilege = &right.privilege;
            let _ = write!(sql, "GRANT {privilege} ON DATABASE {to} TO {grantee}{option};");
        }
        sql
    }

    /// The statements that carry over the settings of the database.
    pub(crate) fn settings(&self, database: &str) -> String {
        let to = name(database);
        let mut sql = String::new();
        for setting in &self.settings {
            let role = setting.role.as_deref().map(|role| format!("ROLE {} IN ", name(role)));
            let (role, value) = (role.unwrap_or_default(), value(setting));
            let _ = write!(sql, "ALTER {role}DATABASE {to} SET {} TO {value};", setting.key());
        }
        sql
    }
}

impl Setting {
    /// The name, of which a part may be another program's.
    fn key(&self) -> String {
        self.name.split('.').map(name).collect::<Vec<_>>().join(".")
    }
}

/// The settings that are lists of names: `pg_dumpall` has the same list.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The value as SQL. A list is written with its quotes already.
fn value(setting: &Setting) -> String {
    if LISTS.contains(&setting.name.to_lowercase().as_str()) && !setting.value.is_empty() {
        return setting.value.clone();
    }
    literal(&setting.value)
}
