//! The phrases that the tidy test rejects, each with what to write instead.

/// A phrase that a native writer would not use here.
pub(crate) struct Tic {
    /// The phrase, in lower case.
    pub(crate) phrase: &'static str,
    /// What to write instead.
    pub(crate) instead: &'static str,
    /// The texts in which it is right.
    pub(crate) right: &'static [&'static str],
}

/// A phrase that is never right.
const fn never(phrase: &'static str, instead: &'static str) -> Tic {
    Tic { phrase, instead, right: &[] }
}

/// A phrase that is right in some texts.
const fn but(phrase: &'static str, instead: &'static str, right: &'static [&'static str]) -> Tic {
    Tic { phrase, instead, right }
}

/// What neither a document nor a message nor a comment has.
pub(crate) const EVERYWHERE: [Tic; 29] = [
    never("; without it", "[default: X]"),
    never("anew", "again, or rebuild"),
    never("are of", "belong to"),
    never("are said", "are reported"),
    never("be had", "be found, or be restored"),
    never("bear", "have"),
    never("bears", "has"),
    never("came to its end", "ended"),
    never("come to its end", "be interrupted"),
    never("come to the same", "be the same"),
    never("comes to the same", "is the same"),
    never("for good", "permanently"),
    but("is of", "belongs to", &["is of no"]),
    never("is said", "is reported"),
    never("let pruning have", "allow pruning to remove"),
    but("lies", "is", &["lost, … lies"]),
    never("mere", "just"),
    never("of whom", "whose"),
    never("put back", "restore"),
    never("puts back", "restores"),
    never("puts it back", "restores it"),
    never("put-back", "restore"),
    never("putting back", "restoring"),
    but("stands", "is", &["stands for", "stands out", "stands by"]),
    but("stood", "was", &["stood for", "stood by", "stood out"]),
    never("to its end", "to the end"),
    never("what is said", "what is printed"),
    never("who wants", "to …"),
    never("whoever", "name who"),
];

/// What neither a document nor a message has.
pub(crate) const SHOWN: [Tic; 10] = [
    but(
        "holds",
        "contains, or has",
        &["holds the", "holds its", "holds a lock", "holds an exclusive", "holds writers"],
    ),
    never("has no end", "is incomplete"),
    never("passed over", "skipped"),
    never("said", "printed, or reported"),
    never("says", "contains, reports, or prints"),
    never("say", "pass, or choose"),
    never("taken back", "undone"),
    never("takes no", "accepts no"),
    never("tells", "shows, or reports"),
    but("told", "shown, or reported", &["told apart"]),
];
