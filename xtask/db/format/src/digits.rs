//! Numbers and bytes as digits, written without detours: there are millions of them in an export.

use std::io::Write as _;

/// Appends an integer.
pub(crate) fn integer(value: i64, to: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        to.push(b'-');
    }
    to.extend_from_slice(&digits[at..]);
}

/// Appends the shortest digits that mean just this finite real; a point or an exponent is among them.
pub(crate) fn real(value: f64, to: &mut Vec<u8>) {
    // Writing into memory never fails.
    let _ = write!(to, "{value:?}");
}

/// Appends bytes as two hexadecimal digits each.
pub(crate) fn hex(bytes: &[u8], to: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    to.reserve(2 * bytes.len());
    for byte in bytes {
        to.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Reads bytes from two hexadecimal digits each; `None` where they are none.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_everybody_writes_them() {
        for value in [0, 7, -7, 10, i64::MAX, i64::MIN, 1 << 53] {
            let mut text = Vec::new();
            integer(value, &mut text);
            assert_eq!(String::from_utf8(text).expect("digits"), value.to_string());
        }
    }

    #[test]
    fn hexadecimal_digits_are_read_back() {
        for bytes in [&[][..], &[0, 0xff, 0x7f]] {
            let mut text = Vec::new();
            hex(bytes, &mut text);
            assert_eq!(
                from_hex(std::str::from_utf8(&text).expect("digits")).as_deref(),
                Some(bytes)
            );
        }
        for wrong in ["0", "0g", "é", "00 "] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
