//! What a clinician does, in a real browser, with the keyboard alone; keys are counted.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::hub::Hub;
use crate::journeys::{Way, ways};
use crate::pages::{community, is_well, someone};

/// Whether the hub has every keystroke.
const SENT: &str = "return Object.keys(localStorage).every(key => !key.startsWith('draft:'))";

fn root(hub: &Hub) -> String {
    hub.base.trim_end_matches("/fhir").to_owned()
}

/// Those who have HbA1c measured, and were prescribed something of late.
fn diabetics(hub: &Hub) -> Vec<String> {
    let subjects = |search: &str| -> Vec<String> {
        let (_, found) = hub.get(&format!("{search}&_count=500&_elements=subject"));
        let entries = found["entry"].as_array().unwrap().iter();
        entries.filter_map(|e| e["resource"]["subject"]["reference"].as_str().map(str::to_owned)).collect()
    };
    let measured = subjects("Observation?code=4548-4,17856-6");
    let taking = subjects("MedicationRequest?status=active&_sort=-authoredon");
    let mut found: Vec<String> = Vec::new();
    for reference in taking.iter().filter(|of| measured.contains(of)) {
        let id = reference.trim_start_matches("Patient/");
        if !found.iter().any(|known| known == id) {
            found.push(id.to_owned());
        }
    }
    found
}

/// The newest resource of a type about a patient.
fn newest(hub: &Hub, type_name: &str, id: &str) -> Value {
    let (_, found) = hub.get(&format!("{type_name}?patient=Patient/{id}&_sort=-_lastUpdated&_count=1"));
    found["entry"][0]["resource"].clone()
}

fn count(hub: &Hub, search: &str) -> u64 {
    hub.get(&format!("{search}&_summary=count")).1["total"].as_u64().unwrap()
}

#[test]
fn a_patient_is_found_read_and_written_about_with_few_keys() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let known = diabetics(&hub);
    for (at, way) in ways().into_iter().enumerate() {
        let id = &known[at % known.len()];
        let (_, patient) = hub.get(&format!("Patient/{id}"));
        let names = patient["name"].as_array().unwrap();
        let kana = names.iter().find(|n| n["extension"][0]["valueCode"] == "SYL");
        few_keys(&hub, way, id, kana.unwrap()["family"].as_str().unwrap());
    }
}

fn few_keys(hub: &Hub, way: Way, id: &str, kana: &str) {
    let root = root(hub);
    let browser = way.browser();

    // Found: the search has the focus, a few kana of the name, Enter, and Enter on the one who is meant.
    browser.go(&format!("{root}/clinic"));
    is_well(&browser, "today's list");
    assert_eq!(browser.text("return document.activeElement.id"), "q");
    let typed: String = kana.chars().take(4).collect();
    let mut keys = browser.leads_on(|| browser.typed(&format!("{typed}\n")));
    is_well(&browser, "patients found");
    if !browser.text("return location.pathname").ends_with(id) {
        let at = browser.script(
            "return [...document.querySelectorAll('.people a')].findIndex(a => a === document.activeElement)",
        );
        assert_eq!(at, 0, "the first has the focus");
        let wanted = browser
            .script(&format!("return [...document.querySelectorAll('.people a')].findIndex(a => a.pathname.endsWith('/{id}'))"))
            .as_u64()
            .unwrap();
        keys += browser.keys(&vec!["Down"; usize::try_from(wanted).unwrap()]);
        keys += browser.leads_on(|| browser.keys(&["Enter"]));
    }
    assert_eq!(browser.text("return location.pathname"), format!("/clinic/{id}"));
    println!("finding a patient: {keys} keys");
    assert!(keys <= 8, "{keys} keys to find a patient");
    is_well(&browser, "the bedside");

    // The trend of HbA1c: drawn small on the screen, and large with three keys.
    let keys = browser.leads_on(|| browser.keys(&["g", "t"]));
    println!("the trend of HbA1c: {keys} keys");
    assert!(keys <= 3);
    assert!(browser.text("return document.querySelector('.trends').textContent").contains("HbA1c"));
    is_well(&browser, "results drawn large");
    browser.leads_on(|| browser.keys(&["Escape"]));

    // A problem: three letters, Enter takes the first, Control+Enter signs.
    let before = count(hub, &format!("Condition?patient=Patient/{id}"));
    let mut keys = browser.leads_on(|| browser.keys(&["p"]));
    is_well(&browser, "a problem is written");
    keys += browser.typed("gout");
    browser.until("return !document.querySelector('.suggestions').hidden");
    keys += browser.keys(&["Enter"]);
    keys += browser.leads_on(|| browser.keys(&["Control+Enter"]));
    println!("a problem: {keys} keys");
    assert!(keys <= 10);
    assert_eq!(count(hub, &format!("Condition?patient=Patient/{id}")), before + 1);
    assert_eq!(newest(hub, "Condition", id)["code"]["coding"][0]["code"], "M10.9");
    assert!(
        browser.text("return document.querySelector('.done').textContent").contains(&way.say("done-problem"))
    );

    // Renewed: the first of what is taken.
    let mut keys = browser.leads_on(|| browser.keys(&["r"]));
    is_well(&browser, "prescriptions are renewed");
    keys += browser.keys(&["1"]);
    keys += browser.leads_on(|| browser.keys(&["Control+Enter"]));
    if browser.script("return document.querySelector('[data-override]') !== null") == true {
        // Something grave was found; the first reason has the focus.
        keys += browser.leads_on(|| browser.keys(&["Enter"]));
    }
    println!("renewing: {keys} keys");
    assert!(keys <= 4);
    let request = newest(hub, "MedicationRequest", id);
    let prior = request["priorPrescription"]["reference"].as_str().unwrap().to_owned();
    assert_eq!(hub.get(&prior).1["status"], "completed");

    // A short note.
    let mut keys = browser.leads_on(|| browser.keys(&["n"]));
    is_well(&browser, "a note is written");
    browser.typed("stable. see in 4 weeks");
    keys += browser.leads_on(|| browser.keys(&["Control+Enter"]));
    println!("a note: {keys} keys beside its text");
    assert!(keys <= 3);
    let note = newest(hub, "DocumentReference", id);
    assert_eq!(note["docStatus"], "final");
    assert!(browser.text("return document.querySelector('.papers').textContent").contains("see in 4 weeks"));

    // The keys are told, and letters can be turned off.
    browser.keys(&["?"]);
    assert!(browser.script("return document.getElementById('keys').open") == true);
    assert!(
        browser.text("return document.getElementById('keys').textContent").contains(&way.say("write-note"))
    );
    is_well(&browser, "the keys are told");
    browser.script("document.querySelector('#keys [data-toggle]').click(); document.querySelector('#keys [data-close]').click()");
    browser.keys(&["n"]);
    assert_eq!(browser.text("return location.pathname"), format!("/clinic/{id}"), "letters are turned off");
    let (mut complaints, addresses) = browser.complaints_and_addresses();
    // Asked why, the browser says so too.
    complaints.retain(|text| !text.contains("/renew - "));
    assert!(complaints.is_empty(), "{complaints:?}");
    let foreign: Vec<&String> =
        addresses.iter().filter(|a| !a.starts_with(&root) && !a.starts_with("data:")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn a_keystroke_outlives_the_browser_and_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let (id, ..) = someone(&hub);
    for way in ways() {
        nothing_is_lost(&hub, way, &id);
    }
}

fn nothing_is_lost(hub: &Hub, way: Way, id: &str) {
    let root = root(hub);
    let (sent, unsent) = (way.say("draft-sent"), way.say("draft-unsent"));
    let says = |what: &str| {
        format!("return document.querySelector('.draft-state').textContent.includes({})", json!(what))
    };
    let page = format!("{root}/clinic/{id}/write/note");
    let browser = way.browser();
    browser.go(&page);
    browser.typed("before the crash");
    browser.until(&says(&sent));
    browser.crash();

    let browser = way.browser();
    browser.go(&page);
    assert_eq!(browser.text("return document.getElementById('text').value"), "before the crash");
    // Without a network it is kept in the browser, over a new page too, and sent when there is one again.
    browser.script(
        "document.getElementById('text').focus(); document.getElementById('text').setSelectionRange(99, 99)",
    );
    browser.offline(true);
    browser.typed(" and offline");
    browser.until(&says(&unsent));
    browser.offline(false);
    browser.go(&page);
    browser.until("return document.getElementById('text').value === 'before the crash and offline'");
    browser.until(&says(&sent));
    let other = Browser::open(360, way.language);
    other.go(&page);
    assert_eq!(other.text("return document.getElementById('text').value"), "before the crash and offline");
    is_well(&other, "a note on a telephone");
    // A draft is no part of the record, and is gone when it is signed.
    assert_eq!(count(hub, &format!("DocumentReference?patient=Patient/{id}&description=x")), 0);
    browser.leads_on(|| browser.keys(&["Control+Enter"]));
    browser.go(&page);
    assert_eq!(browser.text("return document.getElementById('text').value"), "");
    let left = browser.script("return Object.keys(localStorage).filter(k => k.startsWith('draft:')).length");
    assert_eq!(left, 0, "nothing of the patient stays in the browser");
}

#[test]
fn two_who_write_one_note_see_each_other_and_overwrite_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let (id, ..) = someone(&hub);
    for way in ways() {
        two_write(&hub, way, &id);
    }
}

fn two_write(hub: &Hub, way: Way, id: &str) {
    let root = root(hub);
    let says = |key: &str| {
        let said = json!(way.say(key));
        format!("return document.querySelector('.draft-state').textContent.includes({said})")
    };
    let page = format!("{root}/clinic/{id}/write/note");
    let text = "return document.getElementById('text').value";
    let at = |browser: &Browser, place: usize| {
        browser.script(&format!(
            "const t = document.getElementById('text'); t.focus(); t.setSelectionRange({place}, {place})"
        ));
    };
    let one = way.browser();
    one.go(&page);
    one.typed("first\nmiddle\nlast");
    one.until(&says("draft-sent"));
    let two = Browser::open(1440, "en");
    two.go(&page);
    assert_eq!(two.text(text), "first\nmiddle\nlast");
    // They are shown to each other.
    one.until(&says("draft-with"));
    // Different lines: put together in both windows.
    at(&two, 17);
    two.typed(" two");
    two.until(SENT);
    one.until("return document.getElementById('text').value === 'first\\nmiddle\\nlast two'");
    // The same line at the same time: one is asked, and nothing is lost.
    one.offline(true);
    at(&one, 5);
    one.typed(" ONE");
    at(&two, 5);
    two.typed(" TWO");
    two.until(SENT);
    one.offline(false);
    one.until("return !document.querySelector('.draft-conflict').hidden");
    let asked = one.text("return document.querySelector('.draft-conflict').textContent");
    assert!(asked.contains("first ONE") && asked.contains("first TWO"), "{asked}");
    is_well(&one, "a conflict");
    one.script("[...document.querySelectorAll('.draft-conflict button')].at(-1).click()");
    one.until("return document.getElementById('text').value.includes('first ONE') && document.getElementById('text').value.includes('first TWO')");
    two.until("return document.getElementById('text').value.includes('first ONE')");
    // Signed by one, it is one note.
    let before = count(hub, &format!("DocumentReference?patient=Patient/{id}"));
    one.until(SENT);
    one.leads_on(|| one.keys(&["Control+Enter"]));
    assert_eq!(count(hub, &format!("DocumentReference?patient=Patient/{id}")), before + 1);
}

#[test]
fn what_speaks_against_a_medicine_is_said_before_it_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    for (at, way) in ways().into_iter().enumerate() {
        let (_, found) = hub.get("Patient?_count=40&_sort=birthdate&birthdate:missing=false&deceased=false");
        let id = found["entry"][at]["resource"]["id"].as_str().unwrap();
        spoken_against(&hub, way, id);
    }
}

fn spoken_against(hub: &Hub, way: Way, id: &str) {
    let penicillins = if way.language == "ja" { "ペニシリン系抗菌薬" } else { "Penicillins" };
    let root = root(hub);
    let browser = way.browser();
    // An allergy, told to the patient's record a moment ago.
    browser.go(&format!("{root}/clinic/{id}"));
    browser.leads_on(|| browser.keys(&["a"]));
    browser.typed("penic");
    browser.until("return !document.querySelector('.suggestions').hidden");
    browser.keys(&["Enter"]);
    browser.leads_on(|| browser.keys(&["Control+Enter"]));
    assert_eq!(newest(hub, "AllergyIntolerance", id)["code"]["text"], penicillins);
    // It is said while the medicine is being written, with its source, and what was not checked is said too.
    browser.leads_on(|| browser.keys(&["m"]));
    browser.typed("amoxi");
    browser.until("return !document.querySelector('.suggestions').hidden");
    browser.keys(&["Enter"]);
    browser.until("return document.querySelectorAll('.findings li').length > 0");
    is_well(&browser, "a finding");
    assert!(browser.text("return document.querySelector('.findings a').href").starts_with("https://"));
    assert!(browser.script("return document.querySelectorAll('.looked li').length") == 6);
    // Signing asks why, once; one key answers, and why is kept beside the prescription.
    let before = count(hub, &format!("MedicationRequest?patient=Patient/{id}"));
    browser.leads_on(|| browser.keys(&["Control+Enter"]));
    assert_eq!(
        count(hub, &format!("MedicationRequest?patient=Patient/{id}")),
        before,
        "nothing is signed yet"
    );
    is_well(&browser, "asked why");
    browser.leads_on(|| browser.keys(&["2"]));
    let request = newest(hub, "MedicationRequest", id);
    assert_eq!(request["medicationCodeableConcept"]["coding"][0]["code"], "J01CA04");
    let issue = newest(hub, "DetectedIssue", id);
    assert_eq!(issue["mitigation"][0]["action"]["text"], way.say("override-tolerated"));
    let implicated = issue["implicated"].as_array().unwrap();
    let reference = format!("MedicationRequest/{}", request["id"].as_str().unwrap());
    assert!(implicated.iter().any(|i| i["reference"] == reference), "{issue}");
    // What is wrong is told by a rule; a medicine no rule knows is not checked, and that is said.
    browser.leads_on(|| browser.keys(&["m"]));
    browser.typed("unheard of");
    browser.keys(&["Tab"]);
    browser.typed("1 tablet");
    browser.until("return document.querySelectorAll('.looked strong').length > 0");
}

#[test]
fn every_form_is_well_says_what_is_wrong_and_works_without_script() {
    let folder = tempfile::tempdir().unwrap();
    let hub = community(folder.path());
    let root = root(&hub);
    let (id, ..) = someone(&hub);
    let agent = crate::hub::agent();
    let post = |path: &str, pairs: &[(&str, &str)]| {
        let mut answer = agent.post(format!("{root}{path}")).send_form(pairs.iter().copied()).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    let write = |kind: &str, pairs: &[(&str, &str)]| post(&format!("/clinic/{id}/write/{kind}"), pairs);
    let sign = ("action", "sign");
    // What is wrong is said at its field, and what was typed is kept as a draft.
    let (status, body) = write("result", &[("what", "HbA1c"), ("value", ""), ("lang", "en"), sign]);
    assert_eq!(status, 422, "{body}");
    assert!(body.contains("value-fault"), "{body}");
    let (status, body) = write("problem", &[("what", "dia"), ("date", "2199-01-01"), sign]);
    assert_eq!(status, 422);
    assert!(body.contains("date-fault") && body.contains("name=\"pick\""), "codes are offered");
    let (status, _) = write("note", &[("text", &"長".repeat(400_000)), sign]);
    assert_eq!(status, 413);
    for (kind, pairs) in [
        ("note", vec![("text", "a note\nof two lines")]),
        ("problem", vec![("what", "高血圧症"), ("untold", "yes")]),
        ("allergy", vec![("what", "そば"), ("severity", "high"), ("reaction", "蕁麻疹")]),
        ("medicine", vec![("what", "レバミピド錠100mg"), ("usage", "1回1錠 1日3回 毎食後"), ("days", "30")]),
        ("order", vec![("what", "心電図"), ("urgent", "yes")]),
        ("result", vec![("what", "血圧"), ("value", "128/76")]),
        ("vaccine", vec![("what", "インフルエンザHAワクチン"), ("lot", "A1")]),
        (
            "referral",
            vec![("what", "循環器内科"), ("to", "県立病院"), ("comment", "精査のお願い"), ("text", "経過")],
        ),
        (
            "decision",
            vec![
                ("what", "高血圧症"),
                ("options", "減塩、薬"),
                ("matters", "薬は少なく"),
                ("decided", "減塩を3か月"),
            ],
        ),
    ] {
        let mut pairs = pairs;
        pairs.extend([sign, ("draft", "0123456789abcdef0123456789abcdef")]);
        let (status, body) = write(kind, &pairs);
        assert_eq!(status, 303, "{kind}: {body}");
        let after =
            agent.get(format!("{root}/clinic/{id}?done={kind}")).call().unwrap().body_mut().read_to_string();
        assert!(after.unwrap().contains("class=\"done\""), "{kind} is told");
    }
    // The same form sent twice is signed once.
    let notes = count(&hub, &format!("DocumentReference?patient=Patient/{id}"));
    write("note", &[("text", "a note\nof two lines"), sign, ("draft", "0123456789abcdef0123456789abcdef")]);
    assert_eq!(count(&hub, &format!("DocumentReference?patient=Patient/{id}")), notes);
    // Changed since, it is another: nothing that was told as signed is dropped.
    write(
        "note",
        &[("text", "a note\nof three\nlines"), sign, ("draft", "0123456789abcdef0123456789abcdef")],
    );
    assert_eq!(count(&hub, &format!("DocumentReference?patient=Patient/{id}")), notes + 1);
    // What is thrown away is no draft any more, and comes back.
    let draft = ("draft", "fedcba9876543210fedcba9876543210");
    write("note", &[("text", "half a thought"), ("action", "draft"), draft]);
    let page = |query: &str| {
        let mut answer = agent.get(format!("{root}/clinic/{id}{query}")).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    assert!(page("/write/note").contains("half a thought"));
    write("note", &[("text", "half a thought"), ("action", "discard"), draft]);
    assert!(!page("/write/note").contains("half a thought"));
    let back = format!("/write/note?draft={}", draft.1);
    assert!(page(&format!("?done=discard&kind=note&draft={}", draft.1)).contains(&back));
    assert!(page(&back).contains("half a thought"));
    assert_eq!(newest(&hub, "AllergyIntolerance", &id)["criticality"], "high");
    assert_eq!(newest(&hub, "Condition", &id)["meta"]["tag"][0]["code"], "UNINFORMED");
    let results = format!("{root}/me/{id}/timeline?lang=ja");
    let shown = agent.get(results).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(shown.contains("一緒に決めたこと"), "the patient sees what was decided together: {shown}");
    let order = newest(&hub, "ServiceRequest", &id);
    let letter =
        agent.get(format!("{root}/clinic/{id}/letter/{}?lang=ja", order["id"].as_str().unwrap())).call();
    let letter = letter.unwrap().body_mut().read_to_string().unwrap();
    for part in ["診療情報提供書", "県立病院", "循環器内科", "精査のお願い", "レバミピド", "そば"]
    {
        assert!(letter.contains(part), "{part} is in the letter");
    }
    // What stands there is ended; of a version that is old it is refused.
    let problem = newest(&hub, "Condition", &id);
    let reference = format!("Condition/{}", problem["id"].as_str().unwrap());
    let act = format!("/clinic/{id}/act");
    let (status, _) = post(&act, &[("deed", "resolve"), ("reference", &reference), ("version", "99")]);
    assert_eq!(status, 412);
    let (status, _) = post(&act, &[("deed", "resolve"), ("reference", &reference), ("version", "1")]);
    assert_eq!(status, 303);
    assert_eq!(hub.get(&reference).1["clinicalStatus"]["coding"][0]["code"], json!("resolved"));
    let (status, _) = post(&act, &[("deed", "resolve"), ("reference", "Patient/x")]);
    assert_eq!(status, 400);

    for (width, scheme) in [(360, "dark"), (768, "light"), (1440, "light")] {
        let browser = Browser::open(width, "ja");
        browser.prefer("prefers-color-scheme", scheme);
        for language in ["ja", "en"] {
            let mut pages = vec![
                "/clinic".to_owned(),
                "/clinic?q=a".to_owned(),
                format!("/clinic/{id}"),
                format!("/clinic/{id}?as_of=2024-01-01"),
                format!("/clinic/{id}/trends"),
                format!("/clinic/{id}/renew"),
                format!("/clinic/{id}/summary"),
                format!("/clinic/{id}/letter/{}", order["id"].as_str().unwrap()),
            ];
            let kinds = [
                "note", "problem", "allergy", "medicine", "order", "result", "vaccine", "referral",
                "decision",
            ];
            pages.extend(kinds.iter().map(|kind| format!("/clinic/{id}/write/{kind}?new=1")));
            for page in pages {
                let mark = if page.contains('?') { '&' } else { '?' };
                browser.go(&format!("{root}{page}{mark}lang={language}"));
                is_well(&browser, &format!("{page} in {language} at {width} px, {scheme}"));
            }
        }
    }
}
