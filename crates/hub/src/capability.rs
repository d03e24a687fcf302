//! The CapabilityStatement: what there is here, written from the definitions the hub itself works with
//! (<https://hl7.org/fhir/R4/capabilitystatement.html>).

use fhir::definitions::SearchParameterType as Kind;
use fhir::json::JsonWriter;
use fhir::{TypeId, r4};
use search::parameters;
use search::parameters::Storage;
use store::ReferencePolicy;

use crate::ConditionalDelete;

/// What a CapabilityStatement says of this hub.
#[derive(Clone, Debug)]
pub struct About<'a> {
    /// The program's version.
    pub version: &'a str,
    /// The hub's base URL.
    pub base: &'a str,
    /// The hub's time zone.
    pub zone: &'a str,
    /// When the program was started, as an instant.
    pub started: &'a str,
    /// Whether a conditional delete may delete several.
    pub conditional_delete: ConditionalDelete,
    /// What becomes of references to what is not there.
    pub references: ReferencePolicy,
    /// Where people and apps are let in, if the hub is not open: the address its endpoints begin with.
    pub issuer: Option<&'a str>,
}

const RESOURCE_INTERACTIONS: &[&str] = &[
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];

/// Operations on Subscription, and what their definitions' names end with.
const SUBSCRIPTION_OPERATIONS: &[(&str, &str)] =
    &[("status", "status"), ("events", "events"), ("get-ws-binding-token", "get-ws-binding-token")];

/// The CapabilityStatement.
#[must_use]
pub fn statement(about: &About<'_>) -> String {
    let mut json = JsonWriter::new();
    json.object(|c| {
        write_head(c, "CapabilityStatement", about);
        c.member("fhirVersion", "4.0.1");
        c.name("format").array(|f| {
            f.string("application/fhir+json").string("json").string("application/fhir+xml").string("xml");
        });
        c.name("patchFormat").array(|f| {
            // FHIRPath Patch comes in FHIR's own formats.
            f.string("application/json-patch+json").string("application/xml-patch+xml");
            f.string("application/fhir+json").string("application/fhir+xml");
        });
        c.name("rest").array(|list| {
            list.object(|rest| write_rest(rest, about));
        });
    });
    json.finish()
}

/// What both kinds of statements begin with.
fn write_head(json: &mut JsonWriter, name: &str, about: &About<'_>) {
    json.member("resourceType", name);
    json.member("status", "active");
    json.member("date", about.started);
    json.member("kind", "instance");
    json.name("software").object(|s| {
        s.member("name", "Yojigen");
        s.member("version", about.version);
    });
    json.name("implementation").object(|i| {
        i.member("description", "An open health hub");
        i.member("url", about.base);
    });
}

/// What there is of terminology: searches by code and text, and no code systems that are expanded or validated here.
#[must_use]
pub fn terminology(about: &About<'_>) -> String {
    let mut json = JsonWriter::new();
    json.object(|c| {
        write_head(c, "TerminologyCapabilities", about);
    });
    json.finish()
}

/// Where subscribers open a websocket.
#[must_use]
pub fn websocket(base: &str) -> String {
    format!("{}/_websocket", base.replacen("http", "ws", 1))
}

fn write_rest(json: &mut JsonWriter, about: &About<'_>) {
    json.name("extension").array(|list| {
        list.object(|e| {
            e.member("url", "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket");
            e.member("valueUri", &websocket(about.base));
        });
    });
    json.member("mode", "server");
    json.member(
        "documentation",
        &format!(
            "Dates without a zone are read in {}. _asOf=<instant> on any read or search gives what was recorded by then. \
             Where reading is audited, AuditEvent?patient= has who looked and who wrote (ids ledger-, log-); those sent by others are searched with _ledger=false. \
             A PUT that changes nothing makes no version. Tags and security labels survive an update that omits them. \
             OpenAPI: {}/openapi.json",
            about.zone,
            about.base.trim_end_matches("/fhir")
        ),
    );
    if let Some(issuer) = about.issuer {
        json.name("security").object(|s| write_security(s, issuer));
    }
    json.name("resource").array(|list| {
        for resource_type in &r4().resource_types {
            list.object(|r| write_resource(r, *resource_type, about));
        }
    });
    json.name("interaction").array(|list| {
        for code in ["transaction", "batch", "search-system", "history-system"] {
            list.object(|i| {
                i.member("code", code);
            });
        }
    });
    json.name("operation").array(|list| {
        list.object(|o| write_export(o, "export"));
        for own in ["broken-references", "import"] {
            list.object(|o| write_own(o, own, own));
        }
    });
    json.name("compartment").array(|list| {
        for compartment in &r4().compartments {
            let name = match compartment.name {
                "RelatedPerson" => "relatedPerson".to_owned(),
                other => other.to_lowercase(),
            };
            list.string(&format!("http://hl7.org/fhir/CompartmentDefinition/{name}"));
        }
    });
}

/// How apps are let in, as SMART App Launch says it beside `.well-known/smart-configuration`.
fn write_security(json: &mut JsonWriter, issuer: &str) {
    json.name("extension").array(|list| {
        list.object(|e| {
            e.member("url", "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris");
            e.name("extension").array(|uris| {
                for (name, path) in [
                    ("authorize", "authorize"),
                    ("token", "token"),
                    ("introspect", "introspect"),
                    ("revoke", "revoke"),
                    ("manage", "account"),
                ] {
                    uris.object(|u| {
                        u.member("url", name);
                        u.member("valueUri", &format!("{issuer}/auth/{path}"));
                    });
                }
            });
        });
    });
    json.raw_member("cors", "true");
    json.name("service").array(|list| {
        list.object(|s| {
            s.name("coding").array(|codings| {
                codings.object(|c| {
                    c.member("system", "http://terminology.hl7.org/CodeSystem/restful-security-service");
                    c.member("code", "SMART-on-FHIR");
                });
            });
        });
    });
}

fn write_resource(json: &mut JsonWriter, resource_type: TypeId, about: &About<'_>) {
    let name = r4().type_name(resource_type);
    let set = parameters().of(resource_type);
    if name == "Subscription" {
        crate::subscriptions::write_topics(json);
    }
    json.member("type", name);
    json.member("profile", &format!("http://hl7.org/fhir/StructureDefinition/{name}"));
    if name == "Subscription" {
        json.member("documentation", &crate::subscriptions::described_topics());
    }
    json.name("interaction").array(|list| {
        for code in RESOURCE_INTERACTIONS {
            list.object(|i| {
                i.member("code", code);
            });
        }
    });
    json.member("versioning", "versioned");
    json.raw_member("readHistory", "true");
    json.raw_member("updateCreate", "true");
    json.raw_member("conditionalCreate", "true");
    json.member("conditionalRead", "full-support");
    json.raw_member("conditionalUpdate", "true");
    json.member("conditionalDelete", about.conditional_delete.code());
    json.name("referencePolicy").array(|list| {
        list.string("literal").string("logical").string("local");
        if about.references == ReferencePolicy::Refuse {
            list.string("enforced");
        }
    });
    let references: Vec<&str> = set
        .parameters
        .iter()
        .filter(|p| p.kind == Kind::Reference && p.storage != Storage::Unsupported)
        .map(|p| p.code)
        .collect();
    json.name("searchInclude").array(|list| {
        list.string(&format!("{name}:*"));
        for code in &references {
            list.string(&format!("{name}:{code}"));
        }
    });
    let reverse = reverse_includes(resource_type);
    if !reverse.is_empty() {
        json.name("searchRevInclude").array(|list| {
            for include in &reverse {
                list.string(include);
            }
        });
    }
    json.name("searchParam").array(|list| {
        for parameter in set.parameters.iter().filter(|p| p.storage != Storage::Unsupported) {
            list.object(|p| {
                p.member("name", parameter.code);
                p.member("definition", parameter.definition.url);
                p.member("type", parameter.kind.code());
            });
        }
    });
    let everything = match name {
        "Patient" | "Encounter" => Some(format!("{name}-everything")),
        _ => None,
    };
    let export = match name {
        "Patient" => Some("patient-export"),
        "Group" => Some("group-export"),
        _ => None,
    };
    // Operations on a whole type.
    let of_type: &[&str] = match name {
        "Observation" => &["lastn", "stats"],
        "Patient" => &["match", "merge"],
        _ => &[],
    };
    let of_type = of_type.iter().map(|code| (*code, format!("{name}-{code}")));
    let of_all = ["meta", "meta-add", "meta-delete"].map(|code| (code, format!("Resource-{code}")));
    json.name("operation").array(|list| {
        for (code, definition) in
            everything.map(|d| ("everything", d)).into_iter().chain(of_type).chain(of_all)
        {
            list.object(|o| {
                o.member("name", code);
                o.member("definition", &format!("http://hl7.org/fhir/OperationDefinition/{definition}"));
            });
        }
        if name == "Subscription" {
            for (code, definition) in SUBSCRIPTION_OPERATIONS {
                list.object(|o| {
                    o.member("name", code);
                    o.member("definition", &format!("http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-{definition}"));
                });
            }
        }
        if let Some(definition) = export {
            list.object(|o| write_export(o, definition));
        }
        for own in ["bulk-delete", "purge"] {
            list.object(|o| write_own(o, own, own));
        }
        if name == "Condition" {
            list.object(|o| write_own(o, "inform", "Condition-inform"));
        }
        if name == "Patient" {
            // FHIR knows no undoing of a merge.
            list.object(|o| write_own(o, "unmerge", "Patient-unmerge"));
            list.object(|o| write_own(o, "erase", "Patient-erase"));
        }
    });
}

/// An operation that FHIR does not know.
fn write_own(json: &mut JsonWriter, name: &str, definition: &str) {
    json.member("name", name);
    json.member("definition", &format!("https://yojigen.example/fhir/OperationDefinition/{definition}"));
}

fn write_export(json: &mut JsonWriter, definition: &str) {
    json.member("name", "export");
    json.member("definition", &format!("http://hl7.org/fhir/uv/bulkdata/OperationDefinition/{definition}"));
}

/// The references that may point at a type.
fn reverse_includes(target: TypeId) -> Vec<String> {
    let mut found = Vec::new();
    for source in &r4().resource_types {
        for parameter in &parameters().of(*source).parameters {
            let is_reference = parameter.kind == Kind::Reference && parameter.storage != Storage::Unsupported;
            if is_reference && parameter.targets.contains(&target) {
                found.push(format!("{}:{}", r4().type_name(*source), parameter.code));
            }
        }
    }
    found
}
