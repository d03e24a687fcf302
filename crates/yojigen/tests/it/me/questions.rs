//! Questionnaires.

use serde_json::{Value, json};

use super::{held, place, record, send, tap};
use crate::auth::visitor::Visitor;
use crate::auth::{House, PASSWORD};
use crate::browser::Browser;
use crate::pages::is_well;

fn questionnaire() -> Value {
    let calculated = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression";
    json!({"resourceType": "Questionnaire", "id": "visit", "status": "active", "title": "受診前の問診",
        "url": "https://example.org/q/visit", "version": "1",
        "contained": [{"resourceType": "ValueSet", "id": "often", "status": "active", "compose": {"include": [
            {"system": "https://example.org/often", "concept": [{"code": "never", "display": "ない"}, {"code": "often", "display": "よくある"}]}]}}],
        "item": [
            {"linkId": "/pain", "text": "痛みはありますか", "type": "boolean", "required": true},
            {"linkId": "how", "text": "痛みの強さ", "type": "integer", "required": true,
                "enableWhen": [{"question": "/pain", "operator": "=", "answerBoolean": true}],
                "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueInteger": 10}]},
            {"linkId": "sleep", "text": "眠れないこと", "type": "choice", "answerValueSet": "#often"},
            {"linkId": "medicine", "text": "飲んでいる薬", "type": "group", "repeats": true, "item": [
                {"linkId": "name", "text": "薬の名前", "type": "string"}]},
            {"linkId": "cm", "text": "身長", "type": "decimal"}, {"linkId": "kg", "text": "体重", "type": "decimal"},
            {"linkId": "bmi", "text": "BMI", "type": "decimal", "readOnly": true, "extension": [{"url": calculated,
                "valueExpression": {"language": "text/fhirpath", "expression":
                    "(%resource.item.where(linkId='kg').answer.value / (%resource.item.where(linkId='cm').answer.value / 100).power(2)).round(1)"}}]}]})
}

fn house() -> House {
    let mut all = record();
    all.push(questionnaire());
    House::holding(&all, &[])
}

fn answers(visitor: &mut Visitor) -> Vec<Value> {
    held(visitor, "QuestionnaireResponse")
}

#[test]
fn without_script_what_is_asked_follows_page_by_page() {
    let house = house();
    let mut taro = house.signed_in("taro");
    assert!(taro.get("/me/p1/questions").body.contains("受診前の問診"));
    let address = "/me/p1/questions/visit?lang=en";
    let page = taro.get(address).body;
    assert!(!page.contains("痛みの強さ") && page.contains("よくある"), "{page}");
    let draft = [
        ("version", "1"),
        ("action", "draft"),
        ("q0_0", "true"),
        ("q2_0", "#1"),
        ("q4_0", "170"),
        ("q5_0", "60.5"),
    ];
    place(&send(&mut taro, &house, address, &draft));
    let page = taro.get(address).body;
    assert!(page.contains("痛みの強さ") && page.contains("<output>20.9</output>"), "{page}");
    assert_eq!(answers(&mut taro)[0]["status"], "in-progress");
    // A further time of a group.
    let more =
        [&draft[..1], &[("action", "more:q3_0"), ("q0_0", "true"), ("q3_0.0_0", "アムロジピン")]].concat();
    let next = place(&send(&mut taro, &house, address, &more)).to_owned();
    assert!(taro.get(&next).body.contains("name=\"q3_1.0_0\""));
    // What is missing, too large or unread is said where it is, and nothing is completed.
    for (value, said) in [("", "Please answer"), ("11", "At most 10"), ("many", "does not read")] {
        let wrong = [("version", "1"), ("action", "complete"), ("q0_0", "true"), ("q1_0", value)];
        let answer = send(&mut taro, &house, address, &wrong);
        assert!(answer.status == 422 && answer.body.contains(said), "{value}: {}", answer.body);
    }
    let whole = [
        ("version", "1"),
        ("action", "complete"),
        ("q0_0", "false"),
        ("q1_0", "7"),
        ("q2_0", "#0"),
        ("q3_0.0_0", "アムロジピン"),
        ("q3_1.0_0", "かぜ薬"),
    ];
    place(&send(&mut taro, &house, address, &whole));
    let kept = answers(&mut taro);
    assert_eq!(
        (kept.len(), kept[0]["status"].as_str()),
        (1, Some("completed")),
        "the draft became the answer"
    );
    let items = kept[0]["item"].as_array().unwrap();
    let links: Vec<&str> = items.iter().map(|i| i["linkId"].as_str().unwrap()).collect();
    assert_eq!(links, ["/pain", "sleep", "medicine", "medicine"], "what is not asked is not answered");
    assert_eq!(items[1]["answer"][0]["valueCoding"]["code"], "never");
    // A form of an older questionnaire is not taken for the new one.
    let old =
        send(&mut taro, &house, address, &[("version", "0"), ("action", "complete"), ("q0_0", "false")]);
    assert_eq!(old.status, 422);
}

#[test]
fn with_script_answers_are_kept_as_one_goes() {
    let house = house();
    let browser = Browser::open(360, "ja");
    browser.go(&format!("{}/auth/sign-in?return=%2Fme%2Fp1%2Fquestions%2Fvisit", house.root()));
    browser.type_into("#login", "taro");
    browser.type_into("#password", &format!("{PASSWORD}\n"));
    is_well(&browser, "a questionnaire");
    browser.click("input[name=q0_0][value=true]");
    browser.until("return document.querySelector('[name=q1_0]') !== null");
    browser.type_into("[name=q1_0]", "4");
    browser.type_into("[name=q4_0]", "170");
    browser.type_into("[name=q5_0]", "60.5\u{e004}");
    browser.until("return document.querySelector('output')?.textContent === '20.9'");
    let mut taro = house.signed_in("taro");
    assert_eq!(answers(&mut taro)[0]["item"][1]["answer"][0]["valueInteger"], 4);
    is_well(&browser, "a questionnaire, begun");
    tap(&browser, "button[value=complete]");
    assert_eq!(answers(&mut taro)[0]["status"], "completed");
    let (complaints, _) = browser.complaints_and_addresses();
    assert!(complaints.is_empty(), "{complaints:?}");
}
