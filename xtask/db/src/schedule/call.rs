//! Calls to the outside: `curl`, and the command that is told of failures. An address is a secret: `curl` reads it from
//! its standard input, so that no list of processes shows it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::host::project::schedule::Address;
use crate::schedule::program;

/// How long the connection and the whole call may take.
const CONNECT_SECONDS: u32 = 5;
const CALL_SECONDS: u32 = 15;
/// How long the command may take.
const COMMAND_TIME: Duration = Duration::from_mins(1);
/// How often a child is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Sends a text by POST.
///
/// # Errors
///
/// If there is no `curl`, the address cannot be reached, or it answers with an error. The error names its host only.
pub(crate) fn post(address: &Address, content_type: &str, text: &str) -> Result<()> {
    let configuration = format!(
        "url = {}\nheader = {}\ndata-raw = {}\n",
        quoted(address.secret()),
        quoted(&format!("Content-Type: {content_type}")),
        quoted(text)
    );
    let host = address.host();
    // `-q` comes first: a `.curlrc` of the user's could ask for traces with the address in them.
    let mut command = program::command(&["curl", "-q", "--config", "-"])?;
    command.args(["--silent", "--show-error", "--fail", "--globoff"]);
    command.args(["--output", "/dev/null", "--write-out", "%{http_code}"]);
    command.args(["--proto", "=http,https"]);
    command.arg("--connect-timeout").arg(CONNECT_SECONDS.to_string());
    command.arg("--max-time").arg(CALL_SECONDS.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("could not call {host}: `curl` is not installed, or not on the PATH")
        }
        Err(error) => return Err(error).context("could not start `curl`"),
    };
    feed(&mut child, configuration.as_bytes());
    let ended = child.wait_with_output().context("could not wait for `curl`")?;
    let code = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
    // A redirect is not followed: it would turn the call into another one, without its text.
    if ended.status.success() && code.starts_with('3') {
        bail!(
            "could not call {host}: it answered {code}, a redirect; configure the address to which it leads"
        )
    }
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr).replace(address.secret(), &host);
    let said = said.lines().next().unwrap_or("curl failed").trim().to_owned();
    bail!("could not call {host}: {said}")
}

/// Whether `curl` can be started.
#[must_use]
pub(crate) fn has_curl() -> bool {
    let Ok(mut command) = program::command(&["curl", "--version"]) else { return false };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs the configured command with a text on its standard input, in the project's folder.
///
/// # Errors
///
/// If it cannot be started, fails, or runs for more than a minute.
pub(crate) fn tell(words: &[String], folder: &Path, text: &str) -> Result<()> {
    let [program, ..] = words else { return Ok(()) };
    let mut command = program::command_in(folder, words)?;
    command.process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("could not start `{program}`"))?;
    feed(&mut child, text.as_bytes());
    let began = Instant::now();
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`{program}` failed: {status}"),
            None if began.elapsed() >= COMMAND_TIME => {
                let group = rustix::process::Pid::from_child(&child);
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                let _ = child.wait();
                bail!("`{program}` ran for more than {} s and was ended", COMMAND_TIME.as_secs());
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Gives a child its input. A message is shorter than what a pipe holds; a child need not read it.
fn feed(child: &mut Child, bytes: &[u8]) {
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(bytes);
    }
}

/// A value in `curl`'s configuration (`man curl`, `--config`): in quotes, with these escapes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0' => {}
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
