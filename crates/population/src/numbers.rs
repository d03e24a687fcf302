//! Arithmetic that gives the same bits on every machine: only `+ - * /`, `sqrt` and `floor`.

/// Rounded to so many digits.
pub(crate) fn round(value: f64, digits: u32) -> f64 {
    let scale = scale(digits);
    (value * scale + 0.5).floor() / scale
}

/// As text with exactly so many digits. For values that are not negative.
pub(crate) fn fixed(value: f64, digits: u32) -> String {
    let scaled = (value.max(0.0) * scale(digits) + 0.5).floor() as u64;
    if digits == 0 {
        return scaled.to_string();
    }
    let whole = 10u64.pow(digits);
    format!("{}.{:0width$}", scaled / whole, scaled % whole, width = digits as usize)
}

fn scale(digits: u32) -> f64 {
    10u64.pow(digits) as f64
}

/// `base` to the power of `exponent`, for a positive base: series, so that no C library has a say.
pub(crate) fn power(base: f64, exponent: f64) -> f64 {
    exponential(exponent * logarithm(base))
}

fn exponential(x: f64) -> f64 {
    let small = x / 64.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..12 {
        term *= small / f64::from(n);
        sum += term;
    }
    for _ in 0..6 {
        sum *= sum;
    }
    sum
}

fn logarithm(x: f64) -> f64 {
    const LN_2: f64 = std::f64::consts::LN_2;
    let (mut x, mut twos) = (x.max(1e-9), 0.0);
    while x > 1.5 {
        x /= 2.0;
        twos += 1.0;
    }
    while x < 0.75 {
        x *= 2.0;
        twos -= 1.0;
    }
    let t = (x - 1.0) / (x + 1.0);
    let (mut odd, mut sum) = (t, 0.0);
    for n in 0..14 {
        sum += odd / f64::from(2 * n + 1);
        odd *= t * t;
    }
    2.0 * sum + twos * LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_is_power() {
        for (base, exponent) in [(0.8_f64, -1.094_f64), (65.0, -0.287), (1.0, 3.0), (194.0, 0.9)] {
            assert!((power(base, exponent) / base.powf(exponent) - 1.0).abs() < 1e-9);
        }
        assert_eq!(fixed(5.649, 1), "5.6");
        assert_eq!(fixed(5.0, 2), "5.00");
        assert_eq!(fixed(119.5, 0), "120");
    }
}
