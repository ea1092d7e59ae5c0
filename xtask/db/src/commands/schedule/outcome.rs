//! The reports of how a run ended: each end to the dead man's switch, a failure to people once per cause and day, and a
//! recovery once.

use anyhow::Result;
use serde_json::json;

use crate::console::refusal::Exit;
use crate::console::text;
use crate::health::schedule::time;
use crate::host::project::Project;
use crate::host::project::schedule::{Address, Schedule};
use crate::host::session::{Session, failure, fit};
use crate::schedule::home::Home;
use crate::schedule::outbox::{self, Channel, Event, Message};
use crate::schedule::state::{Failing, State, Step};
use crate::schedule::{call, log};

/// How many lines of a run a ping gets.
const N_LINES: usize = 30;

/// Those who are told.
pub(super) struct Told<'a> {
    pub(super) project: &'a Project,
    pub(super) schedule: &'a Schedule,
    pub(super) home: &'a Home,
}

impl Told<'_> {
    /// Tells the dead man's switch that a run begins, unless it is one at a terminal, whose failure it would not get.
    pub(super) fn start(&self, session: &mut Session) {
        if let Some(ping) = self.schedule.ping.as_ref().filter(|_| !session.has_terminal())
            && let Err(error) = call::post(&ping.below("start"), "text/plain", "")
        {
            session.warn(format!("{error:#}"));
        }
    }

    /// Notes that a run succeeded, and who has to know that it does so again.
    pub(super) fn success(&self, session: &Session, state: &mut State) {
        let text = last_lines(session.transcript());
        self.put(session, state, Event::Succeeded, &text);
        let Some(failing) = state.failing.take().filter(|failing| failing.is_told) else { return };
        let mut text = format!(
            "{}: scheduled backups work again. The {} had failed since {}: {}\n",
            self.place(session),
            failing.step.word(),
            time(failing.since),
            failing.what
        );
        if let Some(still) = state.still_damaged() {
            text.extend(["But ", &still, ".\n"]);
        }
        self.put(session, state, Event::Recovered, &text);
    }

    /// Notes a failure, and who has to know: nobody whose own terminal shows it, and nobody twice on one day.
    pub(super) fn failure(
        &self,
        session: &Session,
        state: &mut State,
        step: Step,
        error: &anyhow::Error,
    ) {
        let (shown, hint) = failure::layout(error);
        let shown: String = shown.lines().flat_map(|line| [fit(line), "\n".to_owned()]).collect();
        let (what, hint) = (fit(&error.to_string()), hint.map(|hint| fit(&hint)));
        let cause = cause(step, &what);
        let (now, today) = (session.now(), session.now().date_naive());
        let before = state.failing.take();
        let same = before.as_ref().filter(|before| before.cause == cause);
        let n_runs = same.map_or(1, |before| before.n_runs.saturating_add(1));
        let since = same.map_or(now, |before| before.since);
        let mut is_told = before.as_ref().is_some_and(|before| before.is_told);
        // Something else at work is not a failure until the next call finds it there too.
        let waits = failure::exit_of(error) == Exit::Locked && n_runs == 1;
        if !session.has_terminal() && !waits {
            let text = format!("{}{shown}", last_lines(session.transcript()));
            self.put(session, state, Event::Failed, &text);
            if state.told.get(&cause) != Some(&today) {
                let text = format!(
                    "{}: the scheduled {} failed: {}It is tried again within the hour. Log: {}\n",
                    self.place(session),
                    step.word(),
                    shown.trim_start_matches("error: "),
                    self.home.file(log::FILE).display()
                );
                let n_before = state.outbox.len();
                self.put_to_people(session, state, Event::Failed, &text);
                if state.outbox.len() > n_before {
                    state.told.insert(cause.clone(), today);
                    is_told = true;
                }
            }
        }
        state.told.retain(|_, day| *day == today);
        state.failing = Some(Failing { step, cause, what, hint, since, n_runs, is_told });
    }

    fn put(&self, session: &Session, state: &mut State, event: Event, text: &str) {
        if self.schedule.ping.is_some() && event != Event::Recovered {
            let message = message(session, Channel::Ping, event, text);
            outbox::put(&mut state.outbox, message);
        }
        if event == Event::Recovered {
            self.put_to_people(session, state, event, text);
        }
    }

    fn put_to_people(&self, session: &Session, state: &mut State, event: Event, text: &str) {
        let channels = [
            (Channel::Notify, !self.schedule.notify.is_empty()),
            (Channel::Webhook, self.schedule.webhook.is_some()),
        ];
        for (channel, is_configured) in channels {
            if is_configured {
                outbox::put(&mut state.outbox, message(session, channel, event, text));
            }
        }
    }

    /// Delivers the messages that wait; what cannot be delivered waits for the next call. It fails nothing.
    pub(super) fn deliver(&self, session: &mut Session, state: &mut State) {
        let waiting = std::mem::take(&mut state.outbox);
        for message in waiting {
            if let Err(error) = self.send(session, &message) {
                session.warn(format!("{error:#}; the next call tries again"));
                state.outbox.push(message);
            }
        }
    }

    fn send(&self, session: &Session, message: &Message) -> Result<()> {
        let Message { channel, event, at, text } = message;
        match channel {
            Channel::Ping => self.ping(*event, text),
            Channel::Notify => call::tell(&self.schedule.notify, &self.project.root, text),
            Channel::Webhook => {
                let Some(address) = &self.schedule.webhook else { return Ok(()) };
                let document = json!({
                    "text": text,
                    "project": self.project.root.file_name().map(|name| name.to_string_lossy()),
                    "host": session.host_name(),
                    "event": event,
                    "at": at.to_rfc3339(),
                });
                call::post(address, "application/json", &document.to_string())
            }
        }
    }

    fn ping(&self, event: Event, text: &str) -> Result<()> {
        let Some(ping) = &self.schedule.ping else { return Ok(()) };
        let address: Address = match event {
            Event::Failed => ping.below("fail"),
            Event::Succeeded | Event::Recovered => ping.clone(),
        };
        call::post(&address, "text/plain", text)
    }

    /// The project and the machine, as a message begins.
    fn place(&self, session: &Session) -> String {
        let root = text::plain(&self.project.root.display().to_string());
        format!("{root} on {}", session.host_name())
    }
}

fn message(session: &Session, channel: Channel, event: Event, text: &str) -> Message {
    Message { channel, event, at: session.now(), text: text.to_owned() }
}

/// Failures of one step that differ only in numbers, e.g. in times and sizes, have one cause.
fn cause(step: Step, what: &str) -> String {
    let mut cause = format!("{}: ", step.word());
    for c in what.chars() {
        match c {
            c if !c.is_ascii_digit() => cause.push(c),
            _ if cause.ends_with('#') => {}
            _ => cause.push('#'),
        }
    }
    cause
}

fn last_lines(lines: &[String]) -> String {
    let lines = &lines[lines.len().saturating_sub(N_LINES)..];
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_no_other_cause() {
        let one = cause(Step::Backup, "only 12 MB of 1.5 GB are free");
        assert_eq!(one, cause(Step::Backup, "only 7 MB of 20.25 GB are free"));
        assert_ne!(one, cause(Step::Bundle, "only 12 MB of 1.5 GB are free"));
        assert_ne!(one, cause(Step::Backup, "only 12 KB of 1.5 GB are free"));
    }
}
