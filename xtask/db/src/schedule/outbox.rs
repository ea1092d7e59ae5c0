//! Messages about a schedule, each until somebody has taken it.

use chrono::{DateTime, FixedOffset, TimeDelta};
use serde::{Deserialize, Serialize};

/// How many messages wait at most: the newest.
const MAX_MESSAGES: usize = 10;
/// How long a message waits at most.
const MAX_AGE: TimeDelta = TimeDelta::days(3);

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Channel {
    /// The dead man's switch.
    Ping,
    /// The configured command.
    Notify,
    /// The configured webhook.
    Webhook,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A run failed.
    Failed,
    /// The first run after failures succeeded.
    Recovered,
    /// A run succeeded.
    Succeeded,
}

/// A message that waits to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) channel: Channel,
    pub(crate) event: Event,
    pub(crate) at: DateTime<FixedOffset>,
    /// The message itself.
    pub(crate) text: String,
}

/// Adds a message. Of pings only the last state counts.
pub(crate) fn put(outbox: &mut Vec<Message>, message: Message) {
    if message.channel == Channel::Ping {
        outbox.retain(|waiting| waiting.channel != Channel::Ping);
    }
    outbox.push(message);
    let n_more = outbox.len().saturating_sub(MAX_MESSAGES);
    outbox.drain(..n_more);
}

/// Drops the messages that nobody needs any more.
pub(crate) fn drop_stale(outbox: &mut Vec<Message>, now: DateTime<FixedOffset>) {
    outbox.retain(|message| (now - message.at).abs() < MAX_AGE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_pings_the_last_one_waits_and_others_up_to_ten_for_three_days() {
        let at = DateTime::parse_from_rfc3339("2026-07-01T12:00:00+02:00").expect("a time");
        let message = |channel, text: &str| Message {
            channel,
            event: Event::Failed,
            at,
            text: text.to_owned(),
        };
        let mut outbox = Vec::new();
        put(&mut outbox, message(Channel::Ping, "one"));
        put(&mut outbox, message(Channel::Notify, "two"));
        put(&mut outbox, message(Channel::Ping, "three"));
        let texts: Vec<_> = outbox.iter().map(|message| message.text.as_str()).collect();
        assert_eq!(texts, ["two", "three"]);
        for n in 0..20 {
            put(&mut outbox, message(Channel::Webhook, &n.to_string()));
        }
        assert_eq!((outbox.len(), outbox[0].text.as_str()), (MAX_MESSAGES, "10"));
        drop_stale(&mut outbox, at + TimeDelta::days(2));
        assert_eq!(outbox.len(), MAX_MESSAGES);
        drop_stale(&mut outbox, at + TimeDelta::days(3));
        assert_eq!(outbox, []);
    }
}
