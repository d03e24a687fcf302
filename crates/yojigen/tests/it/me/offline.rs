//! Without a connection: off until it is turned on; then pages are read and entries wait, and nothing on the device is readable.

use super::tap;
use crate::browser::Browser;
use crate::hub::{Hub, run_well};

#[test]
fn without_a_connection_pages_are_read_and_entries_wait() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let place = data.to_str().unwrap();
    run_well(&["demo", "--persons", "40", "--seed", "3", "--quiet", "--no-serve", "--data", place]);
    let hub = Hub::serve(&data);
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let (_, found) = hub.get("Patient?_count=1&_sort=birthdate&birthdate:missing=false&deceased=false");
    let id = found["entry"][0]["resource"]["id"].as_str().unwrap().to_owned();
    let browser = Browser::open(360, "ja");
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
    hub.kill();
    browser.go(&format!("{root}/me/{id}"));
    assert_eq!(browser.text("return document.querySelector('.whose-name a').textContent"), name);
    browser.until("return !document.querySelector('.offline-note').hidden");
    browser.go(&format!("{root}/me/{id}/add/pressure"));
    browser.type_into("[name=high1]", "131");
    browser.type_into("[name=low1]", "82");
    tap(&browser, "button[value=save]");
    browser.until(
        "return document.querySelector('.offline-list li')?.textContent.includes('131 · 82') === true",
    );
    // Turned off, it is all gone.
    browser.script("document.querySelector('.offline-off').scrollIntoView({block: 'center'})");
    browser.click(".offline-off");
    browser.until(&format!("return ({}).then(n => n === 0)", kept.trim_start_matches("return ")));
}
