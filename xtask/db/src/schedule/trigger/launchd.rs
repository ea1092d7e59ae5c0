//! An agent of the user's launchd. It is called at its load too, since launchd makes up for what was missed asleep, but
//! not for what was missed switched off (`man launchd.plist`, `StartCalendarInterval`).

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use chrono::{NaiveTime, Timelike as _};

use super::contract::{Call, Found, Traces, missing, run, step};
use crate::files::{publish, whole_files};
use crate::host::project::schedule::When;

pub(super) fn traces(call: &Call<'_>) -> Traces {
    Traces { folders: missing(&folder(call)), ..Traces::default() }
}

pub(super) fn install(call: &Call<'_>) -> Result<()> {
    let folder = folder(call);
    publish::create_folders(&folder)?;
    // One of that label must go before it can be loaded again; usually there is none.
    let _ = run(&["launchctl", "bootout", &target(call)]);
    whole_files::replace_file(&file(call), plist(call).as_bytes(), 0o600)?;
    run(&["launchctl", "bootstrap", &domain(), &file(call).to_string_lossy()])?;
    Ok(())
}

pub(super) fn remove(call: &Call<'_>, traces: &Traces) -> Result<()> {
    if file(call).exists() && run(&["launchctl", "print", &target(call)]).is_ok() {
        run(&["launchctl", "bootout", &target(call)])?;
    }
    publish::remove(&file(call))?;
    publish::remove_empty_folders(&traces.folders);
    Ok(())
}

pub(super) fn find(call: &Call<'_>) -> Found {
    if !file(call).exists() {
        return Found::Inactive(format!("`{}` is gone", file(call).display()));
    }
    match run(&["launchctl", "print", &target(call)]) {
        Ok(_) => Found::Active,
        Err(_) => Found::Inactive("the agent is not loaded".to_owned()),
    }
}

fn folder(call: &Call<'_>) -> PathBuf {
    call.user.home.join("Library/LaunchAgents")
}

fn file(call: &Call<'_>) -> PathBuf {
    folder(call).join(format!("{}.plist", label(call)))
}

fn label(call: &Call<'_>) -> String {
    format!("xtask-db.{}", call.id)
}

fn domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

fn target(call: &Call<'_>) -> String {
    format!("{}/{}", domain(), label(call))
}

/// The property list of the agent.
pub(super) fn plist(call: &Call<'_>) -> String {
    let mut slot = String::new();
    let mut at = |day: Option<u32>, time: NaiveTime| {
        slot.push_str("\t<key>StartCalendarInterval</key>\n\t<dict>\n");
        let parts =
            [("Weekday", day), ("Hour", Some(time.hour())), ("Minute", Some(time.minute()))];
        for (key, number) in parts {
            if let Some(number) = number {
                let _ = writeln!(slot, "\t\t<key>{key}</key>\n\t\t<integer>{number}</integer>");
            }
        }
        slot.push_str("\t</dict>\n");
    };
    match call.when {
        When::Daily(time) => at(None, time),
        When::Weekly(day, time) => at(Some(day.num_days_from_sunday()), time),
        When::Days(_) => at(None, NaiveTime::MIN),
        When::Minutes(_) => {}
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- Written by `cargo xtask db-schedule install`; `cargo xtask db-schedule uninstall` removes it. -->\n\
         <plist version=\"1.0\">\n<dict>\n\
         \t<key>Label</key>\n\t<string>{}</string>\n\
         \t<key>ProgramArguments</key>\n\t<array>\n\t\t<string>/bin/sh</string>\n\t\t<string>{}</string>\n\t</array>\n\
         \t<key>RunAtLoad</key>\n\t<true/>\n\
         \t<key>StartInterval</key>\n\t<integer>{}</integer>\n{slot}\
         \t<key>ProcessType</key>\n\t<string>Background</string>\n\
         </dict>\n</plist>\n",
        label(call),
        escaped(&call.script.to_string_lossy()),
        step(call.when) * 60
    )
}

/// A text in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
