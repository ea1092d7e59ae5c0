//! Columns that look like references but are not declared. The rows of a file get numbers of this
//! database, and a column without a foreign key does not follow: the comment on one post would
//! become one on another.
//!
//! A column counts only if it is named after a table, or has the kind beside it; if all its values
//! are numbers of that table's rows in the file; and if one of these rows really gets another
//! number. Ids inside JSON and other texts cannot be seen.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Connection;

use crate::console::text;
use crate::host::project::Database;
use crate::rows::merge::declared_keys::Said;
use crate::rows::merge::fate::Fate::{Matched, New};
use crate::rows::merge::layout::Layout;
use crate::rows::merge::live_tables::Tables;
use crate::rows::merge::name_likeness::{self, Likeness, TableNames};
use crate::rows::merge::report::Problem;
use crate::rows::merge::request::Source;
use crate::rows::merge::row_names::{self, Which};
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::declared_references::{References, Referent, lines};

/// The columns to check.
pub(super) struct Undeclared<'a> {
    /// The connection that has the stages; their numbers are final.
    pub connection: &'a Connection,
    /// The tables here.
    pub tables: &'a Tables,
    /// The file's.
    pub layouts: &'a [Layout],
    /// The declared references.
    pub said: &'a Said<'a>,
}

/// Result of the check.
#[derive(Default)]
pub(super) struct Found {
    /// Columns that nearly are references, as sentences.
    pub remarks: Vec<String>,
    suspects: Vec<Suspect>,
}

/// A column whose numbers would mean other rows.
struct Suspect {
    child: usize,
    column: usize,
    parent: usize,
    /// The column that names the kind, and the value for this table.
    kind: Option<(usize, String)>,
    changes: bool,
}

/// How many rows have a value in such a column, how many of these are numbers of the other table in the file, and how
/// many of those change.
struct Counts {
    all: i64,
    known: i64,
    changing: i64,
}

impl Undeclared<'_> {
    /// Finds the columns.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(super) fn find(&self) -> Result<Found> {
        let mut found = Found::default();
        let mut changed = Vec::new();
        for (at, layout) in self.layouts.iter().enumerate() {
            if self.changes(layout)? {
                changed.push(at);
            }
        }
        if changed.is_empty() {
            return Ok(found);
        }
        for layout in self.layouts {
            self.index(layout)?;
        }
        let names = Names::of(self, changed);
        for (child, layout) in self.layouts.iter().enumerate() {
            for column in 0..layout.columns.len() {
                if self.is_open(layout, column) {
                    self.look(&mut found, child, column, &names)?;
                }
            }
        }
        Ok(found)
    }

    /// Whether any number of a table changes.
    fn changes(&self, layout: &Layout) -> Result<bool> {
        let Some(at) = number(layout) else { return Ok(false) };
        let question = format!(
            "SELECT EXISTS (SELECT 1 FROM {} WHERE state IN ({Matched}, {New}) AND {} IS NOT {})",
            layout.stage(),
            StageColumns::BARE.value(at),
            StageColumns::BARE.original(at)
        );
        Ok(self.connection.query_row(&question, [], |row| row.get(0))?)
    }

    /// Makes numbers quick to find.
    fn index(&self, layout: &Layout) -> Result<()> {
        if layout.is_small {
            return Ok(());
        }
        let (n, Some(at)) = (layout.number, number(layout)) else { return Ok(()) };
        let theirs = StageColumns::BARE.original(at);
        let index = format!("CREATE INDEX temp.merge_{n}_numbers ON merge_{n} ({theirs})");
        self.connection.execute_batch(&index)?;
        Ok(())
    }

    /// Whether it is not declared yet where a column refers to; for a declared reference by kind,
    /// some kinds may be missing.
    fn is_open(&self, layout: &Layout, column: usize) -> bool {
        let name = &layout.columns[column].name;
        let mut links = layout.links.iter().filter(|link| link.columns.contains(&column));
        layout.columns[column].in_file
            && layout.surrogate != Some(column)
            && links.all(|link| link.is_of_some)
            && !self.said.is_none(&layout.name, name)
    }

    fn look(
        &self,
        found: &mut Found,
        child: usize,
        column: usize,
        names: &Names<'_>,
    ) -> Result<()> {
        let layout = &self.layouts[child];
        let mut by_kind = Vec::new();
        for kind in 0..layout.columns.len() {
            let of_kind = &layout.columns[kind];
            if of_kind.in_file
                && name_likeness::names_kind(&of_kind.name, &layout.columns[column].name)
            {
                by_kind.extend(self.by_kind(child, column, kind)?);
            }
        }
        if by_kind.iter().any(|suspect| suspect.changes) {
            found.suspects.extend(by_kind);
            return Ok(());
        }
        if !by_kind.is_empty() || layout.links_of(&[column]) != 0 {
            return Ok(());
        }
        for parent in names.parents(child, column) {
            let suspect = Suspect { child, column, parent, kind: None, changes: true };
            let counts = self.count(&suspect)?;
            if counts.changing > 0 && counts.known == counts.all {
                found.suspects.push(suspect);
            } else if counts.changing > 0 && counts.known * 2 >= counts.all {
                found.remarks.push(self.remark(&suspect, &counts));
            }
        }
        Ok(())
    }

    /// The tables that the kinds in a column name, of which a file has all the numbers.
    fn by_kind(&self, child: usize, column: usize, kind: usize) -> Result<Vec<Suspect>> {
        let layout = &self.layouts[child];
        let (name, stage) = (&layout.columns[column].name, layout.stage());
        let (named, value) = (StageColumns::BARE.value(kind), StageColumns::BARE.value(column));
        let question = format!(
            "SELECT DISTINCT {named} FROM {stage} WHERE typeof({named}) = 'text'
             AND {value} IS NOT NULL LIMIT {MAX_KINDS}"
        );
        let mut statement = self.connection.prepare(&question)?;
        let values = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut suspects = Vec::new();
        for value in values {
            let value = value?;
            if self.said.is_kind_known(&layout.name, name, &value) {
                continue;
            }
            let with_numbers = self.layouts.iter().enumerate();
            let parents = with_numbers.filter(|(_, parent)| number(parent).is_some());
            for (parent, _) in parents.filter(|(_, l)| name_likeness::is_of(&value, &l.name)) {
                let kind = Some((kind, value.clone()));
                let mut suspect = Suspect { child, column, parent, kind, changes: false };
                let counts = self.count(&suspect)?;
                if counts.known == counts.all && counts.all > 0 {
                    suspect.changes = counts.changing > 0;
                    suspects.push(suspect);
                }
            }
        }
        Ok(suspects)
    }

    fn count(&self, suspect: &Suspect) -> Result<Counts> {
        let (known, changing) = self.leads(suspect);
        let question = format!(
            "SELECT count(*), coalesce(sum(EXISTS ({known})), 0), coalesce(sum(EXISTS ({changing})), 0)
             FROM {} AS s {}",
            self.layouts[suspect.child].stage(),
            Self::condition(suspect)
        );
        let counts = self.connection.query_row(&question, [], |row| {
            Ok(Counts { all: row.get(0)?, known: row.get(1)?, changing: row.get(2)? })
        });
        Ok(counts?)
    }

    /// The rows that have a value there at all.
    fn condition(suspect: &Suspect) -> String {
        let s = StageColumns::of("s");
        let value = s.value(suspect.column);
        let kind = suspect.kind.as_ref().map_or_else(String::new, |(at, value)| {
            format!(" AND {} = '{}'", s.value(*at), value.replace('\'', "''"))
        });
        format!("WHERE {value} IS NOT NULL AND {value} NOT IN (0, ''){kind}")
    }

    /// Selects the row of the file that a value is the number of; and the same if it has another number here.
    fn leads(&self, suspect: &Suspect) -> (String, String) {
        let parent = &self.layouts[suspect.parent];
        let at = number(parent).unwrap_or_default();
        let (p, s) = (StageColumns::of("p"), StageColumns::of("s"));
        let (here, theirs) = (p.value(at), p.original(at));
        let known = format!(
            "SELECT {here} FROM {} AS p WHERE {theirs} = +{}",
            parent.stage(),
            s.value(suspect.column)
        );
        let changing = format!("{known} AND {here} IS NOT {theirs}");
        (known, changing)
    }

    fn remark(&self, suspect: &Suspect, counts: &Counts) -> String {
        let (child, parent) = (&self.layouts[suspect.child], &self.layouts[suspect.parent]);
        format!(
            "`{}.{}` looks like a reference to `{}`, whose numbers change, but {} of {} are none \
             of its numbers in the file: left as they are; declare them in `references` in \
             `Cargo.toml`",
            text::plain(&child.name),
            text::plain(&child.columns[suspect.column].name),
            text::plain(&parent.name),
            counts.all - counts.known,
            text::count(counts.all.unsigned_abs(), "value"),
        )
    }
}

/// The tables that columns may be named after.
struct Names<'a> {
    layouts: &'a [Layout],
    /// The layouts whose numbers change.
    changed: BTreeSet<usize>,
    /// Their names.
    of_changed: TableNames,
    /// All tables here.
    here: Vec<&'a str>,
    /// Their names, by their places in `here`.
    of_here: TableNames,
}

impl<'a> Names<'a> {
    fn of(undeclared: &Undeclared<'a>, changed: Vec<usize>) -> Self {
        let layouts = undeclared.layouts;
        let here = undeclared.tables.0.values().map(|here| here.table.name.as_str());
        let here: Vec<&str> = here.collect();
        let of_changed = TableNames::of(changed.iter().map(|at| (*at, layouts[*at].name.as_str())));
        let of_here = TableNames::of(here.iter().copied().enumerate());
        Self { layouts, changed: changed.into_iter().collect(), of_changed, here, of_here }
    }

    /// The tables whose numbers change and which a column is named after, if no other table here is
    /// nearer.
    fn parents(&self, child: usize, column: usize) -> Vec<usize> {
        let layout = &self.layouts[child];
        let column = &layout.columns[column].name;
        let of = |other: &str| name_likeness::of(column, &layout.name, other);
        let mut near = self.of_changed.near(column);
        near.extend(self.changed.get(&child));
        let liked = near.into_iter().filter_map(|at| Some((at, of(&self.layouts[at].name)?)));
        let liked: Vec<(usize, Likeness)> = liked.collect();
        if liked.is_empty() {
            return Vec::new();
        }
        let others = self.of_here.near(column).into_iter().filter_map(|at| of(self.here[at]));
        let nearest = others.chain(of(&layout.name)).min();
        let is_nearest = |likeness: Likeness| nearest.is_none_or(|nearest| likeness <= nearest);
        liked.into_iter().filter(|liked| is_nearest(liked.1)).map(|liked| liked.0).collect()
    }
}

impl Found {
    /// The objections to the merge, each with the two lines to choose from.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub(super) fn problems(
        &self,
        undeclared: &Undeclared<'_>,
        database: &Database,
        source: &Source,
    ) -> Result<Vec<Problem>> {
        let hint = self.hint(undeclared.layouts, database);
        let mut problems = Vec::new();
        for suspect in self.suspects.iter().filter(|suspect| suspect.changes) {
            let layouts = undeclared.layouts;
            let (child, parent) = (&layouts[suspect.child], &layouts[suspect.parent]);
            let changing = undeclared.leads(suspect).1;
            let condition = format!("{} AND EXISTS ({changing})", Undeclared::condition(suspect));
            let column = text::plain(&child.columns[suspect.column].name);
            let reason = format!(
                "'{} ' || {} || ' is ' || ({changing}) || ' here'",
                column.replace('\'', "''"),
                StageColumns::of("s").value(suspect.column)
            );
            let which = Which { condition: &condition, reason: &reason };
            let rows = row_names::rows(undeclared.connection, child, &which)?;
            let (table, other) = (text::plain(&child.name), text::plain(&parent.name));
            problems.push(Problem {
                file: source.shown.clone(),
                what: format!(
                    "{} of `{table}` would refer to other rows of `{other}`: `{column}` has \
                     numbers of `{other}`, which change, and it is not declared as a reference",
                    text::count(rows.n, "row"),
                ),
                table,
                rows,
                hint: hint.clone(),
            });
        }
        Ok(problems)
    }

    fn hint(&self, layouts: &[Layout], database: &Database) -> String {
        let (mut yes, mut no) = (database.references.clone(), database.references.clone());
        for suspect in &self.suspects {
            let parent = &layouts[suspect.parent].name;
            let child = &layouts[suspect.child];
            let kind = suspect.kind.as_ref();
            let kind = kind.map(|(at, value)| (&*child.columns[*at].name, &**value));
            let (table, column) = (&*child.name, &*child.columns[suspect.column].name);
            Declaration { table, column, kind, parent: Some(parent) }.add_to(&mut yes);
            Declaration { table, column, kind, parent: None }.add_to(&mut no);
        }
        format!(
            "declare in `[workspace.metadata.db.databases.{}]` that they are references: `{}`, or \
             that they are not: `{}`; the database is untouched",
            text::plain(&database.name),
            text::plain(&lines::references(&yes)),
            text::plain(&lines::references(&no))
        )
    }
}

/// A declaration that the user could add for a column.
struct Declaration<'a> {
    table: &'a str,
    column: &'a str,
    /// The column that names the kind, and its value; `None` if it applies to all rows.
    kind: Option<(&'a str, &'a str)>,
    /// The table that it refers to; none if it is not a reference.
    parent: Option<&'a String>,
}

impl Declaration<'_> {
    /// Adds it to the declared references.
    fn add_to(&self, references: &mut References) {
        let Self { table, column, kind, parent } = *self;
        let known = references.keys().find(|known| known.eq_ignore_ascii_case(table)).cloned();
        let columns = references.entry(known.unwrap_or_else(|| table.to_owned())).or_default();
        let known = columns.keys().find(|known| known.eq_ignore_ascii_case(column)).cloned();
        let column = known.unwrap_or_else(|| column.to_owned());
        let referent = match (kind, parent, columns.get(&column)) {
            (Some((_, value)), parent, Some(Referent::By { column, tables })) => {
                let mut tables = tables.clone();
                tables.insert(value.to_owned(), parent.cloned());
                Referent::By { column: column.clone(), tables }
            }
            (Some((by, value)), Some(parent), _) => {
                let tables = BTreeMap::from([(value.to_owned(), Some(parent.clone()))]);
                Referent::By { column: by.to_owned(), tables }
            }
            (None, Some(parent), _) => Referent::Table(parent.clone()),
            (_, None, _) => Referent::Nothing,
        };
        columns.insert(column, referent);
    }
}

/// Maximum number of kinds of one column that are checked.
const MAX_KINDS: usize = 1000;

/// The column of a table's numbers, which others may refer to: its own, or those of the table that it extends.
fn number(layout: &Layout) -> Option<usize> {
    let bears = |at: &usize| layout.columns[*at].in_file && layout.columns[*at].keeps_original;
    let key = || {
        let [(name, _)] = layout.locator.as_slice() else { return None };
        let at = layout.columns.iter().position(|column| column.name == *name)?;
        layout.numbers.contains(&at).then_some(at)
    };
    layout.surrogate.or_else(key).filter(bears)
}
