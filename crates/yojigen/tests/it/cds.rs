//! CDS Hooks as an ordering system sees it: discovery, cards from a prefetch and from the hub's own record, who may ask, feedback,
//! and services of others.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::House;
use crate::hub::{Answer, Hub, agent, import, try_send};

const ATC: &str = "http://www.whocc.no/atc";

fn order(id: &str, name: &str, usage: &str) -> Value {
    let mut order = json!({
        "resourceType": "MedicationRequest", "id": id, "status": "draft", "intent": "order",
        "medicationCodeableConcept": {"text": name}, "subject": {"reference": "Patient/p1"},
    });
    if !usage.is_empty() {
        order["dosageInstruction"] = json!([{"text": usage}]);
    }
    order
}

fn taken(id: &str, person: &str, name: &str, atc: &str) -> Value {
    json!({
        "resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": ATC, "code": atc}], "text": name},
        "subject": {"reference": format!("Patient/{person}")}, "authoredOn": "2026-11-01",
    })
}

fn person(id: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "gender": "male", "birthDate": "1956-04-02"})
}

fn allergy(id: &str, person: &str, name: &str) -> Value {
    json!({
        "resourceType": "AllergyIntolerance", "id": id, "category": ["medication"], "criticality": "high",
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
        "code": {"text": name}, "patient": {"reference": format!("Patient/{person}")},
    })
}

/// Creatinine of yesterday, whatever the day is.
fn creatinine(id: &str, person: &str, value: f64) -> Value {
    let day = fhir::date_time::format_instant(::hub::now() - 86_400_000_000);
    json!({
        "resourceType": "Observation", "id": id, "status": "final", "effectiveDateTime": day,
        "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]},
        "valueQuantity": {"value": value, "unit": "mg/dL"},
        "subject": {"reference": format!("Patient/{person}")},
    })
}

fn bundle(resources: &[Value]) -> Value {
    let entries: Vec<Value> = resources.iter().map(|r| json!({"resource": r})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

fn sign(orders: &[Value], prefetch: Value) -> Value {
    json!({
        "hook": "order-sign", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/d1", "patientId": "p1", "draftOrders": bundle(orders)},
        "prefetch": prefetch,
    })
}

/// What a person's record says, sent along.
fn prefetch() -> Value {
    json!({
        "patient": person("p1"),
        "allergies": bundle(&[allergy("a1", "p1", "ペニシリン系抗菌薬")]),
        "medications": bundle(&[taken("m1", "p1", "ワルファリン錠1mg", "B01AA03")]),
        "statements": bundle(&[]),
        "observations": bundle(&[creatinine("o1", "p1", 3.0)]),
        "conditions": bundle(&[]),
    })
}

fn post(base: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let json = ("content-type", "application/json");
    let headers = [&[json], headers].concat();
    let root = base.trim_end_matches("/fhir");
    try_send(&agent(), root, "POST", path, &headers, &body.to_string()).unwrap()
}

/// The rules that spoke, and how loudly.
fn spoken(answer: &Answer) -> BTreeSet<(String, String)> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cards = answer.json()["cards"].as_array().unwrap().clone();
    let read = |card: &Value| {
        let rule = card["source"]["topic"]["code"].as_str()?.to_owned();
        Some((rule, card["indicator"].as_str()?.to_owned()))
    };
    cards.iter().filter_map(read).collect()
}

fn open_hub(resources: &[Value], arguments: &[&str]) -> (Hub, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resources.ndjson");
    let lines: Vec<String> = resources.iter().map(|r| format!("{r}\n")).collect();
    std::fs::write(&file, lines.concat()).unwrap();
    let data = folder.path().join("hub");
    import(&data, &[&file]);
    (Hub::serve_with(&data, arguments, &[]), folder)
}

#[test]
fn services_are_offered_and_answer_with_cards_as_the_standard_has_them() {
    let (hub, _folder) = open_hub(&[person("p9")], &[]);
    let root = hub.base.trim_end_matches("/fhir");
    let offered = try_send(&agent(), root, "GET", "/cds-services", &[("accept-language", "en")], "").unwrap();
    assert_eq!(offered.status, 200);
    let services = offered.json()["services"].as_array().unwrap().clone();
    let hooks: BTreeSet<&str> = services.iter().filter_map(|s| s["hook"].as_str()).collect();
    assert_eq!(hooks, ["order-select", "order-sign", "patient-view"].into());
    for service in &services {
        assert!(service["id"].is_string() && service["description"].is_string());
        assert_eq!(service["prefetch"]["patient"], "Patient/{{context.patientId}}");
    }

    let orders = [
        order("d1", "アモキシシリンカプセル250mg", "1回1カプセル 1日3回"),
        order("d2", "ロキソプロフェンナトリウム錠60mg", "1回1錠 1日3回 毎食後"),
    ];
    let call = sign(&orders, prefetch());
    let answer = post(&hub.base, "/cds-services/medication-safety-sign", &[("accept-language", "en")], &call);
    let said = spoken(&answer);
    let expected =
        [("allergy-penicillins", "warning"), ("warfarin-nsaids", "warning"), ("renal-nsaids", "critical")];
    for (rule, indicator) in expected {
        assert!(said.contains(&(rule.to_owned(), indicator.to_owned())), "{rule} in {said:?}");
    }
    let cards = answer.json()["cards"].as_array().unwrap().clone();
    for card in &cards {
        assert!(card["summary"].as_str().unwrap().chars().count() < 140);
        assert!(card["source"]["label"].is_string() && card["uuid"].is_string(), "{card}");
        assert!(["info", "warning", "critical"].contains(&card["indicator"].as_str().unwrap()));
        if card.get("suggestions").is_some() {
            assert_eq!(card["selectionBehavior"], "at-most-one");
            let deleted = card["suggestions"][0]["actions"][0]["resourceId"].as_str().unwrap();
            assert!(["MedicationRequest/d1", "MedicationRequest/d2"].contains(&deleted));
            assert!(card["overrideReasons"].as_array().unwrap().iter().all(|r| r["display"].is_string()));
        }
    }
    assert_eq!(cards[0]["indicator"], "critical", "the weightiest is first");
    assert!(cards[0]["detail"].as_str().unwrap().contains("eGFR") && cards[0]["source"]["url"].is_string());
    // And in Japanese, which is spoken where nothing else is asked for.
    let japanese = post(&hub.base, "/cds-services/medication-safety-sign", &[], &call);
    assert!(japanese.body.contains("アレルギー"));
}

#[test]
fn what_is_not_checked_is_said() {
    let (hub, _folder) = open_hub(&[person("p9")], &[]);
    let orders =
        [order("d1", "ナントカ錠10mg", "1回1錠"), order("d2", "アムロジピン錠5mg", "医師の指示どおり")];
    let answer = post(
        &hub.base,
        "/cds-services/medication-safety-sign",
        &[("accept-language", "en")],
        &sign(&orders, json!({"patient": person("p1")})),
    );
    let cards = answer.json()["cards"].as_array().unwrap().clone();
    let last = cards.last().unwrap();
    assert!(last["summary"].as_str().unwrap().starts_with("Not checked: Allergy"), "{last}");
    let detail = last["detail"].as_str().unwrap();
    for text in [
        "ナントカ錠10mg",
        "is no medicine this check knows",
        "cannot be read",
        "Whether there are allergies is not recorded",
    ] {
        assert!(detail.contains(text), "{text} in {detail}");
    }
}

#[test]
fn without_a_prefetch_the_record_is_read() {
    let record = [
        person("p1"),
        allergy("a1", "p1", "アスピリン"),
        taken("m1", "p1", "クロピドグレル錠75mg", "B01AC04"),
        taken("m2", "p1", "オメプラゾール錠20mg", "A02BC01"),
        creatinine("o1", "p1", 2.4),
    ];
    let (hub, _folder) = open_hub(&record, &[]);
    let view = json!({
        "hook": "patient-view", "hookInstance": "x", "context": {"userId": "Practitioner/d1", "patientId": "p1"},
    });
    let said = spoken(&post(&hub.base, "/cds-services/medication-safety-view", &[], &view));
    assert_eq!(said.iter().filter(|(rule, _)| rule == "clopidogrel-omeprazole").count(), 1, "{said:?}");

    let mut select =
        sign(&[order("d1", "イブプロフェン錠200mg", ""), order("d2", "メトホルミン錠500mg", "")], json!({}));
    select["hook"] = json!("order-select");
    // As in the standard's example: drafts of other kinds stand beside, and more is said than is used.
    let diet = json!({
        "resourceType": "NutritionOrder", "id": "n1", "status": "draft", "intent": "order",
        "patient": {"reference": "Patient/p1"}, "dateTime": "2026-11-30",
    });
    select["context"]["draftOrders"]["entry"].as_array_mut().unwrap().push(json!({"resource": diet}));
    select["context"]["encounterId"] = json!("89284");
    select["context"]["selections"] = json!(["NutritionOrder/n1", "MedicationRequest/d2"]);
    select["fhirAuthorization"] =
        json!({"access_token": "some-opaque-fhir-access-token", "token_type": "Bearer"});
    let said = spoken(&post(&hub.base, "/cds-services/medication-safety-select", &[], &select));
    let rules: Vec<&str> = said.iter().map(|(rule, _)| rule.as_str()).collect();
    assert!(rules.contains(&"renal-metformin") && !rules.contains(&"allergy-nsaids"), "{rules:?}");

    let mut stranger = sign(&[order("d1", "イブプロフェン錠200mg", "")], json!({}));
    stranger["context"]["patientId"] = json!("nobody");
    // Nothing is fetched from wherever a caller points to.
    stranger["fhirServer"] = json!(hub.base);
    let answer = post(&hub.base, "/cds-services/medication-safety-sign", &[], &stranger);
    assert_eq!(answer.status, 412, "{}", answer.body);
}

#[test]
fn what_is_no_call_is_refused_where_it_is_wrong() {
    let (hub, _folder) = open_hub(&[person("p1")], &[]);
    let sent = |change: &dyn Fn(&mut Value)| {
        let mut call = sign(&[order("d1", "アムロジピン錠5mg", "")], prefetch());
        change(&mut call);
        post(&hub.base, "/cds-services/medication-safety-sign", &[], &call)
    };
    type Change<'c> = &'c dyn Fn(&mut Value);
    let wrong: [(&str, Change<'_>); 6] = [
        ("hook", &|c| c["hook"] = json!("patient-view")),
        ("hookInstance", &|c| c["hookInstance"] = json!(7)),
        ("context.patientId", &|c| c["context"]["patientId"] = json!("Patient/p1?x=1")),
        ("context.draftOrders", &|c| c["context"]["draftOrders"] = json!([])),
        ("context.draftOrders.entry[0].resource", &|c| {
            c["context"]["draftOrders"]["entry"][0]["resource"]["status"] = json!(3);
        }),
        ("prefetch.allergies", &|c| c["prefetch"]["allergies"] = json!({"resourceType": "Nothing"})),
    ];
    for (place, change) in wrong {
        let answer = sent(change);
        assert_eq!(answer.status, 400, "{place}: {}", answer.body);
        assert!(answer.body.contains(place), "{place}: {}", answer.body);
    }
    assert_eq!(sent(&|_| {}).status, 200);
    let unknown = post(&hub.base, "/cds-services/nothing", &[], &json!({}));
    assert_eq!(unknown.status, 404);
    let root = hub.base.trim_end_matches("/fhir");
    let json = [("content-type", "application/json")];
    let broken =
        try_send(&agent(), root, "POST", "/cds-services/medication-safety-sign", &json, "{").unwrap();
    assert_eq!(broken.status, 400);
    let got = try_send(&agent(), root, "GET", "/cds-services/medication-safety-sign", &[], "").unwrap();
    assert_eq!(got.status, 405);
}

#[test]
fn a_closed_hub_checks_for_those_it_knows_with_what_they_may_see_and_writes_down_who_asked() {
    let record = [allergy("a1", "p1", "アスピリン"), allergy("a2", "p2", "アスピリン")];
    let house = House::holding(&record, &[]);
    let root = house.root();
    let offered =
        try_send(&agent(), root, "GET", "/cds-services", &[("origin", "https://any.example")], "").unwrap();
    assert_eq!(offered.status, 200);
    assert_eq!(offered.header("access-control-allow-origin"), Some("https://any.example"));

    let call = sign(&[order("d1", "ロキソプロフェン錠60mg", "1回1錠 1日3回")], json!({}));
    let path = "/cds-services/medication-safety-sign";
    assert_eq!(post(root, path, &[], &call).status, 401);
    assert_eq!(post(root, path, &[("authorization", "Bearer made-up")], &call).status, 401);

    let code = house.code(&mut house.signed_in("taro"), "diary", "launch/patient patient/*.rs");
    let token = house.exchange("diary", &code).json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let signed = [("authorization", bearer.as_str())];
    let answer = post(root, path, &signed, &call);
    let said = spoken(&answer);
    assert!(said.contains(&("allergy-nsaids".to_owned(), "warning".to_owned())), "{said:?}");
    // Another's record is not there for them.
    let mut other = call.clone();
    other["context"]["patientId"] = json!("p2");
    let refused = post(root, path, &signed, &other);
    assert_eq!(refused.status, 412, "{}", refused.body);
    assert!(!refused.body.contains("アスピリン"));

    let card = answer.json()["cards"][0]["uuid"].as_str().unwrap().to_owned();
    let reason = json!({"reason": {"code": "benefit", "system": "urn:yojigen:safety:override-reason"}, "userComment": "腰が痛い"});
    let feedback = json!({"feedback": [{
        "card": card, "outcome": "overridden", "overrideReason": reason, "outcomeTimestamp": "2026-11-30T10:00:00Z",
    }]});
    assert_eq!(post(root, &format!("{path}/feedback"), &[], &feedback).status, 401);
    assert_eq!(post(root, &format!("{path}/feedback"), &signed, &feedback).status, 200);
    assert_eq!(post(root, &format!("{path}/feedback"), &signed, &json!({"feedback": []})).status, 400);

    // What a record says of the request stands in it as base64.
    let place = house.place().to_owned();
    let kept = || {
        let shown = crate::hub::run_well(&["ledger", "show", "--data", &place, "--json", "-n", "100"]);
        let queries = shown.lines().filter_map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let name = event["subtype"][0]["code"].as_str()?.to_owned();
            let query = event["entity"].as_array()?.iter().find_map(|e| e["query"].as_str())?.to_owned();
            let bytes = data_encoding::BASE64.decode(query.as_bytes()).unwrap();
            Some(format!("{name} {} {}", String::from_utf8(bytes).unwrap(), event["entity"]))
        });
        queries.collect::<Vec<String>>()
    };
    // The ledger is written out a little later than it is answered.
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !kept().iter().any(|q| q.starts_with("cds-feedback")) && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(200));
    }
    let kept = kept();
    let called =
        kept.iter().find(|q| q.starts_with("cds-hooks") && q.contains("allergy-nsaids@1")).expect("the call");
    assert!(called.contains(&card) && called.contains("Patient/p1"), "{called}");
    let told = kept.iter().find(|q| q.starts_with("cds-feedback") && q.contains("card="));
    let told = told.expect("the feedback");
    assert!(told.contains(&format!("card={card}:overridden:benefit")), "{told}");
    assert!(!kept.iter().any(|q| q.contains("腰が痛い")));
}

/// A service of others: it answers each path with a text, after a while.
struct Other {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Other {
    fn new(services: &'static str, cards: &'static str, wait: Duration) -> Other {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                        break;
                    }
                    if let Some((name, value)) = line.split_once(':')
                        && name.eq_ignore_ascii_case("content-length")
                    {
                        length = value.trim().parse().unwrap();
                    }
                    head.push_str(&line.to_ascii_lowercase());
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let is_call = head.starts_with("post");
                told.lock().unwrap().push(format!("{head}\n{}", String::from_utf8(body).unwrap()));
                if is_call {
                    std::thread::sleep(wait);
                }
                let text = if is_call { cards } else { services };
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                    text.len()
                );
            }
        });
        Other { address, heard }
    }

    fn url(&self, id: &str) -> String {
        format!("http://{}/cds-services/{id}", self.address)
    }
}

#[test]
fn services_the_operator_named_are_asked_beside_and_who_does_not_answer_is_not_checked() {
    let offers = r#"{"services": [
        {"hook": "order-sign", "id": "x", "description": "d", "prefetch": {"allergies": "AllergyIntolerance?patient={{context.patientId}}", "user": "{{context.userId}}", "everyone": "Patient?_count=100"}},
        {"hook": "patient-view", "id": "y", "description": "d"}]}"#;
    let cards = r#"{"cards": [{"summary": "from elsewhere", "indicator": "warning", "source": {"label": "Elsewhere"}}, {"summary": 3}]}"#;
    let good = Other::new(offers, cards, Duration::ZERO);
    let slow = Other::new(offers, cards, Duration::from_secs(8));
    let wrong = Other::new("{}", "", Duration::ZERO);
    let urls = [good.url("x"), good.url("y"), slow.url("x"), wrong.url("x")];
    let arguments: Vec<&str> = urls.iter().flat_map(|url| ["--cds-service", url.as_str()]).collect();
    let record = [person("p1"), person("p2"), allergy("a1", "p1", "アスピリン")];
    let (hub, _folder) = open_hub(&record, &arguments);
    let call = sign(&[order("d1", "ロキソプロフェン錠60mg", "")], json!({}));
    let path = "/cds-services/medication-safety-sign";
    let began = std::time::Instant::now();
    let answer =
        post(&hub.base, path, &[("accept-language", "en"), ("authorization", "Bearer secret")], &call);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert!(spoken(&answer).iter().any(|(rule, _)| rule == "allergy-nsaids"));
    let cards = answer.json()["cards"].as_array().unwrap().clone();
    let summaries: Vec<&str> = cards.iter().filter_map(|c| c["summary"].as_str()).collect();
    assert_eq!(summaries.iter().filter(|s| **s == "from elsewhere").count(), 1, "{summaries:?}");
    for failed in [slow.address, wrong.address] {
        assert!(
            summaries.iter().any(|s| s.contains(&failed.to_string()) && s.contains("did not answer")),
            "{summaries:?}"
        );
    }
    let heard = good.heard.lock().unwrap().clone();
    let asked = heard.iter().find(|h| h.starts_with("post")).unwrap();
    assert!(
        asked.contains("アスピリン") && asked.contains("ロキソプロフェン"),
        "the prefetch it asked for, and the order"
    );
    assert!(!asked.contains("everyone") && !asked.contains("\"id\":\"p2\""), "nobody else");
    assert!(!asked.contains("secret") && !asked.contains("fhirServer"), "no token, no address");
    assert_eq!(heard.iter().filter(|h| h.starts_with("post")).count(), 1, "only the service of this hook");
    // A call that was passed on is not passed on again.
    let answer = post(&hub.base, path, &[("x-cds-passed-on", "1")], &call);
    assert!(!answer.body.contains("from elsewhere"));
    let refused = crate::hub::run(&[
        "serve",
        "--open",
        "--data",
        "x",
        "--cds-service",
        "http://a.example/cds-services/x",
    ]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("https"));
}
