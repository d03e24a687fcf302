//! The statistics themselves (<http://terminology.hl7.org/CodeSystem/observation-statistics>).
//!
//! Maximum, minimum, sum, count and the median are exact: values are decimals, not floats. What a division or a root makes
//! is rounded to twelve significant digits. Definitions, where there are several:
//!
//! * variance and standard deviation are those of a sample (divided by n − 1);
//! * percentiles, quartiles and quintiles are interpolated between the nearest two (type 7 of Hyndman and Fan, "Sample
//!   Quantiles in Statistical Packages", 1996: what R and spreadsheets do);
//! * the quartile deviation is half of the distance of the quartiles;
//! * skew and kurtosis are those of a sample (G1 and G2, kurtosis in excess of the normal distribution's);
//! * the regression is the least squares line against time in days.
//!
//! What is not defined (the variance of one value) is not a number, which is said.

use rust_decimal::prelude::ToPrimitive as _;
use rust_decimal::{Decimal, MathematicalOps as _};

/// A measurement: its value, and when it was made, in days since the beginning of the period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measurement {
    pub(super) value: Decimal,
    pub(super) days: Option<f64>,
}

/// One of the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statistic {
    pub(super) code: &'static str,
    pub(super) display: &'static str,
}

/// All there are.
pub(super) const STATISTICS: &[Statistic] = &[
    Statistic { code: "average", display: "Average" },
    Statistic { code: "maximum", display: "Maximum" },
    Statistic { code: "minimum", display: "Minimum" },
    Statistic { code: "count", display: "Count" },
    Statistic { code: "total-count", display: "Total Count" },
    Statistic { code: "median", display: "Median" },
    Statistic { code: "std-dev", display: "Standard Deviation" },
    Statistic { code: "sum", display: "Sum" },
    Statistic { code: "variance", display: "Variance" },
    Statistic { code: "20-percent", display: "20th Percentile" },
    Statistic { code: "80-percent", display: "80th Percentile" },
    Statistic { code: "4-lower", display: "Lower Quartile" },
    Statistic { code: "4-upper", display: "Upper Quartile" },
    Statistic { code: "4-dev", display: "Quartile Deviation" },
    Statistic { code: "5-1", display: "1st Quintile" },
    Statistic { code: "5-2", display: "2nd Quintile" },
    Statistic { code: "5-3", display: "3rd Quintile" },
    Statistic { code: "5-4", display: "4th Quintile" },
    Statistic { code: "skew", display: "Skew" },
    Statistic { code: "kurtosis", display: "Kurtosis" },
    Statistic { code: "regression", display: "Regression" },
];

/// The statistic with a code; `max` and `min` are the specification's own other names.
pub(super) fn named(code: &str) -> Option<Statistic> {
    let code = match code {
        "max" => "maximum",
        "min" => "minimum",
        other => other,
    };
    STATISTICS.iter().copied().find(|s| s.code == code)
}

/// What a statistic is measured in, by the unit of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    /// The values' own.
    Unit,
    /// Its square.
    Squared,
    /// It by day.
    ByDay,
    /// A number.
    None,
}

/// A result: what of the statistic it is (of a regression), its number if it has one, and what that is measured in.
pub(super) type Result = (Option<&'static str>, Option<Decimal>, Dimension);

/// What a statistic of these values is. `total` counts what was ignored too.
pub(super) fn of(statistic: Statistic, sorted: &[Measurement], total: usize) -> Vec<Result> {
    let values: Vec<Decimal> = sorted.iter().map(|m| m.value).collect();
    let one = |number: Option<Decimal>, dimension| vec![(None, number, dimension)];
    let quantile = |part: i64, of: i64| {
        one(quantile(&values, Decimal::new(part, 0) / Decimal::new(of, 0)), Dimension::Unit)
    };
    match statistic.code {
        "average" => one(mean(&values).map(rounded), Dimension::Unit),
        "maximum" => one(values.last().copied(), Dimension::Unit),
        "minimum" => one(values.first().copied(), Dimension::Unit),
        "count" => one(Some(Decimal::from(values.len())), Dimension::None),
        "total-count" => one(Some(Decimal::from(total)), Dimension::None),
        "median" => quantile(1, 2),
        "std-dev" => one(variance(&values).and_then(|v| v.sqrt()).map(rounded), Dimension::Unit),
        "sum" => one(sum(&values), Dimension::Unit),
        "variance" => one(variance(&values).map(rounded), Dimension::Squared),
        "20-percent" | "5-1" => quantile(1, 5),
        "80-percent" | "5-4" => quantile(4, 5),
        "5-2" => quantile(2, 5),
        "5-3" => quantile(3, 5),
        "4-lower" => quantile(1, 4),
        "4-upper" => quantile(3, 4),
        "4-dev" => {
            let at = |part: i64| self::quantile(&values, Decimal::new(part * 25, 2));
            let half =
                at(3).zip(at(1)).and_then(|(q3, q1)| q3.checked_sub(q1)).map(|d| rounded(d / Decimal::TWO));
            one(half, Dimension::Unit)
        }
        "skew" => one(skew(&values), Dimension::None),
        "kurtosis" => one(kurtosis(&values), Dimension::None),
        _ => {
            let line = regression(sorted);
            vec![
                (Some("gradient"), line.map(|l| l.0), Dimension::ByDay),
                (Some("intercept"), line.map(|l| l.1), Dimension::Unit),
            ]
        }
    }
}

fn sum(values: &[Decimal]) -> Option<Decimal> {
    values.iter().try_fold(Decimal::ZERO, |sum, v| sum.checked_add(*v))
}

fn mean(values: &[Decimal]) -> Option<Decimal> {
    sum(values)?.checked_div(Decimal::from(values.len()))
}

fn variance(values: &[Decimal]) -> Option<Decimal> {
    let mean = mean(values)?;
    let squares = values.iter().try_fold(Decimal::ZERO, |sum, value| {
        let deviation = value.checked_sub(mean)?;
        sum.checked_add(deviation.checked_mul(deviation)?)
    })?;
    squares.checked_div(Decimal::from(values.len().checked_sub(1)?))
}

/// The value at a part of the way through the sorted values.
fn quantile(sorted: &[Decimal], part: Decimal) -> Option<Decimal> {
    let place = part.checked_mul(Decimal::from(sorted.len().checked_sub(1)?))?;
    let below = place.floor().to_usize()?;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    let fraction = place.checked_sub(place.floor())?;
    if fraction.is_zero() {
        return Some(low);
    }
    low.checked_add(high.checked_sub(low)?.checked_mul(fraction)?).map(|v| v.normalize())
}

/// The sums of the squares, cubes and fourth powers of deviations, in floats.
fn moments(values: &[Decimal]) -> Option<(f64, f64, f64, f64)> {
    let mean = mean(values)?;
    let mut sums = (0.0, 0.0, 0.0);
    for value in values {
        let deviation = float(value.checked_sub(mean)?)?;
        let square = deviation * deviation;
        sums = (sums.0 + square, sums.1 + square * deviation, sums.2 + square * square);
    }
    Some((values.len() as f64, sums.0, sums.1, sums.2))
}

fn skew(values: &[Decimal]) -> Option<Decimal> {
    let (n, second, third, _) = moments(values).filter(|m| m.0 >= 3.0)?;
    let deviation = (second / (n - 1.0)).sqrt();
    decimal(n / ((n - 1.0) * (n - 2.0)) * third / deviation.powi(3))
}

fn kurtosis(values: &[Decimal]) -> Option<Decimal> {
    let (n, second, _, fourth) = moments(values).filter(|m| m.0 >= 4.0)?;
    let variance = second / (n - 1.0);
    let first = n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0)) * fourth / (variance * variance);
    decimal(first - 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0)))
}

/// Gradient by day and value at the beginning of the period.
fn regression(measurements: &[Measurement]) -> Option<(Decimal, Decimal)> {
    let points: Vec<(f64, f64)> =
        measurements.iter().filter_map(|m| Some((m.days?, float(m.value)?))).collect();
    let n = points.len() as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let across: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let along: f64 = points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    let gradient = across / along;
    Some((decimal(gradient)?, decimal(y - gradient * x)?))
}

fn float(value: Decimal) -> Option<f64> {
    value.to_f64()
}

/// A float, if it is a number.
fn decimal(value: f64) -> Option<Decimal> {
    Decimal::try_from(value).ok().map(rounded)
}

/// Twelve significant digits.
fn rounded(value: Decimal) -> Decimal {
    value.round_sf(12).unwrap_or(value).normalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(values: &[&str]) -> impl Fn(&str) -> String {
        let mut sorted: Vec<Measurement> = values
            .iter()
            .enumerate()
            .map(|(at, v)| Measurement { value: v.parse().unwrap(), days: Some(at as f64) })
            .collect();
        sorted.sort_by_key(|m| m.value);
        move |code: &str| {
            let results = of(named(code).unwrap(), &sorted, 9);
            let text = |r: &Result| r.1.map_or("none".to_owned(), |d| d.to_string());
            results.iter().map(text).collect::<Vec<_>>().join(" ")
        }
    }

    #[test]
    fn figures_that_others_compute_too() {
        // As spreadsheets and R do: SKEW and KURT, VAR.S, PERCENTILE.INC, SLOPE and INTERCEPT (computed apart).
        let of = all(&["2", "4", "4", "4", "5", "5", "7", "9"]);
        for (code, expected) in [
            ("average", "5"),
            ("max", "9"),
            ("minimum", "2"),
            ("count", "8"),
            ("total-count", "9"),
            ("median", "4.5"),
            ("sum", "40"),
            ("variance", "4.57142857143"),
            ("std-dev", "2.1380899353"),
            ("20-percent", "4"),
            ("5-4", "6.2"),
            ("4-lower", "4"),
            ("4-upper", "5.5"),
            ("4-dev", "0.75"),
            ("skew", "0.818487553357"),
            ("kurtosis", "0.940625"),
            ("regression", "0.809523809524 2.16666666667"),
        ] {
            assert_eq!(of(code), expected, "{code}");
        }
    }

    #[test]
    fn digits_are_kept() {
        let of = all(&["0.1", "0.2", "5.10"]);
        assert_eq!(
            (of("sum"), of("maximum"), of("median")),
            ("5.40".to_owned(), "5.10".to_owned(), "0.2".to_owned())
        );
    }

    #[test]
    fn what_is_not_defined_is_no_number() {
        for (values, codes) in [
            (&[][..], &["average", "maximum", "median", "variance", "skew", "regression"][..]),
            (&["1"][..], &["variance", "std-dev", "skew", "kurtosis"][..]),
            (&["3", "3", "3", "3"][..], &["skew", "kurtosis"][..]),
            (
                &["79228162514264337593543950335", "79228162514264337593543950335"][..],
                &["sum", "average"][..],
            ),
        ] {
            for code in codes {
                assert!(all(values)(code).starts_with("none"), "{values:?} {code}");
            }
        }
        assert_eq!(all(&[])("count"), "0");
    }

    proptest! {
        #[test]
        fn no_values_are_too_much(values in proptest::collection::vec(any::<i128>().prop_map(|n| n >> 32), 0..20), scale in 0u32..28) {
            let measurements: Vec<Measurement> = values
                .iter()
                .map(|v| Measurement { value: Decimal::from_i128_with_scale(*v, scale), days: Some(*v as f64) })
                .collect();
            let mut sorted = measurements;
            sorted.sort_by_key(|m| m.value);
            for statistic in STATISTICS {
                prop_assert!(!of(*statistic, &sorted, 0).is_empty());
            }
        }
    }
}
