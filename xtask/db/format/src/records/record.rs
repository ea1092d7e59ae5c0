//! One record of another tool, and the values of its fields.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::records::pointer::{self, Pointer};

/// Which field of a record is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The member of a name.
    Name(String),
    /// What is at a place in it.
    At(Pointer),
}

/// A record.
#[derive(Debug)]
pub struct Record<'r> {
    /// Its number, from 1.
    pub number: u64,
    /// The line it begins in, from 1.
    pub line: u64,
    /// Its fields, if it is the first one.
    pub names: Vec<String>,
    /// Where arrays are, if it is the first one and all that is at the pointer.
    pub elsewhere: Option<String>,
    pub(super) content: Content<'r>,
}

/// What a record is made of.
#[derive(Debug)]
pub(super) enum Content<'r> {
    /// The wanted members of an object.
    Members(BTreeMap<String, Box<RawValue>>),
    /// The elements of an array.
    Items(Vec<Box<RawValue>>),
    /// A line of CSV: the names of its columns, and its fields.
    Row(&'r [String], &'r [Bare]),
}

/// A field of CSV.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bare {
    pub text: String,
    pub is_quoted: bool,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'r> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, by its digits.
    Number(&'r str),
    /// A text.
    Text(Cow<'r, str>),
    /// An object or an array, as JSON without white space.
    Nested(String),
    /// A field of CSV that was in quotes.
    Quoted(&'r str),
    /// A field of CSV that was without quotes.
    Bare(&'r str),
}

impl Field {
    /// The member of a record that it leads to or through; `None` for the record itself.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::At(pointer) => pointer.steps.first().map(String::as_str),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::At(pointer) => pointer.fmt(f),
        }
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} (line {})", self.number, self.line)
    }
}

impl Record<'_> {
    /// The value of a field; `None` if the record has no such field.
    ///
    /// # Errors
    ///
    /// If a member on the way appears twice, or a text contains half a character.
    pub fn field(&self, field: &Field) -> Result<Option<Found<'_>>> {
        let steps = match field {
            Field::Name(name) => std::slice::from_ref(name),
            Field::At(pointer) => pointer.steps.as_slice(),
        };
        let Some((first, rest)) = steps.split_first() else { return Ok(None) };
        let raw = match &self.content {
            Content::Members(members) => members.get(first),
            Content::Items(items) => pointer::index(first).and_then(|at| items.get(at)),
            Content::Row(names, fields) => {
                let at = names.iter().position(|name| name == first).filter(|_| rest.is_empty());
                return Ok(at.map(|at| fields[at].found()));
            }
        };
        let Some(raw) = raw else { return Ok(None) };
        let mut raw = raw.get();
        for step in rest {
            match within(raw, step)? {
                Some(inner) => raw = inner,
                None => return Ok(None),
            }
        }
        found(raw).map(Some)
    }
}

impl Bare {
    fn found(&self) -> Found<'_> {
        if self.is_quoted { Found::Quoted(&self.text) } else { Found::Bare(&self.text) }
    }
}

impl Found<'_> {
    /// The value as a message shows it.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Null => Cow::Borrowed("null"),
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::Number(text) | Self::Quoted(text) | Self::Bare(text) => Cow::Borrowed(text),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Nested(text) => Cow::Borrowed(text),
        }
    }
}

/// The type of some JSON, shown by its first byte: it was already verified to be JSON.
fn found(raw: &str) -> Result<Found<'_>> {
    Ok(match raw.as_bytes().first() {
        Some(b'n') => Found::Null,
        Some(b't') => Found::Boolean(true),
        Some(b'f') => Found::Boolean(false),
        Some(b'{' | b'[') => Found::Nested(compact(raw)),
        Some(b'"') => {
            let plain = raw.get(1..raw.len() - 1).filter(|inside| !inside.contains('\\'));
            match plain {
                Some(plain) => Found::Text(Cow::Borrowed(plain)),
                None => Found::Text(Cow::Owned(
                    serde_json::from_str(raw).context("a text contains half a character")?,
                )),
            }
        }
        _ => Found::Number(raw),
    })
}

/// JSON without the white space between its values: its numbers stay as they were written.
fn compact(raw: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    raw.chars()
        .filter(|c| {
            if is_text {
                is_text = is_escaped || *c != '"';
                is_escaped = !is_escaped && *c == '\\';
                return true;
            }
            is_text = *c == '"';
            !" \t\r\n".contains(*c)
        })
        .collect()
}

/// The member or the element of some JSON; `None` if it has no such.
fn within<'r>(raw: &'r str, step: &str) -> Result<Option<&'r str>> {
    if !raw.starts_with(['{', '[']) {
        return Ok(None);
    }
    let mut json = serde_json::Deserializer::from_str(raw);
    let found = Step(step).deserialize(&mut json)?;
    Ok(found.map(RawValue::get))
}

/// Takes one member or element, and skips the others.
struct Step<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            if name != self.0 {
                members.next_value::<IgnoredAny>()?;
            } else if found.replace(members.next_value()?).is_some() {
                return Err(super::stands_twice(&name));
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let wanted = pointer::index(self.0);
        let (mut at, mut found) = (0, None);
        loop {
            if Some(at) == wanted {
                let Some(item) = items.next_element()? else { break };
                found = Some(item);
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
            at += 1;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(json: &str, path: &str) -> Result<Option<String>> {
        let members = serde_json::from_str(json).expect("an object");
        let content = Content::Members(members);
        let record = Record { number: 1, line: 1, names: Vec::new(), elsewhere: None, content };
        let field = if path.starts_with('/') {
            Field::At(Pointer::parse(path).expect("a pointer"))
        } else {
            Field::Name(path.to_owned())
        };
        Ok(record.field(&field)?.map(|found| format!("{found:?}")))
    }

    #[test]
    fn fields_are_found_by_name_and_by_place() {
        let json = r#"{"a": 1.50, "b": {"c": [true, {"d": "x"}]}, "e/f": null, "": "é\n"}"#;
        for (path, wanted) in [
            ("a", Some(r#"Number("1.50")"#)),
            ("/a", Some(r#"Number("1.50")"#)),
            ("/b/c/0", Some("Boolean(true)")),
            ("/b/c/1/d", Some(r#"Text("x")"#)),
            ("/b/c/2", None),
            ("/b/c/00", None),
            ("/b/c/d", None),
            ("/a/b", None),
            ("/e~1f", Some("Null")),
            ("e/f", Some("Null")),
            ("/", Some(r#"Text("é\n")"#)),
            ("b", Some(r#"Nested("{\"c\":[true,{\"d\":\"x\"}]}")"#)),
            ("B", None),
        ] {
            assert_eq!(field(json, path).expect("sound").as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn what_is_ambiguous_on_the_way_is_refused() {
        let error = field(r#"{"a": {"b": 1, "b": 2}}"#, "/a/b").expect_err("ambiguous");
        assert_eq!(error.to_string(), "the member `b` appears twice at line 1 column 16");
        assert!(field(r#"{"a": "\ud800"}"#, "a").is_err());
    }

    #[test]
    fn nested_values_lose_their_white_space_only() {
        for (raw, text) in [
            ("[ 1 ,\n 2.50 , 1e400 ]", "[1,2.50,1e400]"),
            (r#"{ "a b" : "c \" d \\" , "e" : [ ] }"#, r#"{"a b":"c \" d \\","e":[]}"#),
            (r#"["\\", " x "]"#, r#"["\\"," x "]"#),
        ] {
            assert_eq!(compact(raw), text);
        }
    }

    #[test]
    fn deep_nesting_harms_nobody() {
        let deep = format!("{{\"a\": {}{}, \"b\": 1}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(field(&deep, "b").expect("sound").as_deref(), Some("Number(\"1\")"));
        assert!(field(&deep, "a").expect("sound").is_some());
        assert!(field(&deep, "/a/0/0").expect("sound").is_some());
    }
}
