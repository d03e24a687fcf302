//! The model: what each finding weighs, as data (`weights.json`).
//!
//! Fellegi and Sunter, "A Theory for Record Linkage", JASA 64 (1969): a finding weighs the logarithm of how much more often it
//! is made between two records of one person than between records of two; weights add up. With what is likely
//! beforehand (the prior), the sum is a probability: the score.

use std::sync::OnceLock;

use serde::Deserialize;

use super::compare::LEVELS;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(rename = "about")]
    _about: String,
    prior: Prior,
    grades: Grades,
    features: Vec<Weighed>,
    certain_needs: Vec<Rule>,
    at_most_possible: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prior {
    bits: f64,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grades {
    certain: Threshold,
    probable: Threshold,
    possible: Threshold,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Threshold {
    score: f64,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weighed {
    feature: String,
    level: String,
    m: f64,
    u: f64,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    feature: String,
    levels: Vec<String>,
    #[serde(rename = "reason")]
    _reason: String,
}

impl Rule {
    fn holds(&self, findings: &[Finding]) -> bool {
        findings.iter().any(|f| f.feature == self.feature && self.levels.iter().any(|l| l == f.level))
    }
}

/// What comparing two Patients found in one respect, and what it weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) feature: &'static str,
    pub(super) level: &'static str,
    /// In bits; what speaks against is negative.
    pub(super) weight: f64,
}

/// How sure it is (<http://terminology.hl7.org/CodeSystem/match-grade>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Grade {
    /// Not worth being shown.
    CertainlyNot,
    /// May be.
    Possible,
    /// Likely; a person should look.
    Probable,
    /// Sure enough to be taken.
    Certain,
}

impl Grade {
    /// The code FHIR gives it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Grade::CertainlyNot => "certainly-not",
            Grade::Possible => "possible",
            Grade::Probable => "probable",
            Grade::Certain => "certain",
        }
    }
}

/// What the findings come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    /// From 0 to 1.
    pub(super) score: f64,
    pub(super) grade: Grade,
}

/// What findings weigh, and what sums come to.
#[derive(Clone, Debug)]
pub struct MatchModel {
    file: File,
}

impl MatchModel {
    /// Reads a file of weights.
    ///
    /// # Errors
    /// What is missing, unknown or no number in it.
    pub fn read(json: &str) -> Result<MatchModel, String> {
        let file: File = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let known = |feature: &str, level: &str| {
            LEVELS.iter().any(|(f, levels)| *f == feature && levels.contains(&level))
        };
        for one in &file.features {
            if !known(&one.feature, &one.level) {
                return Err(format!("nothing is ever found {} {}", one.feature, one.level));
            }
            let is_weighable = one.m > 0.0 && one.m <= 1.0 && one.u > 0.0 && one.u <= 1.0;
            if !is_weighable {
                return Err(format!("{} {}: m and u are above 0 and at most 1", one.feature, one.level));
            }
        }
        for (feature, levels) in LEVELS {
            for level in *levels {
                let many =
                    file.features.iter().filter(|w| w.feature == *feature && w.level == *level).count();
                if many != 1 {
                    return Err(format!("{feature} {level} is weighed {many} times; once is needed"));
                }
            }
        }
        for rule in file.certain_needs.iter().chain(&file.at_most_possible) {
            if let Some(level) = rule.levels.iter().find(|level| !known(&rule.feature, level)) {
                return Err(format!("a rule names {} {level}, which is never found", rule.feature));
            }
        }
        let (grades, bits) = (&file.grades, file.prior.bits);
        let scores = [0.0, grades.possible.score, grades.probable.score, grades.certain.score, 1.0];
        if !scores.is_sorted() || !(0.0..=64.0).contains(&bits) {
            let message =
                "scores of grades rise from possible to certain, between 0 and 1; the prior has 0 to 64 bits";
            return Err(message.to_owned());
        }
        Ok(MatchModel { file })
    }

    /// The weights that come with the program.
    ///
    /// # Errors
    /// None that a test would not have found.
    pub fn standard() -> Result<&'static MatchModel, String> {
        static STANDARD: OnceLock<Result<MatchModel, String>> = OnceLock::new();
        STANDARD.get_or_init(|| MatchModel::read(include_str!("weights.json"))).as_ref().map_err(Clone::clone)
    }

    /// What a finding weighs.
    pub(super) fn weigh(&self, feature: &'static str, level: &'static str) -> Finding {
        let found = self.file.features.iter().find(|w| w.feature == feature && w.level == level);
        Finding { feature, level, weight: found.map_or(0.0, |w| (w.m / w.u).log2()) }
    }

    /// What findings come to among so many patients.
    pub(super) fn judge(&self, findings: &[Finding], patients: u64) -> Verdict {
        let prior = self.file.prior.bits.max((patients.max(1) as f64).log2());
        let sum: f64 = findings.iter().map(|f| f.weight).sum();
        let score = 1.0 / (1.0 + (prior - sum).exp2());
        let grades = &self.file.grades;
        let mut grade = match score {
            s if s >= grades.certain.score => Grade::Certain,
            s if s >= grades.probable.score => Grade::Probable,
            s if s >= grades.possible.score => Grade::Possible,
            _ => Grade::CertainlyNot,
        };
        if !self.file.certain_needs.iter().all(|rule| rule.holds(findings)) {
            grade = grade.min(Grade::Probable);
        }
        if self.file.at_most_possible.iter().any(|rule| rule.holds(findings)) {
            grade = grade.min(Grade::Possible);
        }
        Verdict { score, grade }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_that_come_with_the_program_read() {
        let model = MatchModel::standard().unwrap();
        assert!(
            model.weigh("given", "written").weight > 8.0 && model.weigh("given", "different").weight < -7.0
        );
    }

    #[test]
    fn a_file_that_leaves_something_open_is_refused() {
        let text = include_str!("weights.json");
        for (from, to, finding) in [
            ("\"level\": \"shared\"", "\"level\": \"scared\"", "household scared"),
            ("\"m\": 0.02, \"u\": 1,", "\"m\": 0, \"u\": 1,", "household shared"),
            ("\"score\": 0.9,", "\"score\": 0.01,", "rise"),
            ("\"bits\": 20", "\"bits\": 200", "prior"),
            ("\"bits\"", "\"bit\"", "bit"),
        ] {
            let error = MatchModel::read(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(finding), "{error}");
        }
    }

    #[test]
    fn rules_stand_above_sums() {
        let model = MatchModel::standard().unwrap();
        let all = |given: &'static str| {
            let found =
                [("family", "written"), ("given", given), ("birth-date", "same"), ("identifier", "same")];
            model.judge(&found.map(|(f, l)| model.weigh(f, l)), 10).grade
        };
        assert_eq!(all("written"), Grade::Certain);
        assert_eq!(all("close"), Grade::Probable);
        assert_eq!(all("different"), Grade::Possible);
    }
}
