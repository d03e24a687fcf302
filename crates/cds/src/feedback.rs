//! What became of cards: <https://cds-hooks.hl7.org/2.0/#feedback>. Codes are kept; what somebody wrote beside them is not, as it
//! may speak of a person.

use fhir::IssueType;
use hub::{Failure, Kind};
use serde_json::Value;

/// Answers on so many cards at once.
const MOST: usize = 50;

fn wrong(place: &str, message: &str) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, format!("{place}: {message}"))
}

/// A code that can stand in a query: letters, digits, hyphens.
fn code<'v>(value: Option<&'v Value>, place: &str) -> Result<&'v str, Failure> {
    let text = value.and_then(Value::as_str).filter(|text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    });
    text.ok_or_else(|| wrong(place, "this takes a code or UUID of at most 64 letters, digits and hyphens"))
}

/// What the ledger keeps of a feedback.
///
/// # Errors
/// Where it is none, and what is expected there.
pub fn read(body: &Value) -> Result<String, Failure> {
    let given = body.get("feedback").and_then(Value::as_array).filter(|list| !list.is_empty());
    let given = given.ok_or_else(|| wrong("feedback", "this takes a list of answers on cards"))?;
    if given.len() > MOST {
        return Err(wrong("feedback", "this takes at most 50 answers"));
    }
    let mut kept = Vec::new();
    for (at, one) in given.iter().enumerate() {
        let place = |name: &str| format!("feedback[{at}].{name}");
        let card = code(one.get("card"), &place("card"))?;
        if one.get("outcomeTimestamp").and_then(Value::as_str).and_then(fhir::DateTime::parse).is_none() {
            return Err(wrong(&place("outcomeTimestamp"), "this takes a date and time"));
        }
        let outcome = one.get("outcome").and_then(Value::as_str).unwrap_or_default();
        let answer = match outcome {
            "accepted" => {
                let accepted = one.get("acceptedSuggestions").and_then(Value::as_array);
                let accepted = accepted.filter(|list| !list.is_empty());
                let missing =
                    || wrong(&place("acceptedSuggestions"), "this takes the suggestions that were accepted");
                code(
                    accepted.ok_or_else(missing)?.first().and_then(|s| s.get("id")),
                    &place("acceptedSuggestions[0].id"),
                )?;
                "accepted".to_owned()
            }
            "overridden" => match one.pointer("/overrideReason/reason/code") {
                Some(reason) => {
                    format!("overridden:{}", code(Some(reason), &place("overrideReason.reason.code"))?)
                }
                None => "overridden".to_owned(),
            },
            _ => return Err(wrong(&place("outcome"), "this takes accepted or overridden")),
        };
        kept.push(format!("card={card}:{answer}"));
    }
    Ok(kept.join("&"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_became_of_a_card_is_kept_without_what_was_written() {
        let time = "2026-11-30T10:00:00Z";
        let reason = json!({"reason": {"code": "benefit", "system": "urn:x"}, "userComment": "a secret"});
        let kept = read(&json!({"feedback": [
            {"card": "c-1", "outcome": "overridden", "overrideReason": reason, "outcomeTimestamp": time},
            {"card": "c-2", "outcome": "accepted", "acceptedSuggestions": [{"id": "s-1"}], "outcomeTimestamp": time},
        ]}));
        assert_eq!(kept.unwrap(), "card=c-1:overridden:benefit&card=c-2:accepted");
        for wrong in [
            json!({}),
            json!({"feedback": []}),
            json!({"feedback": [{"card": "c 1", "outcome": "overridden", "outcomeTimestamp": time}]}),
            json!({"feedback": [{"card": "c-1", "outcome": "ignored", "outcomeTimestamp": time}]}),
            json!({"feedback": [{"card": "c-1", "outcome": "accepted", "outcomeTimestamp": time}]}),
            json!({"feedback": [{"card": "c-1", "outcome": "overridden"}]}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
