//! The commands that print the stream of a snapshot: all of it, or what is new since an earlier one.

use std::ffi::OsString;

use crate::bundle::manifest::Sender;
use crate::bundle::snapshots::name::Name;
use crate::bundle::snapshots::volume::{Volume, named, snapshots_in};

/// What a command that sends has in the place of the snapshot that the stream builds on; nothing is there if it is a full one.
const PLACE_OF_PARENT: &str = "{parent}";

impl Volume {
    /// What sends its streams.
    #[must_use]
    pub(crate) fn sender(&self) -> Sender {
        match self {
            Self::Dataset(_) => Sender::Zfs,
            Self::Subvolume(_) => Sender::Btrfs,
            Self::Commands { .. } => Sender::Commands,
        }
    }

    /// Whether it can be sent.
    #[must_use]
    pub(crate) fn can_be_sent(&self) -> bool {
        !matches!(self, Self::Commands { send, .. } if send.is_empty())
    }

    /// Whether a stream of it can build on an earlier snapshot.
    #[must_use]
    pub(crate) fn can_build_on_another(&self) -> bool {
        match self {
            Self::Dataset(_) | Self::Subvolume(_) => true,
            Self::Commands { send, .. } => send.iter().any(|word| word.contains(PLACE_OF_PARENT)),
        }
    }

    /// The command that prints the stream of a snapshot.
    #[must_use]
    pub(crate) fn send(&self, name: Name, parent: Option<Name>) -> Vec<OsString> {
        match self {
            Self::Dataset(dataset) => {
                let snapshot = |name: Name| OsString::from(format!("{dataset}@{name}"));
                let mut words: Vec<OsString> = ["zfs", "send"].map(Into::into).into();
                words.extend(parent.into_iter().flat_map(|name| ["-i".into(), snapshot(name)]));
                words.push(snapshot(name));
                words
            }
            Self::Subvolume(path) => {
                let snapshot = |name: Name| snapshots_in(path).join(name.to_string()).into();
                let mut words: Vec<OsString> = ["btrfs", "send"].map(Into::into).into();
                words.extend(parent.into_iter().flat_map(|name| ["-p".into(), snapshot(name)]));
                words.push(snapshot(name));
                words
            }
            Self::Commands { send, .. } => {
                let parent = parent.map(|name| name.to_string()).unwrap_or_default();
                let words = named(send, name).into_iter();
                words.map(|word| word.replace(PLACE_OF_PARENT, &parent).into()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_stream_is_full_or_builds_on_a_parent() {
        let (old, new) = ("xtask-db_2025-09-12_142530", "xtask-db_2025-09-13_142530");
        let [parent, name] = [old, new].map(|name| Name::parse(name).expect("a name"));
        let send = ["sh", "-c", "send \"$1\"", "-", "{name}", "{parent}"].map(str::to_owned).into();
        let (make, remove, notes) = (Vec::new(), Vec::new(), PathBuf::new());
        let commands = Volume::Commands { make, remove, send, notes };
        let dataset = Volume::Dataset("zroot/app".to_owned());
        let subvolume = Volume::Subvolume("/srv".into());
        for (volume, full, built) in [
            (
                &dataset,
                format!("zfs send zroot/app@{new}"),
                format!("zfs send -i zroot/app@{old} zroot/app@{new}"),
            ),
            (
                &subvolume,
                format!("btrfs send /srv/.xtask-db-snapshots/{new}"),
                format!(
                    "btrfs send -p /srv/.xtask-db-snapshots/{old} /srv/.xtask-db-snapshots/{new}"
                ),
            ),
            (
                &commands,
                format!("sh -c send \"$1\" - {new} "),
                format!("sh -c send \"$1\" - {new} {old}"),
            ),
        ] {
            assert_eq!(volume.send(name, None).join(OsStr::new(" ")), *full);
            assert_eq!(volume.send(name, Some(parent)).join(OsStr::new(" ")), *built);
            assert!(volume.can_be_sent() && volume.can_build_on_another());
        }
    }
}
