//! Decides the fate of each row: unchanged, kept, replaced, inserted, left out.

use anyhow::Result;
use rusqlite::Connection;

use crate::console::text;
use crate::rows::merge::fate::Fate::{
    self, Conflicting, Kept, LeftOut, Matched, New, Replaced, Unchanged,
};
use crate::rows::merge::keys::Reference;
use crate::rows::merge::layout::{Layout, Link};
use crate::rows::merge::live_tables::Tables;
use crate::rows::merge::references;
use crate::rows::merge::request::{OnConflict, Policy};
use crate::rows::merge::row_hash::{self, Texts};
use crate::rows::merge::stage_columns::StageColumns;
use crate::sqlite::connection::quoted;

/// Compares the content of rows that were found, and decides about those that differ.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn compare(
    connection: &Connection,
    layout: &Layout,
    policy: &Policy,
    texts: Texts,
) -> Result<()> {
    let shared = || layout.content().filter(|at| layout.columns[*at].in_file);
    let s = StageColumns::of("s");
    let theirs = row_hash::hash(shared().map(|at| s.value(at)), texts);
    let column = |at: usize| format!("t.{}", quoted(&layout.columns[at].name));
    let ours = row_hash::hash(shared().map(column), texts);
    let stage = layout.stage();
    connection.execute(
        &format!(
            "UPDATE {stage} AS s SET state = {Unchanged} FROM {} AS t
             WHERE s.state = {Matched} AND {} AND {theirs} = {ours}",
            layout.here(),
            layout.located(s)
        ),
        [],
    )?;
    let differing = differing(layout, &shared().collect::<Vec<_>>());
    connection.execute(
        &format!(
            "UPDATE {stage} AS s SET state = {}, reason = {differing} FROM {} AS t
             WHERE s.state = {Matched} AND {}",
            outcome(layout, policy),
            layout.here(),
            layout.located(s)
        ),
        [],
    )?;
    Ok(())
}

/// Whether a table has no such column, here or in the file.
#[must_use]
pub(super) fn lacks(layout: &Layout, column: &str) -> bool {
    !layout.columns.iter().any(|known| known.in_file && known.name.eq_ignore_ascii_case(column))
}

/// The expression of the fate of a row whose content differs.
fn outcome(layout: &Layout, policy: &Policy) -> String {
    match policy.on_conflict {
        OnConflict::Fail => Conflicting.to_string(),
        OnConflict::Skip => Kept.to_string(),
        OnConflict::Replace if policy.newer.as_ref().is_some_and(|newer| lacks(layout, newer)) => {
            Conflicting.to_string()
        }
        OnConflict::Replace => format!("iif(s.stays, {Kept}, {Replaced})"),
    }
}

/// Characters of a text, and bytes of a blob, that a reason shows of a value.
const SHOWN: [usize; 2] = [30, 8];

/// The expression that names the columns in which a row differs, with both values.
fn differing(layout: &Layout, columns: &[usize]) -> String {
    let s = StageColumns::of("s");
    let parts = columns.iter().map(|at| {
        let name = &layout.columns[*at].name;
        let shown_name = text::plain(name).replace('\'', "''");
        let (theirs, ours) = (s.value(*at), format!("t.{}", quoted(name)));
        // Not the number that a reference was translated to, which is nowhere yet.
        let (in_file, here) = (shown(&layout.original(s, *at)), shown(&ours));
        let alike = match layout.links_of(&[*at]) {
            0 => format!("is another after ' || {here} || '"),
            _ => "leads to another row".to_owned(),
        };
        format!(
            "CASE WHEN {theirs} IS {ours} COLLATE BINARY AND typeof({theirs}) = typeof({ours}) THEN ''
             WHEN {in_file} = {here} THEN '{shown_name} {alike}; '
             ELSE '{shown_name} ' || {here} || ' here, ' || {in_file} || ' in the file; ' END"
        )
    });
    let parts: Vec<String> = parts.collect();
    // Concatenated in pieces: SQLite allows an expression no unlimited depth.
    let pieces: Vec<String> =
        parts.chunks(50).map(|part| format!("({})", part.join(" || "))).collect();
    let all = if pieces.is_empty() { "''".to_owned() } else { pieces.join(" || ") };
    // Zeros of both signs are one value to `IS`.
    format!("coalesce(nullif(rtrim({all}, '; '), ''), 'equal to SQLite, in other bytes')")
}

/// The expression of a value as a reason shows it: as SQL writes it, its beginning only.
fn shown(value: &str) -> String {
    let [characters, bytes] = SHOWN;
    format!(
        "CASE typeof({value}) WHEN 'text' THEN quote(substr({value}, 1, {characters}))
           || iif(length({value}) > {characters}, '…', '')
         WHEN 'blob' THEN quote(substr({value}, 1, {bytes})) || iif(length({value}) > {bytes}, '…', '')
         ELSE quote({value}) END"
    )
}

/// Finds rows that would lose the key by which others here refer to them, which do not change, too: they
/// would refer to nothing, or to another row that has the key then.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn unhinge(
    connection: &Connection,
    tables: &Tables,
    layouts: &[Layout],
    layout: &Layout,
) -> Result<()> {
    let s = StageColumns::of("s");
    let name = layout.name.to_ascii_lowercase();
    for (child, here) in &tables.0 {
        for reference in here.references.iter().filter(|reference| reference.parent == name) {
            let place = |to: &String| layout.columns.iter().position(|column| column.name == *to);
            let places = reference.to.iter().filter_map(place);
            let changes: Vec<String> = places
                .filter(|at| Some(*at) != layout.surrogate)
                .map(|at| format!("{} IS NOT t.{}", s.value(at), quoted(&layout.columns[at].name)))
                .collect();
            if changes.is_empty() {
                continue;
            }
            let staged = layouts.iter().find(|other| other.name.eq_ignore_ascii_case(child));
            let shown = text::plain(&here.table.name).replace('\'', "''");
            connection.execute(
                &format!(
                    "UPDATE {stage} SET state = {Conflicting},
                       reason = 'rows of {shown} here refer to it by the key that it would lose'
                     WHERE n IN (
                       SELECT s.n FROM {stage} AS s CROSS JOIN {} AS t ON {}
                       CROSS JOIN main.{} AS x ON {}
                       WHERE s.state = {Replaced} AND ({}){})",
                    layout.here(),
                    layout.located(s),
                    quoted(&here.table.name),
                    refers(tables, reference),
                    changes.join(" OR "),
                    staged.map_or_else(String::new, |staged| stays(staged, reference)),
                    stage = layout.stage(),
                ),
                [],
            )?;
        }
    }
    Ok(())
}

/// The condition that a row here, `x`, refers to another one here, `t`.
fn refers(tables: &Tables, reference: &Reference) -> String {
    let collations = tables.collations(&reference.parent, &reference.to);
    let pairs = reference.from.iter().zip(&reference.to).zip(&collations);
    let equal = pairs.map(|((from, to), collation)| {
        format!("t.{} COLLATE {collation} = x.{}", quoted(to), quoted(from))
    });
    let equal = equal.chain(std::iter::once(reference.applies("x")));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// The condition that the file does not say itself if a row here, `x`, refers to: one that it replaces or has
/// alike refers to the row that has the key in the end.
fn stays(layout: &Layout, reference: &Reference) -> String {
    let is_it = |link: &&Link| {
        let names = link.columns.iter().map(|at| &layout.columns[*at].name);
        link.parent == reference.parent && link.in_file.is_some() && names.eq(&reference.from)
    };
    if !layout.links.iter().any(|link| is_it(&link)) {
        return String::new();
    }
    let names = layout.locator.iter().map(|(name, _)| format!("x.{}", quoted(name)));
    format!(
        " AND ({}) NOT IN (SELECT {} FROM {} WHERE state IN ({Replaced}, {Unchanged}))",
        names.collect::<Vec<_>>().join(", "),
        StageColumns::BARE.locators(layout.locator.len()),
        layout.stage()
    )
}

/// Gives this fate to rows whose parents are left out; returns how many there are: they cannot be.
///
/// # Errors
///
/// If SQLite refuses.
pub(super) fn orphaned(
    connection: &Connection,
    layouts: &[Layout],
    at: usize,
    fate: Fate,
) -> Result<usize> {
    let layout = &layouts[at];
    let mut n_orphaned = 0;
    for (bit, link) in layout.links.iter().enumerate() {
        let (Some(parent), Some(leads_to)) = (&link.in_file, references::leads_to(link)) else {
            continue;
        };
        let parent = &layouts[parent.at];
        let name = text::plain(&parent.name).replace('\'', "''");
        n_orphaned += connection.execute(
            &format!(
                "UPDATE {} AS s SET state = {fate},
                   reason = 'it refers to a row of {name} that is left out'
                 FROM {} AS p WHERE p.state = {LeftOut} AND s.asked & {} AND {leads_to}
                 AND s.state IN ({New}, {Replaced})",
                layout.stage(),
                parent.stage(),
                1_i64 << bit
            ),
            [],
        )?;
    }
    Ok(n_orphaned)
}
