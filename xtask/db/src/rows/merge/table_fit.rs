//! Lays out how each table of a file fits the one here: its columns, its keys, and where its
//! references lead.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::export::order::parents_first;
use crate::rows::merge::keys::{self, By, Reference};
use crate::rows::merge::layout::{Column, Layout, Link, Parent, Rule};
use crate::rows::merge::live_tables::{Here, Tables};
use crate::rows::merge::request::Numbering;
use crate::rows::merge::schema_fit::Fitting;
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::declared_references;
use crate::sqlite::schema::{Nature, Table};

/// Maximum number of references of one table, because each is a bit of a number.
const MAX_REFERENCES: usize = 60;

/// The layouts of all tables that a file has rows of, parents first.
///
/// # Errors
///
/// A refusal if a configured key needs a column that the file lacks.
pub(super) fn layouts(
    tables: &Tables,
    fitting: &Fitting,
    numbering: Numbering,
) -> Result<Vec<Layout>> {
    let present = &fitting.present;
    let mut graph = BTreeMap::new();
    for name in present.keys() {
        let here = &tables.0[name];
        let parents = here.references.iter().map(|reference| reference.parent.clone());
        graph.insert(name.clone(), parents.collect::<BTreeSet<_>>());
    }
    let order = parents_first(&graph);
    let mut layouts = Vec::new();
    for (number, name) in order.iter().enumerate() {
        layouts.push(one(number, &tables.0[name], &present[name])?);
    }
    refuse_computed_numbers(tables, &layouts)?;
    let places = order.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    for at in 0..layouts.len() {
        let linking = Linking { tables, fitting, numbering, layouts: &layouts, places_of: &places };
        let links = linking.links(&layouts[at])?;
        layouts[at].links = links;
        let columns = layouts[at].columns.iter().enumerate();
        let numbers = columns.filter(|(_, c)| !tables.numbers_in(&order[at], &c.name).is_empty());
        layouts[at].numbers = numbers.map(|(column, _)| column).collect();
    }
    mark(&mut layouts);
    Ok(layouts)
}

/// A computed column that contains another table's numbers would lead to another row here.
fn refuse_computed_numbers(tables: &Tables, layouts: &[Layout]) -> Result<()> {
    for layout in layouts {
        for reference in &tables.0[&layout.name.to_ascii_lowercase()].computed {
            let is_number = |to: &String| !tables.numbers_in(&reference.parent, to).is_empty();
            if reference.to.iter().any(is_number) {
                let (name, from) =
                    (text::plain(&layout.name), text::plain(&reference.from.join(", ")));
                let parent = text::plain(&reference.parent);
                return Err(Refusal::no(
                    format!(
                        "`{name}` refers to numbers of `{parent}` by a computed column, `{from}`"
                    ),
                    format!(
                        "what it is computed from cannot be renumbered: let it refer to a key of \
                         `{parent}` that means the same everywhere; the database is untouched"
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn one(number: usize, here: &Here, theirs: &Table) -> Result<Layout> {
    let surrogate = here.surrogate.as_deref();
    let stored = || here.table.columns.iter().filter(|c| c.nature == Nature::Ordinary);
    let mut columns = Vec::new();
    for column in stored() {
        let in_file = theirs.column(&column.name).is_some();
        let is_surrogate = surrogate == Some(&column.name);
        if !in_file && !is_surrogate {
            continue;
        }
        columns.push(Column {
            name: column.name.clone(),
            affinity: here.table.affinity(column).word(),
            in_file,
            is_referred_to: false,
            keeps_original: is_surrogate,
        });
    }
    let place = |name: &String| columns.iter().position(|column| column.name == *name);
    let mut rules = Vec::new();
    for key in &here.keys {
        match key.columns.iter().map(place).collect::<Option<Vec<_>>>() {
            Some(columns) => {
                rules.push(Rule { columns, collations: key.collations.clone(), by: key.by });
            }
            None if key.by == By::Configuration => {
                return Err(Refusal::no(
                    format!(
                        "the file has no column that `merge-key` names for `{}`: {}",
                        text::plain(&here.table.name),
                        text::plain(&key.columns.join(", "))
                    ),
                    "export it again from a database with the current schema; the database is \
                     untouched",
                ));
            }
            None => {}
        }
    }
    Ok(Layout {
        number,
        name: here.table.name.clone(),
        theirs: theirs.name.clone(),
        surrogate: surrogate.and_then(|name| place(&name.to_owned())),
        numbers: BTreeSet::new(),
        rules,
        locator: here.locator.clone(),
        links: Vec::new(),
        is_small: false,
        columns,
        stored: stored().map(|column| column.name.clone()).collect(),
    })
}

/// Everything that decides where the references of a file's tables lead.
struct Linking<'a> {
    tables: &'a Tables,
    fitting: &'a Fitting,
    numbering: Numbering,
    layouts: &'a [Layout],
    /// The places of the layouts, by the names of their tables in lower case.
    places_of: &'a BTreeMap<&'a str, usize>,
}

impl Linking<'_> {
    fn links(&self, layout: &Layout) -> Result<Vec<Link>> {
        let Self { tables, fitting, numbering, layouts, places_of } = *self;
        let mut links: Vec<Link> = Vec::new();
        let here = &tables.0[&layout.name.to_ascii_lowercase()];
        for reference in &here.references {
            let Some(columns) = places(layout, &reference.from) else { continue };
            let shares = |other: &&Link| other.columns.iter().any(|c| columns.contains(c));
            let shorter = links.iter().enumerate().filter(|(_, other)| shares(other));
            let shorter = shorter.map(|(at, _)| 1_i64 << at).sum();
            let is_by_number = self.is_by_number(&links, reference, &columns);
            let is_astray =
                reference.from.iter().any(|c| here.astray.contains(&c.to_ascii_lowercase()));
            let theirs = places_of.get(reference.parent.as_str()).copied();
            let in_file = theirs
                .and_then(|at| Some(Parent { at, columns: places(&layouts[at], &reference.to)? }));
            // The rows that the file means by its numbers are not in the database.
            let in_file = in_file.filter(|_| !(is_astray && is_by_number));
            links.push(Link {
                applies: self.applies(layout, reference, &columns, in_file.as_ref())?,
                is_of_some: reference.only.is_some(),
                may_be_here: !is_by_number
                    || numbering == Numbering::Either
                        && theirs.is_none()
                        && !is_astray
                        && !fitting.empty.contains(&reference.parent),
                collations: tables.collations(&reference.parent, &reference.to),
                parent: reference.parent.clone(),
                to: reference.to.clone(),
                columns,
                in_file,
                is_by_number,
                is_astray,
                shorter,
            });
        }
        if links.len() > MAX_REFERENCES {
            return Err(Refusal::could_not(
                format!(
                    "`{}` has more than {MAX_REFERENCES} foreign keys",
                    text::plain(&layout.name)
                ),
                "such a table cannot be merged: export the others with `--table`; the database is \
                 untouched",
            ));
        }
        Ok(links)
    }

    /// The condition that a staged row refers by a reference.
    fn applies(
        &self,
        layout: &Layout,
        reference: &Reference,
        columns: &[usize],
        in_file: Option<&Parent>,
    ) -> Result<String> {
        let s = StageColumns::of("s");
        let values: Vec<String> = columns.iter().map(|at| s.value(*at)).collect();
        if !reference.is_declared {
            let there = values.iter().map(|value| format!("{value} IS NOT NULL"));
            return Ok(there.collect::<Vec<_>>().join(" AND "));
        }
        let [value] = values.as_slice() else { return Ok("FALSE".to_owned()) };
        // A table without rows in the file has none with the number 0.
        let nothing = ("(SELECT NULL AS none)".to_owned(), "none".to_owned());
        let (table, to) = match in_file {
            Some(Parent { at, columns }) => {
                (self.layouts[*at].stage(), StageColumns::BARE.value(columns[0]))
            }
            None => nothing,
        };
        let refers = declared_references::refers(value, &table, &to);
        let Some(only) = &reference.only else { return Ok(refers) };
        let place = places(layout, std::slice::from_ref(&only.column));
        let Some([column]) = place.as_deref() else {
            return Err(Refusal::no(
                format!(
                    "the file has no column `{}` of `{}`, which determines where `{}` refers to",
                    text::plain(&only.column),
                    text::plain(&layout.name),
                    text::plain(&reference.from[0])
                ),
                "export it again from a database with the current schema; the database is untouched",
            ));
        };
        let here = &self.tables.0[&layout.name.to_ascii_lowercase()];
        let collation = keys::collation(&here.table, &only.column);
        let kind = format!("{} COLLATE {collation}", s.value(*column));
        Ok(format!("{refers} AND {}", only.is(&kind)))
    }

    /// Whether a number decides that no shorter reference translates.
    fn is_by_number(&self, shorter: &[Link], reference: &Reference, columns: &[usize]) -> bool {
        columns.iter().zip(&reference.to).any(|(column, to)| {
            let translates = |other: &&Link| !other.is_of_some && other.columns.contains(column);
            let is_translated = shorter.iter().any(|other| translates(&other));
            !is_translated && !self.tables.numbers_in(&reference.parent, to).is_empty()
        })
    }
}

fn places(layout: &Layout, names: &[String]) -> Option<Vec<usize>> {
    let place =
        |name: &String| layout.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
    names.iter().map(place).collect()
}

/// Marks the columns that refer and those that are referred to.
fn mark(layouts: &mut [Layout]) {
    let mut referring = Vec::new();
    let mut referred_to = Vec::new();
    for (at, layout) in layouts.iter().enumerate() {
        for link in &layout.links {
            referring.extend(link.columns.iter().map(|column| (at, *column)));
            if let Some(parent) = &link.in_file {
                referred_to.extend(parent.columns.iter().map(|column| (parent.at, *column)));
            }
        }
    }
    for (at, column) in &referred_to {
        layouts[*at].columns[*column].is_referred_to = true;
    }
    for (at, column) in referring.iter().chain(&referred_to) {
        layouts[*at].columns[*column].keeps_original = true;
    }
}
