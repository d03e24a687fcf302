//! Chance, the same everywhere.
//!
//! Own SplitMix64 rather than the `rand` crate: `StdRng` may change its algorithm between versions, and the promise
//! here is that a seed gives the same bytes for good. Normal values are sums of twelve uniforms, because `ln` and `cos`
//! of different C libraries differ in the last bit.

/// A stream of chance.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream with this number under this seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Rng {
        Rng { state: mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(mix(stream))) }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// From 0 (inclusive) to 1 (exclusive).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number from `low` to `high`, both inclusive; `low` if there is none.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let many = (high - low + 1).max(1) as u64;
        low + ((u128::from(self.bits()) * u128::from(many)) >> 64) as i64
    }

    /// An index below `length`.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.between(0, length as i64 - 1) as usize
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// The index of a weight, chosen in proportion.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let all: i64 = weights.iter().map(|w| i64::from(*w)).sum();
        let mut left = self.between(0, all - 1);
        for (index, weight) in weights.iter().enumerate() {
            left -= i64::from(*weight);
            if left < 0 {
                return index;
            }
        }
        0
    }

    /// About normal, mean 0, standard deviation 1, within ±6.
    pub(crate) fn normal(&mut self) -> f64 {
        let mut sum = -6.0;
        for _ in 0..12 {
            sum += self.unit();
        }
        sum
    }
}

/// A deviation that returns slowly to 0: an AR(1) process.
#[derive(Clone, Debug)]
pub(crate) struct Wander {
    value: f64,
    keep: f64,
    fresh: f64,
}

impl Wander {
    /// With this long-run standard deviation; `keep` is the correlation of neighbours.
    pub(crate) fn new(rng: &mut Rng, keep: f64, spread: f64) -> Wander {
        Wander { value: rng.normal() * spread, keep, fresh: (1.0 - keep * keep).sqrt() * spread }
    }

    /// The next value.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> f64 {
        self.value = self.keep * self.value + self.fresh * rng.normal();
        self.value
    }
}
