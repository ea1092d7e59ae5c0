//! Whether a column contains the values of another column of the same rows in another form: prices
//! as cents, times as ISO text, a name as part of a longer one, words as codes.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::migrate::verdict::canonical_value::{hash, is_blank, number, text};
use crate::sqlite::value::Value;

/// Factors by which a number is commonly multiplied when its unit changes.
const FACTORS: [f64; 17] = [
    1.0,
    10.0,
    100.0,
    1e3,
    1e4,
    1e6,
    1e9,
    60.0,
    3600.0,
    86400.0,
    1024.0,
    1_048_576.0,
    0.001,
    1e-6,
    0.01,
    0.1,
    -1.0,
];

/// Different words that a code may stand for.
const MAX_CODES: usize = 64;

/// Seconds of a day: a date alone contains no more, and a time zone is less.
const DAY: f64 = 86400.0;

/// The relation between two columns, as far as the rows so far show it.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// Rows in which both have a value.
    n: u64,
    /// Rows in which both have equal values.
    n_same: u64,
    /// For each of [`FACTORS`], whether it explains all rows.
    factors: [bool; FACTORS.len()],
    is_moment: bool,
    is_text: bool,
    codes: Option<Codes>,
}

#[derive(Debug, Clone, Default)]
struct Codes {
    new_of: HashMap<u64, u64>,
    old_of: HashMap<u64, u64>,
}

impl Default for Relation {
    fn default() -> Self {
        Self {
            n: 0,
            n_same: 0,
            factors: [true; FACTORS.len()],
            is_moment: true,
            is_text: true,
            codes: Some(Codes::default()),
        }
    }
}

impl Relation {
    /// Adds one row: the value of the old column, which is not blank, and that of the new one.
    pub(super) fn observe(&mut self, old: &Value, new: &Value) {
        if is_blank(new) {
            return;
        }
        self.n += 1;
        self.n_same += u64::from(old == new);
        let numbers = (number(old), number(new));
        for (is_alive, factor) in self.factors.iter_mut().zip(FACTORS) {
            *is_alive &= matches!(numbers, (Some(old), Some(new)) if is_multiple(old, new, factor));
        }
        self.is_moment = self.is_moment && is_same_moment(old, new);
        self.is_text = self.is_text && is_same_text(&text(old), &text(new));
        if !self.codes.as_mut().is_some_and(|codes| codes.take(old, new)) {
            self.codes = None;
        }
    }

    /// Whether the new column has the values of the old one, in the rows in which it has any.
    #[must_use]
    pub(super) fn holds(&self) -> bool {
        let are_codes = self.codes.as_ref().is_some_and(|codes| {
            let n_codes = codes.new_of.len() as u64;
            // Only repetition shows that a code means a word.
            n_codes >= 2 && self.n >= 2 * n_codes
        });
        self.n > 0 && (self.is_moment || self.is_text || are_codes || self.factors.contains(&true))
    }

    /// Rows in which both have equal values.
    #[must_use]
    pub(super) fn n_same(&self) -> u64 {
        self.n_same
    }

    /// Rows in which both have a value.
    #[must_use]
    pub(super) fn n(&self) -> u64 {
        self.n
    }
}

impl Codes {
    /// Whether each word still has one code, and each code one word.
    fn take(&mut self, old: &Value, new: &Value) -> bool {
        let (old, new) = (hash(text(old)), hash(text(new)));
        *self.new_of.entry(old).or_insert(new) == new
            && *self.old_of.entry(new).or_insert(old) == old
            && self.new_of.len() <= MAX_CODES
    }
}

/// Whether one value may be another in a different form.
#[must_use]
pub(super) fn is_related(old: &Value, new: &Value) -> bool {
    let mut relation = Relation { codes: None, ..Relation::default() };
    relation.observe(old, new);
    relation.holds()
}

/// Whether one number is another times a factor, as precisely as integers show it.
fn is_multiple(old: f64, new: f64, factor: f64) -> bool {
    let exact = old * factor;
    if factor.abs() < 1.0 {
        // A unit so large that a number vanishes in it is not a conversion.
        let is_rounded =
            [exact.trunc(), exact.round(), exact].iter().any(|one| is_close(new, *one));
        return is_rounded && (old == 0.0 || new != 0.0 && exact.abs() >= 1.0);
    }
    let is_cut = old.fract() != 0.0 && new.fract() == 0.0 && (new - exact).abs() < 1.0;
    is_cut && factor > 1.0 || is_close(new, exact)
}

fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

/// Whether two texts have the same letters and digits in some order of their words, or the new one
/// contains the old one.
fn is_same_text(old: &str, new: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (old, new) = (plain(old), plain(new));
    if old.chars().nth(1).is_none() {
        return old == new && !old.is_empty();
    }
    if new.contains(&old) {
        return old.len() > 3 || !old.chars().all(|c| c.is_ascii_digit()) || old == new;
    }
    let sorted = |text: &str| {
        let mut letters: Vec<_> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    old.len() == new.len() && old.len() >= 6 && sorted(&old) == sorted(&new)
}

/// Whether a time in one of the usual forms means the same day as another time, one of them a text.
fn is_same_moment(old: &Value, new: &Value) -> bool {
    let (one, other) = (seconds(old), seconds(new));
    let is_number = |value: &Value| number(value).is_some();
    !(is_number(old) && is_number(new))
        && one.iter().any(|one| other.iter().any(|other| (one - other).abs() <= DAY))
}

/// The times that a value may mean, in seconds since 1970.
fn seconds(value: &Value) -> Vec<f64> {
    if let Some(number) = number(value) {
        // Seconds, milliseconds, microseconds, a Julian day (<https://sqlite.org/lang_datefunc.html>).
        return vec![number, number / 1e3, number / 1e6, (number - 2_440_587.5) * DAY];
    }
    let text = text(value);
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return vec![of_moment(moment.naive_utc())];
    }
    let with_time = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let moments =
        with_time.iter().filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let dates = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y%m%d", "%d %b %Y", "%b %d, %Y"];
    let dates = dates.iter().filter_map(|form| NaiveDate::parse_from_str(text, form).ok());
    let days = dates.filter_map(|date| date.and_hms_opt(0, 0, 0));
    moments.chain(days).map(of_moment).collect()
}

#[expect(clippy::cast_precision_loss, reason = "one day is enough to distinguish")]
fn of_moment(moment: NaiveDateTime) -> f64 {
    moment.and_utc().timestamp() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(Value, Value)], holds: bool) {
        let mut relation = Relation::default();
        for (old, new) in rows {
            relation.observe(old, new);
        }
        assert_eq!(relation.holds(), holds, "{rows:?}");
    }

    #[test]
    fn converted_columns_are_recognised_and_others_are_not() {
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let (int, real) = (Value::Integer, Value::Real);
        check(&[(real(19.99), int(1998)), (real(1.5), int(150))], true);
        check(&[(real(19.99), int(19)), (real(1.5), int(1))], false);
        check(&[(int(1_700_000_000_000), int(1_700_000_000))], true);
        check(&[(int(5), int(0)), (int(3), int(0))], false);
        check(&[(int(5), int(1)), (int(3), int(1))], false);
        check(&[(int(1), int(0)), (int(0), int(0))], false);
        check(&[(int(1_700_000_000), text("2023-11-14T22:13:20Z"))], true);
        check(&[(int(1_700_000_000_000), text("2023-11-14 22:13:20"))], true);
        check(&[(text("14.11.2023"), text("2023-11-14"))], true);
        check(&[(text("14.11.2023"), int(1_699_920_000))], true);
        check(&[(text("Nov 14, 2023"), text("2023-11-14"))], true);
        check(&[(text("14.11.2023"), text("2024-01-01"))], false);
        check(&[(text(" Ada  Lovelace"), text("ada-lovelace"))], true);
        check(
            &[(text("Lovelace"), text("Ada Lovelace")), (text("Hopper"), text("Grace Hopper"))],
            true,
        );
        check(&[(text("ada@example.org"), text("d41d8cd98f00b204"))], false);
        check(&[(text("draft"), int(0)), (text("sent"), int(1))], false);
        let words = ["draft", "sent", "draft", "sent", "draft"];
        let codes: Vec<_> =
            words.iter().map(|word| (text(word), int(i64::from(*word == "sent")))).collect();
        check(&codes, true);
        let constant: Vec<_> = words.iter().map(|word| (text(word), int(0))).collect();
        check(&constant, false);
        check(&[(text("x"), Value::Null)], false);
    }
}
