//! Exact decimals with the digits they were written with.
//!
//! Search compares decimals, so they also have an order-preserving form: [`Decimal::write_key`]. Arithmetic is not
//! needed here beyond [`Decimal::bounds`], the interval a written precision stands for
//! (<https://hl7.org/fhir/R4/search.html#number>).

use std::cmp::Ordering;

/// Digits beyond this many are dropped from the value (never from the stored text). FHIR asks for at least 18.
pub const MAX_DIGITS: usize = 36;

/// `coefficient × 10^exponent`, negative or not.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    is_negative: bool,
    coefficient: u128,
    exponent: i32,
}

impl Decimal {
    /// Reads `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`; also a leading `+` and leading zeros, which search allows.
    /// `None` if the text is not a number or its exponent is beyond ±1,000,000.
    #[must_use]
    pub fn parse(text: &str) -> Option<Decimal> {
        let (is_negative, rest) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let mut coefficient = 0u128;
        let mut exponent = 0i32;
        let mut count = 0;
        let mut has_digits = false;
        let mut has_point = false;
        let mut at = 0;
        while let Some(byte) = rest.get(at) {
            match byte {
                b'0'..=b'9' => {
                    has_digits = true;
                    if count < MAX_DIGITS {
                        coefficient = coefficient * 10 + u128::from(byte - b'0');
                        count += usize::from(coefficient > 0);
                        exponent -= i32::from(has_point);
                    } else {
                        exponent += i32::from(!has_point);
                    }
                }
                b'.' if !has_point && has_digits && rest.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                    has_point = true
                }
                b'e' | b'E' => break,
                _ => return None,
            }
            at += 1;
        }
        if !has_digits {
            return None;
        }
        if at < rest.len() {
            let text = std::str::from_utf8(&rest[at + 1..]).ok()?;
            let written: i32 = text.strip_prefix('+').unwrap_or(text).parse().ok()?;
            if written.abs() > 1_000_000 || text.starts_with("+-") {
                return None;
            }
            exponent += written;
        }
        Some(Decimal { is_negative, coefficient, exponent })
    }

    /// A whole number.
    #[must_use]
    pub fn from_integer(value: i64) -> Decimal {
        Decimal { is_negative: value < 0, coefficient: u128::from(value.unsigned_abs()), exponent: 0 }
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.coefficient == 0
    }

    /// The value with its sign turned.
    #[must_use]
    pub fn negated(self) -> Decimal {
        Decimal { is_negative: !self.is_negative, ..self }
    }

    /// The interval a written precision stands for: `100` is from 99.5 (in it) to 100.5 (not in it), `1e2` is from
    /// 50 to 150.
    #[must_use]
    pub fn bounds(&self) -> (Decimal, Decimal) {
        let ten = self.coefficient.saturating_mul(10);
        let exponent = self.exponent - 1;
        if self.coefficient == 0 {
            let half = Decimal { is_negative: false, coefficient: 5, exponent };
            return (half.negated(), half);
        }
        let nearer = Decimal { is_negative: self.is_negative, coefficient: ten - 5, exponent };
        let farther = Decimal { is_negative: self.is_negative, coefficient: ten + 5, exponent };
        if self.is_negative { (farther, nearer) } else { (nearer, farther) }
    }

    /// The interval of ten per cent around it, which `ap` compares with.
    #[must_use]
    pub fn around(&self) -> (Decimal, Decimal) {
        let ten = self.coefficient.saturating_mul(10);
        let exponent = self.exponent - 1;
        let nearer = Decimal { is_negative: self.is_negative, coefficient: ten - self.coefficient, exponent };
        let farther =
            Decimal { is_negative: self.is_negative, coefficient: ten + self.coefficient, exponent };
        if self.is_negative { (farther, nearer) } else { (nearer, farther) }
    }

    /// Appends bytes whose order is the order of the values, equal for equal values, none a prefix of another.
    ///
    /// Sign (one byte: 0x7e, 0x80, 0x82), exponent of the first digit (one byte around 0x80 for −60…60, else an escape
    /// and four bytes), digits two to a byte (1…100), end (0). Negative values have all but the sign inverted.
    pub fn write_key(&self, out: &mut Vec<u8>) {
        if self.coefficient == 0 {
            out.push(0x80);
            return;
        }
        out.push(if self.is_negative { 0x7e } else { 0x82 });
        let start = out.len();
        let mut digits = [0u8; 40];
        let mut count = 0;
        let mut rest = self.coefficient;
        while rest > 0 {
            digits[count] = (rest % 10) as u8;
            rest /= 10;
            count += 1;
        }
        let first_exponent = self.exponent + count as i32 - 1;
        match u8::try_from(first_exponent + 0x80) {
            Ok(biased @ 0x44..=0xbc) => out.push(biased),
            _ if first_exponent < 0 => {
                out.push(0x01);
                out.extend_from_slice(&(first_exponent + i32::MAX / 2).to_be_bytes());
            }
            _ => {
                out.push(0xfe);
                out.extend_from_slice(&first_exponent.to_be_bytes());
            }
        }
        let trailing_zeros = digits[..count].iter().take_while(|d| **d == 0).count();
        let mut at = count;
        while at > trailing_zeros {
            let tens = digits[at - 1];
            let ones = if at >= 2 && at - 1 > trailing_zeros { digits[at - 2] } else { 0 };
            out.push(tens * 10 + ones + 1);
            at = at.saturating_sub(2);
        }
        out.push(0);
        if self.is_negative {
            out[start..].iter_mut().for_each(|b| *b = !*b);
        }
    }

    fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(24);
        self.write_key(&mut key);
        key
    }

    /// As a binary floating-point number, for drawing.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        let magnitude = self.coefficient as f64 * 10f64.powi(self.exponent);
        if self.is_negative { -magnitude } else { magnitude }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn precision_is_an_interval() {
        assert_eq!(decimal("100").bounds(), (decimal("99.5"), decimal("100.5")));
        assert_eq!(decimal("100.00").bounds(), (decimal("99.995"), decimal("100.005")));
        assert_eq!(decimal("1e2").bounds(), (decimal("50"), decimal("150")));
        assert_eq!(decimal("-5.4").bounds(), (decimal("-5.45"), decimal("-5.35")));
        assert_eq!(decimal("0").bounds(), (decimal("-0.5"), decimal("0.5")));
        assert_eq!(decimal("10").around(), (decimal("9"), decimal("11")));
    }

    #[test]
    fn equal_values_are_equal_however_written() {
        for (a, b) in [("1.0", "1"), ("1e2", "100.00"), ("-0", "0.0"), ("0.001e3", "1"), ("00012", "12")] {
            assert_eq!(decimal(a), decimal(b), "{a} {b}");
        }
    }

    #[test]
    fn far_exponents_keep_their_order() {
        let ordered = [
            "-1e400", "-1e61", "-7", "-1e-61", "-1e-400", "0", "1e-400", "1e-61", "0.5", "1e60", "1e61",
            "1e400",
        ];
        for pair in ordered.windows(2) {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_none() {
        for text in ["", "-", ".5", "5.", "1e", "1e+-5", "1e9999999", "0x1", "1 ", "NaN", "1.2.3", "１"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn key_order_is_value_order(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000, scale in 0u32..5) {
            let write = |v: i64| {
                let unit = 10i64.pow(scale);
                let sign = if v < 0 { "-" } else { "" };
                let (whole, part) = (v.abs() / unit, v.abs() % unit);
                if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part:0width$}", width = scale as usize) }
            };
            prop_assert_eq!(decimal(&write(a)).cmp(&decimal(&write(b))), a.cmp(&b));
        }

        #[test]
        fn no_key_is_a_prefix_of_another(a in "-?[0-9]{1,30}(\\.[0-9]{1,30})?", b in "-?[0-9]{1,30}(\\.[0-9]{1,30})?") {
            let (a, b) = (decimal(&a), decimal(&b));
            prop_assert!(a == b || !a.key().starts_with(&b.key()));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE]{0,60}") {
            if let Some(value) = Decimal::parse(&text) {
                let (low, high) = value.bounds();
                prop_assert!(low < high);
            }
        }
    }
}
