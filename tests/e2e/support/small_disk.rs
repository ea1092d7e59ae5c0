//! A small file system of its own, which a test can fill.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

/// A small file system, until the test ends.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of a size, e.g. `48m`; `None`, said loudly, if only root may mount.
    pub(crate) fn at(sandbox: &Sandbox, folder: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mut mount = sandbox.command("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder);
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !mounted {
            complain("SKIPPED: a disk that fills up needs root, who may mount one");
        }
        mounted.then(|| Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    #[expect(clippy::disallowed_methods, reason = "nothing of the sandbox is needed")]
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
