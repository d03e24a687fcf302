//! The OpenAPI description says what there is.

use serde_json::Value;

use crate::hub::Hub;

#[test]
fn every_address_of_the_description_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    for body in [
        r#"{"resourceType":"Patient","id":"x"}"#,
        r#"{"resourceType":"Encounter","id":"x","status":"planned","class":{"code":"AMB"}}"#,
        r#"{"resourceType":"Group","id":"x","type":"person","actual":true}"#,
        r#"{"resourceType":"Subscription","id":"x","status":"requested","reason":"x","criteria":"Patient?active=true","channel":{"type":"websocket"}}"#,
    ] {
        let resource_type: Value = serde_json::from_str(body).unwrap();
        let address = format!("{}/x", resource_type["resourceType"].as_str().unwrap());
        assert_eq!(hub.send("PUT", &address, &[], body).status, 201);
    }
    let answer = hub.send("GET", "//openapi.json", &[], "");
    let tag = answer.header("etag").unwrap().to_owned();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert!(answer.body.len() < 700_000, "{} bytes", answer.body.len());
    assert_eq!(hub.send("GET", "//openapi.json", &[("if-none-match", &tag)], "").status, 304);
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        // A job has to be begun first; `bulk` asks for those.
        if item["get"].is_null() || path.contains("_jobs") {
            continue;
        }
        let address = path
            .replace("{type}", "Patient")
            .replace("{compartment}", "Patient")
            .replace("{id}", "x")
            .replace("{version}", "1");
        let headers: &[(&str, &str)] =
            if path.contains("$export") { &[("prefer", "respond-async")] } else { &[] };
        // What has to be asked about something.
        let about = match path.as_str() {
            "/fhir/Observation/$lastn" => "?patient=Patient/x",
            "/fhir/Observation/$stats" => "?subject=Patient/x&code=urn:x|1&statistic=count",
            "/fhir/Subscription/$get-ws-binding-token" => "?id=x",
            _ => "",
        };
        let got = hub.send("GET", &format!("/{address}{about}"), headers, "");
        assert!(matches!(got.status, 200 | 202), "{path}: {} {}", got.status, got.body);
        // And every parameter of it is understood: what is wrong with a value is no unknown name.
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let is_shared = parameter["$ref"].is_string();
            if is_shared
                && !matches!(
                    path.as_str(),
                    "/fhir/Patient" | "/fhir" | "/fhir/{type}/{id}" | "/fhir/_history"
                )
            {
                continue;
            }
            let parameter = match parameter["$ref"].as_str() {
                Some(shared) => document.pointer(shared.trim_start_matches('#')).unwrap(),
                None => parameter,
            };
            if parameter["in"] == "query" && (asked % 7 == 0 || is_shared) {
                let name = parameter["name"].as_str().unwrap();
                let got = hub.send("GET", &format!("/{address}?{name}=1"), &[], "");
                let unknown = [
                    "no such parameter".to_owned(),
                    "takes _asOf, _summary".to_owned(),
                    format!("no search parameter '{name}'"),
                ];
                let is_unknown = unknown.iter().any(|words| got.body.contains(words.as_str()));
                assert!(got.status != 404 && !is_unknown, "{path}?{name}: {} {}", got.status, got.body);
            }
            asked += 1;
        }
    }
    assert!(asked > 1000, "{asked}");
    let (_, statement) = hub.get("metadata");
    assert!(statement["rest"][0]["documentation"].as_str().unwrap().contains("/openapi.json"));
}
