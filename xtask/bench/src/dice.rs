//! The same random numbers at every run.

/// `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>).
pub(super) struct Dice(u64);

impl Dice {
    /// Dice whose numbers the seed decides.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`.
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are as random as the rest")]
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.bits() as usize % end
    }

    /// A piece of the pool, which is ASCII and so may be cut anywhere.
    pub(super) fn text<'p>(&mut self, pool: &'p str, n_bytes: usize) -> &'p str {
        let start = self.below(pool.len() - n_bytes);
        &pool[start..start + n_bytes]
    }
}
