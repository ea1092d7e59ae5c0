//! What a person reads: help, messages, and text that others wrote.

pub(crate) mod alias;
pub(crate) mod completions;
pub(crate) mod everyday;
pub(crate) mod help;
pub(crate) mod hostile_text;
pub(crate) mod odd_names;
pub(crate) mod progress_lines;
