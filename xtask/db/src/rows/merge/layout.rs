//! How one table of a file fits that of the database: the columns that both have, the identity of a row,
//! where its references lead.

use std::collections::BTreeSet;

use crate::rows::merge::keys::By;
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

/// Whether translating a reference may still change values that are not numbers: the row here that
/// it means may spell its key in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// It may: a row is not looked up by such a value before its references are translated.
    MayChange,
    /// It may not: each value is the file's, and a reference that would change one leads nowhere.
    Stays,
}

/// The content of the rows of all small tables here.
pub(super) const HASHED_HERE: &str = "temp.merge_here";

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
    /// The rules that identify a row, in the order in which they are tried; finally, its content.
    pub rules: Vec<Rule>,
    /// Columns by which a row of the database is found again, and their collations.
    pub locator: Vec<(String, String)>,
    /// References, with the tables to which they lead, short ones first.
    pub links: Vec<Link>,
    /// Whether the table has so few rows in the file and in the database that an index would cost
    /// more than it saves: each change of the schema takes SQLite time in proportion to the number
    /// of tables.
    pub is_small: bool,
    /// All columns of the database that are stored as they were given.
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
    /// Whether the file's value is kept beside the one of the database.
    pub keeps_original: bool,
}

/// Columns that identify a row.
#[derive(Debug)]
pub(super) struct Rule {
    /// Which, as places in [`Layout::columns`].
    pub columns: Vec<usize>,
    /// Under which collations.
    pub collations: Vec<String>,
    /// Source of the rule.
    pub by: By,
}

impl Rule {
    /// How values of its columns are compared. To a UNIQUE constraint each NULL is another value; in a key that
    /// is configured, an empty column is one: a row without a folder is the same row after an edit.
    #[must_use]
    pub(super) fn equals(&self) -> &'static str {
        match self.by {
            By::Configuration => "IS",
            By::Primary | By::Unique => "=",
        }
    }
}

/// The table in the file that a reference leads to.
#[derive(Debug)]
pub(super) struct Parent {
    /// The place of its layout.
    pub at: usize,
    /// The columns that are referred to, as places in its [`Layout::columns`].
    pub columns: Vec<usize>,
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
    /// The same table in the file, if it has rows there.
    pub in_file: Option<Parent>,
    /// Whether a row that is not in the file may be looked up in the database.
    pub may_be_here: bool,
    /// Whether a number decides, which means a row only in its own database.
    pub is_by_number: bool,
    /// Whether, in the file, it refers to a table that is not here.
    pub is_astray: bool,
    /// The shorter references that share a column with this one, as bits.
    pub shorter: i64,
    /// The condition that a row of the stage, `s`, refers by it at all.
    pub applies: String,
    /// Whether some of the table's rows do not, whatever they contain.
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

    /// The number that means that a row is identified by its content.
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

    /// The condition that a staged row has its final values in these columns. The first reference
    /// that is translated settles the columns that references share, because the others must agree.
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
