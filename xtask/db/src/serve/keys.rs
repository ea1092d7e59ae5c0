//! What a browser or a script must know to be let in.
//!
//! A browser comes with the address that the terminal printed: its token can be used once and is exchanged for a cookie.
//! A script has the token of a file that only its owner can read.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// How many random bytes are in a key: 128 bits.
const KEY_BYTES: usize = 16;
/// How many browsers stay let in: the one that came first is forgotten.
const MAX_BROWSERS: usize = 16;

/// The keys of one run of the server.
pub(crate) struct Keys {
    bearer: Key,
    browsers: Mutex<Browsers>,
}

struct Browsers {
    /// The token of the printed address, until it is used.
    invitation: Key,
    cookies: Vec<Key>,
}

/// A secret, written as 32 hexadecimal digits.
#[derive(Clone)]
pub(crate) struct Key(String);

impl Key {
    /// A new one.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub(crate) fn random() -> Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        let mut source = fs_err::File::open("/dev/urandom")?;
        source.read_exact(&mut bytes).context("could not read random bytes")?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// The digits.
    #[must_use]
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }

    /// Whether a text is this key, in a time that does not depend on how much of it is right.
    #[must_use]
    pub(crate) fn is(&self, text: &str) -> bool {
        // Equal hashes of a keyed function: their comparison tells nothing of the texts, and blake3 compares them in constant time.
        blake3::hash(self.0.as_bytes()) == blake3::hash(text.as_bytes())
    }
}

impl Keys {
    /// New keys.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub(crate) fn random() -> Result<Self> {
        let browsers = Browsers { invitation: Key::random()?, cookies: Vec::new() };
        Ok(Self { bearer: Key::random()?, browsers: Mutex::new(browsers) })
    }

    /// The token for scripts.
    #[must_use]
    pub(crate) fn bearer(&self) -> &Key {
        &self.bearer
    }

    /// The token of the address that lets the next browser in.
    #[must_use]
    pub(crate) fn invitation(&self) -> Key {
        self.browsers().invitation.clone()
    }

    /// Exchanges the token of the printed address for a cookie; `None` if it is wrong or was used.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub(crate) fn exchange(&self, token: &str) -> Result<Option<Key>> {
        let mut browsers = self.browsers();
        if !browsers.invitation.is(token) {
            return Ok(None);
        }
        let cookie = Key::random()?;
        browsers.invitation = Key::random()?;
        if browsers.cookies.len() == MAX_BROWSERS {
            browsers.cookies.remove(0);
        }
        browsers.cookies.push(cookie.clone());
        Ok(Some(cookie))
    }

    /// Whether a browser was let in with this cookie.
    #[must_use]
    pub(crate) fn knows_cookie(&self, text: &str) -> bool {
        self.browsers().cookies.iter().fold(false, |known, cookie| known | cookie.is(text))
    }

    fn browsers(&self) -> std::sync::MutexGuard<'_, Browsers> {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lets_one_browser_in_and_the_next_one_another() {
        let keys = Keys::random().expect("random bytes");
        let first = keys.invitation();
        assert!(keys.exchange("0").expect("random bytes").is_none());
        let cookie = keys.exchange(first.digits()).expect("random bytes").expect("let in");
        assert!(keys.knows_cookie(cookie.digits()) && !keys.knows_cookie(first.digits()));
        assert!(keys.exchange(first.digits()).expect("random bytes").is_none());
        let second = keys.invitation();
        assert!(keys.exchange(second.digits()).expect("random bytes").is_some());
        assert!(keys.knows_cookie(cookie.digits()) && !keys.knows_cookie(""));
        assert_eq!(keys.bearer().digits().len(), 2 * KEY_BYTES);
    }

    #[test]
    fn the_browser_that_came_first_is_forgotten_first() {
        let keys = Keys::random().expect("random bytes");
        let enter = || {
            let exchanged = keys.exchange(keys.invitation().digits()).expect("random bytes");
            exchanged.expect("let in")
        };
        let first = enter();
        let second = enter();
        for _ in 0..MAX_BROWSERS - 1 {
            enter();
        }
        assert!(!keys.knows_cookie(first.digits()) && keys.knows_cookie(second.digits()));
    }
}
