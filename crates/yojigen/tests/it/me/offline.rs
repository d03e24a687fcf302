//! Without a connection: off until it is turned on; then pages are read and entries wait, and nothing on the device is readable.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::hub::{PROGRAM, agent, run_well, try_send};
use crate::journeys::{Way, ways};

/// A hub on a port that it can come back to.
struct Served(Child);

impl Served {
    fn at(data: &Path, port: u16) -> Served {
        let listen = format!("127.0.0.1:{port}");
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--open", "--listen", &listen, "--data", data.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().expect("the hub ended before it listened").unwrap().contains("FHIR   ") {}
        Served(child)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn found(root: &str, query: &str) -> Value {
    let answer = try_send(&agent(), &format!("{root}/fhir"), "GET", query, &[], "").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[test]
fn without_a_connection_pages_are_read_and_entries_wait() {
    for way in ways() {
        without_a_connection(way);
    }
}

fn without_a_connection(way: Way) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let place = data.to_str().unwrap();
    run_well(&["demo", "--persons", "40", "--seed", "3", "--quiet", "--no-serve", "--data", place]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let root = format!("http://localhost:{port}");
    let hub = Served::at(&data, port);
    let persons = found(&root, "Patient?_count=1&_sort=birthdate&birthdate:missing=false&deceased=false");
    let id = persons["entry"][0]["resource"]["id"].as_str().unwrap().to_owned();
    let browser = way.browser();
    browser.go(&format!("{root}/me/{id}/offline"));
    let kept = "return new Promise(done => { const r = indexedDB.open('yojigen-me'); r.onsuccess = () => {
        if (!r.result.objectStoreNames.contains('pages')) return done(0);
        const q = r.result.transaction('pages').objectStore('pages').count(); q.onsuccess = () => done(q.result); } })";
    browser.until("return !document.querySelector('.offline-choice').hidden");
    assert_eq!(
        browser.script("return navigator.serviceWorker.getRegistrations().then(all => all.length)"),
        0
    );
    browser.click(".offline-on");
    browser.until("return !document.querySelector('.offline-off').hidden");
    browser.until(&format!("return ({}).then(n => n > 5)", kept.trim_start_matches("return ")));
    // What is on the device says nothing.
    let readable = browser.script(
        "return new Promise(done => { const r = indexedDB.open('yojigen-me'); r.onsuccess = () => {
        const q = r.result.transaction('pages').objectStore('pages').getAll(); q.onsuccess = () => done(
            q.result.some(p => new TextDecoder().decode(p.bytes).includes('html'))); } })",
    );
    assert_eq!(readable, false);
    let gives = browser.script(
        "return new Promise(done => { const r = indexedDB.open('yojigen-me'); r.onsuccess = () => {
        const q = r.result.transaction('keys').objectStore('keys').get('key'); q.onsuccess = () =>
            crypto.subtle.exportKey('raw', q.result).then(() => done(true), () => done(false)); } })",
    );
    assert_eq!(gives, false, "the key is not given out");
    browser.go(&format!("{root}/me/{id}"));
    let name = browser.text("return document.querySelector('.whose-name a').textContent");
    drop(hub);
    browser.go(&format!("{root}/me/{id}"));
    assert_eq!(browser.text("return document.querySelector('.whose-name a').textContent"), name);
    browser.until("return !document.querySelector('.offline-note').hidden");
    browser.go(&format!("{root}/me/{id}/add/pressure"));
    browser.type_into("[name=high1]", "131");
    browser.type_into("[name=low1]", "82");
    way.act(&browser, "button[value=save]");
    browser.until(
        "return document.querySelector('.offline-list li')?.textContent.includes('131 · 82') === true",
    );
    // One that the hub will ask about: it is kept until the person has seen to it.
    browser.go(&format!("{root}/me/{id}/add"));
    browser.go(&format!("{root}/me/{id}/add/pressure"));
    browser.type_into("[name=high1]", "240");
    browser.type_into("[name=low1]", "99");
    way.act(&browser, "button[value=save]");
    browser.until("return document.querySelectorAll('.offline-list li').length === 2");
    // Back again, what waits is sent.
    let hub = Served::at(&data, port);
    browser.go(&format!("{root}/me/{id}/offline"));
    browser.until("return document.querySelectorAll('.offline-list li').length === 1");
    let left = browser.text("return document.querySelector('.offline-list li').textContent");
    assert!(left.contains("240 · 99") && left.contains(&way.say("me-offline-form")), "{left}");
    let sent = found(
        &root,
        &format!("Observation?patient={id}&code=85354-9&performer=Patient/{id}&_sort=-date&_count=1"),
    );
    let value = &sent["entry"][0]["resource"]["component"][0]["valueQuantity"]["value"];
    assert_eq!(value.to_string(), "131", "{sent}");
    drop(hub);
    // Turned off, it is all gone.
    browser.script("document.querySelector('.offline-off').scrollIntoView({block: 'center'})");
    browser.click(".offline-off");
    browser.until(&format!("return ({}).then(n => n === 0)", kept.trim_start_matches("return ")));
}
