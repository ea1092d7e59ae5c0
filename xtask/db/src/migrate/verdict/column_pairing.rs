//! How the columns of two tables are paired.

use anyhow::Result;

use crate::migrate::verdict::tally::Tally;
use crate::migrate::verdict::{lost_rows, table_pairing};
use crate::rows::diff::migrated_tables::Pairs;
use crate::rows::diff::table_pair::{Column, Each, Pair, PairedRow, Way, When};
use crate::sqlite::schema::{Nature, Table};

/// The columns of two tables side by side, those that both have first.
pub(super) fn pair<'t>(pairs: &Pairs<'_>, before: &'t Table, after: &'t Table) -> Result<Pair<'t>> {
    let is_computed = |table: &Table, column: &Column| {
        let nature = table.column(&column.shown).map(|column| column.nature);
        matches!(nature, Some(Nature::GeneratedVirtual | Nature::GeneratedStored))
    };
    let is_same = |a: &Column, b: &Column| a.shown.eq_ignore_ascii_case(&b.shown);
    let old = pairs.columns(When::Before, before)?;
    let mut new = pairs.columns(When::After, after)?;
    new.retain(|column| !is_computed(before, column));
    let is_shared = |column: &&Column| new.iter().any(|other| is_same(column, other));
    let mut columns_before: Vec<_> = old.iter().filter(is_shared).cloned().collect();
    let n_shared = columns_before.len();
    let shared = columns_before.iter().filter_map(|a| new.iter().find(|b| is_same(a, b)));
    let mut columns_after: Vec<_> = shared.cloned().collect();
    columns_before.extend(old.iter().filter(|column| !is_shared(column)).cloned());
    let is_new = |column: &&Column| !old.iter().any(|other| is_same(column, other));
    columns_after.extend(new.iter().filter(is_new).cloned());
    let way = table_pairing::way(before, after);
    Ok(Pair { before, after, columns_before, columns_after, n_shared, way })
}

/// The pair with columns side by side that only have another name; `None` if there are none.
pub(super) fn joined<'t>(
    pair: &Pair<'t>,
    tally: &Tally,
    renamed: &[Option<usize>],
) -> Option<Pair<'t>> {
    let mut joined = pair.clone();
    for (at, column) in tally.columns.iter().enumerate().skip(pair.n_shared) {
        let Some(new) = column.successor(pair.n_shared).filter(|_| renamed[at].is_none()) else {
            continue;
        };
        let place = |columns: &[Column], name: &str| columns.iter().position(|c| c.shown == name);
        let old = place(&joined.columns_before, &pair.columns_before[at].shown)?;
        let new = place(&joined.columns_after, &pair.columns_after[new].shown)?;
        if new < joined.n_shared {
            // Another column has it already.
            continue;
        }
        joined.columns_before.swap(old, joined.n_shared);
        joined.columns_after.swap(new, joined.n_shared);
        joined.n_shared += 1;
    }
    (joined.n_shared > pair.n_shared).then_some(joined)
}

/// For each column that is gone, a new one with exactly the same values.
pub(super) fn renamed(tally: &Tally, n_shared: usize) -> Vec<Option<usize>> {
    let mut renamed = vec![None; tally.columns.len()];
    for (at, column) in tally.columns.iter().enumerate().skip(n_shared) {
        let is_free = |new: &usize| !renamed.contains(&Some(*new));
        let is_same = |new: &usize| column.lost.n() > 0 && tally.new[*new] == column.lost;
        let found = (0..tally.new.len()).find(|new| is_free(new) && is_same(new));
        renamed[at] = found;
    }
    renamed
}

/// Like [`Pairs::each`]; a row that has nothing in common with the one of the same number is
/// another row.
pub(super) fn each(pairs: &mut Pairs<'_>, pair: &Pair<'_>, take: Each<'_>) -> Result<()> {
    let roles = pair.columns_before.iter().take(pair.n_shared);
    let roles = roles.map(|column| lost_rows::role(pair.before, &column.shown)).collect::<Vec<_>>();
    let may_be_others = matches!(pair.way, Way::Numbers | Way::Places);
    pairs.each(pair, &mut |row| {
        if let (true, Some(before), Some(after)) = (may_be_others, row.before, row.after)
            && lost_rows::is_replaced(&roles, before, after)
        {
            take(&PairedRow { before: row.before, after: None })?;
            return take(&PairedRow { before: None, after: row.after });
        }
        take(row)
    })
}
