//! OperationOutcome: findings as FHIR says them (<https://hl7.org/fhir/R4/operationoutcome.html>).

use fhir::json::JsonWriter;
use fhir::{Issue, IssueType, Severity};

/// An OperationOutcome with these findings.
#[must_use]
pub fn outcome(issues: &[Issue]) -> String {
    let mut json = JsonWriter::new();
    write(&mut json, issues);
    json.finish()
}

/// The same as a value within another document.
pub fn write(json: &mut JsonWriter, issues: &[Issue]) {
    json.object(|o| {
        o.member("resourceType", "OperationOutcome");
        o.name("issue").array(|list| {
            for issue in issues {
                list.object(|i| write_issue(i, issue));
            }
        });
    });
}

fn write_issue(json: &mut JsonWriter, issue: &Issue) {
    if let Some((line, column)) = issue.position {
        // The places FHIR gives a parser's findings: http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line
        json.name("extension").array(|list| {
            for (name, value) in [("line", line), ("col", column)] {
                list.object(|e| {
                    e.member(
                        "url",
                        &format!("http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-{name}"),
                    );
                    e.raw_member("valueInteger", &value.to_string());
                });
            }
        });
    }
    json.member("severity", issue.severity.code());
    json.member("code", issue.code.code());
    json.member("diagnostics", &issue.diagnostics);
    if !issue.expression.is_empty() {
        json.name("expression").array(|list| {
            list.string(&issue.expression);
        });
    }
}

/// A message that nothing is wrong.
#[must_use]
pub fn information(text: &str) -> Issue {
    Issue { severity: Severity::Information, ..Issue::error(IssueType::Informational, text) }
}
