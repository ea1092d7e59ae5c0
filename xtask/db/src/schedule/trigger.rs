//! What starts the runs: a systemd user timer, launchd or cron. Each calls one script in the schedule's own folder, so
//! that paths with odd characters have to be quoted for a shell only. Each comes at the slots and at least once an hour;
//! whether anything is due, the run itself decides.

pub(crate) mod contract;
pub(crate) mod cron;
pub(crate) mod launchd;
pub(crate) mod systemd;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::console::refusal::Refusal;
use crate::schedule::trigger::contract::{Call, Found, Traces};

/// A way to be called by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trigger {
    /// A timer of the user's systemd.
    Systemd,
    /// An agent of the user's launchd (macOS).
    Launchd,
    /// The user's crontab.
    Cron,
}

impl Trigger {
    /// The trigger as a sentence names it.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Systemd => "a systemd user timer",
            Self::Launchd => "a launchd agent",
            Self::Cron => "the crontab",
        }
    }

    /// The one that this machine has: launchd on macOS, else systemd if the user has one that runs, else cron.
    ///
    /// # Errors
    ///
    /// A refusal if there is none.
    pub(crate) fn usual() -> Result<Self> {
        if cfg!(target_os = "macos") {
            return Ok(Self::Launchd);
        }
        if systemd::runs() {
            return Ok(Self::Systemd);
        }
        if cron::is_there() {
            return Ok(Self::Cron);
        }
        Err(Refusal::could_not(
            "no systemd of this user is running (`systemctl --user`), and there is no `crontab`: nothing here can call by the clock",
            "log in as the user whose backups these are (not by `su`), install cron, or let something of yours run \
             `cargo xtask db-schedule run` every hour",
        ))
    }

    /// What has to be remembered to leave nothing behind, asked before it is put in.
    ///
    /// # Errors
    ///
    /// If the program that manages it refuses.
    pub(crate) fn traces(self, call: &Call<'_>) -> Result<Traces> {
        match self {
            Self::Systemd => Ok(systemd::traces(call)),
            Self::Launchd => Ok(launchd::traces(call)),
            Self::Cron => cron::traces(),
        }
    }

    /// Puts it in; a second time, it replaces what the first one wrote.
    ///
    /// # Errors
    ///
    /// As [`Self::traces`].
    pub(crate) fn install(self, call: &Call<'_>) -> Result<()> {
        match self {
            Self::Systemd => systemd::install(call),
            Self::Launchd => launchd::install(call),
            Self::Cron => cron::install(call),
        }
    }

    /// Takes it out; it is not an error if it is gone already.
    ///
    /// # Errors
    ///
    /// As [`Self::traces`].
    pub(crate) fn remove(self, call: &Call<'_>, traces: &Traces) -> Result<()> {
        match self {
            Self::Systemd => systemd::remove(call, traces),
            Self::Launchd => launchd::remove(call, traces),
            Self::Cron => cron::remove(call, traces),
        }
    }

    /// Looks whether it will call.
    #[must_use]
    pub(crate) fn find(self, call: &Call<'_>) -> Found {
        match self {
            Self::Systemd => systemd::find(call),
            Self::Launchd => launchd::find(call),
            Self::Cron => cron::find(call),
        }
    }
}

/// The script that every trigger calls: it goes to the project and starts the copy of the program.
#[must_use]
pub(crate) fn script(root: &Path, program: &Path, variables: &[(&str, OsString)]) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;

    let mut script = b"#!/bin/sh\n# Written by `cargo xtask db-schedule install`; `cargo xtask db-schedule uninstall` removes it.\n".to_vec();
    for (name, value) in variables {
        script.extend(format!("export {name}=").bytes());
        script.extend(quoted(value.as_bytes()));
        script.push(b'\n');
    }
    script.extend(b"cd -- ");
    script.extend(quoted(root.as_os_str().as_bytes()));
    script.extend(b" || exit 2\nexec ");
    script.extend(quoted(program.as_os_str().as_bytes()));
    script.extend(b" db-schedule run --quiet --busy-timeout 5m\n");
    script
}

/// Bytes as a shell takes them literally.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_that_runs_the_script_gets_each_path_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("a b'c\"d %n $HOME `x` \\ ;é");
        fs_err::create_dir(&root).expect("a folder");
        let program = root.join("it's $0");
        fs_err::write(&program, "#!/bin/sh\npwd\necho \"$@\"\necho \"$ODD\"\n").expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs_err::set_permissions(&program, mode).expect("executable");
        let odd = "'; exit 1; $(exit 1) %".to_owned();
        let script = script(&root, &program, &[("ODD", odd.clone().into())]);
        let output = contract::output(&["sh".as_ref()], Some(&script)).expect("a shell");
        let expected = format!(
            "{}\ndb-schedule run --quiet --busy-timeout 5m\n{odd}\n",
            fs_err::canonicalize(&root).expect("a path").display()
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}
