//! What to type for each backup of a list.
//!
//! What is printed as a reference can be typed and means the backup that it stands beside, whatever
//! else the folder holds. A number (`latest~2`) stands beside it only: the next checkpoint moves it.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::{Field, Order};
use crate::backup::Backup;
use crate::text;

/// What to type for one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    /// Its name, or what else means it where its name cannot be typed as it is shown.
    pub reference: String,
    /// `latest~N` or `safety~N`, which means it until the next backup is taken.
    pub number: Option<String>,
}

/// What to type for all backups of a field, in their order.
#[must_use]
pub(crate) fn all(field: &Field<'_>) -> Vec<Printed> {
    let mut numbers = numbers(field);
    let times = Times { all: field.all, n_of: OnceCell::new() };
    let printed = field.all.iter().map(|backup| Printed {
        reference: times.reference(backup),
        number: numbers.remove(&backup.name),
    });
    printed.collect()
}

/// The numbers of those that have one: of this worktree, where one database is meant.
fn numbers<'a>(field: &Field<'a>) -> HashMap<&'a crate::name::Name, String> {
    if field.names_only() {
        return HashMap::new();
    }
    let Order { ordinary, safety } = Order::of(&field.own(), field.now);
    let number = |word: &str, n: usize| match n {
        0 => word.to_owned(),
        n => format!("{word}~{n}"),
    };
    let latest = ordinary.into_iter().enumerate().map(|(n, b)| (&b.name, number("latest", n)));
    let safety = safety.into_iter().enumerate().map(|(n, b)| (&b.name, number("safety", n)));
    latest.chain(safety).collect()
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

    /// The name; where a terminal cannot show it or a command would read it as a flag, the time or
    /// the code.
    fn reference(&self, backup: &Backup) -> String {
        let name = backup.name.to_string();
        if text::plain(&name) == name && !name.starts_with('-') {
            return name;
        }
        let time = backup.name.time_text();
        if self.n_of(&time) == 1 && backup.whose.is_ours() { time } else { code(&name) }
    }
}

/// Letters that anybody can type for a name that nobody can, e.g. `name:1f3a9c2b`.
#[must_use]
pub(super) fn code(name: &str) -> String {
    format!("name:{}", &blake3::hash(name.as_bytes()).to_hex()[..12])
}
