//! Reads JSON as far as rows need it: texts, and numbers to the last bit, which general readers
//! round. Any input ends in a value or an error.

use anyhow::{Context, Result, bail, ensure};

use crate::fields::{Field, Fields, Place};
use crate::{digits, scan};

/// A place in some JSON.
pub(crate) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    /// At the beginning.
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Takes a punctuation mark, and the space before it.
    ///
    /// # Errors
    ///
    /// If something else is there.
    pub(crate) fn expect(&mut self, mark: u8) -> Result<()> {
        ensure!(self.takes(mark), "`{}` is missing at column {}", char::from(mark), self.at + 1);
        Ok(())
    }

    /// Takes a punctuation mark if it is there.
    pub(crate) fn takes(&mut self, mark: u8) -> bool {
        let is_there = self.peek() == Some(mark);
        self.at += usize::from(is_there);
        is_there
    }

    /// Takes just these bytes if they are there.
    pub(crate) fn takes_all(&mut self, bytes: &[u8]) -> bool {
        let is_there = self.bytes[self.at..].starts_with(bytes);
        self.at += if is_there { bytes.len() } else { 0 };
        is_there
    }

    /// Fails if anything but space is left.
    ///
    /// # Errors
    ///
    /// As described.
    pub(crate) fn end(&mut self) -> Result<()> {
        ensure!(self.peek().is_none(), "more follows at column {}", self.at + 1);
        Ok(())
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Takes a value of a row.
    ///
    /// # Errors
    ///
    /// If none is there.
    pub(crate) fn field(&mut self, to: &mut Fields) -> Result<()> {
        let field = match self.peek() {
            Some(b'"') => Field::Text(self.string(to)?),
            Some(b'{') => self.tagged(to)?,
            Some(b'n') if self.bytes[self.at..].starts_with(b"null") => {
                self.at += 4;
                Field::Null
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => bail!("there is no value of a row at column {}", self.at + 1),
        };
        to.push(field);
        Ok(())
    }

    /// An object of one member: what JSON has no words for.
    fn tagged(&mut self, to: &mut Fields) -> Result<Field> {
        self.expect(b'{')?;
        let tag = self.string(to)?;
        self.expect(b':')?;
        ensure!(self.peek() == Some(b'"'), "the member of a value is not a text");
        let content = self.string(to)?;
        self.expect(b'}')?;
        let (tag, bytes) = (to.at(&tag, self.bytes), to.at(&content, self.bytes));
        Ok(match (tag, bytes) {
            (b"integer", digits) => Field::Integer(integer(digits)?),
            (b"real", b"9e999") => Field::Real(f64::INFINITY),
            (b"real", b"-9e999") => Field::Real(f64::NEG_INFINITY),
            (b"text_hex", _) => Field::OddText(self.hex(&content, to)?),
            (b"blob_hex", _) => Field::Blob(self.hex(&content, to)?),
            _ => bail!("a value of an unknown kind at column {}", self.at),
        })
    }

    /// The bytes that hexadecimal digits mean.
    fn hex(&self, digits: &Place, to: &mut Fields) -> Result<Place> {
        let begin = to.unescaped().len();
        match digits {
            Place::Read(range) => {
                let digits = &self.bytes[range.clone()];
                digits::from_hex(digits, to.unescaped()).context("odd hexadecimal digits")?;
            }
            Place::Unescaped(_) => bail!("odd hexadecimal digits"),
        }
        Ok(to.since(begin))
    }

    fn number(&mut self) -> Result<Field> {
        let rest = &self.bytes[self.at..];
        let is_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let n_bytes = rest.iter().position(|byte| !is_of_number(byte)).unwrap_or(rest.len());
        self.at += n_bytes;
        number(&rest[..n_bytes])
    }

    /// Takes a text in quotes.
    ///
    /// # Errors
    ///
    /// If none is there, or it is not Unicode.
    pub(crate) fn text(&mut self) -> Result<String> {
        let mut fields = Fields::default();
        let place = self.string(&mut fields)?;
        Ok(std::str::from_utf8(fields.at(&place, self.bytes))?.to_owned())
    }

    /// Takes a text in quotes; where it is, examined to be UTF-8.
    fn string(&mut self, to: &mut Fields) -> Result<Place> {
        self.expect(b'"')?;
        let (begin, unescaped) = (self.at, to.unescaped().len());
        loop {
            let rest = &self.bytes[self.at..];
            let n_bytes = scan::special(rest).context("a text is not closed")?;
            let mark = rest[n_bytes];
            let is_plain = to.unescaped().len() == unescaped && begin == self.at;
            if mark == b'"' && is_plain {
                self.at += n_bytes + 1;
                ensure!(std::str::from_utf8(&rest[..n_bytes]).is_ok(), "a text is not UTF-8");
                return Ok(Place::Read(begin..begin + n_bytes));
            }
            to.unescaped().extend_from_slice(&rest[..n_bytes]);
            self.at += n_bytes + 1;
            match mark {
                b'"' => break,
                b'\\' => {
                    let mut bytes = [0; 4];
                    let character = self.escaped()?.encode_utf8(&mut bytes);
                    to.unescaped().extend_from_slice(character.as_bytes());
                }
                _ => bail!("a control character in a text at column {}", self.at),
            }
        }
        let place = to.since(unescaped);
        ensure!(std::str::from_utf8(to.at(&place, self.bytes)).is_ok(), "a text is not UTF-8");
        Ok(place)
    }

    /// The character that stands for itself in another way, its backslash taken already.
    fn escaped(&mut self) -> Result<char> {
        let kind = *self.bytes.get(self.at).context("a text is not closed")?;
        self.at += 1;
        Ok(match kind {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => char::from(kind),
            b'u' => {
                let first = self.unit()?;
                let mut units = vec![first];
                // Half of a pair: the other half must follow.
                if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    units.push(self.unit()?);
                }
                let mut characters = char::decode_utf16(units);
                let character = characters.next().and_then(Result::ok);
                character.filter(|_| characters.next().is_none()).context("half a character")?
            }
            _ => bail!("an unknown escape at column {}", self.at),
        })
    }

    fn unit(&mut self) -> Result<u16> {
        let digits = self.bytes.get(self.at..self.at + 4).context("a text is not closed")?;
        ensure!(digits.iter().all(u8::is_ascii_hexdigit), "odd digits at column {}", self.at + 1);
        self.at += 4;
        Ok(u16::from_str_radix(std::str::from_utf8(digits)?, 16)?)
    }
}

/// A number as an export has it: with a point or an exponent it is a real.
///
/// # Errors
///
/// If it is none, or has more than 64 bits.
pub(crate) fn number(digits: &[u8]) -> Result<Field> {
    if !digits.iter().any(|byte| b".eE".contains(byte)) {
        return Ok(Field::Integer(integer(digits)?));
    }
    let digits = std::str::from_utf8(digits)?;
    let real: f64 = digits.parse().with_context(|| format!("`{digits}` is not a real number"))?;
    ensure!(real.is_finite(), "`{digits}` is out of range for a real number");
    Ok(Field::Real(real))
}

fn integer(digits: &[u8]) -> Result<i64> {
    let digits = std::str::from_utf8(digits)?;
    digits.parse().with_context(|| format!("`{digits}` is not a 64-bit integer"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cell::Value;
    use crate::fields::Row;
    use crate::json;
    use crate::sink::Sink;

    impl Cursor<'_> {
        fn value(&mut self) -> Result<Value> {
            let mut fields = Fields::default();
            self.field(&mut fields)?;
            let row = Row { table: 0, fields: &fields, bytes: self.bytes };
            Ok(row.cell(0)?.to_value())
        }
    }

    fn written(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut to = Sink::new(&mut bytes);
        json::value(value.as_cell(), &mut to).expect("written");
        to.flush().expect("written");
        drop(to);
        bytes
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let edges = prop_oneof![
            Just((1 << 53) - 1),
            Just(1 << 53),
            Just(-(1 << 53)),
            Just(i64::MIN),
            Just(i64::MAX),
        ];
        let odd_text = ".{0,20}|[\0-\u{a0}\"\\\\ü€𝄞]{0,40}";
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            edges.prop_map(Value::Integer),
            any::<u64>()
                .prop_map(f64::from_bits)
                .prop_filter("SQLite has no NaN", |real| !real.is_nan())
                .prop_map(Value::Real),
            Just(Value::Real(f64::NEG_INFINITY)),
            odd_text.prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::OddText),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Blob),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_to_the_last_bit(value in any_value()) {
            let bytes = written(&value);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(&cursor.value().expect("a value"), &value);
            cursor.end().expect("the end");
            // A control character would be obeyed by a terminal, a line break would end the row.
            let text = std::str::from_utf8(&bytes).expect("UTF-8");
            prop_assert!(!text.chars().any(char::is_control), "{}", text);
            // Others read it too, and integers are never rounded.
            let general: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
            if let Some(integer) = general.as_i64() {
                prop_assert!(integer.unsigned_abs() < 1 << 53);
            }
        }

        #[test]
        fn no_bytes_do_any_harm(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Cursor::new(&bytes).value();
        }

        #[test]
        fn nor_does_damage(
            value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut bytes = written(&value);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Cursor::new(&bytes).value();
            let _ = Cursor::new(&bytes[..at]).value();
        }
    }

    #[test]
    fn a_text_longer_than_a_piece_is_written_whole() {
        for n in [65_535, 65_536, 65_537, 300_000] {
            let value = Value::Text("é\"".repeat(n / 3));
            assert_eq!(Cursor::new(&written(&value)).value().expect("a value"), value);
            let value = Value::Blob(vec![7; n]);
            assert_eq!(Cursor::new(&written(&value)).value().expect("a value"), value);
        }
    }

    #[test]
    fn values_read_like_this() {
        for (value, text) in [
            (Value::Integer(9_007_199_254_740_991), "9007199254740991"),
            (Value::Integer(9_007_199_254_740_992), r#"{"integer":"9007199254740992"}"#),
            (Value::Real(1.0), "1.0"),
            (Value::Real(-0.0), "-0.0"),
            (Value::Real(1e300), "1e300"),
            (Value::Real(f64::INFINITY), r#"{"real":"9e999"}"#),
            (Value::Text("1".to_owned()), "\"1\""),
            (
                Value::Text("\0\r\n\u{1b}\u{7f}\u{85}".to_owned()),
                r#""\u0000\r\n\u001b\u007f\u0085""#,
            ),
            (Value::OddText(vec![0x61, 0xff]), r#"{"text_hex":"61FF"}"#),
            (Value::Blob(Vec::new()), r#"{"blob_hex":""}"#),
        ] {
            assert_eq!(String::from_utf8(written(&value)).expect("text"), text);
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for wrong in [
            "true",
            "[]",
            "nul",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "1e999",
            "9223372036854775808",
            "1.5.5",
            "-",
            "{\"real\":\"1\"}",
            "{\"blob_hex\":\"0\"}",
            "{}",
            "{\"blob_hex\":null}",
            "{\"integer\":\"1.5\"}",
            "\"\n\"",
            "",
        ] {
            let mut cursor = Cursor::new(wrong.as_bytes());
            let read = cursor.value().and_then(|value| cursor.end().map(|()| value));
            assert!(read.is_err(), "{wrong}: {read:?}");
        }
    }
}
