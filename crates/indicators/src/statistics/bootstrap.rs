//! The percentile bootstrap (Efron 1979; Efron and Tibshirani 1993, chapter 13), the same for the same seed.

use super::Interval;

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same in every version of every library.
#[derive(Clone, Debug)]
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..bound`.
    fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * bound as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

/// The interval of a statistic of `items`, drawn again `times` times. Draws of which the statistic is `None` are left out.
///
/// `None` without items, without draws, for a level outside 0 to 1, or where more than half of the draws have no statistic.
pub fn percentile<T>(
    items: &[T],
    statistic: impl Fn(&[&T]) -> Option<f64>,
    level: f64,
    times: usize,
    seed: u64,
) -> Option<Interval> {
    if items.is_empty() || times == 0 || !(level > 0.0 && level < 1.0) {
        return None;
    }
    let mut draws = Draws(seed);
    let mut found = Vec::with_capacity(times);
    let mut sample: Vec<&T> = Vec::with_capacity(items.len());
    for _ in 0..times {
        sample.clear();
        sample.extend((0..items.len()).filter_map(|_| items.get(draws.below(items.len()))));
        found.extend(statistic(&sample).filter(|s| s.is_finite()));
    }
    if found.len() * 2 <= times {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval { low: quantile(&found, tail)?, high: quantile(&found, 1.0 - tail)? })
}

/// The quantile of sorted values, between the two nearest (Hyndman and Fan 1996, type 7).
fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let at = p * (sorted.len().checked_sub(1)? as f64);
    let below = at.floor();
    let (low, high) = (sorted.get(below as usize)?, sorted.get(at.ceil() as usize)?);
    Some(low + (at - below) * (high - low))
}
