//! A value of a record as a value of a column: exact, or not at all.

use rusqlite::types::Value;
use xtask_db_format::records::Found;

use crate::rows::import::records::number::{self, Exponent, integer, is_number, real};
use crate::sqlite::schema::Column;

/// The values that a column accepts, by its declared type
/// (<https://sqlite.org/datatype3.html#determination_of_column_affinity>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Integers only.
    Integers,
    /// Reals only.
    Reals,
    /// Text; any other value becomes its text.
    Texts,
    /// A number if the value is one, else text: `DATETIME`, `DECIMAL`, `JSON`.
    NumbersOrTexts,
    /// Anything as it is.
    Anything,
    /// Bytes only.
    Bytes,
}

impl Takes {
    /// The values that a column accepts.
    #[must_use]
    pub(crate) fn of(column: &Column, is_strict: bool) -> Self {
        let declared = column.declared_type.to_ascii_uppercase();
        let says = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        match declared.as_str() {
            "BLOB" if is_strict => Self::Bytes,
            "ANY" if is_strict => Self::Anything,
            _ if says(&["INT"]) => Self::Integers,
            _ if says(&["CHAR", "CLOB", "TEXT"]) => Self::Texts,
            _ if says(&["BLOB"]) || declared.is_empty() => Self::Anything,
            _ if says(&["REAL", "FLOA", "DOUB"]) => Self::Reals,
            _ => Self::NumbersOrTexts,
        }
    }

    /// The value to store for a field; `None` if the field has none.
    ///
    /// # Errors
    ///
    /// Why the column cannot store it, e.g. "… accepts only integers".
    pub(crate) fn value(self, found: &Found<'_>) -> Result<Option<Value>, &'static str> {
        match found {
            Found::Bare("") => Ok(None),
            Found::Null => Ok(Some(Value::Null)),
            Found::Boolean(value) => self.number(if *value { "1" } else { "0" }).map(Some),
            Found::Number(digits) => self.number(digits).map(Some),
            Found::Text(text) => self.text(text).map(Some),
            Found::Nested(json) => self.nested(json).map(Some),
            Found::Quoted("") if !matches!(self, Self::Texts | Self::Anything) => {
                Ok(Some(Value::Null))
            }
            Found::Quoted(text) => self.unmarked(text).map(Some),
            Found::Bare(text) => match self {
                Self::Anything | Self::Bytes => self.bare(text).map(Some),
                _ => self.unmarked(text).map(Some),
            },
        }
    }

    fn number(self, digits: &str) -> Result<Value, &'static str> {
        match self {
            Self::Integers => integer(digits).map(Value::Integer),
            Self::Reals => real(digits).map(Value::Real),
            Self::Texts => Ok(Value::Text(digits.to_owned())),
            Self::Bytes => Err("accepts only bytes"),
            Self::NumbersOrTexts | Self::Anything if !digits.contains(['.', 'e', 'E']) => {
                Self::Integers.number(digits)
            }
            // It was not declared to contain reals: nothing may be rounded.
            Self::NumbersOrTexts if !number::survives(digits) => {
                Err("would round its digits; a TEXT column keeps them")
            }
            Self::NumbersOrTexts | Self::Anything => Self::Reals.number(digits),
        }
    }

    fn text(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Bytes => Err("accepts only bytes"),
            Self::Integers | Self::Reals => self.numeral(number::digits(text)),
            Self::NumbersOrTexts if is_number(number::digits(text)) => {
                self.numeral(number::digits(text))
            }
            _ => Ok(Value::Text(text.to_owned())),
        }
    }

    /// The number that a text is, if the column would keep it as one. A postcode, a telephone
    /// number or a hash is not a number, though it looks like one.
    fn numeral(self, digits: &str) -> Result<Value, &'static str> {
        let exponent = if self == Self::Reals { Exponent::Kept } else { Exponent::Lost };
        match number::loss(digits, exponent) {
            Some(loss) => Err(loss),
            None => self.number(digits),
        }
    }

    fn nested(self, json: &str) -> Result<Value, &'static str> {
        match self {
            Self::Texts | Self::Anything | Self::NumbersOrTexts => Ok(Value::Text(json.to_owned())),
            Self::Integers => Err("accepts only integers"),
            Self::Reals => Err("accepts only numbers"),
            Self::Bytes => Err("accepts only bytes"),
        }
    }

    /// A text of CSV, which has no other words for truth.
    fn unmarked(self, text: &str) -> Result<Value, &'static str> {
        match self {
            Self::Integers if text.eq_ignore_ascii_case("true") => Ok(Value::Integer(1)),
            Self::Integers if text.eq_ignore_ascii_case("false") => Ok(Value::Integer(0)),
            _ => self.text(text),
        }
    }

    /// A field of CSV without quotes for a column without a type: our own exports write numbers and
    /// `X'00FF'` in this way.
    fn bare(self, text: &str) -> Result<Value, &'static str> {
        if let Some(bytes) = bytes(text) {
            return Ok(Value::Blob(bytes));
        }
        // Anything that is written in another way is a text that looks like a number.
        let is_plain = is_number(text) && number::loss(text, Exponent::Lost).is_none();
        if is_plain && number::survives(text) { self.number(text) } else { self.text(text) }
    }
}

/// The bytes of `X'00FF'`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("X'")?.strip_suffix('\'')?.as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pairs = digits.chunks(2);
    pairs.map(|pair| Some(nibble(*pair.first()?)? << 4 | nibble(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn found(json: &str) -> Found<'_> {
        match json {
            "null" => Found::Null,
            "true" => Found::Boolean(true),
            "false" => Found::Boolean(false),
            _ if json.starts_with(['[', '{']) => Found::Nested(json.to_owned()),
            _ if json.starts_with('"') => Found::Text(Cow::Borrowed(json.trim_matches('"'))),
            _ => Found::Number(json),
        }
    }

    #[test]
    fn json_becomes_what_the_column_takes() {
        use Takes::{Anything, Bytes, Integers, NumbersOrTexts, Reals, Texts};
        let big = i64::MAX;
        for (takes, json, value) in [
            (Integers, "7", Ok(Value::Integer(7))),
            (Integers, "-0", Ok(Value::Integer(0))),
            (Integers, "9223372036854775807", Ok(Value::Integer(big))),
            (Integers, "-9223372036854775808", Ok(Value::Integer(i64::MIN))),
            (Integers, "9223372036854775808", Err("accepts only 64-bit integers")),
            (Integers, "1e400", Err("accepts only 64-bit integers")),
            (Integers, "1e99999999999", Err("accepts only integers")),
            (Integers, "9007199254740993.0", Ok(Value::Integer(9_007_199_254_740_993))),
            (Integers, "12.50e1", Ok(Value::Integer(125))),
            (Integers, "1.5", Err("accepts only integers")),
            (Integers, "\" 42 \"", Ok(Value::Integer(42))),
            (Integers, "\"007\"", Err(number::LEADING_ZEROS)),
            (Integers, "\"-07\"", Err(number::LEADING_ZEROS)),
            (Integers, "\"0\"", Ok(Value::Integer(0))),
            (Integers, "\"-3\"", Ok(Value::Integer(-3))),
            (Integers, "\"3.0\"", Ok(Value::Integer(3))),
            (Integers, "\"3e2\"", Err(number::EXPONENT)),
            (Integers, "3e2", Ok(Value::Integer(300))),
            (Integers, "\"+49\"", Err(number::PLUS_SIGN)),
            (Integers, "\" +49\"", Err(number::PLUS_SIGN)),
            (Integers, "\"true\"", Err("accepts only integers")),
            (Integers, "\"\"", Err("accepts only integers")),
            (Integers, "\"0x10\"", Err("accepts only integers")),
            (Integers, "[1]", Err("accepts only integers")),
            (Integers, "true", Ok(Value::Integer(1))),
            (Integers, "null", Ok(Value::Null)),
            (Reals, "1", Ok(Value::Real(1.0))),
            (
                Reals,
                "12345678901234567890",
                Err("stores real numbers, which cannot represent this integer"),
            ),
            (
                Reals,
                "9007199254740993",
                Err("stores real numbers, which cannot represent this integer"),
            ),
            (Reals, "9007199254740992", Ok(Value::Real(9_007_199_254_740_992.0))),
            (Reals, "\"007\"", Err(number::LEADING_ZEROS)),
            (Reals, "\"+7.5\"", Err(number::PLUS_SIGN)),
            (Reals, "\"1e5\"", Ok(Value::Real(1e5))),
            (Reals, "\"-0.5\"", Ok(Value::Real(-0.5))),
            (Reals, "\"3.14159265358979323846\"", Ok(Value::Real(std::f64::consts::PI))),
            (Reals, "-0", Ok(Value::Real(-0.0))),
            (Reals, "1e400", Err("cannot store a number that large")),
            (Reals, "\"nan\"", Err("accepts only numbers")),
            (Reals, "\"1.5\"", Ok(Value::Real(1.5))),
            (Reals, "false", Ok(Value::Real(0.0))),
            (Texts, "1.50", Ok(text("1.50"))),
            (Texts, "true", Ok(text("1"))),
            (Texts, "[1,2]", Ok(text("[1,2]"))),
            (Texts, "\"007\"", Ok(text("007"))),
            (NumbersOrTexts, "\"2025-09-13T14:25:30Z\"", Ok(text("2025-09-13T14:25:30Z"))),
            (NumbersOrTexts, "\"12\"", Ok(Value::Integer(12))),
            (NumbersOrTexts, "12345678901234567890", Err("accepts only 64-bit integers")),
            (NumbersOrTexts, "0.1", Ok(Value::Real(0.1))),
            (NumbersOrTexts, "\"1.50\"", Ok(Value::Real(1.5))),
            (NumbersOrTexts, "\"0.10000000000000001\"", Ok(Value::Real(0.1))),
            (NumbersOrTexts, "\"07867\"", Err(number::LEADING_ZEROS)),
            (NumbersOrTexts, "\"00.5\"", Err(number::LEADING_ZEROS)),
            (NumbersOrTexts, "\"\u{b}07\"", Err(number::LEADING_ZEROS)),
            (NumbersOrTexts, "\"31415e9\"", Err(number::EXPONENT)),
            (NumbersOrTexts, "\"5E92\"", Err(number::EXPONENT)),
            (NumbersOrTexts, "\"+4477\"", Err(number::PLUS_SIGN)),
            (NumbersOrTexts, "\"0x1F\"", Ok(text("0x1F"))),
            (NumbersOrTexts, "\"1_000\"", Ok(text("1_000"))),
            (
                NumbersOrTexts,
                "12345678901234567.89",
                Err("would round its digits; a TEXT column keeps them"),
            ),
            (NumbersOrTexts, "{}", Ok(text("{}"))),
            (Anything, "\"12\"", Ok(text("12"))),
            (Anything, "12", Ok(Value::Integer(12))),
            (Bytes, "\"x\"", Err("accepts only bytes")),
        ] {
            assert_eq!(takes.value(&found(json)), value.map(Some), "{takes:?} {json}");
        }
    }

    #[test]
    fn csv_has_words_and_empty_fields() {
        use Takes::{Anything, Integers, Texts};
        for (takes, field, value) in [
            (Integers, Found::Bare(""), None),
            (Integers, Found::Quoted(""), Some(Value::Null)),
            (Integers, Found::Quoted("5"), Some(Value::Integer(5))),
            (Integers, Found::Bare("True"), Some(Value::Integer(1))),
            (Texts, Found::Bare("true"), Some(text("true"))),
            (Texts, Found::Bare(""), None),
            (Texts, Found::Quoted(""), Some(text(""))),
            (Anything, Found::Bare("5"), Some(Value::Integer(5))),
            (Anything, Found::Quoted("5"), Some(text("5"))),
            (Anything, Found::Bare("1.50"), Some(Value::Real(1.5))),
            (Anything, Found::Bare("07867"), Some(text("07867"))),
            (Anything, Found::Bare("+5"), Some(text("+5"))),
            (Anything, Found::Bare("5e92"), Some(text("5e92"))),
            (Anything, Found::Bare("12345678901234567.89"), Some(text("12345678901234567.89"))),
            (Anything, Found::Bare("X'00ff'"), Some(Value::Blob(vec![0, 255]))),
            (Anything, Found::Bare("X'0'"), Some(text("X'0'"))),
            (Texts, Found::Bare("X'00'"), Some(text("X'00'"))),
        ] {
            assert_eq!(takes.value(&field), Ok(value), "{takes:?} {field:?}");
        }
    }
}
