//! Everything that a person sees or presses: texts, progress, refusals, interrupts.

pub(crate) mod hidden_characters;
pub(crate) mod interrupt;
pub(crate) mod nearest_word;
pub(crate) mod planted_faults;
pub(crate) mod progress;
pub(crate) mod progress_lines;
pub(crate) mod refusal;
pub(crate) mod remarks;
pub(crate) mod secrets;
pub(crate) mod terminal_width;
pub(crate) mod text;
pub(crate) mod threads;
