//! Files of measurements.

use super::{held, house, place, send};
use crate::auth::House;
use crate::auth::visitor::{Visitor, field};
use crate::hub::Answer;

fn file(visitor: &mut Visitor, house: &House, name: &str, text: &str) -> Answer {
    let headers = [("content-type", "multipart/form-data; boundary=xx"), ("origin", house.root())];
    let body = format!(
        "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n--xx--\r\n"
    );
    visitor.send("POST", "/me/p1/import?lang=en", &headers, &body)
}

/// Saves what a page shows; how many were new and how many known.
fn save(visitor: &mut Visitor, house: &House, page: &str) -> String {
    let read = field(page, "read").unwrap();
    let answer = send(visitor, house, "/me/p1/import", &[("action", "save"), ("read", &read)]);
    place(&answer).split('?').nth(1).unwrap().to_owned()
}

#[test]
fn a_table_is_shown_first_its_faults_named_and_is_taken_once() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let table = "機種,HEM-0000\n測定日,測定時刻,最高血圧(mmHg),最低血圧(mmHg),脈拍(bpm),体重\n\
        2026/11/01,7:05,131,82,66,\n2026/11/02,7:10,128,80,64,61.5\n2026/11/03,7:00,1280,80,64,\n\
        いつか,7:00,120,80,60,\n2026/11/02,7:10,128,80,64,61.5\n";
    let shown = file(&mut taro, &house, "bp.csv", table);
    assert!(shown.body.contains("128 / 80") && shown.body.contains("Upper pressure"), "{}", shown.body);
    assert!(shown.body.contains("Line 5") && shown.body.contains("1280 / 80"), "{}", shown.body);
    assert!(shown.body.contains("Line 6") && shown.body.contains("いつか"), "{}", shown.body);
    assert!(
        held(&mut taro, "Observation?performer=Patient/p1").is_empty(),
        "nothing is saved before it was seen"
    );
    assert_eq!(save(&mut taro, &house, &shown.body), "new=6&known=0");
    assert_eq!(held(&mut taro, "Observation?code=85354-9").len(), 2);
    let again = file(&mut taro, &house, "bp.csv", table);
    assert_eq!(save(&mut taro, &house, &again.body), "new=0&known=6");
    assert_eq!(held(&mut taro, "Observation?performer=Patient/p1&_count=50").len(), 6);
    for (name, text) in
        [("x.csv", "a,b\n1,2\n"), ("x.xml", "<other/>"), ("x.zip", "PK\u{3}\u{4}nothing"), ("x.csv", "")]
    {
        let refused = file(&mut taro, &house, name, text);
        assert!(refused.status == 422 && refused.body.contains("role=\"alert\""), "{name}: {}", refused.body);
    }
}

#[test]
fn apple_s_export_is_summed_by_day_and_device() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let record = |kind: &str, source: &str, start: &str, end: &str, unit: &str, value: &str| {
        format!(
            "<Record type=\"HK{kind}\" sourceName=\"{source}\" unit=\"{unit}\" startDate=\"2026-11-01 {start} +0900\" endDate=\"2026-11-01 {end} +0900\" value=\"{value}\"/>\n"
        )
    };
    let steps = "QuantityTypeIdentifierStepCount";
    let export = [
        "<?xml version=\"1.0\"?>\n<!DOCTYPE HealthData [<!ELEMENT HealthData ANY>]>\n<HealthData locale=\"ja_JP\">\n".to_owned(),
        record(steps, "Watch", "08:00:00", "08:10:00", "count", "4000"),
        record(steps, "Watch", "18:00:00", "18:10:00", "count", "3500"),
        record(steps, "Phone", "08:00:00", "08:10:00", "count", "3900"),
        record("QuantityTypeIdentifierBodyMass", "Scale", "07:00:00", "07:00:00", "lb", "132.3"),
        record("QuantityTypeIdentifierBloodPressureSystolic", "Cuff", "07:00:00", "07:00:00", "mmHg", "128"),
        record("QuantityTypeIdentifierBloodPressureDiastolic", "Cuff", "07:00:00", "07:00:00", "mmHg", "80"),
        record("CategoryTypeIdentifierSleepAnalysis", "Watch", "00:00:00", "06:30:00", "", "HKCategoryValueSleepAnalysisAsleepCore"),
        record("QuantityTypeIdentifierOxygenSaturation", "Watch", "07:00:00", "07:00:00", "%", "0.97"),
        "</HealthData>".to_owned(),
    ]
    .concat();
    let shown = file(&mut taro, &house, "export.xml", &export);
    assert_eq!(save(&mut taro, &house, &shown.body), "new=5&known=0", "{}", shown.body);
    let value = |taro: &mut Visitor, code: &str| {
        held(taro, &format!("Observation?performer=Patient/p1&code={code}"))[0]["valueQuantity"]["value"]
            .to_string()
    };
    assert_eq!(value(&mut taro, "41950-7"), "7500", "the device that has most, not the sum of all");
    assert_eq!(value(&mut taro, "29463-7"), "60.01");
    assert_eq!(value(&mut taro, "93832-4"), "6.5");
    assert_eq!(value(&mut taro, "59408-5"), "97");
    assert_eq!(held(&mut taro, "Observation?code=85354-9").len(), 1);
}
