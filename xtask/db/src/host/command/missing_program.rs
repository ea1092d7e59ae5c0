//! What to do if the program of a command is not installed.

use crate::console::refusal::{Exit, Refusal};
use crate::host::command::supervised::NotStarted;
use crate::host::command::words;
use crate::host::project::Database;

/// How the usual migration tools are installed, with SQLite alone.
const INSTALLED_BY: [(&str, &str); 3] = [
    ("sqlx", "cargo install sqlx-cli --no-default-features --features sqlite"),
    ("diesel", "cargo install diesel_cli --no-default-features --features sqlite"),
    ("sea-orm-cli", "cargo install sea-orm-cli"),
];

/// Adds the way on to an error, if the program of the task is missing.
pub(super) fn explain(
    error: anyhow::Error,
    database: &Database,
    command: &[String],
) -> anyhow::Error {
    let Some(hint) = way_on(&error, database, command) else { return error };
    // Only the hint is new.
    let what = error.to_string();
    error.context(Refusal { what, hint, exit: Exit::CouldNot })
}

/// What to do if the program of a command is missing; `None` if the command failed otherwise.
#[must_use]
pub(crate) fn way_on(
    error: &anyhow::Error,
    database: &Database,
    command: &[String],
) -> Option<String> {
    let not_started = error.downcast_ref::<NotStarted>()?;
    let named_by = named_by(database, command);
    not_started.is_missing.then(|| match command {
        [whole] if whole.trim().contains(' ') => separate(whole, named_by.as_deref()),
        _ => {
            let hint = hint(&not_started.program, named_by.as_deref());
            let is_on_server = database.server().is_some();
            if is_on_server { hint.replace(" sqlite`", " postgres`") } else { hint }
        }
    })
}

/// The setting that names a command; `None` if the command line does.
fn named_by(database: &Database, command: &[String]) -> Option<String> {
    let key = if *command == database.migrate {
        "migrate"
    } else if database.after_restore.iter().any(|after| after == command) {
        "after-restore"
    } else {
        return None;
    };
    Some(format!("`{key}` in `{}` in `Cargo.toml`", database.header()))
}

/// The only word of a command is a whole command line.
fn separate(whole: &str, named_by: Option<&str>) -> String {
    let Some(key) = named_by else {
        return format!("no shell is involved: leave out the quotes, as in `-- {whole}`");
    };
    let (list, shell) = (words::list_of(whole), words::list(["sh", "-c", whole.trim()]));
    let either = if list == shell { String::new() } else { format!("`{list}`, or ") };
    format!("no shell is involved: write {either}`{shell}` as {key}")
}

fn hint(program: &str, named_by: Option<&str>) -> String {
    let known = INSTALLED_BY.iter().find(|(known, _)| *known == program);
    match (known, named_by) {
        (Some((_, install)), _) => format!("install it with `{install}`"),
        (None, Some(key)) => format!("{key} names it: install it, or correct the name"),
        (None, None) => "install it, or correct the name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_in_one_word_is_shown_as_a_list() {
        for (whole, named_by, expected) in [
            (
                "sh migrate.sh",
                Some("`migrate`"),
                r#"write `["sh", "migrate.sh"]`, or `["sh", "-c", "sh migrate.sh"]` as `migrate`"#,
            ),
            ("a | b", Some("`migrate`"), r#"write `["sh", "-c", "a | b"]` as `migrate`"#),
            ("sh migrate.sh", None, "leave out the quotes, as in `-- sh migrate.sh`"),
        ] {
            let hint = separate(whole, named_by);
            assert_eq!(hint, format!("no shell is involved: {expected}"));
        }
    }

    #[test]
    fn a_known_tool_is_installed_and_another_one_is_looked_for_in_the_configuration() {
        for (program, named_by, expected) in [
            (
                "sqlx",
                Some("`migrate`"),
                "install it with `cargo install sqlx-cli --no-default-features --features sqlite`",
            ),
            ("sea-orm-cli", None, "install it with `cargo install sea-orm-cli`"),
            ("tool", Some("`migrate`"), "`migrate` names it: install it, or correct the name"),
            ("tool", None, "install it, or correct the name"),
        ] {
            assert_eq!(hint(program, named_by), expected);
        }
    }
}
