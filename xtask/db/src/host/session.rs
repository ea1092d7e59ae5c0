//! Everything from outside, in one place: the clock, the environment, the streams, the interrupt.
//!
//! Nothing else in this crate reads a clock or an environment variable, or writes to a stream.

pub(crate) mod failure;
pub(crate) mod github_actions;
pub(crate) mod json_stream;
pub(crate) mod machine_id;
pub(crate) mod state_folder;
mod transcript;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, FixedOffset, TimeDelta};
use serde::Serialize;
use serde_json::json;

use crate::console::interrupt::Interrupt;
use crate::console::progress::Progress;
use crate::console::progress_lines;
use crate::console::refusal::{Answer, Declined};
use crate::console::remarks::Remarks;
use crate::console::terminal_width::{self, Screen};
use crate::console::{hidden_characters, secrets, text};
use crate::host::command::supervisor::{self, Itself};
use crate::host::configuration::{self, EnvFiles};
use crate::host::environment::Environment;
use crate::host::project::Project;
use crate::host::session::json_stream::Streamed;
use crate::host::session::transcript::Transcript;

/// The variable that fixes the clock, for tests of programs that use this crate (RFC 3339).
pub const NOW_VARIABLE: &str = "XTASK_DB_NOW";

/// The destination of stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Results {
    /// Somebody at a terminal, which obeys control characters.
    Seen,
    /// A file or another program.
    Taken,
}

/// A clock that threads may share.
pub(crate) type Clock = Arc<dyn Fn() -> DateTime<FixedOffset> + Send + Sync>;

/// The environment in which a command runs.
pub struct Session {
    clock: Clock,
    environment: Environment,
    folder: PathBuf,
    input: Box<dyn BufRead>,
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Whether a person is at the terminal: both the input and the messages are one.
    terminal: bool,
    results: Results,
    interrupt: Arc<Interrupt>,
    binary: Option<PathBuf>,
    arguments: Vec<OsString>,
    project: Option<Project>,
    json: bool,
    quiet: bool,
    unwritten: Option<io::Error>,
    /// The first bytes of a character of which the others are still to come.
    begun: Vec<u8>,
    told: Remarks,
    streamed: Streamed,
    transcript: Option<Transcript>,
}

impl Session {
    /// The session of this process: its clock, environment, folder, streams and signals.
    ///
    /// # Errors
    ///
    /// If the current folder is gone, or [`NOW_VARIABLE`] is not a time.
    pub fn from_process() -> Result<Self> {
        let environment: Environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        let fixed = environment
            .get(NOW_VARIABLE)
            .map(|text| {
                let text = text.to_string_lossy();
                DateTime::parse_from_rfc3339(&text)
                    .with_context(|| format!("`{NOW_VARIABLE}` is `{text}`, which is not a time"))
            })
            .transpose()?;
        let interrupt = Arc::new(Interrupt::default());
        interrupt.listen();
        Ok(Self {
            clock: match fixed {
                Some(moment) => Arc::new(move || moment),
                None => Arc::new(now),
            },
            environment,
            folder: std::env::current_dir().context("could not find the current folder")?,
            input: Box::new(io::BufReader::new(io::stdin())),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            terminal: io::stdin().is_terminal() && io::stderr().is_terminal(),
            results: if io::stdout().is_terminal() { Results::Seen } else { Results::Taken },
            interrupt,
            binary: std::env::current_exe().ok(),
            arguments: std::env::args_os().skip(1).collect(),
            project: None,
            json: false,
            quiet: false,
            unwritten: None,
            begun: Vec::new(),
            told: Remarks::default(),
            streamed: Streamed::default(),
            transcript: None,
        })
    }

    /// The same session for a host that describes its project itself instead of in `Cargo.toml`.
    #[must_use]
    pub fn with_project(mut self, project: Project) -> Self {
        self.project = Some(project);
        self
    }

    /// The moment it is, in local time.
    #[must_use]
    pub fn now(&self) -> DateTime<FixedOffset> {
        (self.clock)()
    }

    /// The clock, for threads.
    #[cfg(feature = "serve")]
    #[must_use]
    pub(crate) fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// The folder the command was called in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A variable of the environment, in a form that may be a path.
    #[must_use]
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(name).map(OsString::as_os_str)
    }

    /// A variable of the environment as a text. Bytes that are not UTF-8 are replaced, so that it is equal to
    /// no word and is refused like any other odd value.
    #[must_use]
    pub(crate) fn text_variable(&self, name: &str) -> Option<Cow<'_, str>> {
        self.variable(name).map(OsStr::to_string_lossy)
    }

    /// The names of the variables that begin so.
    pub(crate) fn variables_beginning_with(&self, start: &str) -> Vec<String> {
        self.environment.keys().filter(|name| name.starts_with(start)).cloned().collect()
    }

    /// The program that runs.
    #[must_use]
    pub(crate) fn binary(&self) -> Option<&Path> {
        self.binary.as_deref()
    }

    /// Whether a question can be asked.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        self.terminal
    }

    /// The user's interrupt.
    #[must_use]
    pub(crate) fn interrupt(&self) -> &Arc<Interrupt> {
        &self.interrupt
    }

    /// Whether stdout is to be one JSON document.
    #[must_use]
    pub fn wants_json(&self) -> bool {
        self.json
    }

    /// The folder in which this user keeps what is not part of any project; `None` without a home.
    #[must_use]
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        state_folder::of(self.variable("HOME"), self.variable("XDG_STATE_HOME"))
    }

    /// When this machine was started; `None` where that is unknown, and if the clock is fixed.
    #[must_use]
    pub(crate) fn booted_at(&self) -> Option<DateTime<FixedOffset>> {
        #[cfg(target_os = "linux")]
        if self.variable(NOW_VARIABLE).is_none() {
            let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
            return Some(self.now() - TimeDelta::seconds(up.tv_sec));
        }
        None
    }

    /// From now on, passes each line that is printed, or would be without `--quiet` and `--json`, to `each`, with the time.
    pub(crate) fn transcribe(&mut self, each: impl FnMut(&str, &str) + 'static) {
        self.transcript = Some(Transcript::of(each));
    }

    /// The lines since [`Self::transcribe`].
    #[must_use]
    pub(crate) fn transcript(&self) -> &[String] {
        self.transcript.as_ref().map_or(&[], Transcript::lines)
    }

    fn transcribe_line(&mut self, line: &str) {
        let now = self.now();
        if let Some(transcript) = &mut self.transcript {
            transcript.add(now, fit(line));
        }
    }

    /// The name of this machine.
    #[must_use]
    #[expect(clippy::unused_self, reason = "the machine enters with the session")]
    pub(crate) fn host_name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    /// Whether to print only warnings and errors.
    #[must_use]
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The terminal that results are shown on; `None` if they go to a file or another program.
    #[must_use]
    pub(crate) fn screen(&self) -> Option<Screen> {
        (self.results == Results::Seen).then(|| Screen::of(io::stdout()))
    }

    /// The terminal that questions are asked on.
    #[must_use]
    #[expect(clippy::unused_self, reason = "the streams enter with the session")]
    pub(crate) fn question_screen(&self) -> Screen {
        Screen::of(io::stderr())
    }

    /// Whether progress may be drawn.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        self.terminal && !self.json && !self.quiet
    }

    /// The progress of a long step; it is never shown if nobody watches, neither a person nor a program.
    #[must_use]
    pub(crate) fn progress(&self, verb: &'static str) -> Progress {
        if self.variable(progress_lines::VARIABLE).is_some_and(|form| form == progress_lines::LINES)
        {
            Progress::in_lines(&self.interrupt, verb)
        } else if self.shows_progress() {
            Progress::shown(&self.interrupt, verb)
        } else {
            Progress::hidden(&self.interrupt)
        }
    }

    /// The step of GitHub Actions that this runs in.
    #[must_use]
    pub(crate) fn github(&self) -> github_actions::Step {
        let value = |name: &str| self.environment.get(name).filter(|value| !value.is_empty());
        let path = |name: &str| value(name).map(PathBuf::from);
        github_actions::Step {
            log: value("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            output: path("GITHUB_OUTPUT"),
            summary: path("GITHUB_STEP_SUMMARY"),
        }
    }

    /// Whether this process was started to supervise a command of the host.
    #[must_use]
    pub(crate) fn is_to_supervise(&self) -> bool {
        self.environment.contains_key(supervisor::MARK)
    }

    /// Writes results as JSON from now on (`--json`).
    pub(crate) fn write_json(&mut self) {
        self.json = true;
    }

    /// From now on, leaves out everything that is neither a result nor a failure (`--quiet`).
    pub(crate) fn be_quiet(&mut self) {
        self.quiet = true;
    }

    /// The host's own project, or the one of the workspace around the current folder.
    ///
    /// # Errors
    ///
    /// If there is none, or its configuration is wrong.
    pub(crate) fn project(&mut self, named: Option<&str>) -> Result<Project> {
        let project = match self.project.take() {
            Some(project) => project,
            None => configuration::load(&self.folder, &self.environment, named, EnvFiles::Read)?,
        };
        Ok(self.completed(project))
    }

    /// The project with what the session knows of it.
    fn completed(&mut self, project: Project) -> Project {
        let mut project = project;
        project.search_path = self.variable("PATH").map(OsStr::to_owned).unwrap_or_default();
        project.itself = self.binary.clone().map(|b| Itself::of(b, &self.arguments));
        for remark in std::mem::take(&mut project.remarks) {
            self.warn(remark);
        }
        project.told = self.told.clone();
        project
    }

    /// The project with these variables instead of `.env` and `.env.local`; those of the environment go before them.
    ///
    /// # Errors
    ///
    /// As [`Self::project`].
    #[cfg(feature = "bundle")]
    pub(crate) fn project_with(&mut self, given: &Environment) -> Result<Project> {
        let mut environment = given.clone();
        environment.extend(self.environment.clone());
        let project = configuration::load(&self.folder, &environment, None, EnvFiles::Ignored)?;
        Ok(self.completed(project))
    }

    /// The backups folder, if that is all that can be known of the project.
    ///
    /// # Errors
    ///
    /// If the manifest cannot be read, or says it wrongly.
    #[cfg(feature = "bundle")]
    pub(crate) fn backups_folder(&self) -> Result<PathBuf> {
        configuration::backups_folder(&self.folder, &self.environment)
    }

    /// Does something that would print lines of its own, without them; warnings and errors are printed.
    #[cfg(feature = "bundle")]
    pub(crate) fn silently<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.quiet, true);
        let done = work(self);
        self.quiet = before;
        done
    }

    /// The arguments of this process, without its name.
    #[cfg(not(all(feature = "bundle", feature = "serve")))]
    #[must_use]
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Whether no `Cargo.toml` around the current folder has anything to say about a database.
    #[must_use]
    pub(crate) fn is_unconfigured(&self) -> bool {
        configuration::is_absent(&self.folder)
    }

    /// This command as it can be pasted into a shell, one of its arguments being another one; `None` if
    /// it has no such argument, or several.
    #[must_use]
    pub(crate) fn again_with(&self, argument: &str, other: &str) -> Option<String> {
        if self.arguments.iter().filter(|given| *given == argument).count() != 1 {
            return None;
        }
        let words = self.arguments.iter().map(|given| {
            let word = if given == argument { other.into() } else { given.to_string_lossy() };
            text::shell(&word)
        });
        Some(format!("cargo xtask {}", words.collect::<Vec<_>>().join(" ")))
    }

    /// Says one line of the result on stdout; silent with `--json` and `--quiet`. A failure to write
    /// never stops a command in its middle: its end reports it.
    pub fn say(&mut self, line: impl AsRef<str>) {
        self.transcribe_line(line.as_ref());
        if !self.json && !self.quiet {
            self.write(&fit(line.as_ref()));
        }
    }

    /// Says a sentence of the result, broken between words if the terminal is narrower; later lines are
    /// indented. In a file or a pipe it stays one line.
    pub(crate) fn say_folded(&mut self, line: &str, indent: usize) {
        match self.screen() {
            Some(screen) => {
                for part in terminal_width::fold(line, screen.n_columns, indent) {
                    self.say(part);
                }
            }
            None => self.say(line),
        }
    }

    /// Says facts of the result in lines that fit the terminal, elsewhere 80 columns; later lines are
    /// indented.
    pub(crate) fn say_facts(&mut self, line: &str, indent: usize) {
        let screen = self.screen().unwrap_or(terminal_width::USUAL);
        for part in terminal_width::fold(line, screen.n_columns, indent) {
            self.say(part);
        }
    }

    /// Prints a statement, which may have several lines. A file or a program gets it as it is; on a
    /// terminal, control characters are shown, not obeyed, and that is reported.
    pub(crate) fn say_statement(&mut self, sql: &str) {
        if self.json || self.quiet {
            return;
        }
        let shown = sql.split('\n').map(text::plain_but_tabs).collect::<Vec<_>>().join("\n");
        if self.results == Results::Taken || shown == sql {
            self.write(sql);
        } else {
            self.write(&shown);
            self.write(
                "-- control characters are shown here; in a file they are written as they are",
            );
        }
    }

    /// Writes the one JSON document of `--json`; if one was begun, its end: so an error's members
    /// are in the document that it cut short.
    pub fn document(&mut self, document: &impl Serialize) {
        if !self.json {
            return;
        }
        // Every document serialises: its keys are texts, and no `Path`, which may not be UTF-8, is in it.
        let document = &secrets::masked_in(&json!(document));
        if self.is_streaming() {
            self.stream(|streamed| streamed.finish(document));
        } else {
            self.write(&format!("{document:#}"));
        }
    }

    /// Writes a part of the one JSON document of `--json`, which [`Session::document`] ends.
    pub(crate) fn stream(&mut self, part: impl FnOnce(&mut Streamed) -> String) {
        if self.json {
            let text = part(&mut self.streamed);
            self.write_text(&text);
        }
    }

    /// Whether the JSON document was begun and not ended.
    #[must_use]
    pub(crate) fn is_streaming(&self) -> bool {
        self.streamed.depth() > 0
    }

    /// Writes bytes of a result on stdout, with `--quiet` too: as they are, but for control characters
    /// if a terminal would obey them.
    ///
    /// # Errors
    ///
    /// If they cannot be written, also because nobody reads them any more.
    pub(crate) fn pour(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.results == Results::Seen {
            self.begun.extend_from_slice(bytes);
            let n_whole = hidden_characters::whole(&self.begun);
            let rest = self.begun.split_off(n_whole);
            let whole = std::mem::replace(&mut self.begun, rest);
            return self.out.write_all(&hidden_characters::harmless(&whole));
        }
        self.out.write_all(bytes)
    }

    fn write(&mut self, line: &str) {
        self.write_text(&format!("{line}\n"));
    }

    /// The collection in which nouns leave remarks to print.
    pub(crate) fn told(&self) -> Remarks {
        self.told.clone()
    }

    /// Prints the remarks that commands left.
    pub(crate) fn say_remarks(&mut self) {
        for remark in self.told.take() {
            self.warn_of(&remark);
        }
    }

    fn warn_of(&mut self, warning: &str) {
        self.transcribe_line(&format!("warning: {warning}"));
        let _ = writeln!(self.err, "warning: {}", fit(warning));
    }

    fn write_text(&mut self, text: &str) {
        self.say_remarks();
        if self.unwritten.is_some() {
            return;
        }
        let is_seen_json = self.json && self.results == Results::Seen;
        let text = if is_seen_json {
            hidden_characters::in_json(text).into()
        } else {
            Cow::Borrowed(text)
        };
        if let Err(error) = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            self.unwritten = Some(error);
        }
    }

    /// Passes the answer of a command on, or fails if its results could not be written; a closed pipe
    /// is success.
    ///
    /// # Errors
    ///
    /// As stdout's.
    pub(crate) fn finish(&mut self, answer: Answer) -> Result<Answer> {
        self.say_remarks();
        let begun = std::mem::take(&mut self.begun);
        let flushed = self
            .out
            .write_all(&hidden_characters::harmless(&begun))
            .and_then(|()| self.out.flush());
        match self.unwritten.take().or(flushed.err()) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context(match answer {
                    Answer::Yes => "the work is done, but its results could not be written",
                    Answer::No => "the answer is no, but the reasons could not be written",
                    Answer::CannotTell => {
                        "there is no answer, and the reasons could not be written"
                    }
                })
            }
            _ => Ok(answer),
        }
    }

    /// Says one line on stderr that is not a result: a step, a part of a question.
    pub fn note(&mut self, line: impl AsRef<str>) {
        self.say_remarks();
        self.transcribe_line(line.as_ref());
        if !self.quiet {
            // If even stderr is gone, there is nobody to tell.
            let _ = writeln!(self.err, "{}", fit(line.as_ref()));
        }
    }

    /// Prints one line on stderr that the user needs to understand a question, with `--quiet` too.
    pub(crate) fn prompt(&mut self, line: impl AsRef<str>) {
        let _ = writeln!(self.err, "{}", fit(line.as_ref()));
    }

    /// Warns on stderr, with `--quiet` too.
    pub fn warn(&mut self, line: impl AsRef<str>) {
        self.say_remarks();
        self.warn_of(line.as_ref());
    }

    pub(crate) fn complain(&mut self, text: &str) {
        self.say_remarks();
        text.lines().for_each(|line| self.transcribe_line(line));
        let lines: Vec<String> = text.split('\n').map(fit).collect();
        let _ = write!(self.err, "{}", lines.join("\n"));
        let _ = self.err.flush();
    }

    /// Reads bytes of the input as they are; 0 at its end.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        self.input.read(piece)
    }

    /// The descriptor of stdin, for input that is more than text.
    ///
    /// # Errors
    ///
    /// If there is no descriptor left.
    #[expect(clippy::unused_self, reason = "the streams enter with the session")]
    pub(crate) fn stdin(&self) -> io::Result<OwnedFd> {
        io::stdin().as_fd().try_clone_to_owned()
    }

    /// Asks a question on stderr and reads one line; `None` if the input ended (Ctrl-D).
    ///
    /// # Errors
    ///
    /// If the input cannot be read. Ctrl-C ends the process with exit 130 here: nothing is held
    /// while a question is open.
    pub fn ask(&mut self, question: &str) -> Result<Option<String>> {
        let interrupt = Arc::clone(&self.interrupt);
        // Before the question is seen: an interrupt from now on ends the process at once.
        let _asking = interrupt.while_asking();
        interrupt.check()?;
        let lines: Vec<String> = question.split('\n').map(fit).collect();
        let _ = write!(self.err, "{}", lines.join("\n"));
        let _ = self.err.flush();
        let mut line = Vec::new();
        let n_bytes =
            self.input.read_until(b'\n', &mut line).context("could not read the answer")?;
        if n_bytes == 0 {
            let _ = writeln!(self.err);
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
    }

    /// Asks for a yes; everything but `y` and `yes` is a no.
    ///
    /// # Errors
    ///
    /// A refusal (exit 1) if the answer is no, or as [`Session::ask`].
    pub fn confirm(&mut self, question: &str, untouched: &str) -> Result<()> {
        let answer = self.ask(&format!("{question} [y/N]: "))?;
        match answer.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("y" | "yes") => Ok(()),
            _ => Err(Declined { untouched: untouched.to_owned() }.into()),
        }
    }
}

/// A line to print, whatever it contains: nothing that a terminal obeys or nobody sees, and no password
/// of a URL.
#[must_use]
pub(crate) fn fit(line: &str) -> String {
    text::plain(&secrets::masked(line))
}

#[expect(clippy::disallowed_methods, reason = "the clock enters here and nowhere else")]
fn now() -> DateTime<FixedOffset> {
    chrono::Local::now().fixed_offset()
}
