//! How one table of a file fits the table here: the columns that both have, what identifies a row,
//! where its references lead.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::export::order::parents_first;
use crate::rows::merge::keys::{self, By, Reference};
use crate::rows::merge::live_tables::{Here, Tables};
use crate::rows::merge::request::Numbering;
use crate::rows::merge::schema_fit::Fitting;
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;
use crate::sqlite::declared_references;
use crate::sqlite::schema::{Nature, Table};

/// Whether translating a reference may still change values that are not numbers: the row here that
/// it means may spell its key in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// It may: a row is not looked for by such a value before its references are translated.
    MayChange,
    /// It may not: each value is the file's, and a reference that would change one leads nowhere.
    Stays,
}

/// The content of the rows of all small tables here.
pub(super) const HASHED_HERE: &str = "temp.merge_here";

/// As many references of one table are kept apart: each is a bit of a number.
const MAX_REFERENCES: usize = 60;

/// One table that a file has rows of.
#[derive(Debug)]
pub(super) struct Layout {
    /// The number of its stage.
    pub number: usize,
    /// Its name here.
    pub name: String,
    /// Its name in the file.
    pub theirs: String,
    /// The columns that both have, and the surrogate.
    pub columns: Vec<Column>,
    /// The column of numbers that mean a row only in their own database.
    pub surrogate: Option<usize>,
    /// The columns of numbers that do, the surrogate and references to surrogates.
    pub numbers: BTreeSet<usize>,
    /// What identifies a row, in the order in which it is tried; at last its content.
    pub rules: Vec<Rule>,
    /// By which columns a row here is found again, and their collations.
    pub locator: Vec<(String, String)>,
    /// Where its references lead, short ones first.
    pub links: Vec<Link>,
    /// Whether the file and the table here have so few rows that an index would cost more than it saves:
    /// each change of the schema takes SQLite as long as there are tables.
    pub is_small: bool,
    /// All columns here that are stored as they were given.
    pub stored: Vec<String>,
}

/// A column that both have.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name here.
    pub name: String,
    /// The type of the stage's column, which gives a value the same affinity.
    pub affinity: &'static str,
    /// Whether the file has it.
    pub in_file: bool,
    /// Whether others refer to it.
    pub is_referred_to: bool,
    /// Whether the file's value is kept beside the one here.
    pub keeps_original: bool,
}

/// Columns that identify a row.
#[derive(Debug)]
pub(super) struct Rule {
    /// Which, as places in [`Layout::columns`].
    pub columns: Vec<usize>,
    /// Under which collations.
    pub collations: Vec<String>,
    /// Who says so.
    pub by: By,
}

impl Rule {
    /// How values of its columns are compared. To a UNIQUE constraint each NULL is another value; in a key that
    /// somebody configured, an empty column is one: a row without a folder is the same row after an edit.
    #[must_use]
    pub(super) fn equals(&self) -> &'static str {
        match self.by {
            By::Configuration => "IS",
            By::Primary | By::Unique => "=",
        }
    }
}

/// A reference.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each flag is independent of the others")]
pub(super) struct Link {
    /// The columns that refer, as places in [`Layout::columns`].
    pub columns: Vec<usize>,
    /// The table that they refer to, in lower case.
    pub parent: String,
    /// The columns there.
    pub to: Vec<String>,
    /// Their collations.
    pub collations: Vec<String>,
    /// Where the file has rows of that table: the place of its layout, and of the columns there.
    pub in_file: Option<(usize, Vec<usize>)>,
    /// Whether a row may be looked for here that is not in the file.
    pub may_be_here: bool,
    /// Whether a number decides, which means a row only in its own database.
    pub is_by_number: bool,
    /// Whether the file says that it refers to a table that is not here.
    pub is_astray: bool,
    /// The shorter references that share a column with this one, as bits.
    pub shorter: i64,
    /// The condition that a row of the stage, `s`, refers by it at all.
    pub applies: String,
    /// Whether some of the table's rows do not, whatever they hold.
    pub is_of_some: bool,
}

impl Layout {
    /// The stage's name.
    #[must_use]
    pub(super) fn stage(&self) -> String {
        format!("temp.merge_{}", self.number)
    }

    /// The content of the rows here, once it was hashed: `hash`, `k` and the locator of each.
    #[must_use]
    pub(super) fn hashed_here(&self) -> String {
        if self.is_small {
            let columns = StageColumns::BARE.locators(self.locator.len());
            let number = self.number;
            format!("(SELECT hash, k, {columns} FROM {HASHED_HERE} WHERE layout = {number})")
        } else {
            format!("{}_here", self.stage())
        }
    }

    /// The table here, in quotes.
    #[must_use]
    pub(super) fn here(&self) -> String {
        format!("main.{}", quoted(&self.name))
    }

    /// The number that says that a row is identified by its content.
    #[must_use]
    pub(super) fn by_content(&self) -> usize {
        self.rules.len()
    }

    /// The columns that make up a row's content.
    pub(super) fn content(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|at| Some(*at) != self.surrogate)
    }

    /// The references that some of these columns belong to, as bits.
    #[must_use]
    pub(super) fn links_of(&self, columns: &[usize]) -> i64 {
        let touches = |link: &Link| link.columns.iter().any(|column| columns.contains(column));
        let touching = self.links.iter().enumerate().filter(|(_, link)| touches(link));
        touching.map(|(at, _)| 1 << at).sum()
    }

    /// The condition that a staged row has its final values in these columns: the first reference that is
    /// translated settles what they share, for the others must agree.
    #[must_use]
    pub(super) fn settled(&self, row: &str, columns: &[usize], spelling: Spelling) -> String {
        let may_change =
            |at: &&usize| spelling == Spelling::MayChange || self.numbers.contains(*at);
        let links = columns.iter().filter(may_change).map(|at| self.links_of(&[*at]));
        let mut links: Vec<i64> = links.filter(|links| *links != 0).collect();
        links.sort_unstable();
        links.dedup();
        let settled = links.iter().map(|links| {
            format!("({row}.waits & {links} = 0 OR {row}.asked & ~{row}.waits & {links} <> 0)")
        });
        let settled: Vec<String> = settled.collect();
        if settled.is_empty() { "TRUE".to_owned() } else { settled.join(" AND ") }
    }

    /// The file's own value in a column.
    #[must_use]
    pub(super) fn original(&self, staged: StageColumns<'_>, at: usize) -> String {
        if self.columns[at].keeps_original { staged.original(at) } else { staged.value(at) }
    }

    /// The condition that a row here, `t`, is the one with the locator of a row of the stage.
    #[must_use]
    pub(super) fn located(&self, staged: StageColumns<'_>) -> String {
        let pairs = self.locator.iter().enumerate();
        let equal = pairs.map(|(at, (name, collation))| {
            let found = staged.locator(at);
            format!("t.{} COLLATE {} = {found}", quoted(name), quoted(collation))
        });
        equal.collect::<Vec<_>>().join(" AND ")
    }

    /// The condition that a row here, `t`, has the same key as a staged one, `s`.
    #[must_use]
    pub(super) fn same_key(&self, rule: &Rule) -> String {
        let pairs = rule.columns.iter().zip(&rule.collations);
        let equal = pairs.map(|(column, collation)| {
            let (name, value) = (&self.columns[*column].name, StageColumns::of("s").value(*column));
            let is = rule.equals();
            format!("t.{} COLLATE {} {is} {value}", quoted(name), quoted(collation))
        });
        equal.collect::<Vec<_>>().join(" AND ")
    }
}

/// The layouts of all tables that a file has rows of, parents first.
///
/// # Errors
///
/// A refusal if a configured key needs a column that the file lacks.
pub(super) fn of(tables: &Tables, fitting: &Fitting, numbering: Numbering) -> Result<Vec<Layout>> {
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
        let links = links((tables, fitting), numbering, (&layouts, &places), at)?;
        layouts[at].links = links;
        let columns = layouts[at].columns.iter().enumerate();
        let numbers = columns.filter(|(_, c)| !tables.numbers_in(&order[at], &c.name).is_empty());
        layouts[at].numbers = numbers.map(|(column, _)| column).collect();
    }
    mark(&mut layouts);
    Ok(layouts)
}

/// A computed column that holds another table's numbers would lead to another row here.
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

fn links(
    (tables, fitting): (&Tables, &Fitting),
    numbering: Numbering,
    (layouts, places_of): (&[Layout], &BTreeMap<&str, usize>),
    at: usize,
) -> Result<Vec<Link>> {
    let layout = &layouts[at];
    let mut links: Vec<Link> = Vec::new();
    let here = &tables.0[&layout.name.to_ascii_lowercase()];
    for reference in &here.references {
        let Some(columns) = places(layout, &reference.from) else { continue };
        let shares = |other: &&Link| other.columns.iter().any(|c| columns.contains(c));
        let shorter = links.iter().enumerate().filter(|(_, other)| shares(other));
        let shorter = shorter.map(|(at, _)| 1_i64 << at).sum();
        let is_by_number = is_by_number(tables, &links, (reference, &columns));
        let is_astray =
            reference.from.iter().any(|c| here.astray.contains(&c.to_ascii_lowercase()));
        let theirs = places_of.get(reference.parent.as_str()).copied();
        let in_file =
            theirs.and_then(|parent| Some((parent, places(&layouts[parent], &reference.to)?)));
        // What the file means by its numbers is not here.
        let in_file = in_file.filter(|_| !(is_astray && is_by_number));
        links.push(Link {
            applies: applies((layouts, here), (reference, &columns), in_file.as_ref())?,
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
            format!("`{}` has more than {MAX_REFERENCES} foreign keys", text::plain(&layout.name)),
            "the database is untouched",
        ));
    }
    Ok(links)
}

/// The condition that a staged row refers by a reference.
fn applies(
    (layouts, here): (&[Layout], &Here),
    (reference, columns): (&Reference, &[usize]),
    in_file: Option<&(usize, Vec<usize>)>,
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
        Some((parent, to)) => (layouts[*parent].stage(), StageColumns::BARE.value(to[0])),
        None => nothing,
    };
    let refers = declared_references::refers(value, &table, &to);
    let Some(only) = &reference.only else { return Ok(refers) };
    let layout = layouts.iter().find(|layout| layout.name == here.table.name);
    let place = layout.and_then(|layout| places(layout, std::slice::from_ref(&only.column)));
    let Some([column]) = place.as_deref() else {
        return Err(Refusal::no(
            format!(
                "the file has no column `{}` of `{}`, which determines where `{}` refers to",
                text::plain(&only.column),
                text::plain(&here.table.name),
                text::plain(&reference.from[0])
            ),
            "export it again from a database with the current schema; the database is untouched",
        ));
    };
    let collation = keys::collation(&here.table, &only.column);
    let kind = format!("{} COLLATE {collation}", s.value(*column));
    Ok(format!("{refers} AND {}", only.is(&kind)))
}

/// Whether a number decides that no shorter reference translates.
fn is_by_number(
    tables: &Tables,
    shorter: &[Link],
    (reference, columns): (&Reference, &[usize]),
) -> bool {
    columns.iter().zip(&reference.to).any(|(column, to)| {
        let translates = |other: &&Link| !other.is_of_some && other.columns.contains(column);
        let is_translated = shorter.iter().any(|other| translates(&other));
        !is_translated && !tables.numbers_in(&reference.parent, to).is_empty()
    })
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
            if let Some((parent, columns)) = &link.in_file {
                referred_to.extend(columns.iter().map(|column| (*parent, *column)));
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
