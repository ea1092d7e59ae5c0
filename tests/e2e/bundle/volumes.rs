//! The file systems of which tests take snapshots: ZFS through the contract of its command, and btrfs on a disk of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace::complain;

/// As much of `zfs` as is used: a dataset is a file of snapshots, and each call is noted.
const ZFS: &str = r#"#!/bin/sh
state=$(dirname "$0")/zfs.state
echo "zfs $*" >> "$(dirname "$0")/zfs.calls"
case "$1" in
list)
  for last; do :; done
  echo "$last@daily-of-somebody"
  grep "^$last@" "$state" 2>/dev/null
  exit 0 ;;
snapshot)
  shift
  case "$1" in
  "$(cat "$(dirname "$0")/zfs.fails" 2>/dev/null)"/*) echo "cannot create snapshot: out of space" >&2; exit 1 ;;
  esac
  for one; do echo "$one" >> "$state"; done ;;
destroy)
  case "$2" in *@*) ;; *) exit 9 ;; esac
  grep -vx "$2" "$state" > "$state.new"
  mv "$state.new" "$state" ;;
send)
  shift
  since=
  case "$1" in -i) since=$2; shift 2; grep -qx "$since" "$state" || exit 7 ;; esac
  grep -qx "$1" "$state" || exit 8
  echo "$1 since $since"
  here=$(dirname "$0")
  if [ -e "$here/zfs.kills" ]; then kill -9 $PPID; sleep 0.2; echo "nobody reads this"; fi
  if [ -e "$here/zfs.breaks" ]; then echo "cannot send: I/O error" >&2; exit 1; fi
  if [ -e "$here/zfs.hangs" ]; then sleep 100; fi ;;
*) exit 2 ;;
esac
"#;

/// A workspace with snapshots, and our programs first on the path.
pub(crate) struct Host {
    pub(crate) sandbox: Sandbox,
}

impl Host {
    /// A workspace with a section of snapshots.
    pub(crate) fn new(snapshots: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.configure(&format!("[workspace.metadata.db.bundle.snapshots.jails]\n{snapshots}"));
        sandbox.write("../bin/README", "programs of this test");
        Self { sandbox }
    }

    /// The same with a `zfs`.
    pub(crate) fn with_zfs(snapshots: &str) -> Self {
        let host = Self::new(snapshots);
        host.program("zfs", ZFS);
        host
    }

    /// Writes a program.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let path = format!("../bin/{name}");
        self.sandbox.write(&path, script);
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(self.sandbox.path(&path), executable).expect("a mode");
    }

    /// Runs a command with our programs first on the path.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let mut command = self.sandbox.xtask(arguments);
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.sandbox.root().join("../bin").display().to_string();
        command.env("PATH", format!("{bin}:{path}"));
        self.sandbox.said(&command.output().expect("the binary runs"))
    }

    /// Runs one that succeeds.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{said:#?}");
        said
    }

    /// Creates a bundle.
    pub(crate) fn create(&self) -> Said {
        self.ok(&["db-bundle", "create"])
    }

    /// The names of the snapshots that are listed, newest first.
    pub(crate) fn listed(&self) -> Vec<String> {
        let said = self.ok(&["db-bundle", "snapshots", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        let all = document["snapshots"].as_array().expect("snapshots").iter();
        all.map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// How many bundles there are.
    pub(crate) fn n_bundles(&self) -> usize {
        let said = self.ok(&["db-bundle", "list", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        document["bundles"].as_array().expect("bundles").len()
    }

    /// Reads a file.
    pub(crate) fn text(&self, path: &str) -> String {
        fs_err::read_to_string(self.sandbox.path(path)).expect("a text")
    }
}

/// A btrfs file system in a file; unmounted and detached when the test ends.
pub(crate) struct Disk {
    mount: PathBuf,
    device: String,
}

impl Disk {
    /// `None`, said loudly, where this cannot be tried.
    pub(crate) fn new(sandbox: &Sandbox) -> Option<Self> {
        let skipped = |why: &str| {
            complain(&format!("SKIPPED: a test of btrfs snapshots needs {why}"));
            None
        };
        let run = |words: &[&str]| {
            let output = sandbox.command(words[0]).args(&words[1..]).output();
            output.map_or_else(
                |error| Err(error.to_string()),
                |output| {
                    let said = sandbox.said(&output);
                    if said.code == Some(0) { Ok(said.out) } else { Err(said.err) }
                },
            )
        };
        if !rustix::process::geteuid().is_root() {
            return skipped("root");
        }
        if run(&["mkfs.btrfs", "--version"]).is_err() || run(&["btrfs", "--version"]).is_err() {
            return skipped("`mkfs.btrfs` and `btrfs` (btrfs-progs)");
        }
        sandbox.write("../mount/below", "");
        let (image, mount) = (sandbox.path("../disk"), sandbox.path("../mount"));
        let (image, mount_text) = (image.to_str()?, mount.to_str()?);
        let file = fs_err::File::create(image).expect("a file");
        file.set_len(120 << 20).expect("a size");
        run(&["mkfs.btrfs", "--quiet", image]).expect("a file system");
        let device = match run(&["losetup", "--find", "--show", image]) {
            Ok(device) => device.trim().to_owned(),
            Err(error) => return skipped(&format!("a loop device: {error}")),
        };
        // From here on, the guard detaches it.
        let disk = Self { mount: mount.clone(), device };
        if let Err(error) = run(&["mount", "-t", "btrfs", &disk.device, mount_text]) {
            return skipped(&format!("to mount btrfs: {error}"));
        }
        run(&["btrfs", "subvolume", "create", &format!("{mount_text}/app")]).expect("a subvolume");
        Some(disk)
    }
}

impl Drop for Disk {
    #[expect(clippy::disallowed_methods, reason = "nothing of the sandbox is needed for this")]
    fn drop(&mut self) {
        use std::process::Command;
        let _ = Command::new("umount").arg(&self.mount).output();
        let _ = Command::new("losetup").args(["--detach", &self.device]).output();
    }
}
