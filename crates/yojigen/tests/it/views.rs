//! Views of SQL on FHIR over a hub's record: forms, errors, time, and who sees which rows.

use std::path::Path;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::access::Town;
use crate::hub::{Answer, Hub, run, run_well};

const RUN: &str = "$viewdefinition-run";

fn column(name: &str, path: &str) -> Value {
    json!({"name": name, "path": path})
}

/// Ids and family names of Patients.
fn names() -> Value {
    json!({"resourceType": "ViewDefinition", "name": "Names", "status": "active", "resource": "Patient", "select": [
        {"column": [column("id", "id"), column("key", "getResourceKey()")]},
        {"forEachOrNull": "name", "column": [column("family", "family"), {"name": "given", "path": "given", "collection": true}]}]})
}

fn put(hub: &Hub, resource: &Value) {
    let address =
        format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let answer = hub.send("PUT", &address, &[], &resource.to_string());
    assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
}

fn patient(id: &str, family: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "name": [{"family": family, "given": ["a", "b"]}]})
}

fn observation(id: &str, patient: &str, value: &str) -> Value {
    let value: Value = serde_json::from_str(value).unwrap();
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "x"},
        "subject": {"reference": format!("Patient/{patient}")}, "valueQuantity": {"value": value}})
}

fn parameters(members: &[Value]) -> String {
    json!({"resourceType": "Parameters", "parameter": members}).to_string()
}

fn view(view: &Value) -> Value {
    json!({"name": "viewResource", "resource": view})
}

#[track_caller]
fn rows(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json().as_array().unwrap_or_else(|| panic!("{}", answer.body)).clone()
}

#[test]
fn rows_come_in_every_form_and_as_of_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::serve(&data);
    put(&hub, &patient("p1", "Yamada, \"Y\""));
    put(&hub, &json!({"resourceType": "Patient", "id": "p2"}));
    put(&hub, &observation("o1", "p1", "7.10"));
    let before = hub.get("Patient/p1").1["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let first = hub.get("Observation/o1").1["meta"]["lastUpdated"].as_str().unwrap().to_owned();

    // The view itself, or within Parameters; JSON where nothing else is asked for.
    let whole = hub.send("POST", RUN, &[], &names().to_string());
    let expected = json!([
        {"id": "p1", "key": "Patient/p1", "family": "Yamada, \"Y\"", "given": ["a", "b"]},
        {"id": "p2", "key": "Patient/p2", "family": null, "given": []}]);
    assert_eq!(
        (Value::from(rows(&whole)), whole.header("content-type")),
        (expected.clone(), Some("application/json"))
    );
    for address in [RUN, "ViewDefinition/$viewdefinition-run", "ViewDefinition/$run"] {
        let answer = hub.send("POST", address, &[], &parameters(&[view(&names())]));
        assert_eq!(Value::from(rows(&answer)), expected, "{address}");
    }

    // By parameter, by address, by header.
    let as_csv = parameters(&[view(&names()), json!({"name": "_format", "valueCode": "csv"})]);
    let csv = hub.send("POST", RUN, &[], &as_csv);
    assert_eq!(csv.header("content-type"), Some("text/csv;charset=utf-8"));
    assert_eq!(
        csv.body,
        "id,key,family,given\r\np1,Patient/p1,\"Yamada, \"\"Y\"\"\",\"[\"\"a\"\",\"\"b\"\"]\"\r\np2,Patient/p2,,[]\r\n"
    );
    let bare =
        hub.send("POST", &format!("{RUN}?_format=csv&header=false&_limit=1"), &[], &names().to_string());
    assert_eq!(bare.body.lines().count(), 1, "{}", bare.body);
    let ndjson = hub.send("POST", RUN, &[("accept", "application/x-ndjson")], &names().to_string());
    assert_eq!(
        (ndjson.body.lines().count(), ndjson.header("content-type")),
        (2, Some("application/x-ndjson"))
    );
    let refused = hub.send("POST", RUN, &[("accept", "image/png")], &names().to_string());
    assert_eq!(refused.status, 406, "{}", refused.body);

    // Decimals have their digits; meta is what the hub says.
    let values = json!({"resourceType": "ViewDefinition", "resource": "Observation", "select": [{"column": [
        column("v", "value.ofType(Quantity).value"), column("at", "meta.lastUpdated"), column("p", "subject.getReferenceKey(Patient)")]}]});
    let answer = hub.send("POST", RUN, &[], &values.to_string());
    assert_eq!(answer.body, format!("[{{\"v\":7.10,\"at\":\"{first}\",\"p\":\"Patient/p1\"}}]"));

    // Time.
    put(&hub, &patient("p1", "Sato"));
    put(&hub, &observation("o2", "p2", "8"));
    let family = |query: &str| {
        let answer = hub.send("POST", &format!("{RUN}?{query}"), &[], &names().to_string());
        rows(&answer)[0]["family"].clone()
    };
    assert_eq!(family("_limit=1"), "Sato");
    assert_eq!(family(&format!("_asOf={before}")), "Yamada, \"Y\"");
    let of = |query: &str| rows(&hub.send("POST", &format!("{RUN}?{query}"), &[], &values.to_string())).len();
    assert_eq!((of(""), of("patient=Patient/p2"), of("patient=p1&patient=p2"), of("_limit=0")), (2, 1, 2, 0));
    assert_eq!((of(&format!("_since={first}")), of("patient=nobody")), (1, 0));
    put(
        &hub,
        &json!({"resourceType": "Group", "id": "g", "type": "person", "actual": true, "member": [
        {"entity": {"reference": "Patient/p2"}}, {"entity": {"reference": "Patient/p1"}, "inactive": true}]}),
    );
    assert_eq!(of("group=Group/g"), 1);

    // Resources that come with the call are not of the record.
    let tried = parameters(&[view(&names()), json!({"name": "resource", "resource": patient("x", "X")})]);
    assert_eq!(rows(&hub.send("POST", RUN, &[], &tried))[0]["key"], "Patient/x");

    // A view that is kept, as the content of a Library.
    let content = BASE64.encode(names().to_string().as_bytes());
    put(
        &hub,
        &json!({"resourceType": "Library", "id": "names", "status": "active", "type": {"text": "view"},
        "content": [{"contentType": "application/json", "data": content}]}),
    );
    let kept = hub.send("GET", &format!("Library/names/{RUN}?_limit=1"), &[], "");
    assert_eq!(rows(&kept)[0]["family"], "Sato");
    let reference = json!({"name": "viewReference", "valueReference": {"reference": "Library/names"}});
    assert_eq!(rows(&hub.send("POST", RUN, &[], &parameters(&[reference]))).len(), 2);
    let elsewhere = hub.send("POST", &format!("ViewDefinition/names/{RUN}"), &[], "");
    assert!(elsewhere.status == 404 && elsewhere.body.contains("content of a Library"), "{}", elsewhere.body);
}

#[test]
fn what_is_wrong_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    put(&hub, &json!({"resourceType": "Patient", "id": "p", "name": [{"family": "a"}, {"family": "b"}]}));
    put(&hub, &json!({"resourceType": "Library", "id": "empty", "status": "active", "type": {"text": "x"}}));
    let refused = |body: &str, status: u16, place: &str, words: &str| {
        let answer = hub.send("POST", RUN, &[], body);
        let outcome = answer.json();
        let issue = &outcome["issue"][0];
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(issue["diagnostics"].as_str().is_some_and(|d| d.contains(words)), "{}", answer.body);
        if !place.is_empty() {
            assert_eq!(issue["expression"][0], place, "{}", answer.body);
        }
    };
    let of = |columns: Value| json!({"resource": "Patient", "select": [{"column": columns}]});
    let misspelt = of(json!([column("a", "id"), column("b", "name.famly")]));
    refused(
        &misspelt.to_string().replace("\"resource\"", "\"resourceType\":\"ViewDefinition\",\"resource\""),
        422,
        "ViewDefinition.select[0].column[1].path",
        "did you mean family",
    );
    refused(
        &parameters(&[json!({"name": "_limit", "valueInteger": 3}), view(&misspelt)]),
        422,
        "Parameters.parameter[1].ViewDefinition.select[0].column[1].path",
        "did you mean family",
    );
    let several = of(json!([column("a", "name.family")]));
    refused(&parameters(&[view(&several)]), 422, "ViewDefinition.select[0].column[0].path", "several values");
    refused(&parameters(&[view(&several)]), 422, "", "(in Patient/p)");
    refused(&parameters(&[]), 400, "", "which view?");
    refused("{\"resourceType\":\"Patient\"}", 400, "", "a Parameters or a ViewDefinition");
    refused("{", 400, "", "not JSON");
    let with = |name: &str, value: &str| {
        let mut other = json!({"name": name});
        other["valueString"] = json!(value);
        parameters(&[view(&names()), other])
    };
    refused(&with("_format", "xls"), 400, "Parameters.parameter[1]", "json, ndjson, csv, parquet");
    refused(&with("_limit", "-1"), 400, "Parameters.parameter[1]", "not a number of rows");
    refused(
        &with("limit", "1"),
        400,
        "Parameters.parameter[1]",
        "did you mean _limit".trim_start_matches("did you mean "),
    );
    refused(&with("viewReference", "Library/empty"), 400, "", "there is a view already");
    let reference = json!({"name": "viewReference", "valueReference": {"reference": "Library/empty"}});
    refused(&parameters(&[reference]), 422, "", "holds no view");
    let reference = json!({"name": "viewReference", "valueReference": {"reference": "Library/none"}});
    refused(&parameters(&[reference]), 404, "", "there is no Library/none");
    let bad = json!({"name": "resource", "resource": {"resourceType": "Patient", "bitrhDate": "x"}});
    refused(
        &parameters(&[view(&names()), bad]),
        400,
        "Parameters.parameter[1].resource.Patient.bitrhDate",
        "birthDate",
    );
    assert_eq!(hub.send("GET", RUN, &[], "").status, 405);
}

#[test]
fn everyone_sees_the_rows_that_are_theirs() {
    let town = Town::open();
    let ask = |token: &str, view: &Value| {
        town.send("POST", RUN, token, &parameters(&[json!({"name": "viewResource", "resource": view})]))
    };
    let ids = |answer: &Answer| -> Vec<String> {
        let mut ids: Vec<_> = rows(answer).iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let of = |resource: &str| json!({"resource": resource, "select": [{"column": [column("id", "id")]}]});
    let person = town.app("taro", "launch/patient patient/*.rs");
    assert_eq!(ids(&ask(&person, &of("Patient"))), ["p1"]);
    assert_eq!(ids(&ask(&person, &of("Observation"))), ["o1"]);
    // What has not been explained yet is not there, in no outlet.
    assert!(ids(&ask(&person, &of("Condition"))).is_empty());
    let others = town.send("POST", &format!("{RUN}?patient=p2"), &person, &{
        let mut view = of("Observation");
        view["resourceType"] = json!("ViewDefinition");
        view.to_string()
    });
    assert!(ids(&others).is_empty(), "{}", others.body);
    let narrow = town.app("taro", "launch/patient patient/Patient.rs");
    assert_eq!(ask(&narrow, &of("Observation")).status, 403);
    assert_eq!(ids(&ask(&town.loader, &of("Observation"))), ["o1", "o2"]);
    let nobody = town.house.hub.send("POST", RUN, &[], &of("Patient").to_string());
    assert_eq!(nobody.status, 401);
}

#[test]
fn who_ran_a_view_is_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::serve_with(&data, &["--audit", "on"], &[]);
    put(&hub, &patient("p1", "Yamada"));
    put(&hub, &patient("p2", "Sato"));
    let mut filtered = names();
    filtered["where"] = json!([{"path": "id = 'p2'"}]);
    assert_eq!(rows(&hub.send("POST", RUN, &[], &filtered.to_string())).len(), 1);
    assert!(hub.stop());
    let shown = run_well(&["ledger", "show", "--data", text(&data), "-n", "1"]);
    assert!(shown.contains(RUN) && shown.contains("persons=p2") && shown.contains("rows=1"), "{shown}");
    assert!(shown.contains("view=Names&resource=Patient"), "{shown}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_command_line_writes_the_same_rows_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    run_well(&["demo", "--quiet", "--persons", "40", "--seed", "3", "--no-serve", "--data", text(&data)]);
    let file = folder.path().join("view.json");
    let mut view = json!({"resource": "Observation", "name": "Values", "select": [{"column": [
        column("id", "id"), column("patient", "subject.getReferenceKey(Patient)"),
        column("value", "value.ofType(Quantity).value"), column("at", "effective.ofType(dateTime)")]}]});
    std::fs::write(&file, view.to_string()).unwrap();
    let base = ["view", "run", text(&file), "--data", text(&data)];
    let told = run_well(&[&base[..], &["--format", "json"]].concat());
    let all: Vec<Value> = serde_json::from_str(&told).unwrap();
    assert!(all.len() > 100, "{}", all.len());
    let csv = run_well(&base);
    assert!(csv.starts_with("id,patient,value,at\r\n") && csv.lines().count() == all.len() + 1);
    let ndjson = run_well(&[&base[..], &["--format", "ndjson", "--limit", "7"]].concat());
    let lines: Vec<Value> = ndjson.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines, all[..7]);
    let out = folder.path().join("rows.parquet");
    let said = run_well(&[&base[..], &["--format", "parquet", "--out", text(&out)]].concat());
    assert!(said.contains("rows in"), "{said}");
    let bytes = std::fs::read(&out).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    assert!(
        !run(&[&base[..], &["--out", text(&out)]].concat()).status.success(),
        "a file is not written over"
    );
    assert!(run_well(&[&base[..], &["--as-of", "1990-01-01", "--no-header"]].concat()).is_empty());

    // The hub that serves says the same.
    let hub = Hub::serve(&data);
    view["resourceType"] = json!("ViewDefinition");
    assert_eq!(hub.send("POST", RUN, &[], &view.to_string()).body, told);

    let checked = run_well(&["view", "check", text(&file)]);
    assert!(checked.contains("Values of Observation") && checked.contains("value    decimal"), "{checked}");
    view["select"][0]["column"][3]["path"] = json!("efective");
    std::fs::write(&file, view.to_string()).unwrap();
    let wrong = run(&["view", "check", text(&file)]);
    let said = String::from_utf8(wrong.stdout).unwrap();
    assert!(said.contains("select[0].column[3].path") && said.contains("did you mean effective"), "{said}");
    assert_eq!(wrong.status.code(), Some(1));
}
