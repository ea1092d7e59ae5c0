//! The commands that requests become. A word of a request is never taken for a flag, and never leads out of the backups
//! folder.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::serve::job::Order;
use crate::serve::problem::Problem;

/// How many characters a name or a reference may have.
const MAX_NAME: usize = 255;
/// How many characters a label may have.
const MAX_LABEL: usize = 200;
/// How many tables may be named.
const MAX_TABLES: usize = 100;

/// What is asked of `db-backup`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Create {
    /// The database, if not all.
    database: Option<String>,
    /// A label.
    label: Option<String>,
    /// Whether pruning never removes it.
    pin: bool,
    /// Whether nothing is created if nothing changed.
    if_changed: bool,
}

/// What is asked of `db-verify`: a backup, or all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Verify {
    /// A reference; the newest of each database without it.
    r#ref: Option<String>,
    /// Whether every backup is verified.
    all: bool,
    /// Whether each is restored into a scratch file.
    drill: bool,
}

/// What is asked of `db-restore`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    /// A reference.
    pub(crate) r#ref: String,
    /// The only tables to restore, if any are named.
    #[serde(default)]
    pub(crate) tables: Vec<String>,
    /// The database, if several are configured.
    #[serde(default)]
    pub(crate) database: Option<String>,
}

/// How a file is imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Manner {
    /// Rows are merged into the live database.
    #[default]
    Merge,
    /// A new database is created where none is.
    New,
    /// The live database is replaced, after a safety backup.
    Replace,
}

/// What becomes of rows that exist with other values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnConflict {
    /// Nothing is imported.
    #[default]
    Fail,
    /// They stay.
    Skip,
    /// They are replaced.
    Replace,
}

/// What is asked of `db-import`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    /// The id of an upload.
    pub(crate) upload: String,
    /// How it is imported.
    #[serde(default)]
    pub(crate) manner: Manner,
    /// What becomes of rows that exist with other values.
    #[serde(default)]
    pub(crate) on_conflict: OnConflict,
    /// The database, if several are configured.
    #[serde(default)]
    pub(crate) database: Option<String>,
}

impl Create {
    /// A backup with a label.
    #[must_use]
    pub(crate) fn labelled(label: String, pin: bool, database: Option<String>) -> Self {
        Self {
            label: Some(label).filter(|label| !label.is_empty()),
            pin,
            database,
            if_changed: false,
        }
    }

    /// The command.
    ///
    /// # Errors
    ///
    /// A problem for a label or name that is too long, or has control characters.
    pub(crate) fn order(self) -> Result<Order, Problem> {
        let mut words = vec!["db-backup".to_owned()];
        if let Some(label) = self.label {
            words.push(format!("--label={}", checked_label(&label)?));
        }
        words.extend(self.pin.then(|| "--pin".to_owned()));
        words.extend(self.if_changed.then(|| "--if-changed".to_owned()));
        words.extend(db_flag(self.database.as_deref())?);
        Ok(Order { title: "Back up".to_owned(), words })
    }
}

impl Verify {
    /// The verification of one backup.
    #[must_use]
    pub(crate) fn one(reference: String) -> Self {
        Self { r#ref: Some(reference), ..Self::default() }
    }

    /// The verification of all.
    #[must_use]
    pub(crate) fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// The command.
    ///
    /// # Errors
    ///
    /// A problem for a reference that is not one of the backups folder.
    pub(crate) fn order(self) -> Result<Order, Problem> {
        let mut words = vec!["db-verify".to_owned()];
        let title = match self.r#ref {
            Some(reference) if !self.all => {
                words.push(checked(&reference)?);
                format!("Verify {reference}")
            }
            _ if self.all => "Verify all backups".to_owned(),
            _ => "Verify the newest backups".to_owned(),
        };
        words.extend(self.all.then(|| "--all".to_owned()));
        words.extend(self.drill.then(|| "--drill".to_owned()));
        Ok(Order { title, words })
    }
}

impl Restore {
    /// The words of the command, without consent.
    ///
    /// # Errors
    ///
    /// A problem for a reference that is not one of the backups folder.
    pub(crate) fn words(&self) -> Result<Vec<String>, Problem> {
        let mut words = vec!["db-restore".to_owned(), checked(&self.r#ref)?];
        if self.tables.len() > MAX_TABLES {
            return Err(wrong("too many tables are named", "name 100 at most"));
        }
        for table in &self.tables {
            words.push(format!("--table={}", checked_name(table)?));
        }
        words.extend(db_flag(self.database.as_deref())?);
        Ok(words)
    }
}

impl Import {
    /// The words of the command for the file of the upload, without consent.
    ///
    /// # Errors
    ///
    /// A problem for a name that is too long, or has control characters.
    pub(crate) fn words(&self, file: String) -> Result<Vec<String>, Problem> {
        let mut words = vec!["db-import".to_owned(), file];
        match self.manner {
            Manner::New => {}
            Manner::Replace => words.push("--force".to_owned()),
            Manner::Merge => {
                let word = match self.on_conflict {
                    OnConflict::Fail => "fail",
                    OnConflict::Skip => "skip",
                    OnConflict::Replace => "replace",
                };
                words.extend(["--merge".to_owned(), format!("--on-conflict={word}")]);
            }
        }
        words.extend(db_flag(self.database.as_deref())?);
        Ok(words)
    }
}

/// The command that pins a backup, or unpins it.
///
/// # Errors
///
/// A problem for a reference that is not one of the backups folder.
pub(crate) fn pin(reference: &str, is_pinned: bool) -> Result<Order, Problem> {
    let (task, verb) = if is_pinned { ("db-pin", "Pin") } else { ("db-unpin", "Unpin") };
    let words = vec![task.to_owned(), checked(reference)?];
    Ok(Order { title: format!("{verb} {reference}"), words })
}

/// The command that labels a backup.
///
/// # Errors
///
/// A problem for a reference that is not one of the backups folder, or a label that would be a flag.
pub(crate) fn label(reference: &str, label: &str) -> Result<Order, Problem> {
    if label.starts_with('-') {
        return Err(wrong("a label here cannot begin with a hyphen", "choose another label"));
    }
    let words = vec!["db-label".to_owned(), checked(reference)?, checked_label(label)?];
    Ok(Order { title: format!("Label {reference}"), words })
}

/// `--db NAME`.
///
/// # Errors
///
/// As [`checked_name`].
pub(crate) fn db_flag(database: Option<&str>) -> Result<Option<String>, Problem> {
    database.map(|name| Ok(format!("--db={}", checked_name(name)?))).transpose()
}

/// The name of a database, a table or a backup, if it can be one.
///
/// # Errors
///
/// 422 for any other word.
pub(crate) fn checked_name(name: &str) -> Result<String, Problem> {
    let is_long = name.chars().count() > MAX_NAME;
    if name.is_empty()
        || is_long
        || name.starts_with('-')
        || name.contains(|c: char| c.is_ascii_control())
    {
        return Err(wrong(
            "this is not the name of a database, table or backup",
            "see `/api/backup/status`",
        ));
    }
    Ok(name.to_owned())
}

/// Demands that a file's name on the other side is not too long.
///
/// # Errors
///
/// 422 if it is.
pub(crate) fn checked_file_name(name: &str) -> Result<(), Problem> {
    if name.chars().count() > MAX_NAME {
        return Err(wrong("the name of the file is too long", "send at most 255 characters"));
    }
    Ok(())
}

fn checked_label(label: &str) -> Result<String, Problem> {
    if label.chars().count() > MAX_LABEL || label.contains('\0') {
        return Err(wrong("the label is too long, or contains a NUL", "choose another label"));
    }
    Ok(label.to_owned())
}

/// A reference to a backup of the backups folder: neither a flag nor a path.
///
/// # Errors
///
/// 422 for any other word.
pub(crate) fn checked(reference: &str) -> Result<String, Problem> {
    let is_long = reference.chars().count() > MAX_NAME;
    let leads_out = |c: char| c == '\\' || c.is_ascii_control();
    let is_fit = match reference.strip_prefix('@') {
        // A branch may have slashes in its name.
        Some(branch) => !branch.is_empty(),
        None => {
            !reference.is_empty()
                && !reference.starts_with(['.', '~', '-'])
                && !reference.contains('/')
        }
    };
    if is_long || reference.contains(leads_out) || !is_fit {
        return Err(wrong(
            "the reference does not name a backup of the backups folder",
            "send a name of `/api/backup/status`, or e.g. `latest`",
        ));
    }
    Ok(reference.to_owned())
}

fn wrong(what: &str, hint: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_neither_flags_nor_paths() {
        for fine in
            ["latest", "latest~2", "@main", "@feature/x", "3d", "a.db.2025-09-13_142530.bak"]
        {
            assert!(checked(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "",
            "-x",
            "--yes",
            "/etc/passwd",
            "../a.bak",
            "a/../../b",
            "./a",
            "~/a",
            "a\\b",
            "a\0b",
        ] {
            assert!(checked(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn words_of_a_request_are_values_of_flags() {
        let create = Create::labelled("--pin; $(x)".to_owned(), false, Some("a".to_owned()));
        assert_eq!(
            create.order().expect("an order").words,
            ["db-backup", "--label=--pin; $(x)", "--db=a"]
        );
        let restore = |table: &str| {
            let tables = vec![table.to_owned()];
            Restore { r#ref: "latest".to_owned(), tables, database: None }.words()
        };
        assert_eq!(restore("a b").expect("words"), ["db-restore", "latest", "--table=a b"]);
        assert!(restore("-x").is_err());
        assert!(label("latest", "--quiet").is_err());
    }
}
