//! Reads `[workspace.metadata.db.bundle]`: what a bundle contains beside the databases, and which snapshots of file systems
//! are taken before it.

use anyhow::{Context, Result, bail};

use super::strict_table::Section;
use crate::console::text;
use crate::host::project::bundle::{Bundle, FULL_EVERY, Item, Means, Snapshots, is_name};
use crate::host::project::policy::Policy;

pub(super) fn read(section: &mut Section) -> Result<Bundle> {
    let mut bundle = Bundle::default();
    let Some(mut section) = section.section("bundle")? else {
        return Ok(bundle);
    };
    bundle.output = section.text("output")?;
    bundle.recipients = section.texts("recipients")?.unwrap_or_default();
    bundle.not_covered = section.texts("not-covered")?.unwrap_or_default();
    if let Some(timeout) = section.text("snapshot-timeout")? {
        bundle.snapshot_timeout = text::parse_duration(&timeout).context("`snapshot-timeout`")?;
    }
    if let Some(mut items) = section.section("items")? {
        for name in items.keys() {
            bundle.items.push(item(&mut items, name)?);
        }
    }
    if let Some(mut all) = section.section("snapshots")? {
        for name in all.keys() {
            bundle.snapshots.push(snapshots(&mut all, name)?);
        }
    }
    section.finish()?;
    Ok(bundle)
}

/// An item: `{ path = ".env", secret = true }`.
fn item(items: &mut Section, name: String) -> Result<Item> {
    let Some(mut section) = items.section(&name)? else {
        bail!("`{name}` in `[{}]` is not a table, e.g. `{{ path = \".env\" }}`", items.place);
    };
    let item = Item {
        path: section.text("path")?,
        secret: section.flag("secret")?.unwrap_or(false),
        rebuild: section.text("rebuild")?,
        name,
    };
    section.finish()?;
    if !is_name(&item.name) {
        bail!(
            "the item `{}` in `[{}]` has another name than letters, digits, `-` and `_`",
            item.name,
            items.place
        );
    }
    Ok(item)
}

/// Snapshots: `{ zfs = ["pool/dataset"], keep = { daily = 14 } }`.
fn snapshots(all: &mut Section, name: String) -> Result<Snapshots> {
    let Some(mut section) = all.section(&name)? else {
        bail!("`{name}` in `[{}]` is not a table", all.place);
    };
    let place = section.place.clone();
    if !is_name(&name) {
        bail!("`[{place}]` has another name than letters, digits, `-` and `_`");
    }
    let (zfs, btrfs) = (section.texts("zfs")?, section.texts("btrfs")?);
    let (make, remove) = (section.command("make")?, section.command("remove")?);
    let send = section.command("send")?;
    let secret = section.flag("secret")?.unwrap_or(true);
    let full_every = section.number("full-every")?.unwrap_or(FULL_EVERY);
    let keep = keep(&mut section)?;
    section.finish()?;
    let has_commands = ![&make, &remove, &send].iter().all(|command| command.is_empty());
    let means = match (zfs, btrfs, has_commands) {
        (Some(datasets), None, false) => Means::Zfs(datasets),
        (None, Some(paths), false) => Means::Btrfs(paths),
        (None, None, true) => Means::Commands { make, remove, send },
        _ => bail!("`[{place}]` needs one of `zfs`, `btrfs`, and `make` with `remove`"),
    };
    demand_fit(&means, &place)?;
    if full_every == 0 {
        bail!("`full-every` in `[{place}]` is 0; with 1, every stream is a full one");
    }
    Ok(Snapshots { name, means, keep, secret, full_every })
}

fn demand_fit(means: &Means, place: &str) -> Result<()> {
    let has_name = |command: &[String]| command.iter().any(|word| word.contains("{name}"));
    match means {
        Means::Zfs(datasets) => {
            if let Some(wrong) = datasets.iter().find(|dataset| !is_dataset(dataset)) {
                bail!("`{wrong}` in `[{place}]` is not a ZFS dataset, e.g. `zroot/app`");
            }
        }
        Means::Btrfs(paths) => {
            if paths.iter().any(String::is_empty) {
                bail!("`btrfs` in `[{place}]` has an empty path");
            }
        }
        Means::Commands { make, remove, send } => {
            if !has_name(make) || !has_name(remove) {
                bail!("`[{place}]` needs `{{name}}` among the words of both `make` and `remove`");
            }
            if !send.is_empty() && !has_name(send) {
                bail!("`send` in `[{place}]` needs `{{name}}` among its words");
            }
        }
    }
    let is_empty = match means {
        Means::Zfs(list) | Means::Btrfs(list) => list.is_empty(),
        Means::Commands { .. } => false,
    };
    if is_empty {
        bail!("`[{place}]` names nothing to take a snapshot of");
    }
    Ok(())
}

/// Which snapshots are kept.
fn keep(section: &mut Section) -> Result<Policy> {
    let mut policy = Policy::default();
    let Some(mut section) = section.section("keep")? else {
        return Ok(policy);
    };
    for (key, field) in [
        ("hourly", &mut policy.hourly),
        ("daily", &mut policy.daily),
        ("monthly", &mut policy.monthly),
    ] {
        *field = section.number(key)?.unwrap_or(0);
    }
    let place = section.place.clone();
    section.finish()?;
    if policy.is_empty() {
        bail!("`[{place}]` would keep nothing: leave it out to keep all snapshots");
    }
    Ok(policy)
}

/// As ZFS allows (`man zfs`): it cannot be taken for an option or for a snapshot.
fn is_dataset(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.:/ ".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Bundle> {
        read(&mut Section::new("db", text.parse()?))
    }

    #[test]
    fn snapshots_are_of_one_kind_and_keep_what_they_say() {
        let bundle = read_text(
            "[bundle.snapshots]\n\
             a = { zfs = ['zroot/app', 'tank'], keep = { hourly = 24, daily = 14, monthly = 3 } }\n\
             b = { btrfs = ['/srv/app'] }\n\
             c = { make = ['mk', '{name}'], remove = ['rm', 'x-{name}'] }\n",
        );
        let snapshots = bundle.expect("a configuration").snapshots;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let keep = Policy { hourly: 24, daily: 14, monthly: 3, ..Policy::default() };
        assert_eq!(snapshots[0].keep, keep);
        assert_eq!(snapshots[0].means, Means::Zfs(words(&["zroot/app", "tank"])));
        assert_eq!(snapshots[1].means, Means::Btrfs(words(&["/srv/app"])));
        assert!(snapshots[1].keep.is_empty());
        let (make, remove) = (words(&["mk", "{name}"]), words(&["rm", "x-{name}"]));
        assert_eq!(snapshots[2].means, Means::Commands { make, remove, send: Vec::new() });
        assert!(snapshots.iter().all(|one| one.secret && one.full_every == FULL_EVERY));
    }

    #[test]
    fn snapshots_that_cannot_be_meant_are_refused() {
        for (table, expected) in [
            ("{ }", "needs one of `zfs`, `btrfs`, and `make` with `remove`"),
            ("{ zfs = ['a'], btrfs = ['/b'] }", "needs one of"),
            ("{ zfs = ['a'], make = ['b', '{name}'] }", "needs one of"),
            ("{ zfs = [] }", "names nothing"),
            ("{ zfs = ['-r'] }", "not a ZFS dataset"),
            ("{ zfs = ['a@b'] }", "not a ZFS dataset"),
            ("{ btrfs = [''] }", "an empty path"),
            ("{ make = ['b', '{name}'] }", "both `make` and `remove`"),
            ("{ make = ['b'], remove = ['b', '{name}'] }", "both `make` and `remove`"),
            ("{ zfs = ['a'], send = ['b', '{name}'] }", "needs one of"),
            ("{ make = ['b', '{name}'], remove = ['b', '{name}'], send = ['b'] }", "`send` in"),
            ("{ zfs = ['a'], full-every = 0 }", "every stream is a full one"),
            ("{ zfs = ['a'], secret = 'no' }", "`true` or `false`"),
            ("{ zfs = ['a'], kep = 1 }", "unknown key `kep`"),
            ("{ zfs = ['a'], keep = { weekly = 1 } }", "unknown key `weekly`"),
            ("{ zfs = ['a'], keep = { daily = 0 } }", "would keep nothing"),
            ("{ zfs = ['a'], keep = { daily = -1 } }", "a number of 0 or more"),
            ("{ zfs = 'a' }", "a list of strings"),
            ("1", "not a table"),
        ] {
            let error = read_text(&format!("[bundle.snapshots]\na = {table}\n"));
            let error = format!("{:#}", error.expect_err(table));
            assert!(error.contains(expected), "{table}: {error}");
        }
    }
}
