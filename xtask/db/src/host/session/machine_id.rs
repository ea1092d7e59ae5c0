//! The id of this machine, for the name of the file that it shares: six random hexadecimal digits,
//! created once. They reveal nothing about the machine, its name or its hardware, and are kept in
//! the user's own state folder, never in a repository.
//!
//! A home folder that was copied to another machine takes the digits along: one of the two machines
//! needs new ones, or both would write the same file. [`VARIABLE`] overrides them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::files::publish::{self, Published};
use crate::files::stage::Stage;
use crate::host::session::Session;

/// The variable with the machine's digits, for places where no file can keep them, e.g. a
/// container.
pub(crate) const VARIABLE: &str = "XTASK_DB_MACHINE";

/// How long the user's part of a file name may be.
const MAX_LETTERS: usize = 32;

/// The digits of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine(pub(crate) String);

impl Machine {
    /// Parses the digits; `None` if the text is anything else.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 6 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// This machine's digits if it already has some: those of the environment, else those in the
    /// file.
    #[must_use]
    pub(crate) fn known(session: &Session) -> Option<Self> {
        if let Some(said) = session.text_variable(VARIABLE).filter(|said| !said.is_empty()) {
            return Self::parse(&said);
        }
        let bytes = fs_err::read(place(session)?).ok()?;
        Self::parse(String::from_utf8_lossy(&bytes).trim_end())
    }

    /// Whether a file has the name of one that this machine shares, under whatever user.
    #[must_use]
    pub(crate) fn shares(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.strip_suffix(".jsonl")
            .and_then(|name| name.strip_suffix(&self.0))
            .is_some_and(|user| user.len() > 1 && user.ends_with('_'))
    }

    /// The digits in a file, which is created if it is missing. Of two first runs at once, both get
    /// the digits of one of them.
    ///
    /// # Errors
    ///
    /// A refusal if it contains something else, or cannot be created.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let shown = text::plain(&file.to_string_lossy());
        if fs_err::symlink_metadata(file).is_err() {
            make(file).with_context(|| Refusal {
                what: format!("could not keep this machine's digits in `{shown}`"),
                hint: format!(
                    "set {VARIABLE} to six hexadecimal digits that no other machine uses"
                ),
                exit: Exit::CouldNot,
            })?;
        }
        let bytes = fs_err::read(file).with_context(|| Refusal {
            what: format!("could not read this machine's digits from `{shown}`"),
            hint: format!("make it readable, or set {VARIABLE} to six hexadecimal digits"),
            exit: Exit::CouldNot,
        })?;
        Self::parse(String::from_utf8_lossy(&bytes).trim_end()).ok_or_else(|| {
            Refusal::could_not(
                format!("`{shown}` does not contain the six hexadecimal digits of this machine"),
                "remove it, and the next run creates new ones; a file that was shared before keeps \
                 its name",
            )
        })
    }
}

fn make(file: &Path) -> Result<()> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        anyhow::bail!("`{}` is not a file", file.display());
    };
    publish::create_folders(folder)?;
    let stage = Stage::create(folder, &name.to_string_lossy())?;
    stage.append(format!("{:06x}\n", publish::random() & 0xff_ffff).as_bytes())?;
    stage.sync()?;
    match stage.publish(file)? {
        Published::Yes => publish::sync_folder(folder),
        // Another run was first: its digits are this machine's.
        Published::NameTaken => Ok(()),
    }
}

/// The path of the digits.
#[must_use]
pub(crate) fn place(session: &Session) -> Option<PathBuf> {
    Some(session.state_folder()?.join("machine"))
}

/// The user's part of the file's name: never an address, a domain or a path.
#[must_use]
pub(crate) fn user(login: Option<&str>) -> String {
    let login = login.unwrap_or_default();
    let login = login.rsplit('\\').next().unwrap_or_default();
    let login = login.split('@').next().unwrap_or_default().to_lowercase();
    let letters = login.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let letters: String = letters.take(MAX_LETTERS).collect();
    match letters.trim_matches('-') {
        "" => "user".to_owned(),
        letters => letters.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_user_s_name_is_made_fit_for_a_file_and_gives_no_address_away() {
        for (login, expected) in [
            (Some("ada"), "ada"),
            (Some("Ada.Lovelace"), "ada-lovelace"),
            (Some("ada@corp.example"), "ada"),
            (Some("CORP\\ada"), "ada"),
            (Some("../../etc/passwd"), "etc-passwd"),
            (Some("käthe"), "k-the"),
            (Some("@corp.example"), "user"),
            (Some(""), "user"),
            (Some("..."), "user"),
            (None, "user"),
        ] {
            assert_eq!(user(login), expected, "{login:?}");
        }
        assert_eq!(user(Some(&"a".repeat(100))).len(), MAX_LETTERS);
    }

    #[test]
    fn a_machine_knows_its_own_files_by_their_names() {
        let machine = Machine::parse("3f2a1b").expect("digits");
        for (name, expected) in [
            ("shared/ada_3f2a1b.jsonl", true),
            ("root_3f2a1b.jsonl", true),
            ("ada_3f2a1c.jsonl", false),
            ("_3f2a1b.jsonl", false),
            ("3f2a1b.jsonl", false),
            ("ada3f2a1b.jsonl", false),
            ("ada_3f2a1b.json", false),
        ] {
            assert_eq!(machine.shares(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_digits_are_made_once_whoever_comes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a/b/machine");
        let all: Vec<Machine> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| Machine::of(&file))).collect();
            runs.into_iter().map(|run| run.join().expect("run").expect("digits")).collect()
        });
        assert!(all.iter().all(|machine| *machine == all[0]), "{all:?}");
        assert_eq!(Machine::of(&file).expect("digits"), all[0]);
        let mode = fs_err::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs_err::read_dir(folder.path().join("a/b")).expect("a folder").count(), 1);
    }

    #[test]
    fn anything_else_in_the_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("machine");
        for wrong in ["", "12345", "1234567", "ABCDEF", "../../", "12\n34\n", "12345g"] {
            fs_err::write(&file, wrong).expect("written");
            assert!(Machine::of(&file).is_err(), "{wrong:?}");
        }
    }
}
