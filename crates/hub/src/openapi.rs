//! The surface as OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.0.html>), written from the tables the hub itself works with: resource types,
//! search parameters, controls, operations, compartments.
//!
//! What is the same for every type stands once, under `/fhir/{type}/…`; what differs stands at the type's own address: searching with its
//! parameters, and what else that address takes. A parameter's schema is its search type's, so that each takes a line.
//!
//! Design not chosen: the elements of every resource as schemas. They are FHIR's own, published as JSON Schema, and a hundred
//! times as long as all of this.

use fhir::r4;
use search::parameters;
use search::parameters::Storage;
use search::query::CONTROLS;
use serde_json::{Map, Value, json};

use crate::history;
use crate::operations::{OPERATIONS, Operation, Target};

/// An address outside of FHIR.
#[derive(Clone, Copy, Debug)]
pub struct ServicePath {
    /// Its path.
    pub path: &'static str,
    /// What it answers.
    pub documentation: &'static str,
    /// As which media type.
    pub media_type: &'static str,
}

const FHIR_JSON: &str = "application/fhir+json";
const FHIR_XML: &str = "application/fhir+xml";

/// Parameters beside those of searches: name, what it is, form.
const NAMED: &[(&str, &str, &str)] = &[
    ("_count", "Results on a page", "integer"),
    ("_sort", "Parameters to sort by, '-' before one for descending", "string"),
    ("_include", "References to follow: Type:parameter[:Target]", "list"),
    ("_revinclude", "References to come from: Type:parameter[:Target]", "list"),
    ("_total", "none, estimate or accurate", "string"),
    ("_summary", "true, text, data, count or false", "string"),
    ("_elements", "Elements to answer with, separated by commas", "string"),
    ("_asOf", "A date or instant: what was recorded by then", "string"),
    ("_cursor", "Where a page begins; comes in the links of an answer", "string"),
    ("_format", "json or xml", "string"),
    ("_pretty", "true for indented answers", "string"),
    ("_since", "Only what was recorded from this instant on", "string"),
    ("_until", "Only what was recorded by this instant", "string"),
    ("_at", "Versions that were current at some time of this date or period", "string"),
    ("_type", "Resource types, separated by commas", "string"),
    ("_typeFilter", "A search that chooses resources of a type: Type?parameters", "list"),
    ("_outputFormat", "application/fhir+ndjson", "string"),
    ("start", "Care from this date on", "string"),
    ("end", "Care until this date", "string"),
    ("max", "Observations of each code", "integer"),
    ("eventsSinceNumber", "The first event's number", "integer"),
    ("eventsUntilNumber", "The last event's number", "integer"),
    ("content", "empty, id-only or full-resource", "string"),
    ("header", "Whether CSV begins with the columns' names", "boolean"),
    ("patient", "Only what is in this Patient's record", "list"),
    ("group", "Only what is in the records of this Group's members", "list"),
    ("_limit", "Rows at most", "integer"),
    ("measure", "The measure, by its canonical address", "list"),
    ("periodStart", "The first day that is looked at", "string"),
    ("periodEnd", "The last day that is looked at", "string"),
    ("reportType", "subject, subject-list or population", "string"),
    ("subject", "Only this person", "string"),
    ("topic", "Of this set of indicators", "list"),
    ("status", "open-gap or closed-gap", "list"),
];

/// Search parameter types and how their values are written.
const SEARCH_TYPES: &[(&str, &str)] = &[
    ("number", "[eq|ne|gt|lt|ge|le|sa|eb|ap]number"),
    ("date", "[eq|ne|gt|lt|ge|le|sa|eb|ap]date or dateTime"),
    ("string", "Text; begins with it, whatever its case and width. Modifiers :exact, :contains"),
    ("token", "[system|]code. Modifiers such as :not, :text, :of-type"),
    ("reference", "Type/id, id or URL. Chains: parameter[:Type].parameter"),
    ("composite", "value$value"),
    ("quantity", "[prefix]number[|system|code]"),
    ("uri", "URI. Modifiers :above, :below"),
];

/// The description of a hub of this version; with a `part` of the same form that is joined to it.
#[must_use]
pub fn document(version: &str, service: &[ServicePath], part: Value) -> String {
    let mut whole = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Yojigen",
            "version": version,
            "summary": "An open health hub: HL7 FHIR R4 with all of its history",
            "description": "FHIR R4 REST at /fhir. Every read and search takes _asOf. An unknown parameter is an error, but for \
                            'Prefer: handling=lenient'. A search parameter may be given several times (all must hold) and with several values \
                            separated by commas (one must hold); every one takes the modifier :missing.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"description": "FHIR R4", "url": "https://hl7.org/fhir/R4/http.html"},
        "servers": [{"url": "/", "description": "This hub"}],
        "security": [],
        "tags": [
            {"name": "resources"}, {"name": "search"}, {"name": "history"}, {"name": "operations"}, {"name": "service"},
        ],
        "paths": paths(service),
        "components": {
            "parameters": shared_parameters(),
            "headers": {"ETag": {"description": "The version: W/\"n\"", "schema": {"type": "string"}}},
            "requestBodies": {
                "Resource": {"required": true, "content": fhir_content("Resource")},
                "Patch": {"required": true, "description": "JSON Patch, XML Patch, or FHIRPath Patch as a Parameters resource", "content": {
                    "application/json-patch+json": {"schema": {"type": "array", "items": {"type": "object"}}},
                    "application/xml-patch+xml": {"schema": {"type": "string"}},
                    FHIR_JSON: {"schema": {"$ref": "#/components/schemas/Resource"}},
                    FHIR_XML: {"schema": {"type": "string"}},
                }},
                "Form": {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}},
            },
            "responses": {
                "Resource": answer("The resource", "Resource"),
                "Bundle": answer("A Bundle; 'next' among its links leads on", "Bundle"),
                "Done": answer("Done; the resource as it is kept, or as Prefer: return asks", "Resource"),
                "Unchanged": {"description": "Not modified"},
                "Gone": {"description": "Done; there is nothing to answer"},
                "Started": {"description": "Begun; Content-Location says where to ask how far it is",
                            "headers": {"Content-Location": {"schema": {"type": "string"}}}},
                "Outcome": answer("What is wrong, where, and the way out", "OperationOutcome"),
            },
            "schemas": schemas(),
        },
    });
    join(&mut whole, part);
    whole.to_string()
}

/// Members are joined by name, lists one after the other.
fn join(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(members), Value::Object(part)) => {
            for (name, value) in part {
                join(members.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(items), Value::Array(part)) => items.extend(part),
        (_, Value::Null) => {}
        (whole, part) => *whole = part,
    }
}

fn schemas() -> Value {
    let mut schemas = Map::new();
    let resource = |of: Value| json!({"type": "object", "required": ["resourceType"], "properties": {"resourceType": of}});
    schemas.insert("Resource".to_owned(), resource(json!({"$ref": "#/components/schemas/ResourceType"})));
    for name in ["Bundle", "OperationOutcome"] {
        schemas.insert(name.to_owned(), resource(json!({"const": name})));
    }
    let names: Vec<&str> = r4().resource_types.iter().map(|t| r4().type_name(*t)).collect();
    schemas.insert("ResourceType".to_owned(), json!({"type": "string", "enum": names}));
    schemas.insert("Id".to_owned(), json!({"type": "string", "pattern": "^[A-Za-z0-9\\-.]{1,64}$"}));
    for (name, how) in SEARCH_TYPES {
        let list = json!({"type": "array", "items": {"type": "string"}, "description": how});
        schemas.insert((*name).to_owned(), list);
    }
    Value::Object(schemas)
}

fn shared_parameters() -> Value {
    let mut all = Map::new();
    let path = |name: &str, schema: &str| {
        let schema = format!("#/components/schemas/{schema}");
        json!({"name": name, "in": "path", "required": true, "schema": {"$ref": schema}})
    };
    all.insert("type".to_owned(), path("type", "ResourceType"));
    all.insert("id".to_owned(), path("id", "Id"));
    all.insert("version".to_owned(), path("version", "Id"));
    let compartments: Vec<&str> = r4().compartments.iter().map(|c| c.name).collect();
    let owner = json!({"name": "compartment", "in": "path", "required": true, "schema": {"type": "string", "enum": compartments}});
    all.insert("compartment".to_owned(), owner);
    for (name, what, form) in NAMED {
        let schema = match *form {
            "list" => json!({"type": "array", "items": {"type": "string"}}),
            other => json!({"type": other}),
        };
        let parameter = json!({"name": name, "in": "query", "description": what, "schema": schema});
        all.insert((*name).to_owned(), parameter);
    }
    for (name, what) in [
        ("If-Match", "The version that is to be changed: W/\"n\""),
        ("If-None-Match", "The version that is known: W/\"n\""),
        ("If-None-Exist", "A search: nothing is created if it finds one"),
        (
            "Prefer",
            "return=minimal, representation or OperationOutcome; handling=lenient or strict; respond-async",
        ),
        ("Idempotency-Key", "A write with the same key is done once"),
    ] {
        let parameter =
            json!({"name": name, "in": "header", "description": what, "schema": {"type": "string"}});
        all.insert(name.to_owned(), parameter);
    }
    Value::Object(all)
}

fn fhir_content(schema: &str) -> Value {
    let schema = format!("#/components/schemas/{schema}");
    json!({FHIR_JSON: {"schema": {"$ref": schema}}, FHIR_XML: {"schema": {"type": "string"}}})
}

fn answer(what: &str, schema: &str) -> Value {
    json!({"description": what, "content": fhir_content(schema)})
}

fn refer(to: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{to}/{name}")})
}

/// What one method of an address does.
struct Door<'a> {
    tag: &'a str,
    summary: String,
    parameters: Vec<Value>,
    body: Option<&'a str>,
    /// Status and answer.
    answers: &'a [(&'a str, &'a str)],
}

impl Door<'_> {
    fn write(self) -> Value {
        let mut operation = Map::new();
        operation.insert("tags".to_owned(), json!([self.tag]));
        operation.insert("summary".to_owned(), self.summary.into());
        if !self.parameters.is_empty() {
            operation.insert("parameters".to_owned(), self.parameters.into());
        }
        if let Some(body) = self.body {
            operation.insert("requestBody".to_owned(), refer("requestBodies", body));
        }
        let mut answers: Map<String, Value> = self
            .answers
            .iter()
            .map(|(status, name)| ((*status).to_owned(), refer("responses", name)))
            .collect();
        answers.insert("default".to_owned(), refer("responses", "Outcome"));
        operation.insert("responses".to_owned(), answers.into());
        operation.into()
    }
}

fn named(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| refer("parameters", name)).collect()
}

const READ: &[(&str, &str)] = &[("200", "Resource"), ("304", "Unchanged")];
const SEARCH: &[(&str, &str)] = &[("200", "Bundle")];
const WRITE: &[(&str, &str)] = &[("200", "Done"), ("201", "Done")];
const DELETE: &[(&str, &str)] = &[("200", "Done"), ("204", "Gone")];
const READ_PARAMETERS: &[&str] = &["_asOf", "_summary", "_elements", "_format", "_pretty", "If-None-Match"];
const WRITE_PARAMETERS: &[&str] = &["If-Match", "Prefer", "Idempotency-Key"];

fn door<'a>(tag: &'a str, summary: &str, names: &[&str], answers: &'a [(&'a str, &'a str)]) -> Door<'a> {
    Door { tag, summary: summary.to_owned(), parameters: named(names), body: None, answers }
}

fn written<'a>(summary: &str, names: &[&str], body: &'a str, answers: &'a [(&'a str, &'a str)]) -> Door<'a> {
    Door { body: Some(body), ..door("resources", summary, names, answers) }
}

fn paths(service: &[ServicePath]) -> Value {
    let mut paths = Map::new();
    let mut add = |path: &str, shared: &[&str], doors: Vec<(&str, Door<'_>)>| {
        let mut item = Map::new();
        if !shared.is_empty() {
            item.insert("parameters".to_owned(), named(shared).into());
        }
        for (method, door) in doors {
            item.insert(method.to_owned(), door.write());
        }
        paths.insert(path.to_owned(), item.into());
    };
    let versions = |summary: &str| door("history", summary, history::NAMES, SEARCH);
    let posted = |summary: &str| Door { body: Some("Form"), ..door("search", summary, &[], SEARCH) };
    add(
        "/fhir",
        &[],
        vec![
            (
                "get",
                door(
                    "search",
                    "Searches all types, or those of _type",
                    &[&["_type"], CONTROLS].concat(),
                    SEARCH,
                ),
            ),
            ("post", written("A transaction or batch", &["Prefer", "Idempotency-Key"], "Resource", SEARCH)),
        ],
    );
    add(
        "/fhir/metadata",
        &[],
        vec![("get", door("service", "The CapabilityStatement", READ_PARAMETERS, READ))],
    );
    add("/fhir/_history", &[], vec![("get", versions("The history of the hub"))]);
    add("/fhir/_search", &[], vec![("post", posted("Searches all types, by a form"))]);
    for resource_type in &r4().resource_types {
        let name = r4().type_name(*resource_type);
        let mut search = door("search", &format!("Searches {name}"), CONTROLS, SEARCH);
        for parameter in &parameters().of(*resource_type).parameters {
            if parameter.storage != Storage::Unsupported {
                let schema = refer("schemas", parameter.kind.code());
                search.parameters.push(json!({"name": parameter.code, "in": "query", "schema": schema}));
            }
        }
        let conditional = |what: &str| format!("{what} the {name} that a search in the address finds");
        add(
            &format!("/fhir/{name}"),
            &[],
            vec![
                ("get", search),
                (
                    "post",
                    written(
                        &format!("Creates a {name}"),
                        &["If-None-Exist", "Prefer", "Idempotency-Key"],
                        "Resource",
                        WRITE,
                    ),
                ),
                ("put", written(&conditional("Updates"), WRITE_PARAMETERS, "Resource", WRITE)),
                ("patch", written(&conditional("Patches"), WRITE_PARAMETERS, "Patch", WRITE)),
                ("delete", door("resources", &conditional("Deletes"), &["Prefer"], DELETE)),
            ],
        );
    }
    add(
        "/fhir/{type}/_search",
        &["type"],
        vec![("post", posted("Searches a type, by a form of its parameters"))],
    );
    add("/fhir/{type}/_history", &["type"], vec![("get", versions("The history of a type"))]);
    add(
        "/fhir/{type}/{id}",
        &["type", "id"],
        vec![
            ("get", door("resources", "Reads", READ_PARAMETERS, READ)),
            ("put", written("Updates, or creates under this id", WRITE_PARAMETERS, "Resource", WRITE)),
            ("patch", written("Patches", WRITE_PARAMETERS, "Patch", WRITE)),
            ("delete", door("resources", "Deletes", WRITE_PARAMETERS, DELETE)),
        ],
    );
    add("/fhir/{type}/{id}/_history", &["type", "id"], vec![("get", versions("The history of a resource"))]);
    add(
        "/fhir/{type}/{id}/_history/{version}",
        &["type", "id", "version"],
        vec![("get", door("resources", "Reads a version", READ_PARAMETERS, READ))],
    );
    add(
        "/fhir/{compartment}/{id}/{type}",
        &["compartment", "id", "type"],
        vec![(
            "get",
            door("search", "Searches a type in a compartment; with the type's parameters", CONTROLS, SEARCH),
        )],
    );
    add(
        "/fhir/{compartment}/{id}/*",
        &["compartment", "id"],
        vec![(
            "get",
            door("search", "Searches all types in a compartment", &[&["_type"], CONTROLS].concat(), SEARCH),
        )],
    );
    for operation in OPERATIONS {
        for target in operation.on {
            let (path, shared): (String, &[&str]) = match target {
                Target::System => (format!("/fhir/{}", operation.name), &[]),
                Target::Type(name) => (format!("/fhir/{name}/{}", operation.name), &[]),
                Target::AnyType => (format!("/fhir/{{type}}/{}", operation.name), &["type"]),
                Target::Instance(name) => (format!("/fhir/{name}/{{id}}/{}", operation.name), &["id"]),
                Target::AnyInstance => (format!("/fhir/{{type}}/{{id}}/{}", operation.name), &["type", "id"]),
            };
            add(&path, shared, called(operation));
        }
    }
    add(
        "/fhir/_jobs/{id}",
        &["id"],
        vec![
            (
                "get",
                door(
                    "operations",
                    "How far a job is; its manifest once it is done",
                    &[],
                    &[("200", "Resource"), ("202", "Started")],
                ),
            ),
            (
                "delete",
                door("operations", "Cancels a job, and removes what it made", &[], &[("202", "Gone")]),
            ),
        ],
    );
    for ServicePath { path, documentation, media_type } in service {
        let mut door = door("service", documentation, &[], &[]).write();
        let content = json!({*media_type: {"schema": {}}});
        door["responses"]["200"] = json!({"description": documentation, "content": content});
        paths.insert((*path).to_owned(), json!({"get": door}));
    }
    paths.into()
}

fn called(operation: &Operation) -> Vec<(&'static str, Door<'_>)> {
    let answers: &[(&str, &str)] =
        if operation.name == "$export" { &[("202", "Started")] } else { &[("200", "Resource")] };
    let mut doors = Vec::new();
    if operation.is_read {
        doors.push(("get", door("operations", operation.documentation, operation.parameters, answers)));
    }
    if operation.is_posted {
        let door = door("operations", operation.documentation, &[], answers);
        doors.push(("post", Door { body: Some("Resource"), ..door }));
    }
    doors
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn whole() -> Value {
        let service = [ServicePath { path: "/health", documentation: "It runs", media_type: "text/plain" }];
        serde_json::from_str(&document("1", &service, Value::Null)).unwrap()
    }

    /// Every `$ref`, and every parameter of a path.
    fn walk<'v>(value: &'v Value, references: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(to)) = members.get("$ref") {
                    references.insert(to);
                }
                members.values().for_each(|v| walk(v, references));
            }
            Value::Array(items) => items.iter().for_each(|v| walk(v, references)),
            _ => {}
        }
    }

    #[test]
    fn everything_referred_to_is_there_and_all_that_is_there_is_used() {
        let document = whole();
        let mut references = BTreeSet::new();
        walk(&document, &mut references);
        for reference in &references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        for (group, members) in document["components"].as_object().unwrap() {
            for name in members.as_object().unwrap().keys().filter(|_| group != "headers") {
                let own = format!("#/components/{group}/{name}");
                assert!(references.contains(own.as_str()), "{own} is not used");
            }
        }
    }

    #[test]
    fn paths_name_their_parameters_and_doors_answer() {
        let document = whole();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() > r4().resource_types.len() + 15);
        for (path, item) in paths {
            let in_path: BTreeSet<&str> =
                path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
            let said: BTreeSet<&str> = item["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|p| p["$ref"].as_str()?.rsplit('/').next())
                .collect();
            assert_eq!(in_path, said, "{path}");
            for (method, door) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
                assert!(
                    ["get", "post", "put", "patch", "delete"].contains(&method.as_str()),
                    "{path} {method}"
                );
                assert!(door["responses"].as_object().is_some_and(|r| r.len() > 1), "{path} {method}");
                let names: Vec<String> =
                    door["parameters"].as_array().into_iter().flatten().map(ToString::to_string).collect();
                let once: BTreeSet<&String> = names.iter().collect();
                assert_eq!(names.len(), once.len(), "{path} {method}");
            }
        }
        let of_patient = document["paths"]["/fhir/Patient"]["get"]["parameters"].to_string();
        assert!(of_patient.contains(
            r##"{"name":"birthdate","in":"query","schema":{"$ref":"#/components/schemas/date"}}"##
        ));
    }
}
