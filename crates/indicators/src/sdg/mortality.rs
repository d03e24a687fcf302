//! Premature mortality, SDG 3.4.1: the probability of dying from a main noncommunicable disease between 30 and 70.

use std::fmt;

/// Deaths (from cardiovascular disease, cancer, diabetes, chronic respiratory disease) and person-years of one group of ages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Age {
    /// The first age of five.
    pub from: u32,
    /// Deaths of these causes.
    pub deaths: f64,
    /// Person-years.
    pub population: f64,
}

/// The groups that are needed: 30–34 to 65–69.
pub const AGES: [u32; 8] = [30, 35, 40, 45, 50, 55, 60, 65];

/// Why there is no probability.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// A group is missing.
    Missing(Vec<u32>),
    /// A group is there twice, or numbers are none.
    Group(u32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Missing(ages) => {
                let ages: Vec<String> = ages.iter().map(|a| format!("{a}–{}", a + 4)).collect();
                write!(f, "the ages {} are missing; 30–34 to 65–69 are needed", ages.join(", "))
            }
            Error::Group(age) => {
                write!(f, "ages {age}–{}: there twice, or deaths or population are no numbers", age + 4)
            }
        }
    }
}

impl std::error::Error for Error {}

/// ₄₀q₃₀ = 1 − ∏(1 − ₅qₓ), ₅qₓ = 5·₅Mₓ / (1 + 2.5·₅Mₓ). Other ages are left out.
///
/// # Errors
/// A group that is missing or cannot be.
pub fn q30_70(ages: &[Age]) -> Result<f64, Error> {
    let missing: Vec<u32> = AGES.into_iter().filter(|x| !ages.iter().any(|a| a.from == *x)).collect();
    if !missing.is_empty() {
        return Err(Error::Missing(missing));
    }
    let mut surviving = 1.0;
    for from in AGES {
        let mut of_age = ages.iter().filter(|a| a.from == from);
        let (Some(age), None) = (of_age.next(), of_age.next()) else { return Err(Error::Group(from)) };
        let rate = age.deaths / age.population;
        if !(age.population > 0.0 && rate.is_finite() && rate >= 0.0) {
            return Err(Error::Group(from));
        }
        surviving *= (1.0 - 5.0 * rate / (1.0 + 2.5 * rate)).max(0.0);
    }
    Ok(1.0 - surviving)
}
