//! `--with-snapshots`: the streams of snapshots in bundles, what they build on, and what a restore does with them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bundle::installation::{PASSPHRASE, passphrase};
use crate::bundle::volumes::{Disk, Host};
use crate::support::sandbox::Said;

const OPEN: [&str; 2] = ["--passphrase-file", "../passphrase"];

fn json(said: &Said) -> Value {
    assert_eq!(said.code, Some(0), "{said:#?}");
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:#?}"))
}

/// A host with ZFS and a passphrase.
fn host(snapshots: &str) -> Host {
    let host = Host::with_zfs(snapshots);
    passphrase(&host.sandbox);
    host
}

impl Host {
    /// Creates a bundle with streams, and returns the document.
    fn send(&self) -> Value {
        json(&self.run(&["db-bundle", "create", "--with-snapshots", "--json", OPEN[0], OPEN[1]]))
    }

    /// The items of a bundle that are streams, as its manifest has them.
    fn streams(&self, bundle: &str) -> Vec<Value> {
        let manifest = json(&self.run(&["db-bundle", "list", bundle, "--json", OPEN[0], OPEN[1]]));
        let items = manifest["items"].as_array().expect("items").clone();
        items.into_iter().filter(|item| item["kind"] == "snapshot").collect()
    }

    /// A path that was printed.
    fn printed(&self, path: &str) -> PathBuf {
        let root = self.sandbox.root().display().to_string();
        PathBuf::from(path.trim_matches('\'').replace("$ROOT", &root))
    }

    /// The bundles in the backups folder, without their records.
    fn bundles(&self) -> Vec<String> {
        let names = self.names();
        names.into_iter().filter(|n| n.contains(".tar.zst") && !n.contains(".json")).collect()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.sandbox.path("backups")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
        let mut names: Vec<_> = names.map(|name| name.expect("UTF-8")).collect();
        names.sort();
        names
    }

    fn zfs_calls(&self, verb: &str) -> Vec<String> {
        let calls = self.text("../bin/zfs.calls");
        let start = format!("zfs {verb} ");
        calls.lines().filter(|line| line.starts_with(&start)).map(Into::into).collect()
    }
}

fn file_of(document: &Value) -> String {
    document["bundle"]["file"].as_str().expect("a name").to_owned()
}

fn snapshot_of(document: &Value) -> String {
    document["snapshots"][0]["name"].as_str().expect("a name").to_owned()
}

#[test]
fn the_first_stream_is_full_and_each_later_one_builds_on_the_last_that_was_sent() {
    let host = host("zfs = [\"zroot/app\", \"tank/media\"]");
    let first = host.send();
    let (file, snapshot) = (file_of(&first), snapshot_of(&first));
    let streams = host.streams(&file);
    assert_eq!(streams.len(), 2, "{streams:#?}");
    let stream = &streams[1];
    assert_eq!(stream["name"], "snapshot-jails-2");
    assert_eq!(stream["place"], "tank/media");
    assert_eq!(stream["secret"], true);
    assert_eq!(stream["stream"], serde_json::json!({ "sender": "zfs", "snapshot": snapshot }));
    let bytes = format!("tank/media@{snapshot} since \n");
    let entry = &stream["entries"][0];
    assert_eq!(entry["blake3"], blake3::hash(bytes.as_bytes()).to_hex().as_str());
    assert_eq!((&entry["size_bytes"], &entry["mode"]), (&bytes.len().into(), &0o600.into()));
    // A bundle without streams between them has a snapshot too, which nothing builds on.
    host.ok(&["db-bundle", "create"]);
    let second = host.send();
    let stream = &host.streams(&file_of(&second))[1]["stream"];
    assert_eq!(stream["parent"], serde_json::json!({ "snapshot": snapshot, "bundle": file }));
    let new = snapshot_of(&second);
    assert_eq!(
        host.zfs_calls("send"),
        [
            format!("zfs send zroot/app@{snapshot}"),
            format!("zfs send tank/media@{snapshot}"),
            format!("zfs send -i zroot/app@{snapshot} zroot/app@{new}"),
            format!("zfs send -i tank/media@{snapshot} tank/media@{new}"),
        ]
    );
    let said = host.ok(&["db-bundle", "list", &file_of(&second), OPEN[0], OPEN[1]]);
    let line = format!("from tank/media@{new}, since {snapshot} in {file}\n");
    assert!(
        said.out.contains(&line) && said.out.contains("  snapshot-jails-1: snapshot, "),
        "{said:#?}"
    );
    // The third builds on the second.
    let third = host.send();
    let stream = &host.streams(&file_of(&third))[0]["stream"];
    assert_eq!(stream["parent"]["bundle"], *file_of(&second));
    host.ok(&["db-bundle", "verify", "latest", "--spot", OPEN[0], OPEN[1]]);
}

#[test]
fn a_stream_is_full_again_if_what_it_would_build_on_is_gone_and_the_reason_is_printed() {
    let host = host("zfs = [\"zroot/app\"]\nfull-every = 3");
    let first = host.send();
    let create = ["db-bundle", "create", "--with-snapshots", OPEN[0], OPEN[1]];
    let snapshot = snapshot_of(&first);
    // The snapshot is gone.
    fs_err::write(host.sandbox.path("../bin/zfs.state"), "").expect("written");
    let said = host.ok(&create);
    let line = format!("the snapshot that was sent last, {snapshot}, is gone\n");
    assert!(said.err.contains(" in full, ") && said.err.contains(&line), "{said:#?}");
    // The bundle is gone.
    let second = host.bundles().pop().expect("a bundle");
    let third = file_of(&host.send());
    fs_err::remove_file(host.sandbox.path(&format!("backups/{second}"))).expect("removed");
    let said = host.ok(&create);
    let line = format!("{second}, which the last stream builds on, is gone\n");
    assert!(said.err.contains(" in full, ") && said.err.contains(&line), "{said:#?}");
    assert!(host.bundles().contains(&third));
    // Enough of them: one in full, two on top of it, and again.
    host.send();
    host.send();
    let said = host.ok(&create);
    assert!(said.err.contains("3 streams were sent since the last full one"), "{said:#?}");
    let said = host.ok(&create);
    assert!(said.err.contains(" since xtask-db_"), "{said:#?}");
    // Another folder has none of them.
    let said = host.ok(&[&create[..], &["--output", "../usb"]].concat());
    assert!(said.err.contains("no bundle in the folder has an earlier stream"), "{said:#?}");
}

#[test]
fn the_snapshot_that_the_next_stream_builds_on_outlives_its_policy() {
    let host = host("zfs = [\"zroot/app\"]\nkeep = { hourly = 1 }");
    let sent = snapshot_of(&host.send());
    host.ok(&["db-bundle", "create"]);
    host.ok(&["db-bundle", "create"]);
    let listed = host.listed();
    assert_eq!((listed.len(), &listed[1]), (2, &sent), "{listed:?}");
    let next = host.send();
    assert_eq!(host.streams(&file_of(&next))[0]["stream"]["parent"]["snapshot"], *sent);
    // From now on, the next one builds on that.
    host.ok(&["db-bundle", "create"]);
    assert!(!host.listed().contains(&sent), "{:?}", host.listed());
}

#[test]
fn a_bundle_that_a_kept_stream_builds_on_is_kept() {
    let host = host("zfs = [\"zroot/app\"]\nfull-every = 3");
    host.sandbox.configure("[workspace.metadata.db.keep]\nlast = 1\n");
    let (first, second) = (file_of(&host.send()), file_of(&host.send()));
    let third = file_of(&host.send());
    assert_eq!(host.bundles(), [&*first, &second, &third]);
    // A full one needs none of them.
    let document = host.send();
    assert_eq!(host.bundles(), [file_of(&document)]);
    let mut removed: Vec<_> = document["removed"].as_array().expect("names").iter().collect();
    removed.sort_by_key(ToString::to_string);
    assert_eq!(removed, [&*first, &second, &third]);
}

#[test]
fn a_stream_is_a_secret_unless_the_configuration_says_otherwise() {
    let host = host("zfs = [\"zroot/app\"]");
    let said = host.run(&["db-bundle", "create", "--with-snapshots"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("secrets without encryption: `snapshot-jails`"), "{said:#?}");
    // Nothing was taken for it.
    assert_eq!(host.listed(), Vec::<String>::new());
    host.ok(&["db-bundle", "create", "--with-snapshots", "--plaintext"]);
    let open = Host::with_zfs("zfs = [\"zroot/app\"]\nsecret = false");
    let said = open.ok(&["db-bundle", "create", "--with-snapshots"]);
    assert!(said.out.contains("not encrypted"), "{said:#?}");
    // The words of a stream are nowhere but in the sealed file.
    let sealed = host.send();
    let record = host.text(&format!("backups/{}.json", file_of(&sealed)));
    assert!(!record.contains("zroot") && record.contains("\"streams\""), "{record}");
    assert!(!record.contains(PASSPHRASE));
}

#[test]
fn a_failing_send_stops_the_bundle_and_leaves_nothing_half() {
    let host = host("zfs = [\"zroot/app\"]");
    host.send();
    let before = host.names();
    host.sandbox.write("../bin/zfs.breaks", "");
    let create = ["db-bundle", "create", "--with-snapshots", OPEN[0], OPEN[1]];
    let said = host.run(&create);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("could not be sent, and no bundle was written"), "{said:#?}");
    assert!(said.err.contains("cannot send: I/O error"), "{said:#?}");
    assert_eq!(host.names(), before);
    fs_err::remove_file(host.sandbox.path("../bin/zfs.breaks")).expect("removed");
    // The next one builds on what was sent, not on the snapshot whose stream failed.
    let next = host.send();
    let sent = &host.streams(&file_of(&next))[0]["stream"]["parent"]["bundle"];
    assert!(before.iter().any(|name| sent == name), "{sent}");
}

#[test]
fn a_create_that_is_killed_while_it_sends_leaves_what_the_next_one_sweeps() {
    let host = host("zfs = [\"zroot/app\"]");
    host.send();
    let before = host.names();
    host.sandbox.write("../bin/zfs.kills", "");
    let said = host.run(&["db-bundle", "create", "--with-snapshots", OPEN[0], OPEN[1]]);
    assert_eq!(said.code, None, "{said:#?}");
    assert_ne!(host.names(), before);
    assert_eq!(host.bundles().len(), 1);
    fs_err::remove_file(host.sandbox.path("../bin/zfs.kills")).expect("removed");
    host.send();
    let after = host.names();
    assert_eq!(after.len(), before.len() + 2, "{after:?}");
    assert_eq!(host.bundles().len(), 2);
    host.ok(&["db-bundle", "verify", "latest", OPEN[0], OPEN[1]]);
}

#[test]
fn a_send_that_prints_nothing_any_more_is_ended() {
    let host =
        host("zfs = [\"zroot/app\"]\n[workspace.metadata.db.bundle]\nsnapshot-timeout = \"1s\"");
    host.sandbox.write("../bin/zfs.hangs", "");
    let said = host.run(&["db-bundle", "create", "--with-snapshots", OPEN[0], OPEN[1]]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("it printed nothing for 1"), "{said:#?}");
    assert_eq!(host.bundles(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_sent_is_refused_before_a_snapshot_is_taken() {
    let pair = "make = [\"mkdir\", \"../made-{name}\"]\nremove = [\"rmdir\", \"../made-{name}\"]";
    for (snapshots, more, expected) in [
        (pair, &[][..], "the snapshots `jails` cannot be sent: they have no `send` command"),
        ("zfs = [\"zroot/app\"]", &["--no-snapshot"], "cannot be used with"),
        (
            "zfs = [\"zroot/app\"]\n[workspace.metadata.db.bundle.items]\nsnapshot-jails = { path = \"Cargo.toml\" }",
            &[],
            "the name of the stream, `snapshot-jails`, is that of an item",
        ),
    ] {
        let host = host(snapshots);
        let create = ["db-bundle", "create", "--with-snapshots", OPEN[0], OPEN[1]];
        let said = host.run(&[&create[..], more].concat());
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains(expected), "{said:#?}");
        assert_eq!(host.listed(), Vec::<String>::new());
    }
}

#[test]
fn a_pair_of_commands_sends_by_a_third_one() {
    let host = Host::new(
        "make = [\"sh\", \"-c\", \"echo $(date) {name} > ../made-{name}\"]\n\
         remove = [\"rm\", \"../made-{name}\"]\n\
         send = [\"sh\", \"-c\", \"cat ../made-{name}; echo since $0\", \"{parent}\"]",
    );
    passphrase(&host.sandbox);
    let first = snapshot_of(&host.send());
    let second = host.send();
    let streams = host.streams(&file_of(&second));
    assert_eq!(streams[0]["stream"]["parent"]["snapshot"], *first, "{streams:#?}");
    let restore = ["db-bundle", "restore", "latest", "--only", "snapshot-jails", "--yes", "--json"];
    let restored = json(&host.run(&[&restore[..], &OPEN].concat()));
    let file = restored["streams"][0]["file"].as_str().expect("a path");
    let text = fs_err::read_to_string(host.printed(file)).expect("a stream");
    assert!(text.ends_with(&format!("since {first}\n")), "{text}");
    let how = restored["streams"][0]["how"].to_string();
    assert!(how.contains("is what the configured `send` printed"), "{how}");
}

#[test]
fn a_restore_extracts_a_stream_and_prints_how_to_receive_it() {
    let host = host("zfs = [\"zroot/app\"]");
    let (first, second) = (host.send(), host.send());
    let calls = host.text("../bin/zfs.calls").lines().count();
    let restore = ["db-bundle", "restore", "latest", "--yes", OPEN[0], OPEN[1]];
    let dry = host.ok(&[&restore[..], &["--dry-run"]].concat());
    assert!(
        dry.out.contains("snapshot-jails: ") && dry.out.contains("to be received by hand"),
        "{dry:#?}"
    );
    let said = host.ok(&restore);
    let by_hand = said.out.split_once("Left to do by hand:\n").expect("a remainder").1;
    let (old, new) = (snapshot_of(&first), snapshot_of(&second));
    let mut lines = by_hand.lines();
    assert_eq!(lines.next(), Some(&*format!("  receive snapshot-jails ({new}):")), "{said:#?}");
    let line = format!("    first {old} from {}, which it builds on", file_of(&first));
    assert_eq!(lines.next(), Some(&*line));
    let command = lines.next().expect("a command").trim().trim_matches('`');
    let file = command.strip_prefix("zfs receive -u zroot/app.restored < ").expect("a command");
    let file = host.printed(file);
    let text = fs_err::read_to_string(&file).expect("a stream");
    assert_eq!(text, format!("zroot/app@{new} since zroot/app@{old}\n"));
    let mode = fs_err::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nothing was received, and the undo has nothing to undo in it.
    assert_eq!(host.text("../bin/zfs.calls").lines().count(), calls);
    host.ok(&["db-bundle", "restore", "--undo", "--yes"]);
    assert!(file.exists());
    // The others without it.
    let said = host.ok(&[&restore[..], &["--skip", "snapshot-jails"]].concat());
    assert!(!said.out.contains("receive"), "{said:#?}");
    let said = host.run(&[&restore[..], &["--skip", "nothing"]].concat());
    assert!(said.code == Some(2) && said.err.contains("has no item `nothing`"), "{said:#?}");
}

/// The files below a folder, with the hash of each.
fn hashes(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(at) = left.pop() {
        for one in fs_err::read_dir(&at).expect("a folder") {
            let path = one.expect("an entry").path();
            if path.ends_with(".xtask-db-snapshots") {
                continue;
            }
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            if path.is_dir() {
                left.push(path);
            } else {
                let bytes = fs_err::read(&path).expect("read");
                found.insert(name, blake3::hash(&bytes).to_hex().to_string());
            }
        }
    }
    found
}

#[test]
fn btrfs_streams_of_two_bundles_are_received_and_every_file_is_the_same() {
    let host = Host::new("btrfs = [\"../mount/app\"]");
    let Some(_disk) = Disk::new(&host.sandbox) else { return };
    passphrase(&host.sandbox);
    let noise = vec![7; 3 << 20];
    host.sandbox.write("../mount/app/large", &noise);
    host.sandbox.write("../mount/app/deep/er/one", "one");
    host.sandbox.write("../mount/app/gone", "gone");
    let first = host.send();
    host.sandbox.write("../mount/app/deep/er/two", "two");
    host.sandbox.write("../mount/app/large", &noise[1..]);
    fs_err::remove_file(host.sandbox.path("../mount/app/gone")).expect("removed");
    let second = host.send();
    let size = |document: &Value| {
        host.streams(&file_of(document))[0]["entries"][0]["size_bytes"].as_u64().expect("a size")
    };
    assert!(size(&first) > 3 << 20, "{}", size(&first));
    let expected = hashes(&host.sandbox.path("../mount/app"));
    assert_eq!(expected.len(), 3, "{expected:?}");
    host.sandbox.write("../mount/received/below", "");
    let received = host.sandbox.path("../mount/received").display().to_string();
    for document in [&first, &second] {
        let bundle = file_of(document);
        let restore =
            ["db-bundle", "restore", &bundle, "--only", "snapshot-jails", "--yes", "--json"];
        let restored = json(&host.run(&[&restore[..], &OPEN].concat()));
        let stream = &restored["streams"][0];
        let how = stream["how"].as_array().expect("lines").iter().filter_map(Value::as_str);
        let command =
            how.into_iter().find(|line| line.starts_with("`btrfs receive ")).expect("a command");
        let (_, from) = command.trim_matches('`').split_once(" < ").expect("a file");
        assert_eq!(from.trim_matches('\''), stream["file"].as_str().expect("a path"));
        let from = host.printed(from);
        let script = format!("btrfs receive '{received}' < '{}'", from.display());
        let output = host.sandbox.command("sh").args(["-c", &script]).output().expect("it runs");
        let said = host.sandbox.said(&output);
        assert_eq!(said.code, Some(0), "{said:#?}");
    }
    let found = hashes(&Path::new(&received).join(snapshot_of(&second)));
    assert_eq!(found, expected);
    // Without the first, the second is refused by btrfs: it is not a full one.
    assert!(
        size(&second) > 0 && host.streams(&file_of(&second))[0]["stream"]["parent"].is_object()
    );
}
