//! The statistics every indicator needs: intervals, standardisation, funnels, run charts.
//!
//! Each method names its source. Quantiles of distributions come from `statrs`; nothing here draws random numbers but
//! [`bootstrap`], and that from a seed.

pub mod bootstrap;
pub mod funnel;
pub mod interval;
pub mod p_chart;
pub(crate) mod quantile;
pub mod run_chart;
pub mod standardise;

pub use self::interval::Interval;

/// The middle of values; `None` of none. Of an even number, the mean of the two in the middle.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, upper))
}

#[cfg(test)]
mod tests;
