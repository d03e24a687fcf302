//! What decides about access: a client's signed assertion, a program's scopes, a person's Consent.

use std::sync::Arc;

use access::consent::ConsentMemory;
use access::scope::Scopes;
use access::{Purpose, Subject};
use auth::vault::MemoryVault;
use auth::{ASSERTION_TYPE, Auth, ClientKind, NewClient, Settings, Shown};
use search::Zone;
use search::restriction::{ConsentText, Moment};
use serde_json::json;

use super::{Target, kind};

const ISSUER: &str = "http://localhost:1";

/// Nobody has the private key, so whatever is let in is forged.
pub(super) fn jwt<'t>() -> Target<'t> {
    let auth = Auth::new(Box::new(MemoryVault::default()), Settings::at(ISSUER));
    let client = NewClient {
        id: "loader".to_owned(),
        name: "Loader".to_owned(),
        kind: ClientKind::Keyed,
        redirect_uris: Vec::new(),
        scopes: "system/*.rs".to_owned(),
        keys: Some(json!({"keys": [{
            "kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig", "kid": "k",
            "x": "x4YRrIWGCIrcaEJr8RPhoO0sj8vMpGkKURvq0lMtdBj2_X7dg_JWnogQ6DKn7cLm",
            "y": "3sVOjkn0VKzdMVELxX4TO_ourXAFGCu1uBPnaPCNaNCPp8iMWrlEejpyk8F-ANX-",
        }]})),
        keys_uri: None,
        purpose: None,
        roles: Vec::new(),
        organization: None,
        may_introspect: false,
        is_dynamic: false,
    };
    let added = auth.add_client(&client);
    assert!(added.is_ok(), "the client's key reads");
    Box::new(move |input| {
        let text = String::from_utf8_lossy(input);
        // In parts, so that what is mutated is what is encoded.
        let mut parts =
            text.splitn(3, '\n').map(|part| data_encoding::BASE64URL_NOPAD.encode(part.as_bytes()));
        let mut part = || parts.next().unwrap_or_default();
        let encoded = format!("{}.{}.{}", part(), part(), part());
        let mut said = String::new();
        for assertion in [text.as_ref(), &encoded] {
            let shown = Shown {
                assertion_type: Some(ASSERTION_TYPE),
                assertion: Some(assertion),
                address: "127.0.0.1",
                ..Shown::default()
            };
            match auth.authenticate(&shown) {
                Ok(_) => panic_on_forgery(),
                Err(refusal) => said.push_str(&kind(&refusal.description.replace("client_assertion", ""))),
            }
        }
        said
    })
}

#[allow(clippy::panic)] // a finding
fn panic_on_forgery() {
    panic!("an assertion nobody signed was taken");
}

pub(super) fn scopes<'t>() -> Target<'t> {
    let limit = Scopes::parse("patient/Observation.rs?category=laboratory user/*.r launch openid");
    Box::new(move |input| {
        let text = String::from_utf8_lossy(input);
        let (read, unknown) = Scopes::read(&text);
        let written: Vec<String> = read.iter().map(ToString::to_string).collect();
        let (again, lost) = Scopes::read(&written.join(" "));
        assert!(lost.is_empty(), "what was read and written is not read again: {lost:?}");
        assert!(read.iter().all(|scope| again.has(scope)), "a scope changed as it was written");
        if let Ok(limit) = &limit {
            // Narrowing never widens.
            let narrowed = read.narrowed_to(limit);
            let is_within = |scope: &access::scope::ResourceScope| {
                limit.resources().any(|l| scope.is_within(l)) && read.resources().any(|r| scope.is_within(r))
            };
            assert!(narrowed.resources().all(is_within), "a scope grew as it was narrowed");
        }
        format!("{} {}", written.len().min(20), unknown.first().map(|w| kind(w)).unwrap_or_default())
    })
}

pub(super) fn consent<'t>(zone: Zone) -> Target<'t> {
    let memory = Arc::new(ConsentMemory::new(zone, hub::now));
    let subject = Subject {
        fhir_user: Some("Practitioner/x".to_owned()),
        organisations: vec!["o".to_owned()],
        roles: vec!["clinician".to_owned()],
        ..Subject::nobody(Purpose::Care)
    };
    let consents = memory.of(Arc::new(subject));
    let mut version = 0;
    Box::new(move |input| {
        version += 1;
        let text = String::from_utf8_lossy(input);
        // Whatever a Consent names is as strange as it is.
        let kept = |_, _: &str| Some(text.clone().into_owned());
        let consent = ConsentText { id: "c", version, text: &text };
        let provisions = consents.provisions(consent, Moment::Now { at_least: 0 }, &kept);
        if fhir::json::parse(text.as_bytes(), &fhir::Limits::default()).is_err() {
            assert!(provisions.iter().all(|p| !p.is_permit), "what cannot be read permits");
        }
        let said: String = provisions
            .iter()
            .take(8)
            .map(|p| format!("{}{}", u8::from(p.is_permit), p.specificity))
            .collect();
        format!("{} {said}", provisions.len().min(20))
    })
}

pub(super) fn seeds(name: &str) -> Vec<String> {
    let seeds: &[&str] = match name {
        "jwt" => &[
            "{\"alg\":\"ES384\",\"typ\":\"JWT\",\"kid\":\"k\"}\n{\"iss\":\"loader\",\"sub\":\"loader\",\"aud\":\"http://localhost:1/auth/token\",\"exp\":4102444800,\"iat\":1,\"jti\":\"a\"}\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456",
            "{\"alg\":\"none\"}\n{\"iss\":\"loader\",\"sub\":\"loader\",\"aud\":[\"http://localhost:1/auth/token\"],\"exp\":4102444800,\"jti\":\"b\"}\n",
            "{\"alg\":\"HS256\",\"kid\":\"k\",\"crit\":[\"x\"],\"jwk\":{\"kty\":\"EC\"},\"jku\":\"http://e\"}\n{\"iss\":\"loader\"}\nx",
            "eyJhbGciOiJFUzM4NCIsImtpZCI6ImsifQ.eyJpc3MiOiJsb2FkZXIifQ.AA",
        ],
        "scopes" => &[
            "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory patient/*.read launch/patient openid fhirUser offline_access",
            "user/Patient.cruds system/*.* patient/Condition.write launch/encounter profile online_access",
            "patient/Observation.rs?code=a,b&category=c\\,d&_tag=x%7Cy user/*.s",
        ],
        _ => &[
            r#"{"resourceType":"Consent","id":"c","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"text":"x"}],"patient":{"reference":"Patient/p"},"policyRule":{"coding":[{"code":"OPTIN"}]},"provision":{"type":"deny","period":{"start":"2020","end":"2099-01-01"},"actor":[{"role":{"coding":[{"code":"nurse"}]},"reference":{"reference":"CareTeam/t"}}],"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}],"class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}],"code":[{"coding":[{"system":"http://loinc.org","code":"4548-4"}]}],"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}],"dataPeriod":{"start":"2020-01-01"},"provision":[{"type":"permit","data":[{"meaning":"instance","reference":{"reference":"Observation/o"}}]}]}}"#,
            r#"{"resourceType":"CareTeam","id":"t","status":"active","participant":[{"member":{"reference":"Group/g"},"period":{"end":"2099"}},{"member":{"reference":"Practitioner/x"}}]}"#,
            r#"{"resourceType":"Group","id":"g","type":"practitioner","actual":true,"member":[{"entity":{"reference":"Group/g"},"inactive":false}]}"#,
        ],
    };
    seeds.iter().map(|seed| (*seed).to_owned()).collect()
}
