//! The migration to run: the database, the command, and the losses that are allowed.

use anyhow::Result;

use crate::backups::kind::Kind;
use crate::capture::plain::Staged;
use crate::capture::request::Wanted;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::git::repository;
use crate::host::project::{Database, Project};
use crate::host::session::Session;
use crate::migrate::verdict::allowance::{self, Allowance, Origin};
use crate::migrate::verdict::loss::Comparison;
use crate::recovery::database_lock::Claim;
use crate::sqlite::schema::Schema;

/// One migration as the user requested it.
pub(crate) struct Job<'a> {
    /// The host.
    pub(crate) project: &'a Project,
    /// Its database.
    pub(crate) database: &'a Database,
    /// The lock of its file.
    pub(crate) claim: &'a Claim<'a>,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// Losses that the command line and the configuration allow.
    allowed: Vec<Allowance>,
}

impl<'a> Job<'a> {
    /// The command given, else the configured one; the names given, and the configured ones.
    ///
    /// # Errors
    ///
    /// A refusal if there is no command.
    pub(crate) fn new(
        claim: &'a Claim<'a>,
        command: Vec<String>,
        allowed: Vec<String>,
    ) -> Result<Self> {
        let Claim { project, database, .. } = *claim;
        database.demand_variable()?;
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
        let of = |origin: Origin| move |name| Allowance { name, origin: origin.clone() };
        let mut allowed: Vec<_> = allowed.into_iter().map(of(Origin::Flag)).collect();
        allowed.extend(database.allow_loss.iter().cloned().map(of(Origin::Configuration)));
        Ok(Self { command, allowed, ..Self::bare(claim) })
    }

    /// A job for the steps around a migration, without a migration.
    #[must_use]
    pub(crate) fn bare(claim: &'a Claim<'a>) -> Self {
        let Claim { project, database, .. } = *claim;
        Self { project, database, claim, command: Vec::new(), allowed: Vec::new() }
    }

    /// The backup to take of the database.
    #[must_use]
    pub(crate) fn wanted(&self, session: &Session, kind: Kind) -> Wanted<'a> {
        let git = self.project.git.as_ref().and_then(repository::Place::state);
        Wanted {
            git,
            format: self.project.format(kind),
            ..Wanted::new(self.database, kind, session.now())
        }
    }

    /// The checkpoint to take of a copy, with the state of git when the copy was made.
    #[must_use]
    pub(crate) fn wanted_of(&self, session: &Session, staged: &Staged) -> Wanted<'a> {
        Wanted {
            git: staged.record().git.clone(),
            format: self.project.format(Kind::PreMigrate),
            ..Wanted::new(self.database, Kind::PreMigrate, session.now())
        }
    }

    /// All losses that are allowed, including those in comments of the migrations that were
    /// applied.
    #[must_use]
    pub(crate) fn allowances(&self, of: &Comparison<'_>) -> Vec<Allowance> {
        let mut allowances = self.allowed.clone();
        let patterns = &self.database.schema;
        allowances.extend(allowance::in_files(&self.project.root, patterns, of));
        let schemas = [&of.before.schema, &of.after.schema];
        allowances.into_iter().map(|allowance| self.qualified(allowance, &schemas)).collect()
    }

    /// The allowance with the schema `public` in front of its name, if that is what it means: most tables on a server
    /// are there.
    fn qualified(&self, allowance: Allowance, schemas: &[&Schema]) -> Allowance {
        let name = format!("public.{}", allowance.name);
        let is_meant = self.database.server().is_some()
            && allowance::unknown(&allowance.name, schemas).is_some()
            && allowance::unknown(&name, schemas).is_none();
        if is_meant { Allowance { name, ..allowance } } else { allowance }
    }

    /// Checks that the names in the command line and the configuration exist; reports a configured
    /// name that no longer does.
    ///
    /// # Errors
    ///
    /// A refusal if a name given is a slip, so that it would allow nothing.
    pub(crate) fn check_names(&self, schema: &Schema) -> Result<Vec<String>> {
        let mut remarks = Vec::new();
        for allowance in &self.allowed {
            let allowance = &self.qualified(allowance.clone(), &[schema]);
            let Some(unknown) = allowance::unknown(&allowance.name, &[schema]) else { continue };
            let what = format!("{} matches nothing in {}", allowance.said(), self.quoted_place());
            if allowance.origin == Origin::Configuration && !unknown.is_near {
                remarks.push(format!("{what}; remove it if that is gone"));
                continue;
            }
            let nearest = unknown.nearest.map_or_else(
                || "it has no tables;".to_owned(),
                |nearest| format!("did you mean `{}`?", text::plain(&nearest)),
            );
            return Err(Refusal::could_not(what, format!("{nearest} nothing was run")));
        }
        Ok(remarks)
    }

    fn quoted_place(&self) -> String {
        self.project.quoted_place(self.database)
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
        self.database.variable_name().to_owned()
    }
}
