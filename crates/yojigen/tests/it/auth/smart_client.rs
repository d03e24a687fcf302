//! The SMART client library (npm `fhirclient`) as it is published, in a real browser, from an origin of its own: an app
//! asks, a person allows, the app reads what it may and nothing else, until it is over.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{House, PASSWORD};
use crate::browser::Browser;
use crate::npm;

const PAGE: &str = include_str!("../../../../../tests/clients/fhirclient/app.html");

/// The library; none, and a loud word, where it cannot be had.
fn library() -> Option<&'static str> {
    static LIBRARY: OnceLock<Option<String>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        npm::fetch("fhirclient", "fhirclient/build/fhir-client.min.js")
            .inspect_err(|why| {
                let _ = writeln!(std::io::stderr(), "NOT TESTED WITH THE SMART CLIENT LIBRARY: {why}");
            })
            .ok()
    });
    library.as_deref()
}

fn answer(mut stream: &TcpStream, library: &str) -> std::io::Result<()> {
    let mut request = String::new();
    let mut lines = BufReader::new(stream);
    lines.read_line(&mut request)?;
    let mut rest = String::new();
    while lines.read_line(&mut rest)? > 2 {
        rest.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (kind, body) = match path {
        "/fhir-client.js" => ("text/javascript", library),
        "/favicon.ico" => ("image/x-icon", ""),
        _ => ("text/html; charset=utf-8", PAGE),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// Serves the app; its origin.
fn serve(library: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(&stream, library));
        }
    });
    origin
}

/// A hub with a person's record, an app from elsewhere, and someone who is let use it.
struct Scene {
    house: House,
    app: String,
}

fn observation(id: &str, category: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/observation-category";
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": id},
        "subject": {"reference": "Patient/p1"}, "category": [{"coding": [{"system": system, "code": category}]}]})
}

impl Scene {
    fn open(library: &'static str) -> Scene {
        let house = House::holding(
            &[
                json!({"resourceType": "Organization", "id": "o1", "name": "診療所"}),
                json!({"resourceType": "Practitioner", "id": "d1"}),
                json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"},
                    "subject": {"reference": "Patient/p1"}, "serviceProvider": {"reference": "Organization/o1"}}),
                observation("vital", "vital-signs"),
                observation("lab", "laboratory"),
                json!({"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}}),
            ],
            &[],
        );
        house.user(
            "jiro",
            &["--role", "clinician", "--fhir-user", "Practitioner/d1", "--organization", "Organization/o1"],
        );
        let app = serve(library);
        let callback = format!("{app}/cb");
        let scopes = "openid fhirUser launch launch/patient patient/*.rs user/*.rs offline_access";
        house.client(&["smart", "--name", "健康日記", "--redirect-uri", &callback, "--scope", scopes]);
        Scene { house, app }
    }

    /// Opens the app, by itself or with what it was started on.
    fn launch(&self, browser: &Browser, scope: &str, launch: Option<&str>) {
        let mut query =
            format!("client_id=smart&scope={}&iss={}", scope.replace(' ', "%20"), self.house.hub.base);
        if let Some(launch) = launch {
            query = format!("{query}&launch={launch}");
        }
        browser.go(&format!("{}/launch?{query}", self.app));
    }
}

fn sign_in(browser: &Browser, login: &str) {
    browser.until("return location.pathname === '/auth/sign-in' && document.readyState === 'complete'");
    browser.type_into("#login", login);
    browser.type_into("#password", &format!("{PASSWORD}\n"));
}

/// Waits for the page that asks, and allows all of it but what is named.
fn allow(browser: &Browser, without: &[&str]) {
    browser.until("return location.pathname === '/auth/authorize' && document.readyState === 'complete'");
    for scope in without {
        browser.script(&format!("document.querySelector('input[value=\"{scope}\"]').click()"));
    }
    browser.press("button[value=allow]");
    browser.until("return window.client !== undefined || window.fault !== undefined");
    let fault = browser.text("return window.fault");
    assert_eq!(fault, "", "the library did not come by a token");
}

/// What a piece of the app's work came to.
fn told(browser: &Browser, work: &str) -> Value {
    browser.script(&format!("return told({work})"))
}

/// What it read.
fn read(browser: &Browser, path: &str) -> Value {
    let told = told(browser, &format!("client.request('{path}')"));
    assert!(told["fault"].is_null(), "{path}: {told}");
    told["value"].clone()
}

/// With what status it was refused.
fn refused(browser: &Browser, path: &str) -> u64 {
    told(browser, &format!("client.request('{path}')"))["status"].as_u64().unwrap_or_default()
}

fn token(browser: &Browser) -> Value {
    browser.script("return client.state.tokenResponse")
}

#[test]
fn an_app_is_opened_by_itself_and_reads_what_its_user_allows() {
    let Some(library) = library() else { return };
    let scene = Scene::open(library);
    for (width, language, title) in [(360, "ja", "アプリが求めていること"), (1280, "en", "The app asks to")]
    {
        let browser = Browser::open(width, language);
        let scope = "openid fhirUser launch/patient patient/Patient.rs patient/Observation.rs patient/Condition.rs \
                     offline_access";
        scene.launch(&browser, scope, None);
        sign_in(&browser, "taro");
        assert!(browser.text("return document.body.textContent").contains(title), "{language}");
        allow(&browser, &["patient/Condition.rs"]);
        let first = token(&browser);
        assert_eq!((&first["patient"], &first["token_type"]), (&json!("p1"), &json!("Bearer")));
        assert_eq!(
            first["scope"],
            "openid fhirUser launch/patient patient/Patient.rs patient/Observation.rs offline_access"
        );
        assert_eq!(browser.text("return client.patient.id"), "p1");
        assert_eq!(browser.text("return client.user.fhirUser"), "Patient/p1");
        // What was allowed is read; what was unticked, and others' records, are not.
        assert_eq!(told(&browser, "client.patient.read()")["value"]["id"], "p1");
        assert_eq!(read(&browser, "Observation")["total"], 2);
        assert_eq!(refused(&browser, "Condition"), 403);
        assert_eq!(refused(&browser, "Condition/c1"), 404);
        assert_eq!(refused(&browser, "Patient/p2"), 404);
        let write = "client.create({resourceType: 'Observation', status: 'final', code: {text: 'x'}, subject: {reference: 'Patient/p1'}})";
        assert_eq!(told(&browser, write)["status"], 403);
        // The library refreshes by itself, without saying who it is: the token says it.
        let refreshed = told(&browser, "client.refresh()");
        assert!(refreshed["fault"].is_null(), "{refreshed}");
        let second = token(&browser);
        assert_ne!(first["access_token"], second["access_token"]);
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert_eq!(read(&browser, "Observation")["total"], 2);
        // A refresh token that comes again ends everything that came of it.
        let again = format!(
            "(client.state.tokenResponse.refresh_token = '{}', client.refresh())",
            first["refresh_token"].as_str().unwrap()
        );
        let again = told(&browser, &again);
        assert!(again["fault"].as_str().is_some_and(|fault| fault.contains("invalid_grant")), "{again}");
        assert!(!scene.house.knows(second["access_token"].as_str().unwrap()));
        assert_eq!(refused(&browser, "Observation"), 401);
    }
}

#[test]
fn an_app_is_started_on_a_patient_and_knows_who_started_it() {
    let Some(library) = library() else { return };
    let scene = Scene::open(library);
    let browser = Browser::open(1280, "en");
    // The clinician has the patient's chart open, and starts the app from there.
    browser.go(&format!("{}/patients/p1", scene.house.root()));
    sign_in(&browser, "jiro");
    browser.until("return location.pathname === '/patients/p1' && document.readyState === 'complete'");
    let launch = browser.script(
        "return fetch('/auth/launch', {method: 'POST', body: JSON.stringify({patient: 'p1', encounter: 'e1', client: 'smart'})})
            .then(answer => answer.json())",
    );
    assert_eq!(launch["iss"], json!(scene.house.hub.base), "{launch}");
    let handle = launch["launch"].as_str().unwrap();
    scene.launch(&browser, "openid fhirUser launch patient/*.rs", Some(handle));
    allow(&browser, &[]);
    let given = token(&browser);
    assert_eq!((&given["patient"], &given["encounter"]), (&json!("p1"), &json!("e1")), "{given}");
    assert_eq!(given.get("refresh_token"), None);
    assert_eq!(browser.text("return client.user.fhirUser"), "Practitioner/d1");
    assert_eq!(told(&browser, "client.user.read()")["value"]["resourceType"], "Practitioner");
    assert_eq!(told(&browser, "client.encounter.read()")["value"]["id"], "e1");
    assert_eq!(refused(&browser, "Patient/p2"), 404);
    // The same launch opens nothing twice.
    scene.launch(&browser, "openid fhirUser launch patient/*.rs", Some(handle));
    browser.until("return window.fault !== undefined");
    assert!(browser.text("return window.fault").contains("launch is not known"));
}

#[test]
fn a_scope_with_a_search_is_kept_and_access_ends_when_it_is_taken_back() {
    let Some(library) = library() else { return };
    let scene = Scene::open(library);
    let browser = Browser::open(360, "ja");
    let kinds = "http://terminology.hl7.org/CodeSystem/observation-category";
    let scope = format!("launch/patient patient/Observation.rs?category={kinds}|vital-signs offline_access");
    scene.launch(&browser, &scope.replace('?', "%3F").replace('=', "%3D").replace('|', "%7C"), None);
    sign_in(&browser, "taro");
    allow(&browser, &[]);
    let given = token(&browser);
    assert!(given["scope"].as_str().unwrap().contains("?category="), "{given}");
    let found = read(&browser, "Observation");
    assert_eq!((&found["total"], &found["entry"][0]["resource"]["id"]), (&json!(1), &json!("vital")));
    assert_eq!(read(&browser, "Observation/vital")["id"], "vital");
    assert_eq!(read(&browser, "Observation?category=laboratory")["total"], 0);
    assert_eq!(refused(&browser, "Observation/lab"), 404);
    assert_eq!(refused(&browser, "Patient/p1"), 404);
    // In another window its user takes it back: the app has nothing any more, nor a way to renew it.
    let account = Browser::open(360, "ja");
    account.go(&format!("{}/auth/account", scene.house.root()));
    sign_in(&account, "taro");
    account.until("return location.pathname === '/auth/account' && document.readyState === 'complete'");
    account.press("button[value=end-grant]");
    assert_eq!(refused(&browser, "Observation"), 401);
    // The library has tried that by itself, and thrown the refresh token away that was refused.
    assert!(browser.script("return client.state.tokenResponse.refresh_token === undefined") == true);
}
