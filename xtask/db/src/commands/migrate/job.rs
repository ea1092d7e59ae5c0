//! What is to be migrated, by which command, and what it may lose.

use anyhow::Result;

use crate::claim::Claim;
use crate::project::{Database, Project};
use crate::refusal::Refusal;
use crate::text;

/// One migration as it was asked for.
pub(crate) struct Job<'a> {
    /// The host.
    pub(crate) project: &'a Project,
    /// Its database.
    pub(crate) database: &'a Database,
    /// The lock of its file.
    pub(crate) claim: &'a Claim<'a>,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// Tables that may lose something.
    pub(crate) allowed: Vec<String>,
}

impl<'a> Job<'a> {
    /// The command given, else the configured one; the tables named, and the configured ones.
    ///
    /// # Errors
    ///
    /// A refusal where there is no command.
    pub(crate) fn new(
        claim: &'a Claim<'a>,
        command: Vec<String>,
        mut allowed: Vec<String>,
    ) -> Result<Self> {
        let Claim { project, database, .. } = *claim;
        let command = if command.is_empty() { database.migrate.clone() } else { command };
        if command.is_empty() {
            return Err(Refusal::could_not(
                format!("no migration is configured for {}", project.quoted_place(database)),
                format!(
                    "set `migrate` in `[workspace.metadata.db.databases.{}]`, or give the command \
                     after `--`",
                    database.name
                ),
            ));
        }
        allowed.extend(database.allow_loss.iter().cloned());
        Ok(Self { command, allowed, ..Self::bare(claim) })
    }

    /// A database without a migration, for what is done around one.
    #[must_use]
    pub(crate) fn bare(claim: &'a Claim<'a>) -> Self {
        let Claim { project, database, .. } = *claim;
        Self { project, database, claim, command: Vec::new(), allowed: Vec::new() }
    }

    /// The command as it can be pasted into a shell, in backticks.
    #[must_use]
    pub(crate) fn quoted_command(&self) -> String {
        let words: Vec<_> = self.command.iter().map(|word| text::shell(word)).collect();
        format!("`{}`", words.join(" "))
    }

    /// The variable that points the command at a database.
    #[must_use]
    pub(crate) fn variable(&self) -> String {
        self.database.migrate_variable(&self.database.path).0
    }
}
