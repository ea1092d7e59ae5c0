//! A place in a JSON document (RFC 6901).

use std::fmt;

use anyhow::{Result, bail, ensure};

/// A JSON pointer, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer {
    /// The names and numbers on the way, as they are in the document.
    pub steps: Vec<String>,
}

impl Pointer {
    /// Reads a pointer: nothing for the document itself, else `/` before each step; `~1` is a `/`
    /// in a name and `~0` a `~`.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            bail!(
                "`{text}` is not a JSON pointer: a pointer begins with `/`, or is `''` for the \
                 whole document"
            );
        };
        let steps = rest.split('/').map(|step| {
            let mut pieces = step.split('~').skip(1);
            let is_sound = pieces.all(|piece| piece.starts_with(['0', '1']));
            ensure!(is_sound, "`{text}` is not a JSON pointer: a `~` in a name is written `~0`");
            Ok(step.replace("~1", "/").replace("~0", "~"))
        });
        Ok(Self { steps: steps.collect::<Result<_>>()? })
    }

    /// The place of a member of what is here.
    #[must_use]
    pub fn join(&self, step: &str) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step.to_owned());
        Self { steps }
    }

    /// The first steps.
    #[must_use]
    pub(super) fn up_to(&self, n_steps: usize) -> Self {
        Self { steps: self.steps[..n_steps].to_vec() }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "/{}", step.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

/// The number of an element of an array that a step means, if it can mean one.
#[must_use]
pub(super) fn index(step: &str) -> Option<usize> {
    let is_plain = step.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = step == "0" || !step.starts_with('0');
    step.parse().ok().filter(|_| is_plain && is_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read_as_the_rfc_says() {
        for (text, steps) in [
            ("", &[][..]),
            ("/", &[""]),
            ("/foo", &["foo"]),
            ("/foo/0", &["foo", "0"]),
            ("/a~1b", &["a/b"]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
            ("/ ", &[" "]),
            ("//x", &["", "x"]),
        ] {
            let pointer = Pointer::parse(text).expect("a pointer");
            assert_eq!(pointer.steps, steps, "{text}");
            assert_eq!(pointer.to_string(), text);
        }
        for wrong in ["foo", "#/foo", "/a~", "/a~2b", "$.foo"] {
            assert!(Pointer::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn elements_have_plain_numbers() {
        for (step, number) in [("0", Some(0)), ("12", Some(12)), ("01", None), ("-", None)] {
            assert_eq!(index(step), number, "{step}");
        }
        assert_eq!(index(""), None);
        assert_eq!(index("+1"), None);
        assert_eq!(index("99999999999999999999999"), None);
    }
}
