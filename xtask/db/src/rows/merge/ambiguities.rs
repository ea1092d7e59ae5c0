//! Objections to a merge before contents are compared: references that lead nowhere, and rows that
//! cannot be told apart.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Connection;

use crate::console::text;
use crate::rows::merge::fate::Fate::{Matched, Raw};
use crate::rows::merge::keys::{By, Reference};
use crate::rows::merge::layout::{Layout, Parent};
use crate::rows::merge::live_tables::Tables;
use crate::rows::merge::references;
use crate::rows::merge::report::Problem;
use crate::rows::merge::request::{Numbering, Source};
use crate::rows::merge::row_names::{self, Which};
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

const UNTOUCHED: &str = "the database is untouched";

/// The rows in which to look for ambiguities.
pub(super) struct Doubts<'a> {
    /// The connection that has the stages.
    pub connection: &'a Connection,
    /// The tables here.
    pub tables: &'a Tables,
    /// The file's.
    pub layouts: &'a [Layout],
    /// The file.
    pub source: &'a Source,
}

/// The tables that refer to one table: in the file, by the numbers of their layouts, and in the
/// database, by their names in lower case.
struct Referring<'a> {
    /// The children, and which of their links it is.
    in_file: BTreeMap<usize, Vec<(&'a Layout, usize)>>,
    here: BTreeMap<&'a str, Vec<(&'a str, &'a Reference)>>,
}

impl Doubts<'_> {
    /// Everything that forbids the merge.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(super) fn all(&self) -> Result<Vec<Problem>> {
        let mut problems = self.lost_references()?;
        if problems.is_empty() {
            problems.extend(self.unknown()?);
        }
        problems.extend(self.ambiguous_references()?);
        let referring = self.referring();
        for layout in self.layouts {
            for number in 0..layout.rules.len() {
                problems.extend(self.same_in_file(layout, number)?);
                problems.extend(self.same_here(layout, number)?);
            }
            problems.extend(self.same_row(layout)?);
            problems.extend(self.indistinguishable(layout, &referring)?);
        }
        Ok(problems)
    }

    fn problem(
        &self,
        layout: &Layout,
        condition: &str,
        what: &str,
        hint: String,
    ) -> Result<Option<Problem>> {
        let rows = row_names::rows(self.connection, layout, &Which { condition, reason: "NULL" })?;
        let table = text::plain(&layout.name);
        Ok((rows.n > 0).then(|| Problem {
            file: self.source.shown.clone(),
            what: format!("{} of `{table}` {what}", text::count(rows.n, "row")),
            table,
            rows,
            hint,
        }))
    }

    /// References to rows that are nowhere.
    fn lost_references(&self) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for layout in self.layouts {
            for (bit, link) in layout.links.iter().enumerate() {
                let nowhere = match (&link.in_file, references::leads_to(link)) {
                    (Some(parent), Some(leads_to)) => format!(
                        " AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {leads_to})",
                        self.layouts[parent.at].stage()
                    ),
                    _ => String::new(),
                };
                let condition = format!("WHERE s.waits & {}{nowhere}", 1_i64 << bit);
                let parent = text::plain(&link.parent);
                let place = if link.may_be_here {
                    "neither in the file nor here"
                } else {
                    "not in the file"
                };
                let what = format!("would refer to rows of `{parent}` that are {place}");
                let hint = match self.source.numbering {
                    Numbering::File
                        if link.is_by_number && link.in_file.is_none() && !link.is_astray =>
                    {
                        format!(
                            "export `{parent}` too; if the file was exported from this very \
                             database, `--trust-numbers` treats its numbers as those of the rows \
                             here; {UNTOUCHED}"
                        )
                    }
                    Numbering::File | Numbering::Either => format!(
                        "export `{parent}` too, or remove the rows that refer to nothing; \
                         {UNTOUCHED}"
                    ),
                    Numbering::Target => format!(
                        "import the rows of `{parent}` first, or give the records references that \
                         are here; {UNTOUCHED}"
                    ),
                };
                problems.extend(self.problem(layout, &condition, &what, hint)?);
            }
        }
        Ok(problems)
    }

    /// References to several rows of the file, whose keys are unique here but not there.
    fn ambiguous_references(&self) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for layout in self.layouts {
            for (bit, link) in layout.links.iter().enumerate() {
                let (Some(Parent { at, columns }), Some(leads_to)) =
                    (&link.in_file, references::leads_to(link))
                else {
                    continue;
                };
                let parent = &self.layouts[*at];
                if references::is_ours(layout, link, self.source.numbering)
                    || self.are_apart(parent, columns, &link.collations)?
                {
                    continue;
                }
                let several = columns
                    .iter()
                    .map(|at| format!("count(DISTINCT {}) > 1", references::value(parent, *at)));
                let condition = format!(
                    "WHERE s.asked & {} AND (SELECT {} FROM {} AS p WHERE {leads_to})",
                    1_i64 << bit,
                    several.collect::<Vec<_>>().join(" OR "),
                    parent.stage(),
                );
                let shown = text::plain(&parent.name);
                let what = format!(
                    "could refer to several rows of `{shown}`: {} is not unique in the file",
                    names(parent, columns)
                );
                let hint = format!("make the rows of `{shown}` unique there; {UNTOUCHED}");
                problems.extend(self.problem(layout, &condition, &what, hint)?);
            }
        }
        Ok(problems)
    }

    /// Whether no two rows of the file have the same values in these columns.
    fn are_apart(&self, layout: &Layout, columns: &[usize], collations: &[String]) -> Result<bool> {
        let theirs = |at: &usize| StageColumns::BARE.original(*at);
        let by = columns.iter().zip(collations);
        let by = by.map(|(at, collation)| format!("{} COLLATE {collation}", theirs(at)));
        let is_there = columns.iter().map(|at| format!("{} IS NOT NULL", theirs(at)));
        let question = format!(
            "SELECT NOT EXISTS (SELECT 1 FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1)",
            layout.stage(),
            is_there.collect::<Vec<_>>().join(" AND "),
            by.collect::<Vec<_>>().join(", ")
        );
        Ok(self.connection.query_row(&question, [], |row| row.get(0))?)
    }

    /// Rows that could not be identified, though all rows that they refer to exist.
    fn unknown(&self) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for layout in self.layouts {
            if !self.has_raw_rows(layout)? || !self.is_on_cycle(layout) {
                continue;
            }
            let condition = format!("WHERE s.state = {Raw}");
            let what = "cannot be identified: their references form a cycle";
            problems.extend(self.problem(layout, &condition, what, merge_key_hint(layout))?);
        }
        if problems.is_empty() {
            for layout in self.layouts {
                let what = "refer to rows that contradict each other";
                let hint = format!(
                    "the file's foreign keys are violated: correct its rows and export again; {UNTOUCHED}"
                );
                problems.extend(self.problem(layout, "WHERE s.waits <> 0", what, hint)?);
            }
        }
        Ok(problems)
    }

    fn has_raw_rows(&self, layout: &Layout) -> Result<bool> {
        let stage = layout.stage();
        let question = format!("SELECT EXISTS (SELECT 1 FROM {stage} WHERE state = {Raw})");
        Ok(self.connection.query_row(&question, [], |row| row.get(0))?)
    }

    fn is_on_cycle(&self, layout: &Layout) -> bool {
        let parents = |layout: &Layout| -> Vec<usize> {
            layout.links.iter().filter_map(|link| Some(link.in_file.as_ref()?.at)).collect()
        };
        let (mut open, mut seen) = (parents(layout), BTreeSet::new());
        while let Some(at) = open.pop() {
            if at == layout.number {
                return true;
            }
            if seen.insert(at) {
                open.extend(parents(&self.layouts[at]));
            }
        }
        false
    }

    /// Rows of the file that have the same key.
    fn same_in_file(&self, layout: &Layout, number: usize) -> Result<Option<Problem>> {
        let rule = &layout.rules[number];
        let pairs = || rule.columns.iter().zip(&rule.collations);
        let bare = StageColumns::BARE;
        let (d, s) = (StageColumns::of("d"), StageColumns::of("s"));
        let by = pairs().map(|(at, c)| format!("{} COLLATE {}", bare.value(*at), quoted(c)));
        let is = rule.equals();
        let equal = pairs()
            .map(|(at, c)| format!("{} COLLATE {} {is} {}", d.value(*at), quoted(c), s.value(*at)));
        let list: Vec<String> = rule.columns.iter().map(|at| bare.value(*at)).collect();
        let condition = format!(
            "JOIN (SELECT {list} FROM {stage} WHERE rule = {number} AND state <> {Raw}
                   GROUP BY {by} HAVING count(*) > 1) AS d ON {equal}
             WHERE s.rule = {number} AND s.state <> {Raw}",
            list = list.join(", "),
            stage = layout.stage(),
            by = by.collect::<Vec<_>>().join(", "),
            equal = equal.collect::<Vec<_>>().join(" AND "),
        );
        let columns = names(layout, &rule.columns);
        match rule.by {
            By::Configuration => {
                let what = format!("of the file have the same {columns}: `merge-key` is not a key");
                self.problem(layout, &condition, &what, more_columns_hint(layout))
            }
            By::Primary | By::Unique => {
                let what = format!("of the file would be the same row here, by {columns}");
                let hint =
                    format!("that key is not in the file; make its rows unique there; {UNTOUCHED}");
                self.problem(layout, &condition, &what, hint)
            }
        }
    }

    /// Rows of the file whose configured key several rows here have.
    fn same_here(&self, layout: &Layout, number: usize) -> Result<Option<Problem>> {
        let rule = &layout.rules[number];
        if rule.by != By::Configuration {
            return Ok(None);
        }
        let condition = format!(
            "WHERE s.rule = {number} AND s.n IN (
               SELECT s.n FROM {} AS s JOIN {} AS t ON {} WHERE s.rule = {number}
               AND s.state = {Matched} GROUP BY s.n HAVING count(*) > 1)",
            layout.stage(),
            layout.here(),
            layout.same_key(rule)
        );
        let columns = names(layout, &rule.columns);
        let what =
            format!("of the file match several rows here by {columns}: `merge-key` is not a key");
        self.problem(layout, &condition, &what, more_columns_hint(layout))
    }

    /// Rows of the file that were found to be one and the same row here.
    fn same_row(&self, layout: &Layout) -> Result<Option<Problem>> {
        let located = StageColumns::BARE.locators(layout.locator.len());
        let condition = format!(
            "WHERE s.state = {Matched} AND ({located}) IN (
               SELECT {located} FROM {} WHERE state = {Matched} GROUP BY {located} HAVING count(*) > 1)",
            layout.stage()
        );
        // If a rule finds the same row twice, the rows have the same key, which is reported
        // already.
        let differing = format!(
            "{condition} AND (SELECT count(DISTINCT x.rule) FROM {} AS x WHERE x.state = {Matched}) > 1",
            layout.stage()
        );
        let what = "of the file would be the same row here, by different keys";
        let hint = format!("choose the key that counts with `merge-key`; {UNTOUCHED}");
        self.problem(layout, &differing, what, hint)
    }

    /// Rows that only their content identifies, that are not the only ones with it, and to which
    /// others refer, in the file or here.
    fn indistinguishable(
        &self,
        layout: &Layout,
        referring: &Referring<'_>,
    ) -> Result<Option<Problem>> {
        let stage = layout.stage();
        let question = format!("SELECT EXISTS (SELECT 1 FROM {stage} WHERE hash IS NOT NULL)");
        let is_hashed: bool = self.connection.query_row(&question, [], |row| row.get(0))?;
        if !is_hashed {
            return Ok(None);
        }
        let mut referred = Self::referred_in_file(layout, referring);
        referred.extend(Self::referred_here(layout, referring));
        if referred.is_empty() {
            return Ok(None);
        }
        let condition = format!(
            "WHERE s.hash IN (
               SELECT d.hash FROM (
                 SELECT hash FROM {stage} WHERE hash IS NOT NULL GROUP BY hash HAVING count(*) > 1
                 UNION SELECT hash FROM {} AS h WHERE k > 1
               ) AS d WHERE {})",
            layout.hashed_here(),
            referred.join(" OR ")
        );
        let what = "cannot be told apart from rows with the same content, here or in the file, but \
                    are referred to";
        self.problem(layout, &condition, what, merge_key_hint(layout))
    }

    fn referring(&self) -> Referring<'_> {
        let mut referring = Referring { in_file: BTreeMap::new(), here: BTreeMap::new() };
        for child in self.layouts {
            for (bit, link) in child.links.iter().enumerate() {
                if let Some(parent) = &link.in_file {
                    referring.in_file.entry(parent.at).or_default().push((child, bit));
                }
            }
        }
        for child in self.tables.0.values() {
            for reference in &child.references {
                let to_it = referring.here.entry(&reference.parent).or_default();
                to_it.push((&child.table.name, reference));
            }
        }
        referring
    }

    /// Conditions that a row of the file with the content `d.hash` is referred to in the file.
    fn referred_in_file(layout: &Layout, referring: &Referring<'_>) -> Vec<String> {
        let to_it = referring.in_file.get(&layout.number).into_iter().flatten();
        let conditions = to_it.filter_map(|(child, bit)| {
            let link = &child.links[*bit];
            Some(format!(
                "d.hash IN (SELECT p.hash FROM {} AS s CROSS JOIN {} AS p ON {}
                 WHERE s.asked & {} AND p.hash IS NOT NULL)",
                child.stage(),
                layout.stage(),
                references::leads_to(link)?,
                1_i64 << bit
            ))
        });
        conditions.collect()
    }

    /// Conditions that a row here with that content is referred to here.
    fn referred_here(layout: &Layout, referring: &Referring<'_>) -> Vec<String> {
        let name = layout.name.to_ascii_lowercase();
        let located = layout.located(StageColumns::of("h"));
        let to_it = referring.here.get(name.as_str()).into_iter().flatten();
        let conditions = to_it.map(|(child, reference)| {
            let pairs = reference.from.iter().zip(&reference.to);
            let equal = pairs.map(|(from, to)| format!("t.{} = +x.{}", quoted(to), quoted(from)));
            let equal = equal.chain(std::iter::once(reference.applies("x")));
            format!(
                "d.hash IN (SELECT h.hash FROM main.{} AS x CROSS JOIN {} AS t ON {}
                 CROSS JOIN {} AS h ON {})",
                quoted(child),
                layout.here(),
                equal.collect::<Vec<_>>().join(" AND "),
                layout.hashed_here(),
                located,
            )
        });
        conditions.collect()
    }
}

/// Columns as a message names them.
#[must_use]
pub(super) fn names(layout: &Layout, columns: &[usize]) -> String {
    let names = columns.iter().map(|at| format!("`{}`", text::plain(&layout.columns[*at].name)));
    names.collect::<Vec<_>>().join(", ")
}

fn merge_key_hint(layout: &Layout) -> String {
    format!(
        "declare in `Cargo.toml` which columns tell them apart: `merge-key = {{ {} = [\"COLUMN\", \
         …] }}`; {UNTOUCHED}",
        text::plain(&layout.name)
    )
}

fn more_columns_hint(layout: &Layout) -> String {
    format!(
        "name more columns for `{}` in `merge-key` in `Cargo.toml`, until no two rows share them; \
         {UNTOUCHED}",
        text::plain(&layout.name)
    )
}
