//! The parts of a value that may have become rows or columns: the leaves of JSON, the items of a
//! list, the words of a name.

use serde_json::Value as Json;

use crate::migrate::verdict::canonical_value::{self, Said};
use crate::sqlite::value::Value;

/// Words of a text that is taken for a name.
const MAX_WORDS: usize = 4;

/// The parts of a value, without blank ones; `None` if it has no parts.
#[must_use]
pub(super) fn of(value: &Value) -> Option<Vec<Said>> {
    let text = canonical_value::text(value);
    let text = text.trim();
    if text.starts_with(['{', '['])
        && let Ok(json) = serde_json::from_str::<Json>(text)
    {
        let mut parts = Vec::new();
        leaves(&json, &mut parts);
        return Some(parts);
    }
    let items: Vec<_> =
        text.split([',', ';', '|', '\n', '\t']).filter_map(canonical_value::of_text).collect();
    if items.len() > 1 {
        return Some(items);
    }
    let words: Vec<_> = text.split(' ').filter_map(canonical_value::of_text).collect();
    (2..=MAX_WORDS).contains(&words.len()).then_some(words)
}

fn leaves(json: &Json, parts: &mut Vec<Said>) {
    match json {
        Json::Null => {}
        Json::Bool(is_true) => {
            parts.extend(canonical_value::of_text(&u8::from(*is_true).to_string()));
        }
        Json::Number(number) => parts.extend(canonical_value::of_text(&number.to_string())),
        Json::String(text) => parts.extend(canonical_value::of_text(text)),
        Json::Array(items) => items.iter().for_each(|item| leaves(item, parts)),
        Json::Object(members) => members.values().for_each(|member| leaves(member, parts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lists_and_names_have_parts() {
        let said = |text: &str| of(&Value::Text(text.as_bytes().to_vec()));
        let part = |text: &str| canonical_value::of_text(text).expect("not blank");
        let of_json = said(r#"{"a": ["red", 5], "b": null}"#);
        assert_eq!(of_json, Some(vec![part("red"), part("5")]));
        let of_list = said("red, green;blue");
        assert_eq!(of_list, Some(vec![part("red"), part("green"), part("blue")]));
        assert_eq!(said("Ada Lovelace"), Some(vec![part("ada"), part("lovelace")]));
        assert_eq!(said("[]"), Some(Vec::new()));
        for whole in ["red", "", "red,", "a text of more words than a name"] {
            assert_eq!(said(whole), None, "{whole}");
        }
    }
}
