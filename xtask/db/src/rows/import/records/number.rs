//! Numbers as people and tools write them: which texts are numbers, and which would change if a
//! column stored them as one.

pub(super) const LEADING_ZEROS: &str =
    "stores numbers, which have no leading zeros; a TEXT column keeps them";
pub(super) const PLUS_SIGN: &str =
    "stores numbers, which have no plus sign; a TEXT column keeps it";
pub(super) const EXPONENT: &str =
    "would store another spelling of that number; a TEXT column keeps it as it is";

/// No real has more significant digits, written out in full.
const MAX_DIGITS: usize = 767;

/// How to handle a text in exponent form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exponent {
    /// The column is for such numbers.
    Kept,
    /// The text might be a hash or an identifier.
    Lost,
}

/// A text without the blanks around it that SQLite passes over.
pub(super) fn digits(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}')
}

/// Whether a text is a number: digits, with a point and an exponent perhaps.
pub(super) fn is_number(text: &str) -> bool {
    let is_of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(is_of_number)
        && text.parse::<f64>().is_ok()
}

/// Why a text that looks like a number is more than the number, as in "… stores numbers".
pub(super) fn loss(digits: &str, exponent: Exponent) -> Option<&'static str> {
    if !is_number(digits) {
        return None;
    }
    let whole = digits.strip_prefix('-').unwrap_or(digits);
    match whole.as_bytes() {
        [b'+', ..] => Some(PLUS_SIGN),
        [b'0', b'0'..=b'9', ..] => Some(LEADING_ZEROS),
        _ if exponent == Exponent::Lost && digits.contains(['e', 'E']) => Some(EXPONENT),
        _ => None,
    }
}

/// Whether a decimal fraction equals its nearest real, written with as many digits.
pub(super) fn survives(digits: &str) -> bool {
    let Ok(number) = digits.parse::<f64>() else { return false };
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let written: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let written = written.trim_matches('0');
    if written.is_empty() {
        return true;
    }
    if written.len() > MAX_DIGITS {
        return false;
    }
    let shown = format!("{number:.*e}", written.len() - 1);
    let shown = shown.split('e').next().unwrap_or_default();
    shown.chars().filter(char::is_ascii_digit).eq(written.chars())
}

/// The nearest real; a whole number must be exact.
pub(super) fn real(digits: &str) -> Result<f64, &'static str> {
    let number = digits.parse::<f64>().ok().filter(|_| is_number(digits));
    let number = number.ok_or("accepts only numbers")?;
    if !number.is_finite() {
        return Err("cannot store a number that large");
    }
    // A decimal fraction has a nearest real, which it means; a whole number means itself.
    let is_whole = !digits.contains(['.', 'e', 'E']);
    let is_it = |whole: i128| format!("{number:.0}").parse() == Ok(whole);
    if is_whole && !digits.parse().is_ok_and(is_it) {
        return Err("stores real numbers, which cannot represent this integer");
    }
    Ok(number)
}

/// An integer that is written in any way: `3`, `3.0`, `3e2`.
pub(super) fn integer(digits: &str) -> Result<i64, &'static str> {
    const NOT_ONE: &str = "accepts only integers";
    if !is_number(digits) {
        return Err(NOT_ONE);
    }
    let (is_negative, rest) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let written = format!("{whole}{fraction}");
    let significant = written.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // An exponent beyond 32 bits is beyond 64 bits of value too, or no integer.
    let exponent: i32 = exponent.parse().map_err(|_| NOT_ONE)?;
    let n_dropped = i64::try_from(written.len() - significant.len()).unwrap_or(i64::MAX);
    let n_fraction = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let n_zeros = i64::from(exponent) + n_dropped - n_fraction;
    let n_zeros = usize::try_from(n_zeros).map_err(|_| NOT_ONE)?;
    let significant = significant.trim_start_matches('0');
    if significant.len() + n_zeros > 19 {
        return Err("accepts only 64-bit integers");
    }
    let sign = if is_negative { "-" } else { "" };
    let zeros = "0".repeat(n_zeros);
    format!("{sign}{significant}{zeros}").parse().map_err(|_| "accepts only 64-bit integers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_survives_where_its_real_shows_the_same_digits() {
        for digits in ["0.1", "1.50", "0.10000000000000001", "0.0", "3.0", "1e300", "0.5000"] {
            assert!(survives(digits), "{digits}");
        }
        for digits in ["12345678901234567.89", "0.1234567890123456789"] {
            assert!(!survives(digits), "{digits}");
        }
        assert!(!survives(&format!("0.{}", "7".repeat(100_000))), "and nothing panics");
    }
}
