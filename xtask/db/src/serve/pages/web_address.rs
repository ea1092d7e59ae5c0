//! Paths and queries of links.

use std::fmt::Write as _;

/// Text as one segment of a path, or one value of a query.
#[must_use]
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The page of a backup.
#[must_use]
pub(crate) fn backup(name: &str) -> String {
    format!("/backups/{}", encode(name))
}

/// The difference between a backup and another one, or `live`.
#[must_use]
pub(crate) fn diff(name: &str, with: &str) -> String {
    format!("/backups/{}/diff?with={}", encode(name), encode(with))
}

/// The page of a job.
#[must_use]
pub(crate) fn job(id: &str) -> String {
    format!("/jobs/{}", encode(id))
}

/// The page of a plan.
#[must_use]
pub(crate) fn receipt(id: &str) -> String {
    format!("/receipts/{}", encode(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_characters_stay_as_they_are() {
        assert_eq!(
            backup("kalito.db.2026-11-30_211000.pages"),
            "/backups/kalito.db.2026-11-30_211000.pages"
        );
        assert_eq!(encode("a b/ä&"), "a%20b%2F%C3%A4%26");
    }
}
