//! What the specification of SQL on FHIR v2 says, beyond the suite.

#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

use serde_json::{Value, json};
use views::write::{JsonLayout, JsonWriter};
use views::{Decimals, Run, ViewDefinition};

fn text(view: &Value, resources: &[Value]) -> Result<String, views::Error> {
    let view = ViewDefinition::read(view.to_string().as_bytes())?;
    let mut run = Run::new(&view, Decimals::Texts);
    resources.iter().try_for_each(|r| run.push_text(&r.to_string()))?;
    let batch = run.batch()?;
    let mut writer = JsonWriter::new(&view.columns, JsonLayout::Array);
    let mut out = String::new();
    writer.write(&batch, &mut out);
    writer.finish(&mut out);
    Ok(out)
}

fn rows(view: &Value, resources: &[Value]) -> Value {
    serde_json::from_str(&text(view, resources).unwrap()).unwrap()
}

/// A view of one column.
fn one(resource: &str, path: &str, fhir_type: &str) -> Value {
    json!({"resource": resource, "select": [{"column": [{"name": "v", "path": path, "type": fhir_type}]}]})
}

fn value(resource: &Value, path: &str, fhir_type: &str) -> Value {
    let view = one(resource["resourceType"].as_str().unwrap(), path, fhir_type);
    rows(&view, std::slice::from_ref(resource))[0]["v"].clone()
}

/// Where a view is refused, and why.
fn refused(view: &Value) -> (String, String) {
    let error = ViewDefinition::read(view.to_string().as_bytes()).unwrap_err();
    (error.place, error.message)
}

#[track_caller]
fn assert_refused(view: &Value, place: &str, message: &str) {
    let (found_place, found) = refused(view);
    assert_eq!(found_place, place, "{found}");
    assert!(found.contains(message), "{found}");
}

fn observation(name: &str, value: Value) -> Value {
    json!({"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "c"}, name: value})
}

#[test]
fn boundaries_are_as_wide_as_a_value_is_imprecise() {
    let decimal: Value = serde_json::from_str(r#"{"value":1.0}"#).unwrap();
    let quantity = observation("valueQuantity", decimal);
    assert_eq!(
        value(&quantity, "value.ofType(Quantity).value.lowBoundary()", "decimal").as_f64(),
        Some(0.95)
    );
    assert_eq!(
        value(&quantity, "value.ofType(Quantity).value.highBoundary()", "decimal").as_f64(),
        Some(1.05)
    );
    let date_time = observation("valueDateTime", json!("2010-10-10"));
    for (function, expected) in
        [("lowBoundary", "2010-10-10T00:00:00.000+14:00"), ("highBoundary", "2010-10-10T23:59:59.999-12:00")]
    {
        let path = format!("value.ofType(dateTime).{function}()");
        assert_eq!(value(&date_time, &path, "dateTime"), expected);
    }
    let zoned = observation("valueDateTime", json!("2010-10-10T08:05:09+09:00"));
    assert_eq!(
        value(&zoned, "value.ofType(dateTime).highBoundary()", "dateTime"),
        "2010-10-10T08:05:09.999+09:00"
    );
    let patient = json!({"resourceType": "Patient", "id": "p", "birthDate": "1970-06"});
    assert_eq!(value(&patient, "birthDate.lowBoundary()", "date"), "1970-06-01");
    assert_eq!(value(&patient, "birthDate.highBoundary()", "date"), "1970-06-30");
    let time = observation("valueTime", json!("12:34:00"));
    assert_eq!(value(&time, "value.ofType(time).highBoundary(9)", "time"), "12:34:00.999");
    for (path, expected) in [
        ("1.587.lowBoundary(6)", Some("1.586500")),
        ("1.587.lowBoundary(-1)", None),
        ("1.587.lowBoundary(32)", None),
        ("(-1.587).lowBoundary()", Some("-1.58750000")),
        ("(-1.587).lowBoundary(0)", Some("-2")),
        ("1.toDecimal().lowBoundary()", Some("0.50000000")),
        ("12.587.lowBoundary(2)", Some("12.58")),
        ("1.587.highBoundary(2)", Some("1.59")),
        ("(-1.587).highBoundary(2)", Some("-1.58")),
        ("@2014-01-01T08:05+08:00.lowBoundary(17)", Some("2014-01-01T08:05:00.000+08:00")),
        ("@2014-01-01T08.lowBoundary(8)", Some("2014-01-01")),
        ("@2014-01-01T08.highBoundary(17)", Some("2014-01-01T08:59:59.999-12:00")),
        ("@2014.highBoundary(6)", Some("2014-12")),
        ("@T10:30.lowBoundary(9)", Some("10:30:00.000")),
        ("@T10:30.highBoundary(9)", Some("10:30:59.999")),
    ] {
        assert_eq!(value(&patient, path, "string"), json!(expected), "{path}");
    }
}

#[test]
fn extensions_are_found_by_their_address() {
    let patient = json!({"resourceType": "Patient", "id": "p",
        "_birthDate": {"extension": [{"url": "http://e.example/t", "valueDateTime": "1970-01-01T10:00:00Z"}]},
        "name": [{"given": ["a", null, "c"], "_given": [null, {"extension": [{"url": "u", "valueCode": "x"}]}, null]}],
        "extension": [
            {"url": "http://e.example/sex", "valueCode": "F"},
            {"url": "http://e.example/race", "extension": [
                {"url": "omb", "valueCoding": {"code": "2106-3"}}, {"url": "text", "valueString": "w"}]}]});
    let sex = "extension('http://e.example/sex').value.ofType(code).first()";
    assert_eq!(value(&patient, sex, "code"), "F");
    let race = "extension('http://e.example/race').extension('omb').value.ofType(Coding).code.first()";
    assert_eq!(value(&patient, race, "code"), "2106-3");
    let time = "birthDate.extension('http://e.example/t').value.ofType(dateTime)";
    assert_eq!(value(&patient, time, "dateTime"), "1970-01-01T10:00:00Z");
    assert_eq!(value(&patient, "birthDate", "date"), Value::Null);
    assert_eq!(value(&patient, "name.given[1].extension('u').value.ofType(code)", "code"), "x");
    assert_eq!(value(&patient, "name.given[2]", "string"), "c");
}

#[test]
fn row_index_counts_what_a_select_goes_through() {
    let patient = json!({"resourceType": "Patient", "id": "p", "name": [
        {"family": "a", "given": ["x", "y"]}, {"family": "b", "given": ["z"]}]});
    let column = |name: &str, path: &str| json!({"name": name, "path": path, "type": "integer"});
    let family = json!({"name": "f", "path": "family", "type": "string"});
    let top = json!({"resource": "Patient", "select": [{"column": [column("i", "%rowIndex")]}]});
    assert_eq!(rows(&top, std::slice::from_ref(&patient)), json!([{"i": 0}]));
    let nested = json!({"resource": "Patient", "select": [{"forEach": "name", "column": [column("i", "%rowIndex"), family],
        "select": [{"forEach": "given", "column": [column("j", "%rowIndex"), column("k", "%rowIndex + 1")]}]}]});
    assert_eq!(
        rows(&nested, std::slice::from_ref(&patient)),
        json!([{"i": 0, "f": "a", "j": 0, "k": 1}, {"i": 0, "f": "a", "j": 1, "k": 2}, {"i": 1, "f": "b", "j": 0, "k": 1}])
    );
    let or_null = json!({"resource": "Patient", "select": [
        {"forEachOrNull": "contact", "column": [column("i", "%rowIndex")]}]});
    assert_eq!(rows(&or_null, &[patient]), json!([{"i": 0}]));
    let response = json!({"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed", "item": [
        {"linkId": "1", "item": [{"linkId": "1.1"}]}, {"linkId": "2"}]});
    let repeat = json!({"resource": "QuestionnaireResponse", "select": [{"repeat": ["item"], "column": [
        {"name": "l", "path": "linkId", "type": "string"}, column("i", "%rowIndex")]}]});
    assert_eq!(
        rows(&repeat, &[response]),
        json!([{"l": "1", "i": 0}, {"l": "1.1", "i": 1}, {"l": "2", "i": 2}])
    );
}

#[test]
fn constants_have_any_primitive_type() {
    let cases = [
        (
            json!({"resourceType": "Device", "id": "d", "udiCarrier": [{"carrierAIDC": "aGVsbG8="}]}),
            "udiCarrier.first().carrierAIDC = %c",
            "valueBase64Binary",
            json!("aGVsbG8="),
        ),
        (
            json!({"resourceType": "Patient", "id": "p", "gender": "female"}),
            "gender = %c",
            "valueCode",
            json!("female"),
        ),
        (
            json!({"resourceType": "Patient", "id": "p", "birthDate": "1978-03-12"}),
            "birthDate = %c",
            "valueDate",
            json!("1978-03-12"),
        ),
        (
            json!({"resourceType": "DetectedIssue", "id": "i", "status": "final", "identifiedDateTime": "2016-11-12"}),
            "identified.ofType(dateTime) = %c",
            "valueDateTime",
            json!("2016-11-12"),
        ),
        (
            observation("valueQuantity", json!({"value": 1.2})),
            "value.ofType(Quantity).value < %c",
            "valueDecimal",
            json!(1.3),
        ),
        (json!({"resourceType": "Patient", "id": "p"}), "id = %c", "valueId", json!("p")),
        (
            observation("effectiveInstant", json!("2015-02-07T13:28:17.239+02:00")),
            "effective.ofType(instant) = %c",
            "valueInstant",
            json!("2015-02-07T13:28:17.239+02:00"),
        ),
        (observation("valueInteger", json!(7)), "value.ofType(integer) = %c", "valueInteger", json!(7)),
        (observation("valueInteger", json!(7)), "value.ofType(integer) = %c", "valuePositiveInt", json!(7)),
        (observation("valueInteger", json!(7)), "value.ofType(integer) = %c", "valueUnsignedInt", json!(7)),
        (observation("valueInteger", json!(7)), "value.ofType(integer) = %c", "valueInteger64", json!("7")),
        (
            observation("valueTime", json!("18:12:00")),
            "value.ofType(time) = %c",
            "valueTime",
            json!("18:12:00"),
        ),
        (observation("valueBoolean", json!(true)), "value.ofType(boolean) = %c", "valueBoolean", json!(true)),
        (
            json!({"resourceType": "Measure", "id": "m", "status": "draft", "url": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}),
            "url = %c",
            "valueUuid",
            json!("urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"),
        ),
        (
            json!({"resourceType": "Measure", "id": "m", "status": "draft", "url": "urn:oid:1.2.3"}),
            "url = %c",
            "valueOid",
            json!("urn:oid:1.2.3"),
        ),
        (
            json!({"resourceType": "Measure", "id": "m", "status": "draft", "url": "http://e.example/m"}),
            "url = %c",
            "valueUrl",
            json!("http://e.example/m"),
        ),
        (
            json!({"resourceType": "Measure", "id": "m", "status": "draft", "url": "http://e.example/m"}),
            "url = %c",
            "valueUri",
            json!("http://e.example/m"),
        ),
        (
            json!({"resourceType": "Measure", "id": "m", "status": "draft", "url": "http://e.example/m"}),
            "url = %c",
            "valueCanonical",
            json!("http://e.example/m"),
        ),
    ];
    for (resource, path, name, constant) in cases {
        let mut view = one(resource["resourceType"].as_str().unwrap(), path, "boolean");
        view["constant"] = json!([{"name": "c", name: constant}]);
        assert_eq!(rows(&view, std::slice::from_ref(&resource)), json!([{"v": true}]), "{name}");
        view["where"] = json!([{"path": format!("({path}).not()")}]);
        assert_eq!(rows(&view, &[resource]), json!([]), "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_view_is_said_with_its_place() {
    let column = |name: &str, path: &str| json!({"name": name, "path": path});
    let view = |select: Value| json!({"resource": "Patient", "select": select});
    assert_refused(
        &json!({"resource": "Patiant", "select": [{"column": [column("a", "id")]}]}),
        "resource",
        "no resource type 'Patiant' (did you mean Patient?)",
    );
    assert_refused(&json!({"resource": "Patient"}), "select", "is missing");
    assert_refused(&json!({"select": [{"column": [column("a", "id")]}]}), "resource", "is missing");
    assert_refused(
        &view(json!([{"column": [column("a", "id")]}, {"column": [column("b", "name.gvien")]}])),
        "select[1].column[0].path",
        "HumanName has no element 'gvien' (did you mean given?)",
    );
    assert_refused(
        &view(json!([{"column": [column("a", "id"), column("a", "gender")]}])),
        "select[0].column[1].name",
        "a column called a already (select[0].column[0])",
    );
    assert_refused(
        &view(json!([{"column": [column("a-b", "id")]}])),
        "select[0].column[0].name",
        "'a-b' is not a name",
    );
    assert_refused(
        &view(json!([{"column": [column("1a", "id")]}])),
        "select[0].column[0].name",
        "is not a name",
    );
    assert_refused(&view(json!([{"column": [{"name": "a"}]}])), "select[0].column[0].path", "is missing");
    assert_refused(
        &view(json!([{"column": [{"name": "a", "path": "id", "type": "strng"}]}])),
        "select[0].column[0].type",
        "did you mean string",
    );
    assert_refused(
        &view(json!([{"column": [{"name": "a", "path": "birthDate", "type": "boolean"}]}])),
        "select[0].column[0].type",
        "declares boolean, but 'birthDate' is a date",
    );
    assert_refused(
        &view(json!([{"forEach": "name", "forEachOrNull": "name", "column": [column("a", "family")]}])),
        "select[0]",
        "forEach and forEachOrNull",
    );
    assert_refused(
        &view(json!([{"foreach": "name", "column": [column("a", "id")]}])),
        "select[0].foreach",
        "did you mean forEach",
    );
    assert_refused(
        &view(json!([{"forEach": "nam", "column": [column("a", "id")]}])),
        "select[0].forEach",
        "no element 'nam'",
    );
    assert_refused(&view(json!([{}])), "select[0]", "neither column, select nor unionAll");
    assert_refused(
        &view(json!([{"repeat": [], "column": [column("a", "id")]}])),
        "select[0].repeat",
        "at least one path",
    );
    let branches = |second: Value| {
        view(
            json!([{"unionAll": [{"column": [column("a", "id"), column("b", "gender")]}, {"column": second}]}]),
        )
    };
    assert_refused(&branches(json!([column("a", "id"), column("c", "id")])), "select[0].unionAll[1]", "a, c");
    assert_refused(
        &branches(json!([column("b", "id"), column("a", "id")])),
        "select[0].unionAll[1]",
        "same order",
    );
    assert_refused(
        &branches(json!([column("a", "id"), column("b", "active")])),
        "select[0].unionAll[1].column[1]",
        "column b is boolean here and code in select[0].unionAll[0].column[1]",
    );
    let with = |constant: Value| json!({"resource": "Patient", "constant": constant, "select": [{"column": [column("a", "%c")]}]});
    assert_refused(
        &with(json!([{"name": "c", "valueDate": "1.2"}])),
        "constant[0].valueDate",
        "'1.2' is not a date",
    );
    assert_refused(
        &with(json!([{"name": "c", "valueCode": "a", "valueString": "b"}])),
        "constant[0]",
        "several values",
    );
    assert_refused(
        &with(json!([{"name": "context", "valueCode": "a"}])),
        "constant[0].name",
        "has a meaning already",
    );
    assert_refused(
        &with(json!([{"name": "cc", "valueCode": "a"}])),
        "select[0].column[0].path",
        "%c is not defined (did you mean %cc?)",
    );
    let filtered = |path: &str| json!({"resource": "Patient", "where": [{"path": path}], "select": [{"column": [column("a", "id")]}]});
    assert_refused(&filtered("birthDate"), "where[0].path", "'birthDate' is a date, not a boolean");
    assert_refused(&filtered("name.where(family ="), "where[0].path", "expected a value");
    let mut deep = json!({"column": [column("a", "id")]});
    for _ in 0..20 {
        deep = json!({"select": [deep]});
    }
    assert!(refused(&view(json!([deep]))).1.contains("nested more than 16 deep"));
    let many: Vec<_> = (0..1001).map(|n| column(&format!("c{n}"), "id")).collect();
    assert_refused(&view(json!([{"column": many}])), "select[0]", "more than 1000 columns");
}

#[test]
fn what_a_resource_has_too_much_of_is_said_with_column_and_resource() {
    let patient = json!({"resourceType": "Patient", "id": "p7", "name": [{"family": "a"}, {"family": "b"}]});
    let error = text(&one("Patient", "name.family", "string"), &[patient]).unwrap_err().to_string();
    assert_eq!(
        error,
        "select[0].column[0].path: 'name.family' has several values; take one (first()), make a row of each (forEach), \
         or set collection to true (in Patient/p7)"
    );
    let large = observation("valueQuantity", json!({"value": 1.5}));
    let error = text(&one("Observation", "value.ofType(Quantity).value", "integer"), &[large])
        .unwrap_err()
        .to_string();
    assert!(error.contains("holds an integer of 32 bits, found 1.5 (in Observation/o)"), "{error}");
    let names: Vec<_> = (0..300).map(|n| json!({"family": n.to_string()})).collect();
    let crowd = json!({"resourceType": "Patient", "id": "c", "name": names});
    let each = |name: &str| json!({"forEach": "name", "column": [{"name": name, "path": "family"}]});
    let product = json!({"resource": "Patient", "select": [each("a"), each("b"), each("c")]});
    let error = text(&product, &[crowd]).unwrap_err().to_string();
    assert!(error.contains("more than 1000000 rows"), "{error}");
    let endless = json!({"resource": "Patient", "select": [{"repeat": ["$this"], "column": [{"name": "a", "path": "1"}]}]});
    let error = text(&endless, &[json!({"resourceType": "Patient", "id": "p"})]).unwrap_err().to_string();
    assert!(error.contains("must come to an end"), "{error}");
}

#[test]
fn decimals_keep_their_digits_in_json_and_round_only_past_twelve_in_columns() {
    let resource = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"c"},
        "valueQuantity":{"value":7.10,"unit":"a\"b\\\u00e9"},"component":[
            {"code":{"text":"d"},"valueQuantity":{"value":0.1234567890125}},
            {"code":{"text":"d"},"valueQuantity":{"value":1E2}}]}"#;
    let view = json!({"resource": "Observation", "select": [{"column": [
        {"name": "v", "path": "value.ofType(Quantity).value"},
        {"name": "u", "path": "value.ofType(Quantity).unit"},
        {"name": "c", "path": "component.value.ofType(Quantity).value", "collection": true},
        {"name": "q", "path": "value.ofType(Quantity)", "type": "Quantity"}]}]});
    let view = ViewDefinition::read(view.to_string().as_bytes()).unwrap();
    let mut run = Run::new(&view, Decimals::Texts);
    run.push_text(resource).unwrap();
    let mut out = String::new();
    JsonWriter::new(&view.columns, JsonLayout::Lines).write(&run.batch().unwrap(), &mut out);
    assert_eq!(
        out,
        "{\"v\":7.10,\"u\":\"a\\\"b\\\\é\",\"c\":[0.1234567890125,1E2],\"q\":{\"value\":7.10,\"unit\":\"a\\\"b\\\\\\u00e9\"}}\n"
    );
    let mut run = Run::new(&view, Decimals::Numbers);
    run.push_text(resource).unwrap();
    let batch = run.batch().unwrap();
    let mut numbers = String::new();
    JsonWriter::new(&view.columns, JsonLayout::Lines).write(&batch, &mut numbers);
    assert!(numbers.starts_with("{\"v\":7.100000000000,"), "{numbers}");
    assert!(numbers.contains("[0.123456789012,100.000000000000]"), "{numbers}");
}

#[test]
fn a_union_within_a_union_and_nothing_to_go_through_still_give_whole_rows() {
    let patients = [
        json!({"resourceType": "Patient", "id": "a", "telecom": [{"value": "t1"}, {"value": "t2"}], "contact": [{"telecom": [{"value": "t3"}]}]}),
        json!({"resourceType": "Patient", "id": "b"}),
    ];
    let value = json!([{"name": "tel", "path": "value", "type": "string"}]);
    let view = json!({"resource": "Patient", "select": [
        {"column": [{"name": "id", "path": "id", "type": "id"}]},
        {"unionAll": [
            {"forEach": "telecom", "column": value},
            {"unionAll": [{"forEachOrNull": "contact.telecom", "column": value}, {"column": [{"name": "tel", "path": "'x'", "type": "string"}]}]}]}]});
    assert_eq!(
        rows(&view, &patients),
        json!([{"id": "a", "tel": "t1"}, {"id": "a", "tel": "t2"}, {"id": "a", "tel": "t3"}, {"id": "a", "tel": "x"},
            {"id": "b", "tel": null}, {"id": "b", "tel": "x"}])
    );
}

#[test]
fn keys_join_and_what_is_elsewhere_joins_nothing() {
    let reference = |text: &str| json!({"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "c"}, "subject": {"reference": text}});
    let key = |text: &str, path: &str| value(&reference(text), path, "string");
    assert_eq!(key("Patient/1", "subject.getReferenceKey()"), "Patient/1");
    assert_eq!(key("Patient/1/_history/3", "subject.getReferenceKey(Patient)"), "Patient/1");
    assert_eq!(key("Patient/1", "subject.getReferenceKey(Group)"), Value::Null);
    assert_eq!(key("#p", "subject.getReferenceKey()"), Value::Null);
    assert_eq!(
        key("http://a.example/fhir/Patient/1", "subject.getReferenceKey(Patient)"),
        "http://a.example/fhir/Patient/1"
    );
    assert_eq!(key("Patient/1", "getResourceKey()"), "Observation/o");
}

/// Paths that walk give what the evaluator gives.
#[test]
fn fast_paths_say_what_the_evaluator_says() {
    let patient = json!({"resourceType": "Patient", "id": "p", "active": false, "multipleBirthInteger": 2,
        "birthDate": "1970", "name": [
            {"use": "official", "family": "F", "given": ["a", "b"], "period": {"start": "2001-02"}},
            {"use": "usual", "given": ["c"]}, {"family": "F"}]});
    let parsed = fhir::json::parse(patient.to_string().as_bytes(), &fhir::Limits::default()).unwrap();
    let paths = [
        "id",
        "name.given",
        "name.given.first()",
        "name.first().given[1]",
        "name[2].given",
        "Patient.name.family",
        "name.where(use = 'official').given",
        "name.where('usual' = use).given.first()",
        "name.where(given = 'c').use",
        "name.where(given.exists()).family",
        "name.where(given.empty()).family",
        "name.where(use = 'x' or family = 'F').given",
        "name.where(use = 'official' and family = 'F').given",
        "name.where(family = 'F').use",
        "name.where(period.start = @2001).use",
        "name.where((use = 'usual').not()).family",
        "name.exists(use = 'usual')",
        "name.exists()",
        "contact.empty()",
        "active",
        "active = false",
        "active.not()",
        "birthDate = @1970-01-01",
        "birthDate = '1970'",
        "multipleBirth.ofType(integer)",
        "multipleBirth as integer",
        "multipleBirth.ofType(integer) = 2",
        "multipleBirth = 2.0",
        "name.use = 'official'",
        "name.where(active)",
        "contact.name.family = 'x' or active",
        "active or contact.name.family = 'x'",
    ];
    for path in paths {
        let expression = fhirpath::Expression::parse(path).unwrap();
        let expected = expression.evaluate(&fhirpath::Context::new(parsed.root())).unwrap();
        let mut found = Vec::new();
        if let Some(walk) = expression.walk() {
            walk.each(parsed.root(), &mut |node| {
                found.push(fhirpath::Item::Node(node));
                true
            })
            .unwrap();
        } else {
            let condition = expression.condition().unwrap_or_else(|| unreachable!("{path} is not fast"));
            let holds = condition.holds(parsed.root()).unwrap();
            found.extend(holds.map(|b| fhirpath::Item::Value(fhirpath::Value::Boolean(b))));
        }
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{path}");
    }
}
