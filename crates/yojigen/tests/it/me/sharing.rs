//! Who may see, who looked, and what is taken along.

use super::{held, house, on_a_way, place, send, signed_in};
use crate::journeys::{Way, ways};
use crate::pages::is_well;

#[test]
fn a_consent_is_revoked_in_at_most_three_taps_and_given_again() {
    for way in ways() {
        revoked_and_given_again(way);
    }
}

fn revoked_and_given_again(way: Way) {
    let house = house();
    let mut jiro = house.signed_in("jiro");
    assert_eq!(jiro.get("/fhir/Observation/a0").status, 200, "the clinic that cares sees the record");
    let browser = on_a_way(&house, "taro", way);
    let mut taps = 0;
    way.act(&browser, "a[href='/me/p1/sharing']");
    taps += 1;
    let said = browser.text("return document.querySelector('.share').textContent");
    assert!(
        said.contains("さくら診療所") && said.contains(&way.say("me-share-follows-care-on")),
        "what follows is said before: {said}"
    );
    is_well(&browser, "sharing");
    way.act(&browser, ".share button[value=off]");
    taps += 1;
    assert!(taps <= 3);
    is_well(&browser, "sharing, stopped");
    assert_eq!(jiro.get("/fhir/Observation/a0").status, 404, "it holds at once");
    // And back, with one tap.
    way.act(&browser, ".undo button");
    let said = browser.text("return document.querySelector('main').textContent");
    assert!(said.contains(&way.say("me-said-shared")), "{said}");
    assert_eq!(jiro.get("/fhir/Observation/a0").status, 200);
    let mut taro = house.signed_in("taro");
    let consents = held(&mut taro, "Consent");
    assert_eq!(consents.len(), 1, "one choice is one Consent");
    assert_eq!(consents[0]["status"], "inactive");
}

#[test]
fn choices_are_asked_for_plainly_and_only_the_person_s_own_count() {
    let house = house();
    house.user("reiko", &["--role", "researcher"]);
    let mut reiko = house.signed_in("reiko");
    let mut taro = house.signed_in("taro");
    let seen = |reiko: &mut crate::auth::visitor::Visitor| held(reiko, "Condition").len();
    assert_eq!(seen(&mut reiko), 0);
    for (to, count) in [("on", 1), ("on", 1), ("off", 0), ("off", 0)] {
        place(&send(&mut taro, &house, "/me/p1/sharing", &[("choice", "research"), ("to", to)]));
        assert_eq!(seen(&mut reiko), count, "{to}");
    }
    let unknown = send(&mut taro, &house, "/me/p1/sharing", &[("choice", "care/../x"), ("to", "off")]);
    assert_eq!(unknown.status, 404);
    let other = send(&mut taro, &house, "/me/p2/sharing", &[("choice", "research"), ("to", "on")]);
    assert_eq!(other.status, 404);
}

#[test]
fn who_looked_is_told_with_why_and_emergencies_are_marked() {
    let house = house();
    let mut jiro = house.signed_in("jiro");
    assert_eq!(jiro.get("/fhir/Condition/c1").status, 200);
    let reason = [("x-break-glass", "found unconscious")];
    assert_eq!(jiro.send("GET", "/fhir/AllergyIntolerance/g1", &reason, "").status, 200);
    let mut taro = house.signed_in("taro");
    let page = taro.get("/me/p1/looked?lang=en").body;
    assert!(page.contains("鈴木 次郎") && page.contains("さくら診療所") && page.contains("Care"), "{page}");
    let emergency = page.split("class=\"entry-line emergency\"").nth(1).expect("an emergency is marked");
    assert!(emergency.contains("Emergency") && emergency.contains("found unconscious"), "{emergency}");
    let others = page.split("<details>").next().unwrap();
    assert!(!others.contains("<strong>You</strong>"), "one's own looks are apart");
    let browser = signed_in(&house, "taro", 360, "en-GB");
    browser.go(&format!("{}/me/p1/looked", house.root()));
    is_well(&browser, "who looked");
}

#[test]
fn the_emergency_card_is_two_taps_away_and_fits_a_wallet() {
    for way in ways() {
        card(way);
    }
}

fn card(way: Way) {
    let house = house();
    let browser = on_a_way(&house, "taro", way);
    browser.script("window.print = () => { window.isPrinted = true }");
    way.act(&browser, "a[href='/me/p1/card']");
    browser.script("window.print = () => { window.isPrinted = true }");
    let card = browser.text("return document.querySelector('.wallet').textContent");
    for shown in ["ペニシリン", "高血圧症", "アムロジピン錠5mg", "山田 桜", "080-0000-0000"]
    {
        assert!(card.contains(shown), "{shown}: {card}");
    }
    is_well(&browser, "the card");
    if way.has_keyboard() {
        browser.reach(".print-now");
        browser.keys(&["Enter"]);
    } else {
        browser.script("document.querySelector('.print-now').scrollIntoView({block: 'center'})");
        browser.click(".print-now");
    }
    assert_eq!(browser.script("return window.isPrinted === true"), true);
}

#[test]
fn everything_is_taken_along() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let page = taro.get("/me/p1/take").body;
    let bundle = taro.get("/fhir/Patient/p1/$everything?_format=json");
    assert!(page.contains("/fhir/Patient/p1/$everything") && bundle.status == 200);
    let readable = taro.get("/me/p1/take/readable?lang=en").body;
    for resource in bundle.json()["entry"].as_array().unwrap() {
        let resource = &resource["resource"];
        let reference =
            format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        assert!(readable.contains(&reference), "{reference} is not in the document");
    }
    assert!(readable.contains("ペニシリン") && readable.contains("1日1回 朝食後"));
}

#[test]
fn medicines_that_do_not_go_together_are_named() {
    let house = house();
    let mut taro = house.signed_in("taro");
    for name in ["ワーファリン錠1mg", "ロキソニン錠60mg"] {
        place(&send(&mut taro, &house, "/me/p1/add/medicine", &[("name", name), ("origin", "otc")]));
    }
    let page = taro.get("/me/p1/medicines?lang=en").body;
    assert!(page.contains("class=\"warnings\"") && page.contains("loxoprofen and"), "{page}");
}

#[test]
fn who_acts_for_a_person_still_does_after_their_card_was_mended() {
    let house = house();
    let mut tsukiko = house.signed_in("tsukiko");
    assert_eq!(tsukiko.get("/me/p2").status, 200);
    // Read and sent back, as programs do: with the meta it had.
    let mut taro = house.signed_in("taro");
    let mut related = taro.get("/fhir/RelatedPerson/r2").json();
    related["name"][0]["text"] = serde_json::json!("山田 さくら");
    house.user("sakura", &["--role", "proxy", "--fhir-user", "RelatedPerson/r2"]);
    let headers = [("content-type", "application/fhir+json"), ("origin", house.root())];
    let put = taro.send("PUT", "/fhir/RelatedPerson/r2", &headers, &related.to_string());
    assert_eq!(put.status, 200, "{}", put.body);
    let mut sakura = house.signed_in("sakura");
    assert_eq!(sakura.get("/me/p1").status, 200);
}
