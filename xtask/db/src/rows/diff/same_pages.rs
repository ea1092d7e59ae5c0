//! Whether two trees of any kind are the same page by page, i.e. nobody changed the table.

use anyhow::{Result, bail};

use crate::rows::diff::pages::{Tree, four_bytes, n_local, two_bytes, varint};

/// Whether two trees have equal bytes in equal pages. Another layout of equal rows is a no.
///
/// # Errors
///
/// If a page cannot be read or is malformed.
pub(super) fn is_same_tree(a: Tree<'_, '_>, b: Tree<'_, '_>) -> Result<bool> {
    let todo = (a.root, b.root, Part::Tree);
    let (a, b) = (a.pages, b.pages);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let mut n_left = a.count();
    let mut todo = vec![todo];
    while let Some((a_page, b_page, part)) = todo.pop() {
        a.read(a_page, &mut one)?;
        b.read(b_page, &mut other)?;
        if one != other {
            return Ok(false);
        }
        let Some(left) = n_left.checked_sub(1) else {
            bail!("the pages of a tree run in a circle");
        };
        n_left = left;
        match part {
            // Equal bytes name the same pages.
            Part::Tree => {
                let n_before = todo.len();
                children(&one, a.usable_bytes(), &mut |page, part| {
                    todo.push((page, page, part));
                })?;
                // The last one pushed comes next: pages mostly go up, and are read ahead.
                todo[n_before..].reverse();
            }
            Part::Overflow(n_bytes) => {
                let n_bytes = n_bytes.saturating_sub(a.usable_bytes().saturating_sub(4));
                if n_bytes > 0 {
                    let next = four_bytes(&one, 0)?;
                    todo.push((next, next, Part::Overflow(n_bytes)));
                }
            }
        }
    }
    Ok(true)
}

/// The structure that a page belongs to.
#[derive(Clone, Copy)]
enum Part {
    Tree,
    /// A long row, and the bytes of it from this page on.
    Overflow(usize),
}

/// The pages that a page of a tree names (<https://sqlite.org/fileformat2.html#b_tree_pages>).
fn children(page: &[u8], usable: usize, each: &mut impl FnMut(u32, Part)) -> Result<()> {
    let (is_interior, is_table) = match page.first() {
        Some(2) => (true, false),
        Some(5) => (true, true),
        Some(10) => (false, false),
        Some(13) => (false, true),
        _ => bail!("a page does not belong to a tree"),
    };
    let n_header = if is_interior { 12 } else { 8 };
    for cell in 0..usize::from(two_bytes(page, 3)?) {
        let mut at = usize::from(two_bytes(page, n_header + 2 * cell)?);
        if is_interior {
            each(four_bytes(page, at)?, Part::Tree);
            at += 4;
            if is_table {
                continue;
            }
        }
        let rest = |at: usize| page.get(at..).unwrap_or_default();
        let (n_bytes, n_length) = varint(rest(at))?;
        at += n_length;
        if is_table {
            at += varint(rest(at))?.1;
        }
        let n_bytes = usize::try_from(n_bytes)?;
        let most = if is_table {
            usable.saturating_sub(35)
        } else {
            (usable.saturating_sub(12) * 64 / 255).saturating_sub(23)
        };
        let n_local = n_local(n_bytes, usable, most);
        if n_local < n_bytes {
            each(four_bytes(page, at + n_local)?, Part::Overflow(n_bytes - n_local));
        }
    }
    if is_interior {
        each(four_bytes(page, 8)?, Part::Tree);
    }
    Ok(())
}
