//! A timer of the user's systemd. It has no `Persistent=`: the hourly calls and the one after the start make up for a slot
//! that passed while the machine was off, and no stamp file stays behind.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::contract::{Call, Found, Traces, missing, run, step};
use crate::files::{publish, whole_files};
use crate::host::project::schedule::When;

/// Whether the user has a systemd that runs.
#[must_use]
pub(crate) fn runs() -> bool {
    run(&["systemctl", "--user", "show-environment"]).is_ok()
}

pub(super) fn traces(call: &Call<'_>) -> Traces {
    let wants = folder(call).join("timers.target.wants");
    Traces { folders: missing(&wants), ..Traces::default() }
}

pub(super) fn install(call: &Call<'_>) -> Result<()> {
    let folder = folder(call);
    publish::create_folders(&folder)?;
    write(&folder, &service_name(call), &service(call))?;
    write(&folder, &timer_name(call), &timer(call))?;
    run(&["systemctl", "--user", "daemon-reload"])?;
    run(&["systemctl", "--user", "enable", "--quiet", &timer_name(call)])?;
    // A timer that runs already keeps its old times otherwise.
    run(&["systemctl", "--user", "restart", &timer_name(call)])?;
    Ok(())
}

pub(super) fn remove(call: &Call<'_>, traces: &Traces) -> Result<()> {
    let folder = folder(call);
    let is_there =
        [timer_name(call), service_name(call)].iter().any(|name| folder.join(name).exists());
    if is_there && runs() {
        run(&["systemctl", "--user", "disable", "--quiet", "--now", &timer_name(call)])?;
    }
    publish::remove(&folder.join("timers.target.wants").join(timer_name(call)))?;
    publish::remove(&folder.join(timer_name(call)))?;
    publish::remove(&folder.join(service_name(call)))?;
    publish::remove_empty_folders(&traces.folders);
    if is_there && runs() {
        run(&["systemctl", "--user", "daemon-reload"])?;
        // A failed run would be listed for ever; there may be none.
        let _ = run(&["systemctl", "--user", "reset-failed", &service_name(call)]);
    }
    Ok(())
}

pub(super) fn find(call: &Call<'_>) -> Found {
    if !folder(call).join(timer_name(call)).exists() {
        return Found::Inactive(format!(
            "`{}` is gone",
            folder(call).join(timer_name(call)).display()
        ));
    }
    if !runs() {
        return Found::Inactive("no systemd of this user is running".to_owned());
    }
    if let Err(error) = run(&["systemctl", "--user", "is-active", "--quiet", &timer_name(call)]) {
        return Found::Inactive(format!("the timer is not active: {error}"));
    }
    if lingers() == Some(false) {
        return Found::Sometimes {
            what: "backups are taken only while you are logged in: lingering is off".to_owned(),
            remedy: "loginctl enable-linger".to_owned(),
        };
    }
    Found::Active
}

/// Whether the user's systemd runs without a login; `None` if that is unknown.
fn lingers() -> Option<bool> {
    let user = rustix::process::getuid().as_raw().to_string();
    match run(&["loginctl", "show-user", &user, "--property=Linger", "--value"]).ok()?.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn folder(call: &Call<'_>) -> PathBuf {
    call.user.settings.join("systemd/user")
}

fn service_name(call: &Call<'_>) -> String {
    format!("xtask-db-{}.service", call.id)
}

fn timer_name(call: &Call<'_>) -> String {
    format!("xtask-db-{}.timer", call.id)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    whole_files::replace_file(&folder.join(name), text.as_bytes(), 0o600)?;
    publish::sync_folder(folder)
}

const HEAD: &str = "# Written by `cargo xtask db-schedule install`; `cargo xtask db-schedule uninstall` removes it.\n";

/// The unit that runs.
pub(super) fn service(call: &Call<'_>) -> String {
    format!(
        "{HEAD}[Unit]\nDescription=Backups of {} by xtask-db\n\n\
         [Service]\nType=oneshot\nExecStart=/bin/sh {}\nNice=10\n",
        call.id,
        quoted(&call.script.to_string_lossy())
    )
}

/// The unit that starts it.
pub(super) fn timer(call: &Call<'_>) -> String {
    let slot = match call.when {
        When::Daily(time) => format!("OnCalendar=*-*-* {}:00\n", time.format("%H:%M")),
        When::Weekly(day, time) => format!("OnCalendar={day} *-*-* {}:00\n", time.format("%H:%M")),
        When::Minutes(_) | When::Days(_) => String::new(),
    };
    let often = match step(call.when) {
        60 => "*:00:00".to_owned(),
        minutes => format!("*:00/{minutes}:00"),
    };
    format!(
        "{HEAD}[Unit]\nDescription=Backups of {} by xtask-db, {}\n\n\
         [Timer]\n{slot}OnCalendar=*-*-* {often}\nOnStartupSec=5min\nAccuracySec=30s\n\n\
         [Install]\nWantedBy=timers.target\n",
        call.id, call.when
    )
}

/// A word of `ExecStart=` (`man systemd.service`, "Command lines"): quotes and backslashes are escaped, `%` begins a
/// specifier and `$` a variable.
fn quoted(word: &str) -> String {
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
