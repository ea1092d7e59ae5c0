//! Random choices that a seed repeats.

use std::time::Duration;

/// Dice whose numbers the seed decides.
#[derive(Debug)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// Dice for this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number from 0 to below `end`, which must not be 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    /// Whether something happens that does in one of `n` cases.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of several, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A time up to `longest`, short ones more often: most of a command happens early.
    pub(crate) fn delay(&mut self, longest: Duration) -> Duration {
        let share = self.0.f64();
        longest.mul_f64(share * share)
    }
}
