//! Percent escapes in a URL.

use anyhow::Result;

use crate::console::refusal::Refusal;

/// The text that an escaped one means.
///
/// # Errors
///
/// If an escape is cut short, or the text is not UTF-8; nothing of it is shown.
pub(super) fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(rest.next()).and_then(|high| Some(high * 16 + digit(rest.next())?));
        let byte = value.and_then(|value| u8::try_from(value).ok());
        bytes.push(byte.ok_or_else(wrong)?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn wrong() -> anyhow::Error {
    Refusal::could_not(
        "the URL has a `%` that does not begin an escape",
        "write `%25` for a `%` in a password",
    )
}
