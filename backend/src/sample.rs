//! Sample talks, made up from a seed: the same seed and ordinal give the same
//! talk, whatever else is in the database. No clock, no outside randomness.

mod random;
mod words;

use crate::sample::random::Random;

/// 2025-01-06 08:00 UTC in milliseconds of Unix time: when the first talk begins.
const EPOCH_MS: i64 = 1_736_150_400_000;
/// From the beginning of one talk to that of the next.
const STRIDE_MS: i64 = 11 * 60 * 1000;

/// Someone the user talks to.
pub(crate) struct Persona {
    pub(crate) name: &'static str,
    pub(crate) system_prompt: &'static str,
    pub(crate) temperature: f64,
}

/// One talk with all that belongs to it. Times are milliseconds of Unix time.
pub(crate) struct Session {
    pub(crate) title: String,
    /// An index into [`personas`], or none.
    pub(crate) persona: Option<usize>,
    pub(crate) created_ms: i64,
    pub(crate) archived_ms: Option<i64>,
    pub(crate) messages: Vec<Message>,
    pub(crate) memories: Vec<Memory>,
    pub(crate) summary: Option<String>,
}

/// Something said.
pub(crate) struct Message {
    pub(crate) role: &'static str,
    pub(crate) content: String,
    pub(crate) sent_ms: i64,
}

/// Something remembered.
pub(crate) struct Memory {
    pub(crate) kind: &'static str,
    pub(crate) topic: &'static str,
    pub(crate) content: String,
    pub(crate) importance: i64,
    pub(crate) embedding: Vec<u8>,
    pub(crate) is_pinned: bool,
}

/// The personas of every sample.
pub(crate) fn personas() -> &'static [Persona] {
    words::PERSONAS
}

/// The settings of every sample: keys and their JSON.
pub(crate) fn settings() -> &'static [(&'static str, &'static str)] {
    words::SETTINGS
}

/// When the samples begin, in milliseconds of Unix time.
pub(crate) fn epoch_ms() -> i64 {
    EPOCH_MS
}

/// The talk number `ordinal` (from 0) of the sample `seed`.
pub(crate) fn session(seed: u64, ordinal: u32) -> Session {
    let mut random = Random::new(seed, ordinal);
    let created_ms = EPOCH_MS + i64::from(ordinal) * STRIDE_MS + random.between(0, 240_000);
    let topic = random.pick(words::TOPICS);
    let persona = if random.chance(1, 8) { None } else { Some(random.index(words::PERSONAS)) };
    let messages = messages(&mut random, topic, created_ms);
    let last_ms = messages.last().map_or(created_ms, |message| message.sent_ms);
    Session {
        title: title(&mut random, topic),
        persona,
        created_ms,
        archived_ms: random.chance(1, 10).then_some(last_ms + 86_400_000),
        memories: memories(&mut random),
        summary: (messages.len() > 20).then(|| text(&mut random, 2, 4)),
        messages,
    }
}

fn title(random: &mut Random, topic: &str) -> String {
    format!("{} {topic}", random.pick(words::TITLES))
}

/// Most talks are short, one in twenty is very long.
fn messages(random: &mut Random, topic: &str, created_ms: i64) -> Vec<Message> {
    let pairs = if random.chance(1, 20) {
        random.between(40, 90)
    } else {
        1 + random.between(0, 22).min(random.between(0, 22))
    };
    let mut messages = Vec::new();
    let mut sent_ms = created_ms;
    if random.chance(1, 6) {
        let content = format!("Today the user wants to talk about {topic}.");
        messages.push(Message { role: "system", content, sent_ms });
    }
    for _ in 0..pairs {
        sent_ms += random.between(4_000, 90_000);
        messages.push(Message { role: "user", content: question(random, topic), sent_ms });
        sent_ms += random.between(900, 9_000);
        messages.push(Message { role: "assistant", content: answer(random), sent_ms });
    }
    messages
}

fn question(random: &mut Random, topic: &str) -> String {
    let mut content = format!("{} {topic}?", random.pick(words::QUESTIONS));
    if random.chance(1, 2) {
        content.push(' ');
        content.push_str(&text(random, 1, 3));
    }
    content
}

fn answer(random: &mut Random) -> String {
    let mut content = text(random, 2, 6);
    if random.chance(1, 4) {
        for _ in 0..random.between(3, 5) {
            content.push_str("\n- ");
            content.push_str(&text(random, 1, 1));
        }
    }
    if random.chance(1, 12) {
        content.push_str("\n\n```sh\n");
        content.push_str(random.pick(words::COMMANDS));
        content.push_str("\n```");
    }
    content
}

/// One talk in three leaves something to remember, some leave two.
fn memories(random: &mut Random) -> Vec<Memory> {
    let count = [1, 0, 0, 2, 0, 0, 1, 0, 0][random.below(9)];
    (0..count)
        .map(|_| Memory {
            kind: random.pick(&["fact", "preference", "event", "task"]),
            topic: random.pick(words::TOPICS),
            content: text(random, 1, 2),
            importance: random.between(1, 5),
            embedding: random.bytes(256),
            is_pinned: random.chance(1, 6),
        })
        .collect()
}

/// Between `least` and `most` sentences.
fn text(random: &mut Random, least: i64, most: i64) -> String {
    let mut text = String::with_capacity(256);
    for number in 0..random.between(least, most) {
        if number > 0 {
            text.push(' ');
        }
        for part in [words::BEGINNINGS, words::MIDDLES, words::ENDINGS] {
            text.push_str(random.pick(part));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::session;

    #[test]
    fn a_talk_depends_on_its_seed_and_ordinal_only() {
        let said = |seed, ordinal| -> Vec<String> {
            session(seed, ordinal).messages.into_iter().map(|message| message.content).collect()
        };
        assert_eq!(said(1, 7), said(1, 7));
        assert_ne!(said(1, 7), said(1, 8));
        assert_ne!(said(1, 7), said(2, 7));
    }

    #[test]
    fn messages_are_in_order_of_time() {
        for ordinal in 0..200 {
            let talk = session(3, ordinal);
            assert!(!talk.messages.is_empty());
            assert!(talk.messages.is_sorted_by_key(|message| message.sent_ms), "{ordinal}");
            assert!(talk.messages.iter().all(|message| message.sent_ms >= talk.created_ms));
        }
    }
}
