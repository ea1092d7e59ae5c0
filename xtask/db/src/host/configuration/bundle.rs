//! Reads `[workspace.metadata.db.bundle]`: what a bundle contains beside the databases.

use anyhow::{Result, bail};

use super::strict_table::Section;
use crate::host::project::bundle::{Bundle, Item};

pub(super) fn read(section: &mut Section) -> Result<Bundle> {
    let mut bundle = Bundle::default();
    let Some(mut section) = section.section("bundle")? else {
        return Ok(bundle);
    };
    bundle.output = section.text("output")?;
    bundle.recipients = section.texts("recipients")?.unwrap_or_default();
    bundle.not_covered = section.texts("not-covered")?.unwrap_or_default();
    if let Some(mut items) = section.section("items")? {
        for name in items.keys() {
            bundle.items.push(item(&mut items, name)?);
        }
    }
    section.finish()?;
    Ok(bundle)
}

/// An item: `{ path = ".env", secret = true }`.
fn item(items: &mut Section, name: String) -> Result<Item> {
    let Some(mut section) = items.section(&name)? else {
        bail!("`{name}` in `[{}]` is not a table, e.g. `{{ path = \".env\" }}`", items.place);
    };
    let item = Item {
        path: section.text("path")?,
        secret: section.flag("secret")?.unwrap_or(false),
        rebuild: section.text("rebuild")?,
        name,
    };
    section.finish()?;
    if !is_name(&item.name) {
        bail!(
            "the item `{}` in `[{}]` has another name than letters, digits, `-` and `_`",
            item.name,
            items.place
        );
    }
    Ok(item)
}

/// Names of items are parts of paths in the archive.
fn is_name(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 64 && name.chars().all(is_good)
}
