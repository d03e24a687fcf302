//! Every page is well: on a telephone and a desk, in both languages, light and dark, in a closed hub and an open one.

use super::{house, send, signed_in, tap};
use crate::browser::Browser;
use crate::hub::{Hub, run_well};
use crate::pages::is_well;

const PAGES: &[&str] = &[
    "",
    "/add",
    "/add/pressure",
    "/add/medicine",
    "/add/symptom",
    "/add/mood",
    "/add/document",
    "/timeline",
    "/timeline?kind=selfcare",
    "/results",
    "/medicines",
    "/sharing",
    "/looked",
    "/card",
    "/take",
    "/take/readable",
    "/cycle",
    "/questions",
    "/import",
    "/more",
];

fn look(browser: &Browser, root: &str, id: &str, languages: &[&str], what: &str) {
    for language in languages {
        for page in PAGES {
            let mark = if page.contains('?') { '&' } else { '?' };
            browser.go(&format!("{root}/me/{id}{page}{mark}lang={language}"));
            assert_eq!(browser.text("return document.documentElement.lang"), *language, "{page}");
            browser.script("document.querySelectorAll('details').forEach(d => d.open = true)");
            is_well(browser, &format!("/me/{id}{page} in {language}, {what}"));
        }
    }
}

#[test]
fn every_page_of_a_person_is_well() {
    let house = house();
    let mut taro = house.signed_in("taro");
    for (kind, pairs) in [
        ("pressure", &[("high1", "165"), ("low1", "101"), ("part", "EVE")][..]),
        ("medicine", &[("name", "かぜ薬"), ("origin", "otc")]),
        (
            "note",
            &[("words", "averyveryverylongwordwithoutanyspaceinitaveryveryverylongwordwithoutanyspaceinit")],
        ),
    ] {
        assert_eq!(send(&mut taro, &house, &format!("/me/p1/add/{kind}"), pairs).status, 303);
    }
    for (width, scheme) in [(320, "dark"), (360, "light"), (1440, "light"), (1440, "dark")] {
        let browser = signed_in(&house, "taro", width, "ja");
        browser.prefer("prefers-color-scheme", scheme);
        look(&browser, house.root(), "p1", &["ja", "en"], &format!("{width} px, {scheme}"));
    }
    // In large letters, too.
    let browser = signed_in(&house, "taro", 320, "ja");
    browser.go(&format!("{}/me/p1?size=large", house.root()));
    look(&browser, house.root(), "p1", &["ja"], "320 px, large");
    let (complaints, _) = browser.complaints_and_addresses();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn in_an_open_hub_somebody_is_looked_up_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let place = data.to_str().unwrap();
    run_well(&["demo", "--persons", "40", "--seed", "3", "--quiet", "--no-serve", "--data", place]);
    let hub = Hub::serve(&data);
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    let (_, found) = hub.get("Patient?_count=1&_sort=birthdate&birthdate:missing=false&deceased=false");
    let patient = &found["entry"][0]["resource"];
    let (id, born) = (patient["id"].as_str().unwrap(), patient["birthDate"].as_str().unwrap());
    let browser = Browser::open(360, "ja");
    browser.go(&format!("{root}/me"));
    is_well(&browser, "/me in an open hub");
    browser.type_into("#q", &format!("{born}\n"));
    is_well(&browser, "/me, somebody found");
    tap(&browser, &format!("a[href='/me/{id}']"));
    is_well(&browser, "the first page of somebody of the demo");
    look(&browser, &root, id, &["ja"], "a demo's person");
    let (complaints, _) = browser.complaints_and_addresses();
    assert!(complaints.is_empty(), "{complaints:?}");
    // Nobody's page is a page that says so.
    browser.go(&format!("{root}/me/nobody/timeline"));
    is_well(&browser, "nobody's page");
    assert!(browser.text("return document.body.textContent").contains("404"));
}
