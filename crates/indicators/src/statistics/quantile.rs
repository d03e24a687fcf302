//! Quantiles, within the bounds where they are defined.

use statrs::distribution::{ContinuousCDF as _, Gamma, Normal};

/// The normal deviate with this much below it; 0 < `p` < 1.
pub(crate) fn normal(p: f64) -> Option<f64> {
    let standard = Normal::new(0.0, 1.0).ok()?;
    (p > 0.0 && p < 1.0).then(|| standard.inverse_cdf(p))
}

/// The chi-squared quantile of any positive degree of freedom; 0 < `p` < 1.
pub(crate) fn chi_squared(p: f64, freedom: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0 && freedom > 0.0 && freedom.is_finite()) {
        return None;
    }
    let gamma = Gamma::new(freedom / 2.0, 0.5).ok()?;
    Some(gamma.inverse_cdf(p)).filter(|q| q.is_finite())
}
