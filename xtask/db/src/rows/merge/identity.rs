//! Finds the row here that a file's row is: by its key, or by its content; otherwise it is new.

use std::collections::BTreeSet;

use anyhow::Result;
use rusqlite::Connection;

use crate::rows::merge::fate::Fate::{Hashed, Matched, New, Raw};
use crate::rows::merge::layout::{HASHED_HERE, Layout, Spelling};
use crate::rows::merge::references::{self, Round};
use crate::rows::merge::request::{Numbering, OnConflict, Policy};
use crate::rows::merge::row_hash::{self, Texts};
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

/// Everything needed to identify rows.
pub(super) struct Identifying<'a> {
    pub connection: &'a Connection,
    pub policy: &'a Policy,
    pub texts: Texts,
    /// The stages beside which the content of the rows here is already.
    pub hashed: BTreeSet<usize>,
    /// The round that is on.
    pub round: u64,
    /// Whether translating a reference may still change values that are not numbers.
    pub spelling: Spelling,
}

impl Identifying<'_> {
    /// Identifies the rows of a table that can be identified now; with `since`, only those whose
    /// references were translated since that round. Returns how many.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(super) fn identify(&mut self, layout: &Layout, since: Option<u64>) -> Result<usize> {
        let mut n_identified = 0;
        for number in 0..layout.rules.len() {
            n_identified += self.by_rule(layout, number, since)?;
        }
        Ok(n_identified + self.by_content(layout)?)
    }

    fn by_rule(&self, layout: &Layout, number: usize, since: Option<u64>) -> Result<usize> {
        let rule = &layout.rules[number];
        let ready = format!(
            "s.state = {Raw} AND s.rule = {number} AND {}{}",
            layout.settled("s", &rule.columns, self.spelling),
            since.map_or_else(String::new, |since| format!(" AND s.round >= {since}"))
        );
        // Of its two indexes only this one leads to the few rows that are meant.
        let by = since
            .map_or_else(String::new, |_| format!(" INDEXED BY merge_{}_round", layout.number));
        let found = self.connection.execute(
            &format!(
                "UPDATE {} AS s{by} SET state = {Matched}, {} FROM {} AS t WHERE {ready} AND {}",
                layout.stage(),
                self.found(layout),
                layout.here(),
                layout.same_key(rule)
            ),
            [],
        )?;
        let round = self.round;
        let new = format!(
            "UPDATE {} AS s{by} SET state = {New}, round = {round} WHERE {ready}",
            layout.stage()
        );
        Ok(found + self.connection.execute(&new, [])?)
    }

    /// The assignments that record which row of the database, `t`, a row was found to be.
    fn found(&self, layout: &Layout) -> String {
        let bare = StageColumns::BARE;
        let mut sets: Vec<String> = Vec::new();
        for (at, (name, _)) in layout.locator.iter().enumerate() {
            sets.push(format!("{} = t.{}", bare.locator(at), quoted(name)));
        }
        if let Some(at) = layout.surrogate {
            let number = quoted(&layout.columns[at].name);
            sets.push(format!("{} = t.{number}", bare.value(at)));
        }
        let referred_to = layout.columns.iter().enumerate().filter(|(_, c)| c.is_referred_to);
        sets.extend(
            referred_to
                .map(|(at, column)| format!("{} = t.{}", bare.found(at), quoted(&column.name))),
        );
        sets.push(format!("stays = {}", self.stays(layout)));
        sets.push(format!("round = {}", self.round));
        sets.join(", ")
    }

    /// Whether the row here, `t`, stays as it is, should the contents differ.
    fn stays(&self, layout: &Layout) -> String {
        if self.policy.on_conflict != OnConflict::Replace {
            return "1".to_owned();
        }
        let Some(newer) = &self.policy.newer else { return "0".to_owned() };
        match layout.columns.iter().position(|c| c.in_file && c.name.eq_ignore_ascii_case(newer)) {
            Some(at) => {
                let name = quoted(&layout.columns[at].name);
                format!("coalesce(NOT {} > t.{name}, 1)", StageColumns::of("s").value(at))
            }
            None => "1".to_owned(),
        }
    }

    /// Whether rows are left that are unknown, or whose references are not translated.
    fn is_waiting(&self, layouts: &[Layout]) -> Result<bool> {
        for layout in layouts {
            let question = format!(
                "SELECT EXISTS (SELECT 1 FROM {} WHERE state = {Raw} OR waits <> 0)",
                layout.stage()
            );
            if self.connection.query_row(&question, [], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The k-th of equal rows in the file is the k-th of those here.
    fn by_content(&mut self, layout: &Layout) -> Result<usize> {
        let (stage, rule) = (layout.stage(), layout.by_content());
        let values = layout.content().map(|at| StageColumns::of("s").value(at));
        let hash = row_hash::hash(values, self.texts);
        let n_ready = self.connection.execute(
            &format!(
                "UPDATE {stage} AS s SET hash = {hash}, state = {Hashed}
                 WHERE s.state = {Raw} AND s.rule = {rule} AND s.waits = 0"
            ),
            [],
        )?;
        if n_ready == 0 {
            return Ok(0);
        }
        self.hash_here(layout)?;
        self.connection.execute(
            &format!(
                "UPDATE {stage} AS s SET k = m.k FROM (
                   SELECT r.n, row_number() OVER (PARTITION BY r.hash ORDER BY r.n) + coalesce((
                     SELECT max(x.k) FROM {stage} AS x WHERE x.hash = r.hash), 0) AS k
                   FROM {stage} AS r WHERE r.state = {Hashed}
                 ) AS m WHERE s.n = m.n"
            ),
            [],
        )?;
        self.connection.execute(
            &format!(
                "UPDATE {stage} AS s SET state = {Matched}, {found} FROM (
                   SELECT a.n, {located} FROM (
                     SELECT r.n, r.hash, r.k FROM {stage} AS r
                     WHERE r.state = {Hashed}
                   ) AS a CROSS JOIN {hashed_here} AS h ON h.hash = a.hash AND h.k = +a.k
                 ) AS m CROSS JOIN {here} AS t WHERE s.n = m.n AND {equal}",
                found = self.found(layout),
                located = StageColumns::of("h").locators(layout.locator.len()),
                here = layout.here(),
                hashed_here = layout.hashed_here(),
                equal = layout.located(StageColumns::of("m")),
            ),
            [],
        )?;
        let round = self.round;
        self.connection.execute(
            &format!(
                "UPDATE {stage} AS s SET state = {New}, round = {round} WHERE state = {Hashed}"
            ),
            [],
        )?;
        Ok(n_ready)
    }

    /// The content of the rows here, once for each table that needs it.
    fn hash_here(&mut self, layout: &Layout) -> Result<()> {
        if !self.hashed.insert(layout.number) {
            return Ok(());
        }
        let column = |at: usize| format!("t.{}", quoted(&layout.columns[at].name));
        let hash = row_hash::hash(layout.content().map(column), self.texts);
        let locator = layout.locator.iter().enumerate();
        let locator = locator.map(|(at, (name, _))| {
            format!("t.{} AS {}", quoted(name), StageColumns::BARE.locator(at))
        });
        let order = StageColumns::BARE.locators(layout.locator.len());
        let (stage, n) = (layout.stage(), layout.number);
        let contents = format!(
            "SELECT *, row_number() OVER (PARTITION BY hash ORDER BY {order}) AS k
             FROM (SELECT {hash} AS hash, {locator} FROM {here} AS t)",
            locator = locator.collect::<Vec<_>>().join(", "),
            here = layout.here(),
        );
        let statements = if layout.is_small {
            format!(
                "INSERT INTO {HASHED_HERE} (layout, hash, k, {order})
                 SELECT {n}, hash, k, {order} FROM ({contents})"
            )
        } else {
            format!(
                "CREATE TABLE {stage}_here AS {contents};
                 CREATE INDEX temp.merge_{n}_here_by_hash ON merge_{n}_here (hash, k);
                 CREATE INDEX temp.merge_{n}_by_hash ON merge_{n} (hash, k) WHERE hash IS NOT NULL;"
            )
        };
        self.connection.execute_batch(&statements)?;
        Ok(())
    }
}

/// Identifies all rows of a file, as far as that is possible: round by round, because a row may be
/// known only when the rows are known that it refers to. `after` sees each table in each round.
///
/// If rows wait for each other in a circle, only because their keys and their references share a column
/// that is not a number (a tenant's name), that column is taken as it is in the file from then on.
///
/// # Errors
///
/// If SQLite refuses, or as `after`.
pub(super) fn settle(
    identifying: &mut Identifying<'_>,
    layouts: &[Layout],
    numbering: Numbering,
    mut after: impl FnMut(&Layout) -> Result<()>,
) -> Result<()> {
    // From the third round on, only what the last one made possible is examined: a chain of rows
    // needs as many rounds as it is long. If that is nothing, everything is examined once more.
    let mut is_whole = true;
    loop {
        let since = (!is_whole).then(|| identifying.round.saturating_sub(1));
        let spelling = identifying.spelling;
        let round = Round { number: identifying.round, since, numbering, spelling };
        let mut n_done = 0;
        for layout in layouts {
            n_done += references::translate(identifying.connection, layouts, layout, &round)?;
            n_done += identifying.identify(layout, since)?;
            after(layout)?;
        }
        if n_done == 0 && is_whole {
            if spelling == Spelling::Stays || !identifying.is_waiting(layouts)? {
                return Ok(());
            }
            identifying.spelling = Spelling::Stays;
        }
        identifying.round += 1;
        if identifying.round == 2 {
            references::hasten(identifying.connection, layouts)?;
        }
        is_whole = identifying.round < 2 || n_done == 0;
    }
}
