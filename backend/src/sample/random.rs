//! A small deterministic source of numbers: splitmix64
//! (<https://prng.di.unimi.it/splitmix64.c>). Good enough to make up talks.

/// The increment of the generator's state.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The numbers that follow from a seed.
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream number `ordinal` of `seed`; streams are unrelated to each other.
    pub(crate) fn new(seed: u64, ordinal: u32) -> Self {
        let mut seeds = Self { state: seed };
        let base = seeds.next();
        let mut streams = Self { state: base ^ u64::from(ordinal) };
        Self { state: streams.next() }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where the bound is.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let scaled = (u128::from(self.next()) * bound as u128) >> 64;
        // The product is less than `bound`, so it fits.
        usize::try_from(scaled).unwrap_or(0)
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = usize::try_from(most - least + 1).unwrap_or(1);
        least + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// True `hits` times out of `tries`.
    pub(crate) fn chance(&mut self, hits: usize, tries: usize) -> bool {
        self.below(tries) < hits
    }

    /// The index of one of the `choices`.
    pub(crate) fn index<T>(&mut self, choices: &[T]) -> usize {
        self.below(choices.len())
    }

    /// One of the `choices`, of which there must be one.
    pub(crate) fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices.get(self.index(choices)).copied().unwrap_or_default()
    }

    /// Some bytes, like those of a quantised vector.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The first outputs for the state 0, as published with the algorithm.
        let mut random = Random { state: 0 };
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn every_number_stays_in_its_bounds() {
        let mut random = Random::new(1, 1);
        let numbers: Vec<i64> = (0..1000).map(|_| random.between(-2, 2)).collect();
        assert_eq!(numbers.iter().min(), Some(&-2));
        assert_eq!(numbers.iter().max(), Some(&2));
        assert_eq!(random.below(0), 0);
        assert_eq!(random.bytes(256).len(), 256);
    }
}
