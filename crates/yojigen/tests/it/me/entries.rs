//! Entering, changing and taking back.

use serde_json::json;

use super::{day, held, house, on_a_way, place, send};
use crate::auth::visitor::{field, written};
use crate::browser::Browser;
use crate::journeys::{Way, ways};
use crate::pages::is_well;

#[test]
fn blood_pressure_is_recorded_in_at_most_nine_taps() {
    for way in ways() {
        blood_pressure(way);
    }
}

fn blood_pressure(way: Way) {
    let house = house();
    let browser = on_a_way(&house, "taro", way);
    assert!(browser.text("return location.pathname") == "/me/p1", "one's own record is where /me leads");
    let mut taps = 0;
    way.act(&browser, ".tile-pressure");
    taps += 1;
    // The first field waits for digits, and each goes on to the next: digits only.
    assert_eq!(browser.text("return document.activeElement.name"), "high1");
    for digits in ["142", "88", "136", "84"] {
        let name = browser.text("return document.activeElement.name");
        browser.type_into(&format!("[name={name}]"), digits);
    }
    assert_eq!(
        browser.text("return document.activeElement.name"),
        "pulse",
        "fields were gone to by themselves"
    );
    is_well(&browser, "entry of blood pressure");
    way.act(&browser, "button[value=save]");
    taps += 1;
    assert!(taps <= 9, "{taps} taps");
    let said = browser.text("return document.querySelector('.just-saved').textContent");
    assert!(
        said.contains("142 / 88") && said.contains("136 / 84") && said.contains("139 / 86 mmHg"),
        "{said}"
    );
    assert!(said.contains("135/85"), "what it means is said, with whose threshold it is: {said}");
    is_well(&browser, "home after saving");
    let mut visitor = house.signed_in("taro");
    let kept = held(&mut visitor, "Observation?code=85354-9");
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0]["performer"], json!([{"reference": "Patient/p1"}]));
    assert_eq!(kept[0]["component"][0]["valueQuantity"]["code"], "mm[Hg]");
    // Taken back with one tap.
    way.act(&browser, ".just-saved button[value=remove]");
    assert_eq!(held(&mut visitor, "Observation?code=85354-9").len(), 1);
    let (complaints, addresses) = browser.complaints_and_addresses();
    assert!(complaints.is_empty(), "{complaints:?}");
    let root = house.root();
    assert!(addresses.iter().all(|a| a.starts_with(root) || a.starts_with("data:")), "{addresses:?}");
}

#[test]
fn what_can_hardly_be_is_asked_about_and_what_cannot_is_refused() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let mut add = |kind: &str, pairs: &[(&str, &str)]| {
        send(&mut taro, &house, &format!("/me/p1/add/{kind}?lang=en"), pairs)
    };
    let refused = add("temperature", &[("value", "100")]);
    assert!(refused.status == 422 && refused.body.contains("between 25 and 45"), "{}", refused.body);
    let unread = add("weight", &[("value", "heavy")]);
    assert!(unread.status == 422 && unread.body.contains("has to be a number"), "{}", unread.body);
    let crossed = add("pressure", &[("high1", "80"), ("low1", "120"), ("part", "MORN")]);
    assert!(crossed.status == 422 && crossed.body.contains("below the upper"), "{}", crossed.body);
    let ahead = add("weight", &[("value", "60"), ("at", "2099-01-01T00:00")]);
    assert!(ahead.status == 422 && ahead.body.contains("future"), "{}", ahead.body);
    let doubtful = add("weight", &[("value", "230")]);
    assert!(doubtful.status == 422 && doubtful.body.contains("seldom seen"), "{}", doubtful.body);
    assert!(doubtful.body.contains("name=\"sure\""), "{}", doubtful.body);
    place(&add("weight", &[("value", "230"), ("sure", "1")]));
    // Written as people write: full width, a comma, a unit.
    place(&add("weight", &[("value", "６２，５ kg"), ("note", "朝食前")]));
    let kept = held(&mut taro, "Observation?code=29463-7&_sort=_lastUpdated");
    let values: Vec<_> = kept.iter().map(|o| o["valueQuantity"]["value"].to_string()).collect();
    assert_eq!(values, ["230", "62.5"]);
    assert_eq!(kept[1]["note"][0]["text"], "朝食前");
}

#[test]
fn every_kind_is_kept_under_the_person_s_own_name_and_once() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let page = taro.get("/me/p1/add/glucose").body;
    let once = field(&page, "once").unwrap();
    let glucose = [("once", once.as_str()), ("value", "131"), ("meal", "AC")];
    let first = place(&send(&mut taro, &house, "/me/p1/add/glucose", &glucose)).to_owned();
    let again = place(&send(&mut taro, &house, "/me/p1/add/glucose", &glucose)).to_owned();
    assert_eq!(first, again, "a form that is sent twice is taken once");
    for (kind, pairs) in [
        ("symptom", &[("words", "頭が痛い"), ("severity", "severe")][..]),
        ("mood", &[("mood", "good")]),
        ("meal", &[("words", "そば")]),
        ("note", &[("words", "<script>document.title='ran'</script>")]),
        ("sleep", &[("value", "6.5")]),
        ("steps", &[("value", "8012")]),
        ("oxygen", &[("value", "97")]),
        ("pulse", &[("value", "66")]),
        ("temperature", &[("value", "36.6")]),
    ] {
        place(&send(&mut taro, &house, &format!("/me/p1/add/{kind}"), pairs));
    }
    let medicine = [("name", "かぜ薬"), ("origin", "otc"), ("dose", "2錠")];
    place(&send(&mut taro, &house, "/me/p1/add/medicine", &medicine));
    let own = held(&mut taro, "Observation?performer=Patient/p1&_count=50");
    assert_eq!(own.len(), 10);
    let taken = held(&mut taro, "MedicationStatement?source=Patient/p1");
    assert_eq!(taken[0]["category"]["coding"][0]["code"], "patientspecified");
    let medicines = taro.get("/me/p1/medicines?lang=en").body;
    let bought = medicines.split("Over the counter").nth(1).unwrap();
    assert!(bought.contains("かぜ薬"), "{medicines}");
    let timeline = taro.get("/me/p1/timeline?lang=en").body;
    for shown in ["頭が痛い", "131 mg/dL", "かぜ薬", "I wrote this", "from さくら診療所", "&#60;script&#62;"]
    {
        assert!(timeline.contains(shown), "{shown}");
    }
    let selfcare = taro.get("/me/p1/timeline?kind=selfcare&lang=en").body;
    assert!(
        selfcare.contains("頭が痛い") && !selfcare.contains("かぜ薬") && !selfcare.contains("HbA1c"),
        "{selfcare}"
    );
    let selfmedication = taro.get("/me/p1/timeline?kind=selfmedication&lang=en").body;
    assert!(!selfmedication.contains("頭が痛い") && selfmedication.contains("かぜ薬"), "{selfmedication}");
}

#[test]
fn a_photo_is_what_its_bytes_say_and_is_its_owner_s() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let part = |name: &str, kind: &str, bytes: &str| {
        format!(
            "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n{bytes}\r\n--xx--\r\n"
        )
    };
    let headers = [("content-type", "multipart/form-data; boundary=xx"), ("origin", house.root())];
    let page = "<html><script>alert(1)</script></html>";
    let refused = taro.send("POST", "/me/p1/add/document", &headers, &part("photo.jpg", "image/jpeg", page));
    assert_eq!(refused.status, 422, "{}", refused.body);
    let kept = taro.send(
        "POST",
        "/me/p1/add/document",
        &headers,
        &part("letter.html", "text/html", "%PDF-1.7 letter"),
    );
    place(&kept);
    let document = &held(&mut taro, "DocumentReference?author=Patient/p1")[0];
    let attachment = &document["content"][0]["attachment"];
    assert_eq!(attachment["contentType"], "application/pdf");
    let content = attachment["url"].as_str().unwrap().to_owned();
    assert_eq!(taro.get(&format!("/fhir/{content}")).status, 200);
    let mut tsukiko = house.signed_in("tsukiko");
    assert_ne!(tsukiko.get(&format!("/fhir/{content}")).status, 200, "nobody else's");
}

#[test]
fn one_s_own_entries_are_changed_and_nobody_else_s() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let saved =
        place(&send(&mut taro, &house, "/me/p1/add/weight", &[("value", "61.0"), ("note", "朝")])).to_owned();
    let reference = saved.split("saved=").nth(1).unwrap().to_owned();
    let entry = format!("/me/p1/entry/{reference}");
    let page = taro.get(&entry).body;
    assert_eq!(field(&page, "value").as_deref(), Some("61.0"));
    let version = field(&page, "once").unwrap();
    // Somebody changes it meanwhile; both are shown, neither is lost.
    place(&send(
        &mut taro,
        &house,
        &entry,
        &[("once", &version), ("value", "62"), ("note", "朝"), ("action", "save")],
    ));
    let conflict =
        send(&mut taro, &house, &entry, &[("once", &version), ("value", "63"), ("action", "save")]);
    assert_eq!(conflict.status, 422, "{}", conflict.body);
    assert!(conflict.body.contains("<dd>62</dd>"), "what is there is shown: {}", conflict.body);
    assert_eq!(field(&conflict.body, "value").as_deref(), Some("63"), "what was typed is kept");
    let newest = field(&conflict.body, "once").unwrap();
    place(&send(&mut taro, &house, &entry, &[("once", &newest), ("value", "63"), ("action", "save")]));
    let kept = held(&mut taro, "Observation?code=29463-7");
    assert_eq!((kept.len(), kept[0]["meta"]["versionId"].as_str()), (1, Some("3")));
    assert!(kept[0]["note"].is_null(), "a note that was emptied is gone");
    // What the clinic wrote cannot be reached, nor can one of somebody else's.
    for other in [
        "/me/p1/entry/Observation/a0",
        "/me/p2/entry/Observation/a0",
        "/me/p1/entry/Patient/p1",
        "/me/p1/entry/Condition/c1",
    ] {
        assert_eq!(taro.get(other).status, 404, "{other}");
    }
    let mut tsukiko = house.signed_in("tsukiko");
    assert_eq!(tsukiko.get(&entry).status, 404);
    let answer = send(&mut tsukiko, &house, &entry, &[("once", "3"), ("action", "remove")]);
    assert_eq!(answer.status, 404);
    place(&send(&mut taro, &house, &entry, &[("once", "3"), ("action", "remove")]));
    assert!(held(&mut taro, "Observation?code=29463-7").is_empty());
}

#[test]
fn who_acts_for_a_person_writes_under_their_own_name() {
    let house = house();
    let mut tsukiko = house.signed_in("tsukiko");
    assert_eq!(place(&tsukiko.get("/me")), "/me/p2");
    place(&send(&mut tsukiko, &house, "/me/p2/add/temperature", &[("value", "38.2")]));
    let kept = held(&mut tsukiko, "Observation?patient=p2");
    assert_eq!(kept[0]["performer"], json!([{"reference": "RelatedPerson/r1"}]));
    let home = tsukiko.get("/me/p2?lang=en").body;
    assert!(home.contains("38.2"), "{home}");
    // What they may not write is not offered; what they may not see is not there.
    assert!(!tsukiko.get("/me/p2/add?lang=en").body.contains("/add/medicine"));
    assert_eq!(tsukiko.get("/me/p1").status, 404);
    assert!(tsukiko.get("/me/p2/sharing?lang=en").body.contains("Only the person themselves"));
    // A page of another place cannot write in their name.
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://elsewhere.example")];
    let forged = tsukiko.send("POST", "/me/p2/add/temperature", &headers, "value=39");
    assert_ne!(forged.status, 303, "{}", forged.body);
    assert_eq!(held(&mut tsukiko, "Observation?patient=p2").len(), 1);
    assert!(day(0).starts_with("20"));
}

#[test]
fn what_was_written_outlives_the_session_without_script() {
    let house = house();
    let path = "/me/p1/add/note";
    let pairs = [("text", "頭が痛い。\n<b>よく眠れた</b>"), ("action", "save")];
    let headers = |origin: &'static str| {
        [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("origin", origin)]
    };
    // A page of somebody else's is not given a form to be sent in the person's name.
    let foreign = house.visitor().send("POST", path, &headers("https://elsewhere.example"), &written(&pairs));
    assert_eq!(foreign.status, 303);
    let own = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("origin", house.root()),
    ];
    let answer = house.visitor().send("POST", path, &own, &written(&pairs));
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("&#60;b&#62;よく眠れた") && !answer.body.contains("<b>"), "{}", answer.body);
    let browser = Browser::open(360, "ja");
    browser.go(&format!("{}/auth/sign-in", house.root()));
    browser.script(&format!(
        "document.body.innerHTML = '<form method=post action=\"{path}\"><textarea name=text></textarea><button id=go>x</button></form>';
         document.querySelector('textarea').value = 'one\\ntwo words'"
    ));
    browser.press("#go");
    is_well(&browser, "signed out, and nothing is lost");
    let shown = browser.text("return document.querySelector('main').textContent");
    assert!(shown.contains("one\ntwo words"), "{shown}");
    assert_eq!(browser.text("return document.querySelector('input[name=text]').value"), "one\ntwo words");
}
