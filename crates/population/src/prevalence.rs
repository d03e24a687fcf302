//! How many have what, by age and sex.
//!
//! The tables follow the shape of the 国民健康・栄養調査 2019 (National Health and Nutrition Survey): 糖尿病が強く疑われる者
//! 19.7 % of men and 10.8 % of women, 26.4 % and 19.6 % at 70 and over; blood pressure ≥ 140/90 or on medicine about
//! two thirds of those over 65; lipid-lowering medicine or low HDL about a third of those over 65. They are rounded
//! approximations between which a straight line is drawn, made for a demo and not to be cited.

/// The chronic diseases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disease {
    Hypertension,
    Diabetes,
    Dyslipidaemia,
}

pub(crate) const DISEASES: [Disease; 3] = [Disease::Hypertension, Disease::Diabetes, Disease::Dyslipidaemia];

const AGES: [f64; 7] = [20.0, 35.0, 45.0, 55.0, 65.0, 75.0, 90.0];

impl Disease {
    /// ICD-10, its display, and what a Japanese chart says.
    pub(crate) fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Disease::Hypertension => ("I10", "Essential (primary) hypertension", "高血圧症"),
            Disease::Diabetes => ("E11.9", "Type 2 diabetes mellitus without complications", "2型糖尿病"),
            Disease::Dyslipidaemia => ("E78.5", "Hyperlipidaemia, unspecified", "脂質異常症"),
        }
    }

    /// The share of those who have it that is under treatment sooner or later.
    pub(crate) fn aware(self) -> f64 {
        match self {
            Disease::Hypertension => 0.80,
            Disease::Diabetes => 0.78,
            Disease::Dyslipidaemia => 0.70,
        }
    }

    fn table(self, female: bool) -> [f64; 7] {
        match (self, female) {
            (Disease::Hypertension, false) => [0.02, 0.16, 0.31, 0.52, 0.64, 0.72, 0.76],
            (Disease::Hypertension, true) => [0.005, 0.05, 0.15, 0.36, 0.54, 0.68, 0.75],
            (Disease::Diabetes, false) => [0.003, 0.02, 0.06, 0.18, 0.25, 0.265, 0.27],
            (Disease::Diabetes, true) => [0.002, 0.01, 0.03, 0.06, 0.11, 0.195, 0.205],
            (Disease::Dyslipidaemia, false) => [0.03, 0.14, 0.21, 0.27, 0.31, 0.36, 0.36],
            (Disease::Dyslipidaemia, true) => [0.01, 0.04, 0.09, 0.24, 0.34, 0.40, 0.40],
        }
    }

    /// The share that has it at this age.
    pub(crate) fn prevalence(self, female: bool, age: f64) -> f64 {
        let table = self.table(female);
        if age <= AGES[0] {
            return table[0] * (age / AGES[0]).max(0.0);
        }
        for n in 1..AGES.len() {
            if age <= AGES[n] {
                let part = (age - AGES[n - 1]) / (AGES[n] - AGES[n - 1]);
                return table[n - 1] + part * (table[n] - table[n - 1]);
            }
        }
        table[AGES.len() - 1]
    }

    /// The age at which it begins for someone of this rank (0: the first to fall ill, 1: the last), if ever.
    pub(crate) fn onset(self, female: bool, rank: f64) -> Option<f64> {
        (60..400).map(|quarter| f64::from(quarter) / 4.0).find(|age| self.prevalence(female, *age) >= rank)
    }
}
