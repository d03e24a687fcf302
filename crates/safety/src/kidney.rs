//! The kidneys' function where it is not recorded.

/// The sex that formulas ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// `female`
    Female,
    /// `male`
    Male,
}

/// A formula for eGFR from creatinine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Equation {
    /// 日本腎臓学会 2009: Matsuo S et al., Am J Kidney Dis 2009;53:982–992; from 18 years on.
    #[default]
    Jsn2009,
    /// CKD-EPI 2021, without race: Inker LA et al., N Engl J Med 2021;385:1737–1749; from 18 years on.
    CkdEpi2021,
}

impl Equation {
    /// mL/min/1.73 m² from creatinine in mg/dL; `None` for those under 18 or values that are none.
    #[must_use]
    pub fn egfr(self, creatinine: f64, age: f64, sex: Sex) -> Option<f64> {
        if !(creatinine > 0.0 && creatinine < 50.0 && (18.0..130.0).contains(&age)) {
            return None;
        }
        Some(match self {
            Equation::Jsn2009 => {
                let value = 194.0 * creatinine.powf(-1.094) * age.powf(-0.287);
                if sex == Sex::Female { value * 0.739 } else { value }
            }
            Equation::CkdEpi2021 => {
                let (kappa, alpha, factor) = match sex {
                    Sex::Female => (0.7, -0.241, 1.012),
                    Sex::Male => (0.9, -0.302, 1.0),
                };
                let ratio: f64 = creatinine / kappa;
                142.0 * ratio.min(1.0).powf(alpha) * ratio.max(1.0).powf(-1.2) * 0.9938_f64.powf(age) * factor
            }
        })
    }
}

/// Creatinine clearance in mL/min (Cockcroft DW, Gault MH, Nephron 1976;16:31–41).
#[must_use]
pub fn clearance(creatinine: f64, age: f64, sex: Sex, weight: f64) -> Option<f64> {
    if !(creatinine > 0.0 && (18.0..130.0).contains(&age) && (20.0..300.0).contains(&weight)) {
        return None;
    }
    let value = (140.0 - age) * weight / (72.0 * creatinine);
    Some(if sex == Sex::Female { value * 0.85 } else { value })
}

/// Creatinine in mg/dL from a value with its unit.
#[must_use]
pub fn creatinine(value: f64, unit: &str) -> Option<f64> {
    let unit = crate::medicines::normalised(unit);
    Some(match unit.trim() {
        "mg/dl" => value,
        "mg/l" => value / 10.0,
        "μmol/l" | "umol/l" => value / 88.42,
        "mmol/l" => value * 1000.0 / 88.42,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 0.15, "{found} {expected}");
    }

    /// Reference values: the table of 日本腎臓学会 for its formula (creatinine 1.0, 60 years), the calculator of the US
    /// National Kidney Foundation for CKD-EPI 2021, arithmetic for Cockcroft–Gault.
    #[test]
    fn formulas_give_what_their_tables_say() {
        near(Equation::Jsn2009.egfr(1.0, 60.0, Sex::Male), 59.9);
        near(Equation::Jsn2009.egfr(1.0, 60.0, Sex::Female), 44.3);
        near(Equation::CkdEpi2021.egfr(1.0, 60.0, Sex::Male).map(f64::round), 86.0);
        near(Equation::CkdEpi2021.egfr(1.0, 60.0, Sex::Female).map(f64::round), 64.0);
        near(clearance(1.0, 60.0, Sex::Male, 72.0), 80.0);
        near(clearance(1.0, 60.0, Sex::Female, 72.0), 68.0);
    }

    #[test]
    fn units_become_milligrams_and_others_nothing() {
        near(creatinine(88.42, "µmol/L"), 1.0);
        near(creatinine(88.42, "umol/L"), 1.0);
        near(creatinine(1.2, "mg/dL"), 1.2);
        assert_eq!(creatinine(1.0, "g"), None);
        assert_eq!(Equation::Jsn2009.egfr(0.4, 10.0, Sex::Male), None);
    }
}
