//! A clinician tells a patient of a diagnosis: from then on, and not before, the patient sees it.

use serde_json::{Value, json};

use crate::access::Town;
use crate::auth::CALLBACK;

const TAG: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication";

fn told(note: &str) -> String {
    json!({"resourceType": "Parameters", "parameter": [{"name": "note", "valueString": note}]}).to_string()
}

/// A token for a clinician's app.
fn of_clinician(town: &Town, login: &str, scope: &str) -> String {
    let mut visitor = town.house.signed_in(login);
    let answer = town.house.exchange("ward", &town.house.code(&mut visitor, "ward", scope));
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

#[test]
fn the_patient_is_told_once_by_whom_may_write_and_then_sees_it() {
    let town = Town::open();
    let scope = "user/*.cruds";
    town.house.client(&["ward", "--name", "Ward", "--redirect-uri", CALLBACK, "--scope", scope]);
    let of_taro = town.app("taro", "launch/patient patient/*.rs");
    let jiro = of_clinician(&town, "jiro", scope);
    assert_eq!(town.send("GET", "Condition/k1", &of_taro, "").status, 404);
    // Neither the person, nor a program, nor a clinician who does not care for them, nor an app that may not write both.
    for (who, token, status) in [
        ("the person", &of_taro, 403),
        ("a program", &town.loader, 403),
        ("another clinician", &of_clinician(&town, "hanako", scope), 404),
        ("an app that reads", &of_clinician(&town, "jiro", "user/*.rs"), 403),
        ("an app without Provenance", &of_clinician(&town, "jiro", "user/Condition.cruds"), 403),
    ] {
        let answer = town.send("POST", "Condition/k1/$inform", token, &told("x"));
        assert_eq!(answer.status, status, "{who}: {}", answer.body);
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{who}");
    }
    assert_eq!(
        town.send("GET", "Condition/k1", &jiro, "").json()["meta"]["versionId"],
        "1",
        "nothing was done"
    );
    assert_eq!(town.send("GET", "Provenance?target=Condition/k1", &jiro, "").json()["total"], 0);
    assert_eq!(town.send("GET", "Condition/k1", &of_taro, "").status, 404);
    // At once by several, it is one act.
    let note = "病名と治療についてご説明しました。";
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let answer = town.send("POST", "Condition/k1/$inform", &jiro, &told(note));
                assert_eq!(answer.status, 200, "{}", answer.body);
            });
        }
    });
    let condition = town.send("GET", "Condition/k1", &jiro, "").json();
    assert_eq!(condition["meta"]["versionId"], "2");
    assert!(!condition.to_string().contains(TAG), "{condition}");
    let found = town.send("GET", "Provenance?target=Condition/k1", &jiro, "").json();
    assert_eq!(found["total"], 1, "{found}");
    let provenance = &found["entry"][0]["resource"];
    assert_eq!(provenance["agent"][0]["who"]["reference"], "Practitioner/d2", "{provenance}");
    assert_eq!(provenance["agent"][0]["onBehalfOf"]["reference"], "Organization/sakura");
    assert_eq!(provenance["activity"]["text"], note);
    assert_eq!(provenance["meta"]["lastUpdated"], condition["meta"]["lastUpdated"], "one commit");
    // The person sees both now.
    assert_eq!(town.send("GET", "Condition/k1", &of_taro, "").status, 200);
    let seen = town.send("GET", "Provenance?target=Condition/k1", &of_taro, "").json();
    let seen: Vec<&Value> =
        seen["entry"].as_array().into_iter().flatten().map(|e| &e["resource"]["id"]).collect();
    assert_eq!(seen, [&provenance["id"]]);
}
