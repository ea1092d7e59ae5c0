//! A text of many words, frequent and rare ones, which is as compressible as what people write.

use crate::dice::Dice;

const N_WORDS: usize = 2500;
const SYLLABLES: [&str; 32] = [
    "ka", "li", "to", "ne", "ra", "so", "mi", "ver", "den", "al", "un", "pre", "con", "ter", "ing",
    "es", "po", "ba", "chu", "fe", "gor", "hy", "is", "ju", "lo", "nan", "os", "qui", "sta", "tri",
    "vu", "ze",
];

/// A text at least so long.
pub(super) fn pool(dice: &mut Dice, n_bytes: usize) -> String {
    let words: Vec<String> = (0..N_WORDS).map(|_| word(dice)).collect();
    let mut pool = String::with_capacity(n_bytes + 16);
    while pool.len() < n_bytes {
        // The first words are the frequent ones.
        let frequent = 1 + dice.below(N_WORDS);
        let frequent = 1 + dice.below(frequent);
        pool.push_str(&words[dice.below(frequent)]);
        pool.push_str(if dice.below(12) == 0 { ". " } else { " " });
    }
    pool
}

fn word(dice: &mut Dice) -> String {
    (0..=dice.below(4)).map(|_| SYLLABLES[dice.below(SYLLABLES.len())]).collect()
}
