//! How a stream is received: the command to be typed, which this program never runs.

use std::path::Path;

use crate::bundle::manifest::{Sender, Stream};
use crate::bundle::snapshots::volume::Volume;
use crate::console::text;

/// The lines that say how to receive an extracted stream. It goes to the `volume` that is configured here under the stream's
/// name, never to a place from the bundle.
#[must_use]
pub(crate) fn lines(stream: &Stream, volume: Option<&Volume>, file: &Path) -> Vec<String> {
    let snapshot = &stream.snapshot;
    let from = text::shell(&file.display().to_string());
    let mut lines = Vec::new();
    if let Some(parent) = &stream.parent {
        lines.push(format!(
            "first {} from {}, which it builds on",
            text::plain(&parent.snapshot),
            text::plain(&parent.bundle)
        ));
    }
    match (stream.sender, volume) {
        (Sender::Zfs, volume) => {
            let dataset = match volume {
                Some(Volume::Dataset(dataset)) => dataset,
                _ => "POOL/DATASET",
            };
            let beside = text::shell(&format!("{dataset}.restored"));
            lines.push(format!("`zfs receive -u {beside} < {from}`"));
            lines.push(format!("then `zfs rename {beside} {}`", text::shell(dataset)));
        }
        (Sender::Btrfs, Some(Volume::Subvolume(path))) => {
            let folder = path.parent().unwrap_or(path);
            let received = folder.join(snapshot).display().to_string();
            let (folder, path) = (folder.display().to_string(), path.display().to_string());
            let [folder, received, beside, path] =
                [&folder, &received, &format!("{path}.restored"), &path]
                    .map(|path| text::shell(path));
            lines.push(format!("`btrfs receive {folder} < {from}`"));
            lines.push(format!(
                "then `btrfs subvolume snapshot {received} {beside}`, and put it in the place of {path}"
            ));
        }
        (Sender::Btrfs, _) => lines.push(format!("`btrfs receive FOLDER < {from}`")),
        (Sender::Commands, _) => {
            lines.push(format!(
                "{from} is what the configured `send` printed: its program knows the way"
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::manifest::Parent;

    fn check(sender: Sender, volume: Option<&Volume>, expected: &[&str]) {
        let parent = Parent {
            snapshot: "xtask-db_2025-09-12_142530".to_owned(),
            bundle: "app.2025-09-12_142530.tar.zst".to_owned(),
        };
        let snapshot = "xtask-db_2025-09-13_142530".to_owned();
        let stream = Stream { sender, snapshot, parent: Some(parent) };
        let found = lines(&stream, volume, Path::new("/a b/stream"));
        let first = "first xtask-db_2025-09-12_142530 from app.2025-09-12_142530.tar.zst, which it builds on";
        assert_eq!(found, [&[first], expected].concat());
        let full = lines(&Stream { parent: None, ..stream }, volume, Path::new("/a b/stream"));
        assert_eq!(full, expected);
    }

    #[test]
    fn each_kind_has_its_command_and_the_place_is_the_one_that_is_configured() {
        let dataset = Volume::Dataset("zroot/my app".to_owned());
        let subvolume = Volume::Subvolume("/srv/uploads".into());
        check(
            Sender::Zfs,
            Some(&dataset),
            &[
                "`zfs receive -u 'zroot/my app.restored' < '/a b/stream'`",
                "then `zfs rename 'zroot/my app.restored' 'zroot/my app'`",
            ],
        );
        check(
            Sender::Btrfs,
            Some(&subvolume),
            &[
                "`btrfs receive /srv < '/a b/stream'`",
                "then `btrfs subvolume snapshot /srv/xtask-db_2025-09-13_142530 /srv/uploads.restored`, \
                 and put it in the place of /srv/uploads",
            ],
        );
        // By now, another kind is configured.
        for volume in [None, Some(&dataset)] {
            check(Sender::Btrfs, volume, &["`btrfs receive FOLDER < '/a b/stream'`"]);
        }
        for volume in [None, Some(&subvolume)] {
            check(
                Sender::Zfs,
                volume,
                &[
                    "`zfs receive -u POOL/DATASET.restored < '/a b/stream'`",
                    "then `zfs rename POOL/DATASET.restored POOL/DATASET`",
                ],
            );
        }
    }
}
