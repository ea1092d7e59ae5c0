//! Edits of TOML that leave every other byte as it is.

use anyhow::{Context as _, Result};
use toml_edit::{Array, DocumentMut, Item, TableLike, Value};

use crate::refusal::Refusal;

/// Reads a document that can be written back as it is.
///
/// # Errors
///
/// A refusal if it is not TOML, or would not come back byte for byte.
pub(crate) fn parse(path: &str, text: &str) -> Result<DocumentMut> {
    let text = text.replace("\r\n", "\n");
    let document: DocumentMut = text.parse().with_context(|| {
        Refusal::new(format!("could not read `{path}` as TOML"), "correct it, then try again")
    })?;
    // A last line without an end gets one.
    if document.to_string().trim_end_matches('\n') != text.trim_end_matches('\n') {
        return Err(Refusal::error(
            format!("`{path}` would not keep its layout"),
            "add the lines by hand, as docs/adoption.md shows",
        ));
    }
    Ok(document)
}

/// The item at a path of keys.
pub(crate) fn item<'a>(document: &'a DocumentMut, keys: &[&str]) -> Option<&'a Item> {
    let mut item = document.as_item();
    for key in keys {
        item = item.as_table_like()?.get(key)?;
    }
    (!item.is_none()).then_some(item)
}

/// The table at a path of keys, which is there.
pub(crate) fn table_mut<'a>(
    document: &'a mut DocumentMut,
    keys: &[&str],
) -> Option<&'a mut dyn TableLike> {
    let mut item = document.as_item_mut();
    for key in keys {
        item = item.as_table_like_mut()?.get_mut(key)?;
    }
    item.as_table_like_mut()
}

/// Whether all keys of a part were in the whole, each in its table: a key that lost the header above
/// it would be in another one. A whole that is not TOML is not judged.
pub(crate) fn has_all_keys(whole: &str, part: &str) -> bool {
    let Ok(whole) = whole.parse::<DocumentMut>() else { return true };
    let Ok(part) = part.parse::<DocumentMut>() else { return false };
    has_keys_of(whole.as_table(), part.as_table())
}

fn has_keys_of(whole: &dyn TableLike, part: &dyn TableLike) -> bool {
    part.iter().all(|(key, item)| match (whole.get(key), item.as_table_like()) {
        (None, _) => false,
        (Some(whole), Some(part)) => {
            whole.as_table_like().is_some_and(|whole| has_keys_of(whole, part))
        }
        (Some(_), None) => true,
    })
}

/// Adds a text to an array, on a line of its own if the others are.
pub(crate) fn push(array: &mut Array, text: &str) {
    let mut value = Value::from(text);
    let last = array.len().checked_sub(1).and_then(|last| array.get_mut(last));
    let Some(decor) = last.map(Value::decor_mut) else {
        array.push(value);
        return;
    };
    let around = |raw: Option<&toml_edit::RawString>| {
        raw.and_then(|raw| raw.as_str()).unwrap_or_default().to_owned()
    };
    let (prefix, suffix) = (around(decor.prefix()), around(decor.suffix()));
    // What ends the last line without a comma now ends the new one.
    decor.set_suffix("");
    value.decor_mut().set_suffix(suffix);
    let trailing = around(Some(array.trailing()));
    let prefix = match (prefix.rsplit_once('\n'), trailing.rsplit_once('\n')) {
        // A comment behind the last comma stays on its line.
        (Some((_, indent)), Some((comment, end))) => {
            array.set_trailing(format!("\n{end}"));
            format!("{comment}\n{indent}")
        }
        (Some((_, indent)), None) => format!("\n{indent}"),
        (None, _) => " ".to_owned(),
    };
    value.decor_mut().set_prefix(prefix);
    array.push_formatted(value);
}

/// The text with a block at its end, after an empty line.
pub(crate) fn with_block(text: &str, block: &str) -> String {
    let text = match text {
        "" => return block.to_owned(),
        text if text.ends_with('\n') => text.to_owned(),
        text => format!("{text}\n"),
    };
    format!("{text}\n{block}")
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A list of texts as TOML writes it.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let texts: Vec<_> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_in_the_layout_of_the_others() -> Result<()> {
        for (before, after) in [
            ("m = []\n", "m = [\"x\"]\n"),
            ("m = [\"a\"] # why\n", "m = [\"a\", \"x\"] # why\n"),
            (
                "m = [\n    \"a\", # why\n    \"b\",\n]\n",
                "m = [\n    \"a\", # why\n    \"b\",\n    \"x\",\n]\n",
            ),
            (
                "m = [\n  \"a\",\n  # why\n  \"b\"\n]\n",
                "m = [\n  \"a\",\n  # why\n  \"b\",\n  \"x\"\n]\n",
            ),
        ] {
            let mut document = parse("Cargo.toml", before)?;
            let array = document["m"].as_array_mut().expect("an array");
            push(array, "x");
            assert_eq!(document.to_string(), after);
        }
        Ok(())
    }
}
