//! The reference that is printed for each backup of a list.
//!
//! It can be typed and means the backup beside it, whatever else is in the folder. A number
//! (`latest~2`) is only shown as well, because the next checkpoint changes it.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use crate::backups::backup::Backup;
use crate::backups::reference::field::{Field, Order};
use crate::console::text;

/// The references to print for one backup. Most names can be typed as they are, and are not stored
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    /// Another reference to the backup, if its name cannot be typed as it is shown.
    instead: Option<Box<str>>,
    /// A number that means it until the next backup is taken.
    pub number: Option<Number>,
}

/// `latest~N` or `safety~N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// The nth of those that are not safety backups.
    Latest(u32),
    /// The nth safety backup.
    Safety(u32),
}

impl Printed {
    /// The reference to type for `backup`, for which this was made.
    #[must_use]
    pub(crate) fn reference(&self, backup: &Backup) -> String {
        self.instead.as_deref().map_or_else(|| backup.name.to_string(), str::to_owned)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, n) = match self {
            Self::Latest(n) => ("latest", n),
            Self::Safety(n) => ("safety", n),
        };
        if *n == 0 { f.write_str(word) } else { write!(f, "{word}~{n}") }
    }
}

/// The references to print for all backups of a field, in their order.
#[must_use]
pub(crate) fn all(field: &Field<'_>) -> Vec<Printed> {
    let mut printed = Vec::with_capacity(field.all.len());
    let mut numbers = Numbers::of(field);
    let times = Times { all: field.all, n_of: OnceCell::new() };
    for backup in field.all {
        printed.push(Printed { instead: times.instead(backup), number: numbers.next(backup) });
    }
    printed
}

/// The numbers of the backups that have one: those of this worktree, if one database is meant.
struct Numbers<'a> {
    ordinary: Counted<'a>,
    safety: Counted<'a>,
}

/// Backups in the order of the field, and how many of them have their number.
struct Counted<'a> {
    left: std::vec::IntoIter<&'a Backup>,
    n: u32,
}

impl<'a> Numbers<'a> {
    fn of(field: &Field<'a>) -> Self {
        let own = if field.names_only() { Vec::new() } else { field.own() };
        let Order { ordinary, safety } = Order::of(&own, field.now);
        let counted = |backups: Vec<&'a Backup>| Counted { left: backups.into_iter(), n: 0 };
        Self { ordinary: counted(ordinary), safety: counted(safety) }
    }

    /// The number of the next backup of the field.
    fn next(&mut self, backup: &Backup) -> Option<Number> {
        let latest = self.ordinary.next(backup).map(Number::Latest);
        latest.or_else(|| self.safety.next(backup).map(Number::Safety))
    }
}

impl Counted<'_> {
    fn next(&mut self, backup: &Backup) -> Option<u32> {
        let is_next = self.left.as_slice().first().is_some_and(|next| std::ptr::eq(*next, backup));
        is_next.then(|| {
            self.left.next();
            self.n += 1;
            self.n - 1
        })
    }
}

/// How often each time occurs in the folder; counted when it is asked for.
struct Times<'a> {
    all: &'a [Backup],
    n_of: OnceCell<HashMap<String, usize>>,
}

impl Times<'_> {
    fn n_of(&self, time: &str) -> usize {
        let count = || {
            let mut times = HashMap::new();
            for backup in self.all {
                *times.entry(backup.name.time_text()).or_default() += 1;
            }
            times
        };
        self.n_of.get_or_init(count).get(time).copied().unwrap_or_default()
    }

    /// The time or the code, if a terminal cannot show the name or a command would read it as a flag.
    fn instead(&self, backup: &Backup) -> Option<Box<str>> {
        let name = backup.name.to_string();
        if text::plain(&name) == name && !name.starts_with('-') {
            return None;
        }
        let time = backup.name.time_text();
        let is_enough = self.n_of(&time) == 1 && backup.whose.is_ours();
        Some(if is_enough { time } else { code(&name) }.into())
    }
}

/// A code that can be typed for a name that cannot, e.g. `name:1f3a9c2b`.
#[must_use]
pub(super) fn code(name: &str) -> String {
    format!("name:{}", &blake3::hash(name.as_bytes()).to_hex()[..12])
}
