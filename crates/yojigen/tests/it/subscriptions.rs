//! Subscriptions, seen from a subscriber: what arrives, once, in order, whatever dies in between.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hub::{Hub, agent, run_well, try_send};

/// A request a subscriber got.
#[derive(Clone, Debug)]
struct Call {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    fn event_number(&self) -> u64 {
        self.headers["x-event-number"].parse().unwrap()
    }

    /// A parameter of the status a notification begins with.
    fn status(&self, name: &str) -> Value {
        parameter(&self.json()["entry"][0]["resource"], name)
    }
}

/// The value of a parameter.
fn parameter(parameters: &Value, name: &str) -> Value {
    let found = parameters["parameter"].as_array().unwrap().iter().find(|p| p["name"] == name);
    let value = found.and_then(|p| p.as_object().unwrap().iter().find(|(n, _)| n.starts_with("value")));
    value.map_or(Value::Null, |(_, v)| v.clone())
}

/// A program that waits to be called.
struct Subscriber {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    /// The status it answers with.
    answer: Arc<AtomicU16>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscriber {
    fn new() -> Subscriber {
        Subscriber::at("127.0.0.1:0".parse().unwrap(), Arc::default())
    }

    fn at(address: SocketAddr, calls: Arc<Mutex<Vec<Call>>>) -> Subscriber {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(AtomicU16::new(200));
        let is_over = Arc::new(AtomicBool::new(false));
        let (own, status, over) = (Arc::clone(&calls), Arc::clone(&answer), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let _ = serve(stream.unwrap(), &own, &status);
            }
        });
        Subscriber { address, calls, answer, is_over, thread: Some(thread) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Waits until so many calls have come, and a moment more for those that should not.
    fn wait(&self, count: usize) -> Vec<Call> {
        wait_for(&format!("{count} calls"), || self.calls().len() >= count);
        std::thread::sleep(Duration::from_millis(300));
        let calls = self.calls();
        assert_eq!(calls.len(), count, "{calls:#?}");
        calls
    }

    /// Is gone; where it was, nobody answers.
    fn die(mut self) -> (SocketAddr, Arc<Mutex<Vec<Call>>>) {
        self.end();
        (self.address, Arc::clone(&self.calls))
    }

    fn end(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads one request, notes it, answers it.
fn serve(stream: TcpStream, calls: &Mutex<Vec<Call>>, status: &AtomicU16) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let status = status.load(Ordering::SeqCst);
    let body = String::from_utf8_lossy(&body).into_owned();
    calls.lock().unwrap().push(Call { method, path, headers, body });
    write!(&stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A subscription to a search.
fn on_search(id: &str, criteria: &str, endpoint: &str, payload: Option<&str>) -> Value {
    let mut channel =
        json!({"type": "rest-hook", "endpoint": endpoint, "header": ["Authorization: Bearer abc"]});
    if let Some(payload) = payload {
        channel["payload"] = Value::from(payload);
    }
    json!({"resourceType": "Subscription", "id": id, "status": "requested", "reason": "test",
        "criteria": criteria, "channel": channel})
}

const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

/// A subscription to a topic.
fn on_topic(id: &str, topic: &str, filters: &[&str], endpoint: &str, content: &str) -> Value {
    let filters: Vec<Value> = filters
        .iter()
        .map(|f| json!({"url": format!("{BACKPORT}backport-filter-criteria"), "valueString": f}))
        .collect();
    let mut subscription = json!({"resourceType": "Subscription", "id": id, "status": "requested", "reason": "test",
        "criteria": format!("https://yojigen.example/SubscriptionTopic/{topic}"),
        "channel": {"type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json",
            "_payload": {"extension": [
                {"url": format!("{BACKPORT}backport-payload-content"), "valueCode": content}]}}});
    if !filters.is_empty() {
        subscription["_criteria"] = json!({"extension": filters});
    }
    subscription
}

fn put(hub: &Hub, resource: &Value) {
    let path = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let answer = hub.send("PUT", &path, &[], &resource.to_string());
    assert!(answer.status == 200 || answer.status == 201, "{path}: {}", answer.body);
}

fn observation(id: &str, status: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": status, "code": {"text": "x"}})
}

fn wait_for_status(hub: &Hub, id: &str, status: &str) -> Value {
    let mut last = Value::Null;
    wait_for(&format!("Subscription/{id} to be {status}"), || {
        last = hub.get(&format!("Subscription/{id}")).1;
        last["status"] == status
    });
    last
}

#[test]
fn a_rest_hook_is_told_of_what_matches() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let (full, bare) = (Subscriber::new(), Subscriber::new());
    put(&hub, &observation("before", "final"));
    put(
        &hub,
        &on_search("full", "Observation?status=final", &full.url("hook?k=1"), Some("application/fhir+json")),
    );
    put(&hub, &on_search("bare", "Observation", &bare.url("hook"), None));
    wait_for_status(&hub, "full", "active");
    wait_for_status(&hub, "bare", "active");
    put(&hub, &observation("a", "final"));
    put(&hub, &observation("b", "preliminary"));
    put(&hub, &observation("b", "final"));
    // It stops matching, and one that matched is deleted: neither is an event of R4.
    put(&hub, &observation("a", "preliminary"));
    assert_eq!(hub.send("DELETE", "Observation/b", &[], "").status, 204);
    // The same again is no version, another type is none of its business.
    put(&hub, &observation("a", "preliminary"));
    put(&hub, &json!({"resourceType": "Patient", "id": "p"}));
    put(&hub, &observation("c", "final"));

    let calls = full.wait(3);
    let paths: Vec<&str> = calls.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["/hook/Observation/a?k=1", "/hook/Observation/b?k=1", "/hook/Observation/c?k=1"]);
    for (at, call) in calls.iter().enumerate() {
        assert_eq!((call.method.as_str(), call.event_number()), ("PUT", at as u64 + 1));
        assert_eq!(call.headers["authorization"], "Bearer abc");
        assert_eq!(call.headers["idempotency-key"], format!("Subscription/full/{}", at + 1));
        assert!(call.headers["content-type"].starts_with("application/fhir+json"));
        // As it was when it happened, not as it is now.
        assert_eq!(call.json()["status"], "final");
    }
    assert_eq!(calls[1].json()["meta"]["versionId"], "2");
    let calls = bare.wait(5);
    for call in &calls {
        assert_eq!((call.method.as_str(), call.path.as_str(), call.body.as_str()), ("POST", "/hook", ""));
    }

    // Switched off it is silent; switched on again it goes on with what comes then.
    let mut off = hub.get("Subscription/bare").1;
    off["status"] = Value::from("off");
    put(&hub, &off);
    put(&hub, &observation("d", "preliminary"));
    off["status"] = Value::from("requested");
    put(&hub, &off);
    wait_for_status(&hub, "bare", "active");
    put(&hub, &observation("e", "preliminary"));
    let calls = bare.wait(6);
    assert_eq!(calls[5].event_number(), 6);
    // What the hub did says so in its history.
    let (_, history) = hub.get("_history?_channel=subscriptions");
    assert_eq!(history["entry"][0]["resource"]["resourceType"], "Subscription");
}

#[test]
fn a_subscriber_that_dies_and_returns_sees_each_event_once() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let subscriber = Subscriber::new();
    put(&hub, &on_search("s", "Patient", &subscriber.url("x"), Some("application/fhir+xml")));
    wait_for_status(&hub, "s", "active");
    let patient = |n: usize| json!({"resourceType": "Patient", "id": format!("p{n}")});
    (0..3).for_each(|n| put(&hub, &patient(n)));
    assert!(subscriber.wait(3)[0].body.contains("<Patient xmlns"));
    let (address, calls) = subscriber.die();
    (3..8).for_each(|n| put(&hub, &patient(n)));
    std::thread::sleep(Duration::from_millis(800));
    let subscriber = Subscriber::at(address, calls);
    (8..10).for_each(|n| put(&hub, &patient(n)));
    let numbers: Vec<u64> = subscriber.wait(10).iter().map(Call::event_number).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    assert_eq!(hub.get("Subscription/s").1["status"], "active");
    // Nor does it notice that the index was made anew.
    assert!(hub.stop());
    run_well(&["doctor", "--quiet", "--rebuild", "--data", folder.path().join("hub").to_str().unwrap()]);
    let hub = Hub::serve(&folder.path().join("hub"));
    put(&hub, &patient(10));
    assert_eq!(subscriber.wait(11)[10].event_number(), 11);
}

#[test]
fn a_killed_hub_neither_loses_nor_doubles_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let subscriber = Subscriber::new();
    let next = AtomicU64::new(0);
    let answered = Mutex::new(BTreeSet::new());
    let kills = std::env::var("YOJIGEN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_u64);
    for round in 0..kills {
        let hub = Hub::serve(&data);
        if round == 0 {
            put(&hub, &on_search("s", "Basic?code=t|x", &subscriber.url("x"), Some("application/fhir+json")));
        }
        let base = hub.base.clone();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let agent = agent();
                    loop {
                        let id = format!("b{}", next.fetch_add(1, Ordering::Relaxed));
                        // Every third does not match.
                        let code = if id.len() % 3 == 0 { "y" } else { "x" };
                        let body = json!({"resourceType": "Basic", "id": id, "code": {"coding": [{"system": "t", "code": code}]}});
                        match try_send(&agent, &base, "PUT", &format!("Basic/{id}"), &[], &body.to_string()) {
                            Ok(answer) if answer.status == 201 && code == "x" => {
                                answered.lock().unwrap().insert(id);
                            }
                            Ok(answer) => assert_eq!(answer.status, 201, "{}", answer.body),
                            Err(_) => return,
                        }
                        std::thread::sleep(Duration::from_millis(2));
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(60 + 97 * (round % 5)));
            hub.kill();
        });
    }
    let hub = Hub::serve(&data);
    let total = hub.get("Basic?code=t|x&_summary=count").1["total"].as_u64().unwrap();
    let numbers = || subscriber.calls().iter().map(Call::event_number).collect::<BTreeSet<_>>();
    wait_for("all events", || numbers().len() as u64 >= total);
    std::thread::sleep(Duration::from_millis(500));
    // The numbers are 1 to the end without a gap, and a number is always the same event.
    assert_eq!(numbers(), (1..=total).collect());
    let calls = subscriber.calls();
    let (mut by_number, mut by_path) = (BTreeMap::new(), BTreeMap::new());
    for call in &calls {
        let (number, path) = (call.event_number(), call.path.clone());
        assert_eq!(*by_number.entry(number).or_insert_with(|| path.clone()), path, "event {number}");
        assert_eq!(*by_path.entry(path.clone()).or_insert(number), number, "{path}");
    }
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() > 20, "only {} writes were answered", answered.len());
    for id in &answered {
        assert!(by_path.contains_key(&format!("/x/Basic/{id}")), "{id} was answered and not notified");
    }
    // At most what was under way when it was killed came twice.
    assert!(calls.len() as u64 - total <= kills, "{} calls for {total} events", calls.len());
    // And they can be read again, by number.
    let (status, events) = hub.get("Subscription/s/$events?eventsSinceNumber=3&eventsUntilNumber=5");
    assert_eq!(status, 200, "{events}");
    let focus: Vec<String> = events["entry"].as_array().unwrap()[1..]
        .iter()
        .map(|e| format!("/x/{}", e["request"]["url"].as_str().unwrap()))
        .collect();
    assert_eq!(focus, [&by_number[&3], &by_number[&4], &by_number[&5]].map(String::clone));
}

#[test]
fn one_that_does_not_answer_goes_to_error_and_catches_up_when_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve_with(&folder.path().join("hub"), &["--subscription-retries", "2"], &[]);
    let subscriber = Subscriber::new();
    put(&hub, &on_search("s", "Patient", &subscriber.url("x"), Some("application/fhir+json")));
    wait_for_status(&hub, "s", "active");
    subscriber.answer.store(503, Ordering::SeqCst);
    put(&hub, &json!({"resourceType": "Patient", "id": "p1"}));
    let failed = wait_for_status(&hub, "s", "error");
    assert_eq!(
        failed["error"].as_str().unwrap(),
        "given up after 3 attempts: the endpoint answers 503 Service Unavailable"
    );
    assert!(subscriber.wait(3).iter().all(|c| c.event_number() == 1));
    let (_, status) = hub.get("Subscription/s/$status");
    let status = &status["entry"][0]["resource"];
    assert_eq!(parameter(status, "status"), "error");
    assert!(parameter(status, "error")["text"].as_str().unwrap().contains("503"));
    // Meanwhile events are counted, and come when it is wanted again.
    put(&hub, &json!({"resourceType": "Patient", "id": "p2"}));
    subscriber.answer.store(204, Ordering::SeqCst);
    subscriber.calls.lock().unwrap().clear();
    let mut again = failed.clone();
    again["status"] = Value::from("requested");
    put(&hub, &again);
    assert!(wait_for_status(&hub, "s", "active")["error"].is_null());
    let numbers: Vec<u64> = subscriber.wait(2).iter().map(Call::event_number).collect();
    assert_eq!(numbers, [1, 2]);
    // A redirect is not followed.
    subscriber.answer.store(307, Ordering::SeqCst);
    put(&hub, &json!({"resourceType": "Patient", "id": "p3"}));
    assert!(
        wait_for_status(&hub, "s", "error")["error"].as_str().unwrap().contains("redirects are not followed")
    );
}

#[test]
fn a_topic_is_notified_as_the_backport_says() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let [full, ids, empty, starts] = [(); 4].map(|()| Subscriber::new());
    put(
        &hub,
        &on_topic(
            "full",
            "resource-change",
            &["Observation?status=final", "Patient"],
            &full.url("f"),
            "full-resource",
        ),
    );
    put(&hub, &on_topic("ids", "resource-delete", &["Observation?status=final"], &ids.url("i"), "id-only"));
    put(&hub, &on_topic("empty", "resource-update", &["Patient"], &empty.url("e"), "empty"));
    put(&hub, &on_topic("starts", "encounter-start", &[], &starts.url("s"), "id-only"));
    for id in ["full", "ids", "empty", "starts"] {
        wait_for_status(&hub, id, "active");
    }
    let handshake = full.wait(1)[0].clone();
    assert_eq!((handshake.method.as_str(), handshake.path.as_str()), ("POST", "/f"));
    assert_eq!(handshake.json()["type"], "history");
    for (name, value) in
        [("type", "handshake"), ("status", "requested"), ("events-since-subscription-start", "0")]
    {
        assert_eq!(handshake.status(name), value);
    }
    assert_eq!(handshake.status("topic"), "https://yojigen.example/SubscriptionTopic/resource-change");

    put(&hub, &json!({"resourceType": "Patient", "id": "p"}));
    put(&hub, &observation("o", "preliminary"));
    put(&hub, &observation("o", "final"));
    put(&hub, &json!({"resourceType": "Patient", "id": "p", "gender": "female"}));
    assert_eq!(hub.send("DELETE", "Observation/o", &[], "").status, 204);
    let encounter = |status: &str| json!({"resourceType": "Encounter", "id": "e", "status": status, "class": {"code": "AMB"}});
    for status in ["planned", "in-progress", "onleave", "in-progress", "finished"] {
        put(&hub, &encounter(status));
    }

    // Several events may come in one notification, each once and in order.
    let mut told = Vec::new();
    wait_for("four events", || {
        told = full.calls()[1..]
            .iter()
            .flat_map(|c| c.json()["entry"].as_array().unwrap()[1..].to_vec())
            .collect();
        told.len() >= 4
    });
    let requests: Vec<(&str, &str)> = told
        .iter()
        .map(|e| (e["request"]["method"].as_str().unwrap(), e["request"]["url"].as_str().unwrap()))
        .collect();
    assert_eq!(
        requests,
        [("PUT", "Patient/p"), ("PUT", "Observation/o"), ("PUT", "Patient/p"), ("DELETE", "Observation/o")]
    );
    assert_eq!((&told[0]["resource"]["id"], &told[0]["resource"]["gender"]), (&json!("p"), &Value::Null));
    assert_eq!(told[2]["resource"]["gender"], "female");
    assert!(told[3]["resource"].is_null() && told[3]["response"]["status"] == "204");
    assert_eq!(told[2]["fullUrl"], format!("{}/Patient/p", hub.base));

    let deleted = ids.wait(2)[1].json();
    assert_eq!(deleted["entry"][1]["request"]["url"], "Observation/o");
    let silent = empty.wait(2)[1].json();
    assert_eq!(silent["entry"].as_array().unwrap().len(), 1);
    assert!(!silent.to_string().contains("Patient/p"), "{silent}");
    wait_for("two starts", || {
        starts.calls().iter().skip(1).map(|c| c.json()["entry"].as_array().unwrap().len() - 1).sum::<usize>()
            == 2
    });

    // The same by asking.
    let (_, events) =
        hub.get("Subscription/full/$events?eventsSinceNumber=2&eventsUntilNumber=3&content=id-only");
    let status = &events["entry"][0]["resource"];
    assert_eq!(
        (parameter(status, "type"), parameter(status, "events-since-subscription-start")),
        (json!("query-event"), json!("4"))
    );
    let numbers: Vec<&Value> = status["parameter"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["name"] == "notification-event")
        .map(|p| &p["part"][0]["valueString"])
        .collect();
    assert_eq!(numbers, ["2", "3"]);
    assert!(events["entry"][1]["fullUrl"].as_str().unwrap().ends_with("/Observation/o"));
    assert!(events["entry"][1]["resource"].is_null() && events["entry"][3].is_null());
    let (_, statuses) = hub.get("Subscription/$status?id=full,empty");
    assert_eq!(statuses["total"], 2);
}

#[test]
fn heartbeats_come_when_nothing_else_does_and_batches_have_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let subscriber = Subscriber::new();
    let mut subscription = on_topic("s", "resource-create", &["Patient"], &subscriber.url("x"), "id-only");
    subscription["channel"]["extension"] = json!([
        {"url": format!("{BACKPORT}backport-heartbeat-period"), "valueUnsignedInt": 1},
        {"url": format!("{BACKPORT}backport-timeout"), "valueUnsignedInt": 5},
        {"url": format!("{BACKPORT}backport-max-count"), "valuePositiveInt": 2}]);
    put(&hub, &subscription);
    wait_for_status(&hub, "s", "active");
    let types = || {
        subscriber.calls().iter().map(|c| c.status("type").as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    wait_for("two heartbeats", || types() == ["handshake", "heartbeat", "heartbeat"]);
    subscriber.calls.lock().unwrap().clear();
    let entries: Vec<Value> = (0..5)
        .map(|n| json!({"resource": {"resourceType": "Patient", "id": format!("p{n}")}, "request": {"method": "PUT", "url": format!("Patient/p{n}")}}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    assert_eq!(hub.send("POST", "/", &[], &bundle.to_string()).status, 200);
    let notified = || {
        subscriber
            .calls()
            .into_iter()
            .filter(|c| c.status("type") == "event-notification")
            .collect::<Vec<_>>()
    };
    wait_for("three notifications", || notified().len() == 3);
    let counts: Vec<Value> = notified().iter().map(|c| c.status("events-since-subscription-start")).collect();
    assert_eq!(counts, ["2", "4", "5"]);
    let keys: Vec<String> = notified().iter().map(|c| c.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys, ["Subscription/s/1-2", "Subscription/s/3-4", "Subscription/s/5"]);
    let heartbeat = || subscriber.calls().into_iter().find(|c| c.status("type") == "heartbeat");
    wait_for("another heartbeat", || heartbeat().is_some());
    assert_eq!(heartbeat().unwrap().status("events-since-subscription-start"), "5");
}

#[test]
fn a_hub_that_lost_its_working_state_says_so_and_keeps_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::serve(&data);
    let subscriber = Subscriber::new();
    put(&hub, &on_search("s", "Patient?gender=female", &subscriber.url("x"), Some("application/fhir+json")));
    wait_for_status(&hub, "s", "active");
    let patient = |n: usize| json!({"resourceType": "Patient", "id": format!("p{n}"), "gender": "female"});
    (0..4).for_each(|n| put(&hub, &patient(n)));
    subscriber.wait(4);
    let before = hub.get("Subscription/s/$events").1["entry"].as_array().unwrap()[1..].to_vec();
    assert!(hub.stop());
    std::fs::remove_dir_all(data.join("subscriptions")).unwrap();

    let hub = Hub::serve(&data);
    let lost = wait_for_status(&hub, "s", "error");
    assert!(lost["error"].as_str().unwrap().contains("which of the 4 events"), "{lost}");
    put(&hub, &patient(4));
    let after = hub.get("Subscription/s/$events").1["entry"].as_array().unwrap()[1..].to_vec();
    let urls =
        |entries: &[Value]| entries.iter().map(|e| e["request"]["url"].to_string()).collect::<Vec<_>>();
    assert_eq!(urls(&after)[..4], urls(&before)[..]);
    subscriber.wait(4);
    let mut again = lost.clone();
    again["status"] = Value::from("requested");
    put(&hub, &again);
    assert_eq!(subscriber.wait(5)[4].event_number(), 5);
}

/// A websocket to a hub.
struct Socket(tungstenite::WebSocket<TcpStream>);

impl Socket {
    fn open(hub: &Hub) -> Socket {
        let url = hub.get("metadata").1["rest"][0]["extension"][0]["valueUri"].as_str().unwrap().to_owned();
        let address = url.strip_prefix("ws://").unwrap().split('/').next().unwrap().to_owned();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Socket(tungstenite::client(url, stream).unwrap().0)
    }

    fn say(&mut self, text: &str) {
        self.0.send(tungstenite::Message::text(text)).unwrap();
    }

    fn hear(&mut self) -> String {
        loop {
            if let tungstenite::Message::Text(text) = self.0.read().unwrap() {
                return text.to_string();
            }
        }
    }

    fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear()).unwrap()
    }
}

#[test]
fn a_websocket_is_bound_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let mut plain = on_search("plain", "Patient", "", None);
    plain["channel"] = json!({"type": "websocket"});
    let mut topic = on_topic("topic", "resource-change", &["Patient"], "", "full-resource");
    topic["channel"]["type"] = Value::from("websocket");
    topic["channel"].as_object_mut().unwrap().remove("endpoint");
    topic["channel"]["extension"] =
        json!([{"url": format!("{BACKPORT}backport-heartbeat-period"), "valueUnsignedInt": 2}]);
    put(&hub, &plain);
    put(&hub, &topic);
    wait_for_status(&hub, "plain", "active");
    wait_for_status(&hub, "topic", "active");
    put(&hub, &json!({"resourceType": "Patient", "id": "before"}));

    let mut socket = Socket::open(&hub);
    socket.say("hello");
    assert!(socket.hear_json()["issue"][0]["diagnostics"].as_str().unwrap().contains("say 'bind'"));
    socket.say("bind nobody");
    assert!(socket.hear_json()["issue"][0]["diagnostics"].as_str().unwrap().contains("not there"));
    socket.say("bind topic");
    assert!(socket.hear().contains("$get-ws-binding-token"));
    socket.say("bind plain");
    assert_eq!(socket.hear(), "bound plain");
    put(&hub, &json!({"resourceType": "Patient", "id": "a"}));
    assert_eq!(socket.hear(), "ping plain");

    let (status, token) = hub.get("Subscription/topic/$get-ws-binding-token");
    assert_eq!(status, 200, "{token}");
    assert!(parameter(&token, "websocket-url").as_str().unwrap().starts_with("ws://"));
    let token = parameter(&token, "token").as_str().unwrap().to_owned();
    let mut socket = Socket::open(&hub);
    socket.say(&format!("bind-with-token {token}"));
    let handshake = socket.hear_json();
    let status = &handshake["entry"][0]["resource"];
    assert_eq!(
        (parameter(status, "type"), parameter(status, "events-since-subscription-start")),
        (json!("handshake"), json!("2"))
    );
    put(&hub, &json!({"resourceType": "Patient", "id": "b"}));
    let told = socket.hear_json();
    assert_eq!(told["entry"][0]["resource"]["parameter"][5]["part"][0]["valueString"], "3");
    assert_eq!(told["entry"][1]["resource"]["id"], "b");
    assert_eq!(parameter(&socket.hear_json()["entry"][0]["resource"], "type"), "heartbeat");
    // A token is used up, and a subscription that is switched off is not served.
    let mut other = Socket::open(&hub);
    other.say(&format!("bind-with-token {token}"));
    assert!(other.hear().contains("ask for a new one"));
    topic["status"] = Value::from("off");
    put(&hub, &topic);
    let mut last = socket.hear_json();
    while last["resourceType"] == "Bundle" {
        last = socket.hear_json();
    }
    assert!(last["issue"][0]["diagnostics"].as_str().unwrap().contains("not active"));
    // What came while it was away is read by number.
    let (_, missed) = hub.get("Subscription/topic/$events?eventsSinceNumber=1&eventsUntilNumber=2");
    assert_eq!(missed["entry"][2]["resource"]["id"], "a");
    assert_eq!(hub.get("_websocket").0, 400);
    assert!(hub.stop());
}

/// A relay that takes every message.
fn relay() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, mails) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
    let own = Arc::clone(&mails);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let say = |text: &str| write!(&stream, "{text}\r\n").unwrap();
            say("220 relay");
            while let Some(line) = lines.next() {
                match line.split_whitespace().next().unwrap_or_default() {
                    "DATA" => {
                        say("354 go on");
                        let mail: Vec<String> = lines.by_ref().take_while(|l| l != ".").collect();
                        own.lock().unwrap().push(mail.join("\n"));
                        say("250 taken");
                    }
                    "QUIT" => {
                        say("221 bye");
                        break;
                    }
                    _ => say("250 ok"),
                }
            }
        }
    });
    (address, mails)
}

#[test]
fn an_email_goes_through_the_relay() {
    let folder = tempfile::tempdir().unwrap();
    let (address, mails) = relay();
    let url = format!("smtp://{address}");
    let arguments = [
        "--smtp",
        &url,
        "--smtp-sender",
        "Hub <hub@h.example>",
        "--subscription-endpoint",
        "mailto:@c.example",
    ];
    let hub = Hub::serve_with(&folder.path().join("hub"), &arguments, &[]);
    let mut subscription = on_search("m", "Patient", "mailto:nurse@c.example", Some("application/fhir+json"));
    subscription["channel"]["type"] = Value::from("email");
    subscription["channel"]["header"] = json!(["Subject: A new person"]);
    put(&hub, &subscription);
    wait_for_status(&hub, "m", "active");
    put(&hub, &json!({"resourceType": "Patient", "id": "p"}));
    wait_for("a mail", || !mails.lock().unwrap().is_empty());
    let mail = mails.lock().unwrap()[0].clone();
    for part in [
        "To: nurse@c.example",
        "Subject: A new person",
        "Message-ID: <m.1@h.example>",
        "event 1: http://",
        "application/fhir+json",
    ] {
        assert!(mail.contains(part), "no {part} in {mail}");
    }
    subscription["channel"]["endpoint"] = Value::from("mailto:a@other.example");
    let refused = hub.send("PUT", "Subscription/m", &[], &subscription.to_string());
    assert!(
        refused.status == 400 && refused.body.contains("mailto:a@other.example allows it"),
        "{}",
        refused.body
    );
}
