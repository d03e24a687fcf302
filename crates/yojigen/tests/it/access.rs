//! Who sees what through the doors of a hub that people sign in to: persons, clinicians, programs, and nobody.

use serde_json::{Value, json};

use crate::auth::House;
use crate::auth::systems::{Key, ask, now};
use crate::hub::Answer;

/// A hub with two persons, a clinic that cares for one of them, and a program that put them there.
pub(crate) struct Town {
    pub(crate) house: House,
    pub(crate) loader: String,
}

impl Town {
    pub(crate) fn open() -> Town {
        let house = House::open(&[]);
        let token = system(&house, "loader", "system/*.cruds", &[]);
        let town = Town { house, loader: token };
        let entry = |url: &str, resource: Value| json!({"request": {"method": "PUT", "url": url}, "resource": resource});
        let about = |p: &str| json!({"reference": format!("Patient/{p}")});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            entry("Organization/sakura", json!({"resourceType": "Organization", "id": "sakura", "name": "Sakura Clinic"})),
            entry("Patient/p1", json!({"resourceType": "Patient", "id": "p1", "name": [{"family": "Yamada"}]})),
            entry("Patient/p2", json!({"resourceType": "Patient", "id": "p2", "name": [{"family": "Sato"}]})),
            entry("Encounter/e1", json!({"resourceType": "Encounter", "id": "e1", "status": "finished",
                "class": {"code": "AMB"}, "subject": about("p1"), "serviceProvider": {"reference": "Organization/sakura"}})),
            entry("Observation/o1", json!({"resourceType": "Observation", "id": "o1", "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}, "subject": about("p1")})),
            entry("Observation/o2", json!({"resourceType": "Observation", "id": "o2", "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}, "subject": about("p2")})),
            entry("Condition/k1", json!({"resourceType": "Condition", "id": "k1", "subject": about("p1"), "meta": {"tag":
                [{"system": "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication", "code": "UNINFORMED"}]}})),
        ]});
        let answer = town.send("POST", "", &town.loader, &bundle.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
        let who = [
            "--role",
            "clinician",
            "--fhir-user",
            "Practitioner/d2",
            "--organization",
            "Organization/sakura",
        ];
        town.house.user("jiro", &who);
        town
    }

    pub(crate) fn send(&self, method: &str, url: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.house.hub.send(method, url, &[("authorization", &bearer)], body)
    }

    /// A token for an app in somebody's hands.
    pub(crate) fn app(&self, login: &str, scope: &str) -> String {
        let mut visitor = self.house.signed_in(login);
        let answer = self.house.exchange("diary", &self.house.code(&mut visitor, "diary", scope));
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
    }
}

/// A token for a program that signs for itself.
pub(crate) fn system(house: &House, id: &str, scope: &str, roles: &[&str]) -> String {
    let key = Key::new("k");
    let file = house.data.with_extension(format!("{id}.jwks"));
    std::fs::write(&file, json!({"keys": [key.jwk]}).to_string()).unwrap();
    let mut arguments =
        vec![id, "--name", id, "--kind", "keyed", "--keys", file.to_str().unwrap(), "--scope", scope];
    for role in roles {
        arguments.extend(["--role", role]);
    }
    house.client(&arguments);
    let claims = json!({"iss": id, "sub": id, "aud": format!("{}/auth/token", house.root()), "exp": now() + 200, "jti": id});
    let answer = ask(house, &key.sign(&json!({"alg": "ES384", "typ": "JWT", "kid": "k"}), &claims), scope);
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> =
        entries.iter().filter_map(|e| e["resource"]["id"].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids
}

#[test]
fn without_a_token_nothing_is_there_but_what_the_hub_can_do() {
    let town = Town::open();
    for (method, url) in
        [("GET", "Patient/p1"), ("GET", "Patient"), ("POST", ""), ("GET", "$export"), ("GET", "_history")]
    {
        let answer = town.house.hub.send(method, url, &[], "");
        assert_eq!(answer.status, 401, "{method} {url}: {}", answer.body);
        assert!(answer.header("www-authenticate").is_some_and(|v| v.starts_with("Bearer")));
    }
    assert_eq!(town.house.hub.send("GET", "metadata", &[], "").status, 200);
    assert_eq!(town.send("GET", "Patient/p1", "made-up", "").status, 401);
    let page = town.house.visitor().get("/people");
    assert_eq!(page.status, 303, "{}", page.body);
}

#[test]
fn a_persons_app_sees_that_person_and_nobody_else() {
    let town = Town::open();
    let token = town.app("taro", "launch/patient patient/*.rs");
    assert_eq!(ids(&town.send("GET", "Patient?_total=accurate", &token, "")), ["p1"]);
    assert_eq!(ids(&town.send("GET", "Observation?code=4548-4", &token, "")), ["o1"]);
    assert_eq!(town.send("GET", "Observation?_summary=count", &token, "").json()["total"], 1);
    // Not yet explained: not there, in no outlet.
    assert!(ids(&town.send("GET", "Condition", &token, "")).is_empty());
    assert_eq!(town.send("GET", "Condition/k1", &token, "").status, 404);
    let everything = town.send("GET", "Patient/p1/$everything", &token, "");
    assert!(!everything.body.contains("k1") && everything.body.contains("o1"), "{}", everything.body);
    // Another's and one that never was are told apart by nothing.
    let (others, none) =
        (town.send("GET", "Observation/o2", &token, ""), town.send("GET", "Observation/o9", &token, ""));
    assert_eq!((others.status, others.body.replace("o2", "o9")), (none.status, none.body));
    let put = |id: &str| {
        let body = json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/p1"}});
        town.send("PUT", &format!("Observation/{id}"), &token, &body.to_string())
    };
    let (others, none) = (put("o2"), put("o9"));
    assert_eq!((others.status, others.body.replace("o2", "o9")), (none.status, none.body));
    for url in ["_history", "Observation/_history", "$broken-references", "Patient/p2/$everything"] {
        let answer = town.send("GET", url, &token, "");
        assert!([403, 404].contains(&answer.status), "{url}: {} {}", answer.status, answer.body);
    }
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("prefer", "respond-async")];
    assert_eq!(town.house.hub.send("GET", "$export", &headers, "").status, 403);
    // A batch is no way around.
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": "Observation/o2"}},
        {"request": {"method": "GET", "url": "Patient/p2/$everything"}},
        {"request": {"method": "GET", "url": "Patient?family=Sato"}},
        {"request": {"method": "DELETE", "url": "Observation/o2"}},
    ]});
    let answer = town.send("POST", "", &token, &batch.to_string());
    assert!(!answer.body.contains(r#""family":"Sato""#), "{}", answer.body);
    assert_eq!(town.send("GET", "Observation/o2", &town.loader, "").status, 200);
    // Scopes only take away.
    let narrow = town.app("taro", "launch/patient patient/Patient.rs");
    assert_eq!(town.send("GET", "Observation", &narrow, "").status, 403);
    assert_eq!(town.send("GET", "Observation/o1", &narrow, "").status, 404);
}

#[test]
fn a_clinician_sees_who_is_cared_for_until_the_person_says_no() {
    let town = Town::open();
    let mut jiro = town.house.signed_in("jiro");
    let patients = |answer: &Answer| ids(answer);
    assert_eq!(patients(&jiro.get("/fhir/Patient")), ["p1"]);
    assert_eq!(jiro.get("/fhir/Condition/k1").status, 200, "a clinician sees what is not yet explained");
    assert_eq!(jiro.get("/fhir/Patient/p2").status, 404);
    let deny = json!({"resourceType": "Consent", "id": "no", "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"text": "privacy"}], "patient": {"reference": "Patient/p1"}, "policyRule": {"text": "own"},
        "provision": {"type": "deny", "actor": [{"role": {"text": "clinic"}, "reference": {"reference": "Organization/sakura"}}]}});
    let headers = [("content-type", "application/fhir+json"), ("origin", town.house.root())];
    let mut own = deny.clone();
    own.as_object_mut().unwrap().remove("id");
    let refused = jiro.send("POST", "/fhir/Consent", &headers, &own.to_string());
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(town.send("PUT", "Consent/no", &town.loader, &deny.to_string()).status, 201);
    assert!(patients(&jiro.get("/fhir/Patient")).is_empty());
    let page = jiro.get("/patients/p1");
    assert_eq!(page.status, 404, "{}", page.body);
    // In an emergency, for a stated reason, and the person is told.
    let reason = [("x-break-glass", "found unconscious")];
    assert_eq!(jiro.send("GET", "/fhir/Patient/p1", &[("x-break-glass", "x")], "").status, 400);
    assert_eq!(jiro.send("GET", "/fhir/Patient/p1", &reason, "").status, 200);
    let mut taro = town.house.signed_in("taro");
    assert_eq!(taro.send("GET", "/fhir/Patient/p2", &reason, "").status, 403);
    let told = taro.get("/fhir/AuditEvent?patient=p1");
    assert!(told.status == 200 && told.body.contains("found unconscious"), "{}", told.body);
    let seen = town.send("GET", "AuditEvent?agent=Practitioner/d2", &town.loader, "");
    assert!(seen.body.contains("sign-in") || seen.body.contains("110122"), "{}", seen.body);
    assert_eq!(taro.get("/fhir/AuditEvent?patient=p2").status, 403);
    assert_eq!(taro.get("/fhir/AuditEvent").status, 403);
}

#[test]
fn a_program_exports_what_it_may_see_and_only_it_has_the_files() {
    let town = Town::open();
    let token = system(
        &town.house,
        "warehouse",
        "system/Patient.rs system/Observation.rs?code=http://loinc.org|4548-4",
        &[],
    );
    let other = system(&town.house, "other-warehouse", "system/*.rs", &[]);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("prefer", "respond-async")];
    let started = town.house.hub.send("GET", "$export", &headers, "");
    assert_eq!(started.status, 202, "{}", started.body);
    let place = started.header("content-location").unwrap().to_owned();
    let place = place.split_once("/fhir/").unwrap().1.to_owned();
    let manifest = loop {
        let answer = town.send("GET", &place, &token, "");
        match answer.status {
            202 => std::thread::sleep(std::time::Duration::from_millis(50)),
            _ => break answer.json(),
        }
    };
    assert_eq!(manifest["requiresAccessToken"], true);
    let mut types: Vec<String> = Vec::new();
    for output in manifest["output"].as_array().unwrap() {
        types.push(output["type"].as_str().unwrap().to_owned());
        let url = output["url"].as_str().unwrap().split_once("/fhir/").unwrap().1.to_owned();
        assert_eq!(town.send("GET", &url, &token, "").status, 200);
        // Another program's job is not there.
        assert_eq!(town.send("GET", &url, &other, "").status, 404);
        assert_eq!(town.house.hub.send("GET", &url, &[], "").status, 401);
    }
    types.sort();
    assert_eq!(types, ["Observation", "Patient"]);
    assert_eq!(town.send("GET", &place, &other, "").status, 404);
    assert_eq!(town.send("DELETE", &place, &other, "").status, 404);
    // Who may do everything may do what works on the whole.
    assert_eq!(town.send("GET", "_history?_count=1", &town.loader, "").status, 200);
    assert_eq!(town.send("GET", "_history?_count=1", &token, "").status, 403);
    // A key under which something is done once is one's own.
    let headers = |bearer: &str| {
        vec![("authorization".to_owned(), bearer.to_owned()), ("idempotency-key".to_owned(), "k".to_owned())]
    };
    let create = |token: &str, kind: &str| {
        let bearer = format!("Bearer {token}");
        let headers = headers(&bearer);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        town.house.hub.send(
            "POST",
            kind,
            &headers,
            &json!({"resourceType": kind, "code": {"text": "x"}}).to_string(),
        )
    };
    assert_eq!(create(&town.loader, "Basic").status, 201);
    assert_eq!(create(&token, "Basic").status, 403);
}
