//! The words that sample talks are made of, not all of them ASCII.

use crate::sample::Persona;

/// The personas of every sample.
pub(crate) const PERSONAS: &[Persona] = &[
    Persona {
        name: "Kalito",
        system_prompt: "You are Kalito, a warm and attentive companion. Remember what matters.",
        temperature: 0.8,
    },
    Persona {
        name: "Ada",
        system_prompt: "You are Ada, a patient tutor of mathematics and programming.",
        temperature: 0.3,
    },
    Persona {
        name: "Søren",
        system_prompt: "You are Søren, who answers a question with a better question.",
        temperature: 0.9,
    },
    Persona {
        name: "Chef Inés",
        system_prompt: "You are Chef Inés. You cook with what is in the kitchen.",
        temperature: 0.7,
    },
    Persona {
        name: "編集者",
        system_prompt: "You are an editor. Make the text shorter and keep its voice.",
        temperature: 0.5,
    },
];

/// Settings and their JSON values.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("appearance.theme", r#""dark""#),
    ("appearance.font_size", "15"),
    ("chat.default_persona", r#""Kalito""#),
    ("chat.max_context_messages", "40"),
    ("chat.models", r#"["small", "medium"]"#),
    ("memory.auto_summarize", "true"),
    ("memory.summary_after_messages", "20"),
    ("user.profile", r#"{"name": "Zoë", "time_zone": "Europe/Berlin"}"#),
];

/// What talks are about.
pub(crate) const TOPICS: &[&str] = &[
    "sourdough bread",
    "the move to Lisbon",
    "Rust lifetimes",
    "sleeping better",
    "the garden in spring",
    "a birthday for Zoë",
    "learning the cello",
    "database migrations",
    "the quarterly report",
    "a hiking trip in the Tatra mountains",
    "green tea",
    "houseplants that survive",
    "a letter to the landlord",
    "the café on the corner",
    "training for a half marathon",
    "an old camera",
    "the meaning of 侘寂",
    "a budget for the summer",
    "names for a cat",
    "the history of the bicycle",
];

/// How a title begins.
pub(crate) const TITLES: &[&str] = &[
    "Thoughts on",
    "Help with",
    "Planning",
    "Questions about",
    "More about",
    "Ideas for",
    "Once again:",
    "Notes on",
];

/// How a user begins to ask.
pub(crate) const QUESTIONS: &[&str] = &[
    "What should I know about",
    "Can you help me with",
    "Where would you start with",
    "What did we say last time about",
    "Is there a simpler way to think about",
    "Could you write a short note on",
    "What am I missing about",
    "How do other people go about",
];

/// The first part of a sentence.
pub(crate) const BEGINNINGS: &[&str] = &[
    "The short answer is that ",
    "As far as I remember, ",
    "Last week it turned out that ",
    "If there is time in the evening, ",
    "My sister always says that ",
    "To be honest, ",
    "The first thing to notice is that ",
    "It helps to write down why ",
    "Nobody told me that ",
    "On a good day ",
    "Before anything else, ",
    "After the second attempt ",
    "What surprised me was that ",
    "Strictly speaking, ",
    "For now let us say that ",
    "Even so, ",
];

/// The second part of a sentence.
pub(crate) const MIDDLES: &[&str] = &[
    "a small and regular step ",
    "the plan we made in March ",
    "half of the list ",
    "the part that looks hard ",
    "an honest first draft ",
    "the naïve version ",
    "what the neighbours suggested ",
    "a quiet hour without the phone ",
    "the cheapest of the three offers ",
    "the thing you keep postponing ",
    "everything on the second page ",
    "a good night’s sleep ",
    "the old way of doing it ",
    "one careful measurement ",
    "asking somebody who has done it ",
    "the whole idea ",
];

/// The last part of a sentence.
pub(crate) const ENDINGS: &[&str] = &[
    "is worth more than a perfect plan.",
    "usually takes about twice as long as expected.",
    "turned out to be the easy part.",
    "can wait until the weekend.",
    "costs around 40 € and saves a lot of trouble.",
    "makes the rest of it much clearer.",
    "is what I would try first.",
    "does not have to be decided today.",
    "was a mistake, but a useful one.",
    "goes well with a cup of tea 🍵.",
    "deserves a second look.",
    "explains most of what went wrong.",
    "is better done together.",
    "should be written down somewhere safe.",
    "is easier than it sounds.",
    "works, as long as nobody is in a hurry.",
];

/// What an answer may quote.
pub(crate) const COMMANDS: &[&str] = &[
    "cargo test --workspace",
    "git switch -c try-something",
    "rsync -a --delete photos/ backup/photos/",
    "sqlite3 notes.db 'SELECT count(*) FROM notes;'",
    "find . -name '*.md' | xargs wc -w | sort -n | tail -n 5",
];
