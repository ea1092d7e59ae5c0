//! Two trees of one table side by side: leaf by leaf if the leaves are equal, otherwise row by row.
//!
//! A leaf with equal bytes in both states, whose long rows continue in equal pages, has equal rows,
//! whatever the rest of the file looks like: it is skipped without reading its rows.

use std::cmp::Ordering;

use anyhow::Result;

use crate::rows::diff::leaves::Leaves;
use crate::rows::diff::pages::Tree;
use crate::rows::diff::record::{self, Rest, Verdict};

/// The fate of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Only the first state has it.
    Removed,
    /// Only the second has it.
    Added,
    /// Its values differ.
    Changed,
    /// Its bytes differ; SQLite can tell whether its values do.
    Unsure,
}

/// Calls `each` with the rowid and fate of every row whose bytes are not equal in both.
///
/// # Errors
///
/// If a page cannot be read or is malformed, or `each` fails.
pub(super) fn each_difference(
    a: Tree<'_, '_>,
    b: Tree<'_, '_>,
    each: &mut dyn FnMut(i64, Fate) -> Result<()>,
) -> Result<()> {
    let (mut a, mut b) = (Leaves::of(a)?, Leaves::of(b)?);
    let mut long_rows = Vec::new();
    loop {
        if is_equal_leaf(&mut a, &mut b, &mut long_rows)? {
            a.next_leaf()?;
            b.next_leaf()?;
            continue;
        }
        let ids = (a.cell()?.map(|cell| cell.rowid), b.cell()?.map(|cell| cell.rowid));
        let order = match ids {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(&b),
        };
        let (Some(rowid), Some(fate)) = (ids.0.or(ids.1), fate(order, &mut a, &mut b)?) else {
            continue;
        };
        each(if order == Ordering::Greater { ids.1.unwrap_or(rowid) } else { rowid }, fate)?;
    }
}

/// The fate of the row that comes first; then goes on to the next. `None` if it is equal.
fn fate(order: Ordering, a: &mut Leaves<'_, '_>, b: &mut Leaves<'_, '_>) -> Result<Option<Fate>> {
    let fate = match order {
        Ordering::Less => Some(Fate::Removed),
        Ordering::Greater => Some(Fate::Added),
        Ordering::Equal => match compare(a, b)? {
            Verdict::Equal => None,
            Verdict::Different => Some(Fate::Changed),
            Verdict::Ask => Some(Fate::Unsure),
        },
    };
    if order != Ordering::Greater {
        a.advance()?;
    }
    if order != Ordering::Less {
        b.advance()?;
    }
    Ok(fate)
}

fn compare(a: &mut Leaves<'_, '_>, b: &mut Leaves<'_, '_>) -> Result<Verdict> {
    record::compare(a.record()?, b.record()?)
}

/// Whether both are before a new leaf, and everything in it is equal.
fn is_equal_leaf(
    a: &mut Leaves<'_, '_>,
    b: &mut Leaves<'_, '_>,
    long_rows: &mut Vec<(u32, usize)>,
) -> Result<bool> {
    match (a.fresh_page(), b.fresh_page()) {
        (Some(one), Some(other)) if one == other => {}
        _ => return Ok(false),
    }
    // Equal bytes name the same pages.
    a.long_rows(long_rows)?;
    for &(page, n_bytes) in long_rows.iter() {
        let mut one = Rest::behind(page, n_bytes, a.pages());
        if !one.equals(&mut Rest::behind(page, n_bytes, b.pages()))? {
            return Ok(false);
        }
    }
    Ok(true)
}
