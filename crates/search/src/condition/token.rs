//! Codes.

use super::{Numbers, Part, Scan, Test};
use crate::key::{cut, token};
use crate::normalize::fold_case;
use crate::query::SystemValue;

/// A code, its system, and where case matters.
#[derive(Clone, Debug)]
pub struct TokenTest {
    /// The code in the key's form; `None` is any.
    code: Option<Vec<u8>>,
    /// The code as asked for.
    written: Vec<u8>,
    system: SystemTest,
    /// The systems among those possible in which case matters; learned when linked.
    case: Case,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SystemTest {
    Any,
    Is(u32),
}

/// Where case matters.
#[derive(Clone, Debug)]
enum Case {
    /// In the one system asked for: whether it does.
    Known(bool),
    /// It depends on the entry's system: the numbers of those where it does.
    Sensitive(Vec<u32>),
}

impl TokenTest {
    pub(super) fn consume<'k>(&self, key: &'k [u8], extra: &[u8]) -> Option<(bool, &'k [u8])> {
        let (code, system, rest) = token::read(key)?;
        let is_system = match self.system {
            SystemTest::Any => true,
            SystemTest::Is(number) => number == system,
        };
        let is_code = match &self.code {
            None => true,
            Some(wanted) => {
                let stored = if extra.is_empty() { code } else { extra };
                let is_sensitive = match &self.case {
                    Case::Known(known) => *known,
                    Case::Sensitive(numbers) => numbers.contains(&system),
                };
                if is_sensitive {
                    stored == self.written
                } else {
                    // A code that was cut in the key is compared whole.
                    code == wanted.as_slice()
                        && (extra.len() <= code.len() || same_folded(extra, &self.written))
                }
            }
        };
        Some((is_system && is_code, rest))
    }
}

fn same_folded(a: &[u8], b: &[u8]) -> bool {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(fold_case);
    text(a).is_ok_and(|a| text(b).is_ok_and(|b| a == b))
}

pub(super) fn link(system: &SystemValue, code: Option<&str>, numbers: &dyn Numbers) -> (Test, Vec<Scan>) {
    let system = match system {
        SystemValue::Any => SystemTest::Any,
        SystemValue::None => SystemTest::Is(0),
        SystemValue::Is(uri) => match numbers.system(uri) {
            Some(number) => SystemTest::Is(number),
            None => return (Test::Never, Vec::new()),
        },
    };
    let case = match system {
        SystemTest::Is(number) => Case::Known(numbers.case_sensitive_systems().contains(&number)),
        SystemTest::Any => Case::Sensitive(numbers.case_sensitive_systems()),
    };
    let folded = code.map(|c| cut(&fold_case(c)).as_bytes().to_vec());
    let test =
        TokenTest { code: folded.clone(), written: code.unwrap_or("").as_bytes().to_vec(), system, case };
    let scans = match (folded, system) {
        (None, _) => vec![Scan::all()],
        (Some(mut code), SystemTest::Is(number)) => {
            code.push(0);
            code.extend_from_slice(&number.to_be_bytes());
            vec![Scan::one(code)]
        }
        (Some(mut code), SystemTest::Any) => {
            code.push(0);
            vec![Scan::Each { prefix: code, part: Part::System, inner: vec![Scan::one(Vec::new())] }]
        }
    };
    (Test::Token(test), scans)
}
