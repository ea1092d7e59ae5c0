//! The report of a rehearsal and of a migration, in words.

use anyhow::anyhow;

use crate::backups::backup::Backup;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::host::session::Session;
use crate::host::session::failure::{self, Failure};
use crate::migrate::verdict::allowance::{self, Allowance, Origin, Unknown};
use crate::migrate::verdict::loss::{Comparison, Loss};
use crate::migrate::verdict::{self, Rows, remarks};
use crate::operations::migration::job::Job;
use crate::operations::migration::rehearsed::Hint;
use crate::operations::migration::way_back::way_back;

/// Reports the changes of a migration: its schema, the rows of each table, values, allowed losses.
pub(crate) fn say_changes(session: &mut Session, of: &Comparison<'_>, losses: &[Loss]) {
    let changes = of.before.schema.changes(&of.after.schema);
    let rows = verdict::rows(of.before, of.after);
    for change in &changes {
        session.say(format!("  {change}"));
    }
    for (table, rows) in &rows {
        session.say(format!("  {table}: {}", rows_text(*rows)));
    }
    let journal = |state: &crate::migrate::state::State| {
        if state.is_wal { "WAL" } else { "rollback journal" }
    };
    let has_other_journal = of.before.is_wal != of.after.is_wal;
    if has_other_journal {
        session.say(format!("  journal: {} → {}", journal(of.before), journal(of.after)));
    }
    if changes.is_empty() && rows.is_empty() && !has_other_journal {
        session.say("  values changed; tables, columns and row counts did not");
    }
    for remark in remarks::remarks(of.effects) {
        session.say(format!("  {}", text::plain(&remark)));
    }
    for loss in losses {
        session.say(format!("  allowed: {}", loss.what));
    }
}

/// Prints warnings, and the allowances that no loss needed.
pub(crate) fn warn(session: &mut Session, job: &Job<'_>, of: &Comparison<'_>, losses: &[Loss]) {
    for warning in remarks::warnings(of) {
        session.warn(text::plain(&warning));
    }
    let mut allowed = job.allowances(of);
    allowed.retain(|allowance| unknown(allowance, of).is_none());
    for allowance in allowance::unneeded(&allowed, losses) {
        session.note(format!("{} was not needed: nothing in it is lost", allowance.said()));
    }
}

/// Warns of names in the files of migrations that nothing has, before or after: they allow nothing.
pub(crate) fn warn_of_unknown(session: &mut Session, job: &Job<'_>, of: &Comparison<'_>) {
    for allowance in job.allowances(of) {
        let is_in_file = matches!(allowance.origin, Origin::File(_));
        let Some(unknown) = unknown(&allowance, of).filter(|_| is_in_file) else { continue };
        let nearest = unknown.nearest.filter(|_| unknown.is_near);
        let nearest = nearest.map_or_else(String::new, |nearest| {
            format!("; did you mean `{}`?", text::plain(&nearest))
        });
        session.warn(format!("{} matches nothing{nearest}", allowance.said()));
    }
}

fn unknown(allowance: &Allowance, of: &Comparison<'_>) -> Option<Unknown> {
    allowance::unknown(&allowance.name, &[&of.before.schema, &of.after.schema])
}

fn rows_text(rows: Rows) -> String {
    match (rows.before, rows.after) {
        (Some(before), Some(after)) => {
            format!("{} → {}", text::digits(before), text::count(after, "row"))
        }
        (None, Some(after)) => text::count(after, "row"),
        (Some(before), None) => format!("{}, now gone", text::count(before, "row")),
        (None, None) => "not counted".to_owned(),
    }
}

/// The error of a refused migration: the reasons one under the other.
#[must_use]
pub(crate) fn because(reasons: &[String], refusal: Refusal) -> anyhow::Error {
    let mut reasons = reasons.iter().rev().cloned();
    let Some(last) = reasons.next() else {
        return refusal.into();
    };
    reasons.fold(anyhow!(last), anyhow::Error::context).context(refusal)
}

/// Reports that rows of the live database changed while the command ran on a copy, with the way
/// back.
#[must_use]
pub(crate) fn rows_changed(job: &Job<'_>, before: &Backup) -> String {
    format!(
        "rows of {} changed meanwhile, by an application or the command; if it was the command, go \
         back with `{}`",
        job.project.place(job.database),
        way_back(job, before)
    )
}

/// The reasons why a rehearsal refused, and what to do; `back` contains the rows that changed in
/// the meantime.
#[must_use]
pub(crate) fn refused(
    job: &Job<'_>,
    reasons: &[String],
    hint: &Hint,
    back: Option<&Backup>,
) -> anyhow::Error {
    let place = job.project.quoted_place(job.database);
    let changed = back.map(|back| rows_changed(job, back));
    let state = changed.as_deref().unwrap_or("the live database is as it was");
    let hint = match hint {
        Hint::Correct => format!("correct the migration and run this again; {state}"),
        Hint::Allow(names) => {
            let flags: Vec<_> = names.iter().map(|name| format!("--allow-loss {name}")).collect();
            format!("if that is intended, pass `{}`; {state}", flags.join(" "))
        }
        Hint::Variable if job.database.server().is_some() => format!(
            "set `migrate-env` in `{}` to the variable from which {} reads its URL{}",
            job.database.header(),
            job.quoted_command(),
            changed.as_ref().map_or_else(String::new, |changed| format!("; {changed}"))
        ),
        Hint::Variable => format!(
            "set `migrate-env` in `[workspace.metadata.db.databases.{}]` to the variable that {} \
             reads, as \"DATABASE_PATH\" or \"DATABASE_URL=sqlite://{{path}}\"{}",
            job.database.name,
            job.quoted_command(),
            changed.as_ref().map_or_else(String::new, |changed| format!("; {changed}"))
        ),
    };
    let what = format!("the migration of {place} is refused after its rehearsal");
    because(reasons, Refusal { what, hint, exit: Exit::No })
}

/// Prints an error that the document shows as well, beside more.
pub(crate) fn decline(session: &mut Session, error: &anyhow::Error) -> Failure {
    let (text, hint) = failure::layout(error);
    session.complain(&text);
    Failure::of(error, hint, Exit::No)
}
