//! Query string → [`Query`].

use fhir::definitions::SearchParameterType as Kind;
use fhir::issue::nearest;
use fhir::subset::Subset;
use fhir::{Issue, IssueType, Severity, TypeId, r4};
use percent_encoding::percent_decode_str;

use super::control::SortBy;
use super::value::{self, Modifier, Surroundings, instant, shorten, split_escaped};
use super::{Criterion, Include, Query, Sort, SubsetAsked, Total, subset};
use crate::parameters::{Parameter, Storage, parameters};
use crate::zone::Zone;

/// More values than this in one comma list are refused.
const MAX_VALUES: usize = 1000;
/// More criteria than this are refused.
const MAX_CRITERIA: usize = 100;
/// Longer chains are refused.
const MAX_CHAIN: usize = 4;

/// A decoded name and value.
pub type Pair = (String, String);

/// What reading needs to know beside the text.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Where dates without zone lie.
    pub zone: &'a Zone,
    /// The hub's own base URL, whose references are its own resources.
    pub base: Option<&'a str>,
    /// Drop what is not understood (`Prefer: handling=lenient`).
    pub is_lenient: bool,
}

/// A text as the value of a parameter: what has a meaning there is taken literally
/// (<https://hl7.org/fhir/R4/search.html#escaping>).
#[must_use]
pub fn literal(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '\\' | ',' | '$' | '|') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// Decodes a query string into its pairs, in order.
///
/// # Errors
/// A part that is not UTF-8 when decoded.
pub fn split(query: &str) -> Result<Vec<Pair>, Issue> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| {
            Issue::error(IssueType::Invalid, format!("'{}' is not UTF-8 when decoded", shorten(text)))
        })
    };
    let parts = query.split('&').filter(|p| !p.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

/// Reads the pairs of a search on `resource_type`.
///
/// # Errors
/// Every pair that is not understood, unless reading is lenient; values of the wrong form always.
pub fn read(resource_type: TypeId, pairs: &[Pair], reading: Reading<'_>) -> Result<Query, Vec<Issue>> {
    let mut query = Query {
        resource_type,
        criteria: Vec::new(),
        includes: Vec::new(),
        reverse_includes: Vec::new(),
        sort: Vec::new(),
        count: None,
        total: Total::default(),
        is_count_only: false,
        subset: None,
        as_of: None,
        cursor: None,
        understood: Vec::new(),
        dropped: Vec::new(),
    };
    let mut issues = Vec::new();
    for (name, text) in pairs {
        match pair(&mut query, name, text, reading) {
            Ok(()) if name != "_cursor" => query.understood.push((name.clone(), text.clone())),
            Ok(()) => {}
            Err(Finding::Unknown(message)) if reading.is_lenient => {
                let mut issue = issue(name, IssueType::NotSupported, message);
                issue.severity = Severity::Warning;
                query.dropped.push(issue);
            }
            Err(Finding::Unknown(message)) => issues.push(issue(name, IssueType::NotSupported, message)),
            Err(Finding::Wrong(message)) => issues.push(issue(name, IssueType::Invalid, message)),
        }
    }
    let is_text = matches!(&query.subset, Some(Subset::Text));
    if is_text && !(query.includes.is_empty() && query.reverse_includes.is_empty()) {
        let message = "_summary: text goes with no _include and no _revinclude; ask for true or data";
        issues.push(Issue::error(IssueType::Invalid, message));
    }
    if query.criteria.len() > MAX_CRITERIA {
        issues.push(Issue::error(
            IssueType::TooCostly,
            format!("at most {MAX_CRITERIA} criteria are accepted in one search"),
        ));
    }
    if issues.is_empty() { Ok(query) } else { Err(issues) }
}

fn issue(name: &str, code: IssueType, message: String) -> Issue {
    Issue::error(code, format!("{}: {message}", shorten(name)))
}

/// Why a pair was not taken.
enum Finding {
    /// Its name or modifier is not known: lenient handling drops it.
    Unknown(String),
    /// Its value has the wrong form.
    Wrong(String),
}

fn wrong<T>(message: impl Into<String>) -> Result<T, Finding> {
    Err(Finding::Wrong(message.into()))
}

fn unknown<T>(message: impl Into<String>) -> Result<T, Finding> {
    Err(Finding::Unknown(message.into()))
}

/// Names of result parameters, for suggestions and to tell them from criteria.
pub const CONTROLS: &[&str] = &[
    "_count",
    "_sort",
    "_include",
    "_revinclude",
    "_total",
    "_summary",
    "_elements",
    "_asOf",
    "_cursor",
    "_format",
    "_pretty",
];

fn pair(query: &mut Query, name: &str, text: &str, reading: Reading<'_>) -> Result<(), Finding> {
    let (plain, modifier) = name.split_once(':').map_or((name, None), |(n, m)| (n, Some(m)));
    match (plain, modifier) {
        ("_count", None) => match text.parse::<usize>() {
            Ok(count) => query.count = Some(count),
            Err(_) => return wrong(format!("'{}' is not a number of results", shorten(text))),
        },
        ("_sort", None) => {
            for key in text.split(',') {
                query.sort.push(sort(query.resource_type, key)?);
            }
        }
        ("_include", _) => query.includes.push(include(text, modifier)?),
        ("_revinclude", _) => query.reverse_includes.push(include(text, modifier)?),
        ("_total", None) => {
            query.total = match text {
                "none" => Total::None,
                "estimate" => Total::Estimate,
                "accurate" => Total::Accurate,
                _ => return wrong("none, estimate or accurate"),
            }
        }
        ("_summary" | "_elements", None) => match subset(query.resource_type, plain, text) {
            Some(Ok(SubsetAsked::Count)) => query.is_count_only = true,
            Some(Ok(SubsetAsked::Part(part))) => {
                super::widen(&mut query.subset, part).map_err(Finding::Wrong)?;
            }
            Some(Ok(SubsetAsked::Whole)) | None => {}
            Some(Err(message)) => return wrong(message),
        },
        ("_asOf", None) => {
            query.as_of = Some(instant(text, reading.zone).map_err(Finding::Wrong)?);
        }
        ("_cursor", None) => query.cursor = Some(text.to_owned()),
        _ => {
            let criterion = criterion(query.resource_type, name, text, reading, MAX_CHAIN)?;
            query.criteria.push(criterion);
        }
    }
    Ok(())
}

fn find(resource_type: TypeId, code: &str) -> Result<&'static Parameter, Finding> {
    let set = parameters().of(resource_type);
    let name = r4().type_name(resource_type);
    let Some(parameter) = set.named(code) else {
        let all = set.parameters.iter().map(|p| p.code).chain(CONTROLS.iter().copied()).chain(["_has"]);
        let near = nearest(code, all);
        let hint = if near.is_empty() {
            format!("; the CapabilityStatement (/fhir/metadata) lists those of {name}")
        } else {
            format!(" (did you mean {}?)", near.join(" or "))
        };
        return unknown(format!("{name} has no search parameter '{}'{hint}", shorten(code)));
    };
    if parameter.storage == Storage::Unsupported {
        return unknown(format!("the search parameter '{code}' of {name} is not available here"));
    }
    Ok(parameter)
}

fn resource_type_named(name: &str) -> Result<TypeId, Finding> {
    r4().known_resource_type(name).map_err(Finding::Unknown)
}

fn criterion(
    resource_type: TypeId,
    name: &str,
    text: &str,
    reading: Reading<'_>,
    depth: usize,
) -> Result<Criterion, Finding> {
    let Some(depth) = depth.checked_sub(1) else {
        return unknown(format!("chains of more than {MAX_CHAIN} links are not followed"));
    };
    if let Some(rest) = name.strip_prefix("_has:") {
        return has(resource_type, rest, text, reading, depth);
    }
    if let Some((link, rest)) = name.split_once('.') {
        return chain(resource_type, link, rest, text, reading, depth);
    }
    let (code, modifier) = name.split_once(':').map_or((name, None), |(n, m)| (n, Some(m)));
    let parameter = find(resource_type, code)?;
    match (parameter.code, modifier) {
        ("_id", None) => {
            let ids: Vec<String> = text.split(',').map(str::to_owned).collect();
            return if ids.iter().all(|id| fhir::primitive::is_id(id)) {
                Ok(Criterion::Id(ids))
            } else {
                wrong(format!("'{}' is not an id: 1 to 64 of A-Z a-z 0-9 - .", shorten(text)))
            };
        }
        ("_lastUpdated", None) => {
            let one = |part| value::date(part, reading.zone).map_err(Finding::Wrong);
            return Ok(Criterion::LastUpdated(text.split(',').map(one).collect::<Result<_, _>>()?));
        }
        (_, Some("missing")) if parameter.storage != Storage::Store => {
            return match text {
                "true" | "false" => Ok(Criterion::Missing { parameter, is_missing: text == "true" }),
                _ => wrong("':missing' is true or false"),
            };
        }
        _ => {}
    }
    let modifier = read_modifier(parameter, modifier)?;
    let parts = split_escaped(text, ',');
    if parts.len() > MAX_VALUES {
        return wrong(format!("{} values in one list; at most {MAX_VALUES} are accepted", parts.len()));
    }
    let surroundings = Surroundings { zone: reading.zone, base: reading.base };
    let any_of = parts
        .iter()
        .map(|part| {
            value::read(parameter, modifier, part, surroundings).map_err(|e| {
                Finding::Wrong(format!("'{}' is not a {} value: {e}", shorten(part), parameter.kind.code()))
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Criterion::Values { parameter, any_of, is_negated: modifier == Modifier::Not })
}

fn read_modifier(parameter: &Parameter, modifier: Option<&str>) -> Result<Modifier, Finding> {
    let Some(modifier) = modifier else { return Ok(Modifier::None) };
    let known: &[&str] = match parameter.kind {
        _ if parameter.storage == Storage::Store => &[],
        Kind::String => &["missing", "exact", "contains"],
        Kind::Token => &["missing", "not"],
        Kind::Reference => &["missing", "identifier"],
        _ => &["missing"],
    };
    match (parameter.kind, modifier) {
        (Kind::String, "exact") => return Ok(Modifier::Exact),
        (Kind::String, "contains") => return Ok(Modifier::Contains),
        (Kind::Token, "not") if parameter.storage != Storage::Store => return Ok(Modifier::Not),
        (Kind::Reference, "identifier") => return Ok(Modifier::Identifier),
        (Kind::Reference, name) if r4().resource_type(name).is_some() => {
            return Ok(Modifier::Type(reference_target(parameter, name)?));
        }
        _ => {}
    }
    let near = nearest(modifier, known.iter().copied());
    let hint = match (near.first(), known) {
        (Some(near), _) => format!("did you mean :{near}?"),
        (None, []) => "it takes none".to_owned(),
        (None, known) => format!("it takes :{}", known.join(", :")),
    };
    let types = if parameter.kind == Kind::Reference { " and the name of a type" } else { "" };
    unknown(format!(
        "the modifier ':{}' is not available on {} parameters ({hint}{types})",
        shorten(modifier),
        parameter.kind.code()
    ))
}

/// A type the parameter may refer to.
fn reference_target(parameter: &Parameter, name: &str) -> Result<TypeId, Finding> {
    let id = resource_type_named(name)?;
    if parameter.targets.is_empty() || parameter.targets.contains(&id) {
        return Ok(id);
    }
    let names: Vec<&str> = parameter.targets.iter().map(|t| r4().type_name(*t)).collect();
    wrong(format!("{} does not refer to {name} but to {}", parameter.code, names.join(", ")))
}

fn chain(
    resource_type: TypeId,
    link: &str,
    rest: &str,
    text: &str,
    reading: Reading<'_>,
    depth: usize,
) -> Result<Criterion, Finding> {
    let (code, only) = link.split_once(':').map_or((link, None), |(c, t)| (c, Some(t)));
    let parameter = find(resource_type, code)?;
    if parameter.kind != Kind::Reference {
        return wrong(format!(
            "{code} is a {} parameter; only references can be followed",
            parameter.kind.code()
        ));
    }
    let types = match only {
        Some(name) => vec![reference_target(parameter, name)?],
        None if parameter.targets.is_empty() => r4().resource_types.clone(),
        None => parameter.targets.clone(),
    };
    let mut targets = Vec::new();
    let mut first_finding = None;
    for target in types {
        match criterion(target, rest, text, reading, depth) {
            Ok(inner) => targets.push((target, inner)),
            Err(finding @ Finding::Wrong(_)) => return Err(finding),
            Err(finding) => first_finding = first_finding.or(Some(finding)),
        }
    }
    match first_finding {
        Some(finding) if targets.is_empty() => Err(finding),
        _ => Ok(Criterion::Chain { parameter, targets }),
    }
}

fn has(
    resource_type: TypeId,
    rest: &str,
    text: &str,
    reading: Reading<'_>,
    depth: usize,
) -> Result<Criterion, Finding> {
    let mut parts = rest.splitn(3, ':');
    let (Some(source), Some(code), Some(inner)) = (parts.next(), parts.next(), parts.next()) else {
        return wrong("write _has:Type:reference:parameter=value");
    };
    let source = resource_type_named(source)?;
    let parameter = find(source, code)?;
    if parameter.kind != Kind::Reference {
        return wrong(format!(
            "{code} is a {} parameter of {}, not a reference",
            parameter.kind.code(),
            r4().type_name(source)
        ));
    }
    reference_target(parameter, r4().type_name(resource_type))?;
    let criterion = Box::new(criterion(source, inner, text, reading, depth)?);
    Ok(Criterion::Has { source, parameter, criterion })
}

fn sort(resource_type: TypeId, key: &str) -> Result<Sort, Finding> {
    let (code, is_descending) = key.strip_prefix('-').map_or((key, false), |rest| (rest, true));
    let parameter = find(resource_type, code)?;
    let by = match parameter.code {
        "_id" => SortBy::Id,
        "_lastUpdated" => SortBy::LastUpdated,
        _ => SortBy::Parameter(parameter),
    };
    Ok(Sort { by, is_descending })
}

fn include(text: &str, modifier: Option<&str>) -> Result<Include, Finding> {
    let is_iterated = match modifier {
        None => false,
        Some("iterate" | "recurse") => true,
        Some(other) => {
            return unknown(format!("the modifier ':{}' is not known here; :iterate is", shorten(other)));
        }
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, code, target) = match parts.as_slice() {
        [source, code] => (*source, *code, None),
        [source, code, target] => (*source, *code, Some(*target)),
        _ => return wrong("write Type:parameter or Type:parameter:Target"),
    };
    let source = resource_type_named(source)?;
    let set = parameters().of(source);
    let followed: Vec<&'static Parameter> = if code == "*" {
        set.parameters.iter().filter(|p| p.kind == Kind::Reference && p.storage == Storage::Own).collect()
    } else {
        let parameter = find(source, code)?;
        if parameter.kind != Kind::Reference {
            return wrong(format!(
                "{code} is a {} parameter; only references can be included",
                parameter.kind.code()
            ));
        }
        vec![parameter]
    };
    let target = match (target, followed.as_slice()) {
        (None, _) => None,
        (Some(name), [only]) if code != "*" => Some(reference_target(only, name)?),
        (Some(name), _) => Some(resource_type_named(name)?),
    };
    Ok(Include { source, parameters: followed, target, is_iterated })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> Result<Query, String> {
        let (name, query) = text.split_once('?').unwrap();
        let zone = Zone::named("Asia/Tokyo").unwrap();
        let reading = Reading { zone: &zone, base: Some("http://hub/fhir"), is_lenient: false };
        let pairs = split(query).map_err(|i| i.diagnostics)?;
        read(r4().resource_type(name).unwrap(), &pairs, reading)
            .map_err(|issues| issues.iter().map(|i| i.diagnostics.clone()).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn what_is_not_understood_is_named_with_what_is() {
        for (text, words) in [
            ("Patient?birthDate=2000", "did you mean birthdate"),
            ("Patient?nmae=x", "did you mean name"),
            ("Patient?xyzzy=1", "CapabilityStatement"),
            ("Patient?name:exakt=x", "did you mean :exact"),
            ("Patient?birthdate:exact=2000", "it takes :missing"),
            ("Patient?birthdate=xx2000", "'xx' is not a prefix"),
            ("Patient?birthdate=2000-13", "not a date"),
            ("Patient?birthdate:missing=maybe", "true or false"),
            ("Observation?value-quantity=5|mg", "number|system|code"),
            ("Observation?value-quantity=abc", "prefix"),
            ("Observation?subject:Medication=1", "does not refer to Medication"),
            ("Observation?subject:Patient.nmae=1", "did you mean name"),
            ("Observation?status.name=1", "only references"),
            ("Observation?code-value-quantity=a", "2 are needed: code$value-quantity"),
            ("Patient?_has:Observation:code:code=1", "not a reference"),
            ("Patient?_has:Observation:patient=1", "write _has"),
            ("Patient?_sort=nmae", "did you mean name"),
            ("Patient?_include=Patient:name", "only references"),
            ("Patient?_total=yes", "none, estimate or accurate"),
            ("Patient?_count=-1", "not a number"),
            ("Location?near=1|2", "not available"),
            ("Patient?_id=a/b", "not an id"),
            ("Patient?identifier=a|b|c", "more than one"),
            ("Patient?name=", "empty"),
            ("Patient?_asOf=yesterday", "prefix"),
            ("Patient?name=%ff", "not UTF-8"),
            ("Patient?organization.name:exakt=x", "did you mean :exact"),
        ] {
            let error = query(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn values_are_typed_by_their_parameters() {
        let one = |text: &str| match query(text).unwrap().criteria.remove(0) {
            Criterion::Values { any_of, .. } => any_of,
            other => panic!("{other:?}"),
        };
        use value::{ReferenceValue, SystemValue, Value};
        let text = |t: &str| t.to_owned();
        assert_eq!(
            one("Patient?identifier=http://a|x%5C,y,|z,http://b|"),
            [
                Value::Token(SystemValue::Is(text("http://a")), Some(text("x,y"))),
                Value::Token(SystemValue::None, Some(text("z"))),
                Value::Token(SystemValue::Is(text("http://b")), None),
            ]
        );
        let patient = r4().resource_type("Patient").unwrap();
        for text in [
            "Observation?patient=7",
            "Observation?subject=Patient/7",
            "Observation?subject=http://hub/fhir/Patient/7",
        ] {
            let values = one(text);
            assert_eq!(
                values,
                [Value::Reference(ReferenceValue::Local(vec![patient], "7".to_owned(), None))],
                "{text}"
            );
        }
        assert_eq!(
            one("Observation?subject=http://other/fhir/Patient/7"),
            [Value::Reference(ReferenceValue::Uri(text("http://other/fhir/Patient/7"), None))]
        );
    }

    #[test]
    fn a_chain_without_type_follows_all_that_have_the_parameter() {
        let Criterion::Chain { targets, .. } =
            query("Observation?subject.name=x").unwrap().criteria.remove(0)
        else {
            panic!()
        };
        let names: Vec<_> = targets.iter().map(|(t, _)| r4().type_name(*t)).collect();
        assert_eq!(names, ["Patient", "Location"]); // Group and Device have no parameter `name`… Device has device-name
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_query_panics(text in "((_has:Observation:patient:|subject|:Patient|\\.|name|code|date|value-quantity|code-value-quantity|:missing|:not|:exact|=|&|,|\\$|\\||%20|%|_sort|_include|Patient:organization|ge2015|-|5\\.4|mg|_asOf|_lastUpdated|_id|\\PC)){0,12}") {
            let zone = Zone::named("Asia/Tokyo").unwrap();
            let reading = Reading { zone: &zone, base: None, is_lenient: false };
            if let Ok(pairs) = split(&text) {
                for name in ["Observation", "Patient"] {
                    let _ = read(r4().resource_type(name).unwrap(), &pairs, reading);
                }
            }
        }
    }
}
