//! How the project migrates: which files, by which command, told where in which variable.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::host::{Host, Package};
use crate::refusal::Refusal;
use crate::walk;

/// For sqlx and sea-orm, which create a missing file only if they are told to.
const SQLX_URL: &str = "DATABASE_URL=sqlite://{path}?mode=rwc";

/// What the configuration contains about migrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Migrations {
    /// Patterns of the schema files.
    pub(crate) schema: Vec<String>,
    /// The command; empty if it is not known.
    pub(crate) migrate: Vec<String>,
    /// How it is told the file.
    pub(crate) migrate_env: Option<String>,
}

/// The user's choices on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Patterns of the schema files.
    pub(crate) schema: Vec<String>,
    /// The command.
    pub(crate) migrate: Option<String>,
    /// How it is told the file.
    pub(crate) migrate_env: Option<String>,
}

/// Finds out how the project migrates.
///
/// # Errors
///
/// A refusal if there are several folders of migrations, or what was asked cannot be split into words.
pub(crate) fn find(host: &Host, asked: &Asked) -> Result<Migrations> {
    let mut found = Migrations::default();
    if asked.schema.is_empty() || asked.migrate.is_none() {
        found = detected(host, !asked.schema.is_empty())?;
    }
    if !asked.schema.is_empty() {
        found.schema.clone_from(&asked.schema);
    }
    if let Some(command) = &asked.migrate {
        found.migrate = words(command)?;
        found.migrate_env = None;
    }
    if let Some(template) = &asked.migrate_env {
        check_template(template)?;
        found.migrate_env = Some(template.clone());
    }
    Ok(found)
}

/// A template is the name of a variable, or that name and a value in which `{path}` is the file.
fn check_template(template: &str) -> Result<()> {
    let (name, value) = template.split_once('=').unwrap_or((template, "{path}"));
    let refused = |what: &str, hint: String| {
        Err(Refusal::error(format!("`--migrate-env '{template}'` {what}"), hint))
    };
    if !is_variable(name) {
        return refused(
            "does not begin with the name of an environment variable",
            "write `--migrate-env DATABASE_PATH`, or `--migrate-env 'DATABASE_URL=sqlite://{path}'`"
                .to_owned(),
        );
    }
    if !value.contains("{path}") {
        let value = if value.ends_with([':', '/']) { value } else { "" };
        return refused(
            "has no `{path}`, which stands for the database that is to be migrated",
            format!("write `--migrate-env '{name}={value}{{path}}'`"),
        );
    }
    Ok(())
}

fn is_variable(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_plain)
}

fn detected(host: &Host, is_schema_known: bool) -> Result<Migrations> {
    if let Some(package) = host.packages.iter().find(|p| p.depends_on("sea-orm-migration")) {
        return Ok(sea_orm(host, package));
    }
    let folders = folders(host);
    let several: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.pattern())).collect();
    match &folders[..] {
        [] => Ok(Migrations::default()),
        [folder] => Ok(by_library(host, folder)),
        _ if is_schema_known => Ok(Migrations::default()),
        _ => Err(Refusal::error(
            format!("there are several folders of migrations: {}", several.join(", ")),
            "name the one of this database with `--schema PATTERN`, and its command with `--migrate`",
        )),
    }
}

/// A folder of migrations.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Folder {
    /// Its path relative to the root.
    path: String,
    /// Whether each migration is a folder with an `up.sql`.
    is_nested: bool,
}

impl Folder {
    fn pattern(&self) -> String {
        format!("{}/{}", self.path, if self.is_nested { "*/up.sql" } else { "*.sql" })
    }
}

fn folders(host: &Host) -> Vec<Folder> {
    let folder = |path: std::path::PathBuf| {
        let path = host.relative(&path);
        let (folder, file) = path.rsplit_once('/')?;
        let is_migrations = |folder: &str| folder.rsplit('/').next() == Some("migrations");
        if is_migrations(folder) {
            return Some(Folder { path: folder.to_owned(), is_nested: false });
        }
        let (above, _) = folder.rsplit_once('/')?;
        let is_nested = file == "up.sql" && is_migrations(above);
        is_nested.then(|| Folder { path: above.to_owned(), is_nested })
    };
    let files = walk::files(&host.root, |path| path.extension().is_some_and(|e| e == "sql"));
    files.into_iter().filter_map(folder).collect::<BTreeSet<_>>().into_iter().collect()
}

fn sea_orm(host: &Host, package: &Package) -> Migrations {
    let folder = host.relative(package.folder());
    let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut found =
        Migrations { schema: vec![format!("{folder}src/m*.rs")], ..Migrations::default() };
    if !package.binaries().is_empty() {
        let command = ["cargo", "run", "--quiet", "--package", &package.name, "--", "up"];
        found.migrate = command.map(str::to_owned).to_vec();
        found.migrate_env = Some(SQLX_URL.to_owned());
    }
    found
}

fn by_library(host: &Host, folder: &Folder) -> Migrations {
    let mut found = Migrations { schema: vec![folder.pattern()], ..Migrations::default() };
    let (command, option, template) = if host.depends_on("diesel") && folder.is_nested {
        (["diesel", "migration", "run"], "--migration-dir", "DATABASE_URL={path}")
    } else if host.depends_on("sqlx") && !folder.is_nested {
        (["sqlx", "migrate", "run"], "--source", SQLX_URL)
    } else {
        return found;
    };
    found.migrate = command.map(str::to_owned).to_vec();
    if folder.path != "migrations" {
        found.migrate.extend([option.to_owned(), folder.path.clone()]);
    }
    found.migrate_env = Some(template.to_owned());
    found
}

/// The words of a command without quotes.
fn words(command: &str) -> Result<Vec<String>> {
    if command.contains(['\'', '"', '\\', '$', '|', ';', '&', '<', '>']) {
        return Err(Refusal::error(
            format!("`--migrate` has a character that only a shell understands: `{command}`"),
            "put the command into a script and name it, e.g. `--migrate 'sh migrate.sh'`; or leave `--migrate` \
             out, and write `migrate = [\"sh\", \"-c\", \"…\"]` into Cargo.toml afterwards",
        ));
    }
    let first = command.split_whitespace().next().unwrap_or_default();
    if first.is_empty() {
        return Err(Refusal::error(
            "`--migrate` is empty",
            "name a command, or leave the flag out",
        ));
    }
    if first.split_once('=').is_some_and(|(name, _)| is_variable(name)) {
        return Err(Refusal::error(
            format!(
                "`--migrate` begins with the variable `{first}`, which only a shell sets: `{command}`"
            ),
            format!("write `--migrate 'env {command}'`, or set the variable in a script"),
        ));
    }
    Ok(command.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_into_words_and_a_shell_s_syntax_refused() {
        let split = words("cargo run -- migrate").expect("words");
        assert_eq!(split, ["cargo", "run", "--", "migrate"]);
        assert!(words("sh -c 'a b'").is_err());
        assert!(words("a && b").is_err());
        assert!(words("A=1 b").is_err());
        assert_eq!(words("./a b=1").expect("words"), ["./a", "b=1"]);
    }

    #[test]
    fn a_template_names_a_variable_and_has_a_place_for_the_path() {
        for (template, is_right) in [
            ("DATABASE_PATH", true),
            ("DATABASE_URL=sqlite://{path}?mode=rwc", true),
            ("DATABASE URL", false),
            ("DATABASE_URL=sqlite://", false),
            ("=x{path}", false),
            ("", false),
        ] {
            assert_eq!(check_template(template).is_ok(), is_right, "{template}");
        }
    }
}
