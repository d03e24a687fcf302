//! `GET [base]/$broken-references`: references to resources of this hub that are not there, whether they never were or have
//! been deleted. An operation of this hub's own; the answer is a Parameters with a `broken` for each reference (`source`,
//! `target`, `reason`: `never-written` or `deleted`) and, if there are more, a `next` address.

use data_encoding::BASE64URL_NOPAD;
use fhir::json::JsonWriter;
use fhir::{Issue, IssueType};
use search::query::Pair;
use store::BrokenFrom;

use crate::{Access, Failure, Hub, bundle};

/// Targets looked at for one page: of most that were deleted nothing refers to any more.
const LOOKED: usize = 2000;

/// A page of the list that is asked for.
#[derive(Clone, Debug, Default)]
pub struct BrokenReferencesRequest {
    count: Option<usize>,
    from: BrokenFrom,
}

impl BrokenReferencesRequest {
    /// Reads `_count` and `_cursor`.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(pairs: &[Pair]) -> Result<BrokenReferencesRequest, Failure> {
        let mut asked = BrokenReferencesRequest::default();
        for (name, text) in pairs {
            let is_read = match name.as_str() {
                "_count" => text.parse().map(|count| asked.count = Some(count)).is_ok(),
                "_cursor" => cursor(text).map(|from| asked.from = from).is_some(),
                _ => {
                    let message = format!(
                        "{name}: $broken-references has no such parameter (it has _count and _cursor)"
                    );
                    return Err(Issue::error(IssueType::NotSupported, message).into());
                }
            };
            if !is_read {
                let message = format!("{name}: '{text}' does not read; follow the addresses given as next");
                return Err(Issue::error(IssueType::Value, message).into());
            }
        }
        Ok(asked)
    }
}

fn cursor(text: &str) -> Option<BrokenFrom> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (skip, key) = bytes.split_first_chunk::<8>()?;
    Some((key.to_vec(), u64::from_be_bytes(*skip)))
}

impl Hub {
    /// A page of the references to what is not there; `address` is the operation's own.
    ///
    /// # Errors
    /// As the store says.
    pub fn broken_references(
        &self,
        access: &Access,
        asked: &BrokenReferencesRequest,
        address: &str,
    ) -> Result<String, Failure> {
        access.whole("$broken-references")?;
        let limits = &self.search_limits;
        let count = asked.count.unwrap_or(limits.default_count).clamp(1, limits.max_count);
        let (found, next) = self.reader(access).broken(&asked.from, count, LOOKED)?;
        let mut json = JsonWriter::new();
        json.object(|p| {
            p.member("resourceType", "Parameters");
            if found.is_empty() && next.is_none() {
                return;
            }
            p.name("parameter").array(|list| {
                for broken in &found {
                    list.object(|parameter| {
                        parameter.member("name", "broken");
                        parameter.name("part").array(|parts| {
                            for (name, reference) in [("source", &broken.source), ("target", &broken.target)]
                            {
                                parts.object(|part| {
                                    part.member("name", name);
                                    part.name("valueReference").object(|r| {
                                        r.member("reference", reference);
                                    });
                                });
                            }
                            parts.object(|part| {
                                part.member("name", "reason");
                                part.member(
                                    "valueCode",
                                    if broken.was_deleted { "deleted" } else { "never-written" },
                                );
                            });
                        });
                    });
                }
                if let Some((key, skip)) = &next {
                    let bytes = [skip.to_be_bytes().as_slice(), key].concat();
                    let pairs = [(String::from("_count"), count.to_string())];
                    let next = bundle::address(address, &pairs, Some(&BASE64URL_NOPAD.encode(&bytes)));
                    list.object(|parameter| {
                        parameter.member("name", "next");
                        parameter.member("valueUrl", &next);
                    });
                }
            });
        });
        Ok(json.finish())
    }
}
