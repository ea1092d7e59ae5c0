//! One file of a merge: planned in the TEMP database, then written.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::merge::ambiguities::Doubts;
use crate::rows::merge::collision::{self, Outcome};
use crate::rows::merge::declared_keys::Said;
use crate::rows::merge::fate::Fate::{self, Conflicting, Kept, LeftOut, New, Replaced, Unchanged};
use crate::rows::merge::identity::{self, Identifying};
use crate::rows::merge::layout::{Layout, Spelling};
use crate::rows::merge::live_tables::{Side, Tables};
use crate::rows::merge::report::{FileReport, Problem, Rows, TableReport};
use crate::rows::merge::request::{Numbering, OnConflict, Policy, Source, Target};
use crate::rows::merge::row_hash::Texts;
use crate::rows::merge::row_names::{self, Which};
use crate::rows::merge::row_numbers::Numbers;
use crate::rows::merge::schema_fit::{self, Fitting};
use crate::rows::merge::stage_columns::StageColumns;
use crate::rows::merge::staged_rows::{self, Transfer};
use crate::rows::merge::undeclared_references::Undeclared;
use crate::rows::merge::{
    apply, conflicts, odd_kinds, plain_numbers, references, table_fit, verdict,
};
use crate::sqlite::connection;
use crate::sqlite::schema::Schema;

/// The plan for a file's rows: its stages are in the TEMP database.
pub(super) struct Planned {
    layouts: Vec<Layout>,
    /// Result of the merge, or its preview.
    pub report: FileReport,
    /// Objections to it.
    pub problems: Vec<Problem>,
    /// Whether anything is to be written.
    pub changes: bool,
}

/// Plans a file; writes nothing but TEMP tables.
///
/// # Errors
///
/// If the file or the database cannot be read, or at the user's interrupt.
pub(super) fn plan(
    connection: &Connection,
    target: &Target<'_>,
    said: &Said<'_>,
    source: &Source,
) -> Result<Planned> {
    let mut file = connection::open_immutable(&source.scratch).with_context(|| {
        format!("could not read what was loaded of `{}`", text::plain(&source.shown))
    })?;
    let _watched = target.interrupt.watch(&file);
    target.bounds.set_on(&mut file)?;
    let policy = policy(target.policy, source);
    let target = &Target { policy: &policy, ..*target };
    let (theirs, ours) = (Schema::read(&file)?, Schema::read(connection)?);
    refuse_unknown_newer(&ours, target)?;
    let theirs = Side { connection: &file, schema: &theirs };
    let tables = Tables::of(&Side { connection, schema: &ours }, &theirs, said)?;
    odd_kinds::refuse_odd_kinds(&tables)?;
    let fitting = schema_fit::look(&theirs, &ours, &tables, source)?;
    let layouts = table_fit::layouts(&tables, &fitting, source.numbering)?;
    let mut planned = Planned {
        layouts,
        report: FileReport { shown: source.shown.clone(), ..FileReport::default() },
        problems: Vec::new(),
        changes: false,
    };
    let texts = match connection::pragma::<String>(connection, "encoding")?.as_str() {
        "UTF-8" => Texts::AsTheyAre,
        _ => Texts::ByBytes,
    };
    let transfer = Transfer { connection, file: &file, texts, interrupt: target.interrupt };
    for layout in &mut planned.layouts {
        layout.is_small = transfer.fill(layout)?;
    }
    staged_rows::make_room_for_hashes(connection, &planned.layouts)?;
    for layout in &planned.layouts {
        staged_rows::look(connection, layout)?;
    }
    take_over(&mut planned, fitting, target, source);
    planned.identify(&Planning { connection, tables: &tables, said, target, source, texts })?;
    Ok(planned)
}

/// The policy for a file: one that this machine shared replaces nothing, unless it proves to be
/// newer.
fn policy(policy: &Policy, source: &Source) -> Policy {
    let on_conflict = match policy {
        Policy { newer: None, .. } if source.is_own => OnConflict::Skip,
        Policy { on_conflict, .. } => *on_conflict,
    };
    Policy { on_conflict, ..policy.clone() }
}

/// Refuses a `--newer` column that no table has, because it would silently never replace anything.
fn refuse_unknown_newer(ours: &Schema, target: &Target<'_>) -> Result<()> {
    let Some(newer) = &target.policy.newer else { return Ok(()) };
    if ours.tables.values().any(|table| table.column(newer).is_some()) {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!("no table here has a column `{}`, which `--newer` names", text::plain(newer)),
        "name the column that records when a row was changed; the database is untouched",
    ))
}

/// Adds the remarks about the file's schema; with `strict`, a loss is a problem.
fn take_over(planned: &mut Planned, fitting: Fitting, target: &Target<'_>, source: &Source) {
    planned.report.notes = fitting.notes;
    if target.policy.strict {
        planned.problems.extend(fitting.losses.into_iter().map(|what| loss(source, what)));
    } else {
        planned.report.warnings = fitting.losses;
    }
}

fn loss(source: &Source, what: String) -> Problem {
    Problem {
        file: source.shown.clone(),
        table: String::new(),
        what,
        rows: Rows::default(),
        hint: "without `--strict` that is a warning; the database is untouched".to_owned(),
    }
}

/// Everything needed to plan the merge of a file, once its rows are staged.
#[derive(Clone, Copy)]
struct Planning<'a> {
    connection: &'a Connection,
    tables: &'a Tables,
    said: &'a Said<'a>,
    target: &'a Target<'a>,
    source: &'a Source,
    texts: Texts,
}

impl Planned {
    fn identify(&mut self, planning: &Planning<'_>) -> Result<()> {
        let Planning { connection, tables, said, target, source, texts } = *planning;
        references::index(connection, &self.layouts)?;
        let mut numbers = Numbers::new(connection, tables);
        let hashed = BTreeSet::new();
        let mut identifying = Identifying {
            connection,
            policy: target.policy,
            texts,
            hashed,
            round: 0,
            spelling: Spelling::MayChange,
        };
        identity::settle(&mut identifying, &self.layouts, source.numbering, |layout| {
            target.interrupt.check()?;
            numbers.give(layout)
        })?;
        let doubts = Doubts { connection, tables, layouts: &self.layouts, source };
        let problems = doubts.all()?;
        if !problems.is_empty() {
            self.problems.extend(problems);
            return Ok(());
        }
        numbers.finish(&self.layouts)?;
        let undeclared = Undeclared { connection, tables, layouts: &self.layouts, said };
        let found = undeclared.find()?;
        let problems = found.problems(&undeclared, target.database, source)?;
        self.report.warnings.extend(found.remarks);
        if !problems.is_empty() {
            self.problems.extend(problems);
            return Ok(());
        }
        self.say_trusted(connection, target, source)?;
        self.decide(planning)?;
        self.report_rows(connection)?;
        let stays = |table: &TableReport| table.kept.n + table.left_out.n > 0;
        if source.is_own && self.report.tables.iter().any(stays) {
            self.report.notes.push(
                "this machine wrote it: rows that differ stay as they are here; to have them as in \
                 the file, name the file itself"
                    .to_owned(),
            );
        }
        self.refuse_conflicts(target, source);
        self.changes = apply::is_needed(connection, &self.layouts)?;
        Ok(())
    }

    fn decide(&mut self, planning: &Planning<'_>) -> Result<()> {
        let Planning { connection, tables, target, source, texts, .. } = *planning;
        let skipping = Policy { on_conflict: OnConflict::Skip, ..target.policy.clone() };
        for layout in &self.layouts {
            let newer = target.policy.newer.as_ref();
            let is_untold = newer.is_some_and(|newer| verdict::lacks(layout, newer));
            let policy = if source.is_own && is_untold { &skipping } else { target.policy };
            verdict::compare(connection, layout, policy, texts)?;
            if !source.is_own {
                let doubts = plain_numbers::doubtful(connection, layout, target.database, source)?;
                self.problems.extend(doubts);
            }
            let policy = if source.is_own { &skipping } else { target.policy };
            collision::find(connection, layout, policy)?;
        }
        if target.policy.on_conflict == OnConflict::Replace {
            for layout in &self.layouts {
                verdict::unhinge(connection, tables, &self.layouts, layout)?;
            }
        }
        self.settle_orphans(connection, source)
    }

    /// Leaves out rows that refer to rows that are left out.
    fn settle_orphans(&self, connection: &Connection, source: &Source) -> Result<()> {
        // Rows that this machine shared once do not prevent others from sharing theirs.
        let fate = if source.is_own { LeftOut } else { Conflicting };
        loop {
            let mut n_orphaned = 0;
            for at in 0..self.layouts.len() {
                n_orphaned += verdict::orphaned(connection, &self.layouts, at, fate)?;
            }
            if n_orphaned == 0 {
                return Ok(());
            }
        }
    }

    /// References whose numbers were taken for this database's.
    fn say_trusted(
        &mut self,
        connection: &Connection,
        target: &Target<'_>,
        source: &Source,
    ) -> Result<()> {
        if source.numbering == Numbering::Target {
            return Ok(());
        }
        for layout in &self.layouts {
            for (bit, link) in layout.links.iter().enumerate() {
                let question = format!(
                    "SELECT count(*) FROM {} WHERE trusted & {}",
                    layout.stage(),
                    1_i64 << bit
                );
                let n: i64 = connection.query_row(&question, [], |row| row.get(0))?;
                if n == 0 {
                    continue;
                }
                let parent = text::plain(&link.parent);
                let what = format!(
                    "matched by number: {} of `{}` to rows of `{parent}`: the file has no rows of \
                     `{parent}`, and a number may mean another row here",
                    text::count(n.unsigned_abs(), "reference"),
                    text::plain(&layout.name)
                );
                if target.policy.strict {
                    self.problems.push(loss(source, what));
                } else {
                    self.report.warnings.push(what);
                }
            }
        }
        Ok(())
    }

    fn report_rows(&mut self, connection: &Connection) -> Result<()> {
        self.report.tables.clear();
        for layout in &self.layouts {
            let of = |fate: Fate, reason: &str| {
                let condition = format!("WHERE s.state = {fate}");
                row_names::rows(connection, layout, &Which { condition: &condition, reason })
            };
            let renumbered = match layout.surrogate.filter(|at| layout.columns[*at].in_file) {
                None => Rows::default(),
                Some(at) => {
                    let s = StageColumns::of("s");
                    let (here, theirs) = (s.value(at), s.original(at));
                    let condition = format!("WHERE s.state = {New} AND {here} IS NOT {theirs}");
                    let reason = format!("'is ' || {here} || ' here'");
                    let which = Which { condition: &condition, reason: &reason };
                    row_names::rows(connection, layout, &which)?
                }
            };
            self.report.tables.push(TableReport {
                name: layout.name.clone(),
                inserted: of(New, "NULL")?,
                renumbered,
                unchanged: of(Unchanged, "NULL")?.n,
                replaced: of(Replaced, "s.reason")?,
                kept: of(Kept, "s.reason")?,
                conflicting: of(Conflicting, "s.reason")?,
                left_out: of(LeftOut, "s.reason")?,
            });
        }
        Ok(())
    }

    fn refuse_conflicts(&mut self, target: &Target<'_>, source: &Source) {
        let both = self.layouts.iter().zip(&self.report.tables);
        let is_told = |table: &TableReport| {
            self.problems.iter().any(|problem| problem.table == text::plain(&table.name))
        };
        let both: Vec<_> =
            both.filter(|(_, table)| table.conflicting.n > 0 && !is_told(table)).collect();
        let problem = |(layout, table)| conflicts::problem(layout, table, target.policy, source);
        let problems: Vec<Problem> = both.into_iter().map(problem).collect();
        self.problems.extend(problems);
    }

    /// Writes it; returns the names of the tables that changed. If SQLite finds rows that have no place
    /// here, they are left out or are against it, and the report names them.
    ///
    /// # Errors
    ///
    /// If the database cannot be written, or a constraint forbids a row.
    pub(super) fn apply(
        &mut self,
        connection: &Connection,
        target: &Target<'_>,
        source: &Source,
    ) -> Result<Vec<String>> {
        // TEMP tables are rolled back, too: what was found is noted afterwards.
        loop {
            connection.execute_batch("SAVEPOINT merge_file")?;
            let (mut changed, mut collided) = (Vec::new(), None);
            for layout in &self.layouts {
                let written = apply::apply(connection, layout)?;
                if !written.collisions.is_empty() {
                    collided = Some((layout, written.collisions));
                    break;
                }
                if written.changes {
                    changed.push(layout.name.clone());
                }
            }
            let Some((layout, collisions)) = collided else {
                connection.execute_batch("RELEASE merge_file")?;
                return Ok(changed);
            };
            connection.execute_batch("ROLLBACK TO merge_file; RELEASE merge_file")?;
            target.interrupt.check()?;
            let outcome = if source.is_own || target.policy.on_conflict == OnConflict::Skip {
                Outcome::LeftOut
            } else {
                Outcome::Refused
            };
            collision::note(connection, layout, &collisions, outcome)?;
            self.settle_orphans(connection, source)?;
            self.report_rows(connection)?;
            self.refuse_conflicts(target, source);
            if !self.problems.is_empty() {
                return Ok(Vec::new());
            }
        }
    }

    /// Takes its stages away.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(super) fn clear(&self, connection: &Connection) -> Result<()> {
        staged_rows::clear(connection, &self.layouts)
    }
}
