//! Writes numbers and bytes as digits, without detours: an export has millions of them.

use std::io::Write as _;

/// Appends an integer.
pub(crate) fn integer(value: i64, to: &mut Vec<u8>) {
    to.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
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

/// Appends the bytes that two hexadecimal digits each mean; `None` if they are none.
pub(crate) fn from_hex(digits: &[u8], to: &mut Vec<u8>) -> Option<()> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let begin = to.len();
    to.extend(pairs.iter().map(|[high, low]| {
        VALUES[usize::from(*high)].wrapping_shl(4) | VALUES[usize::from(*low)] & 15
    }));
    if pairs.iter().flatten().any(|digit| VALUES[usize::from(*digit)] > 15) {
        to.truncate(begin);
        return None;
    }
    Some(())
}

/// What each byte means as a hexadecimal digit; 255 for those that are none.
static VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0_u8;
    while value < 16 {
        let digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        values[digit as usize] = value;
        values[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read_back() {
        for bytes in [&[][..], &[0, 0xff, 0x7f]] {
            let mut text = Vec::new();
            hex(bytes, &mut text);
            let mut found = vec![1];
            assert_eq!(from_hex(&text, &mut found), Some(()));
            assert_eq!(found, [&[1], bytes].concat());
        }
        for wrong in ["0", "0g", "é", "00 "] {
            assert_eq!(from_hex(wrong.as_bytes(), &mut Vec::new()), None, "{wrong}");
        }
    }
}
