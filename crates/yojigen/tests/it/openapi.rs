//! The OpenAPI description says what there is.

use serde_json::{Value, json};

use crate::auth::visitor::written;
use crate::auth::{CALLBACK, House};
use crate::hub::{Answer, Hub};

#[test]
fn every_address_of_the_description_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    for body in [
        r#"{"resourceType":"Patient","id":"x"}"#,
        r#"{"resourceType":"Encounter","id":"x","status":"planned","class":{"code":"AMB"}}"#,
        r#"{"resourceType":"Group","id":"x","type":"person","actual":true}"#,
        // {"resource":"Patient","select":[{"column":[{"name":"id","path":"id"}]}]}
        r#"{"resourceType":"Library","id":"x","status":"active","type":{"text":"view"},"content":[{"contentType":"application/json","data":"eyJyZXNvdXJjZSI6IlBhdGllbnQiLCJzZWxlY3QiOlt7ImNvbHVtbiI6W3sibmFtZSI6ImlkIiwicGF0aCI6ImlkIn1dfV19"}]}"#,
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
            .replace("Measure/{id}/$evaluate", "Measure/rmi-bp-control/$evaluate")
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
            "/fhir/Measure/$evaluate-measure" => "?measure=rmi-bp-control&periodStart=2025&periodEnd=2025",
            "/fhir/Measure/$care-gaps" => "?subject=Patient/x&periodStart=2025&periodEnd=2025",
            "/fhir/Measure/{id}/$evaluate-measure" => "?periodStart=2025&periodEnd=2025",
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

/// What an answer must be by the description: its status is told of, and its body has that form.
fn check(document: &Value, method: &str, path: &str, answer: &Answer) {
    let door = &document["paths"][path][method.to_ascii_lowercase()];
    let told = &door["responses"][answer.status.to_string()];
    assert!(told.is_object(), "{method} {path}: {} is not told of: {}", answer.status, answer.body);
    let Some(content) = told["content"].as_object() else { return };
    let media_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap();
    let schema = content.get(media_type).unwrap_or_else(|| panic!("{method} {path}: {media_type}"));
    let mut schemas = vec![&schema["schema"]];
    let body = answer.json();
    while let Some(schema) = schemas.pop() {
        if let Some(name) = schema["$ref"].as_str() {
            let whole = document.pointer(name.trim_start_matches('#')).unwrap();
            for name in whole["required"].as_array().unwrap() {
                assert!(
                    body.get(name.as_str().unwrap()).is_some(),
                    "{method} {path}: {name} is missing: {body}"
                );
            }
            let is_told =
                |name: &String| whole["properties"].get(name).is_some() || name.contains("_supported");
            let beside: Vec<_> = body.as_object().unwrap().keys().filter(|name| !is_told(name)).collect();
            assert!(beside.is_empty(), "{method} {path}: {beside:?}");
        }
        schemas.extend(schema["allOf"].as_array().into_iter().flatten());
        if let Some(codes) = schema["properties"]["error"]["enum"].as_array() {
            assert!(codes.contains(&body["error"]), "{method} {path}: {} among {codes:?}", body["error"]);
        }
    }
}

#[test]
fn the_authorisation_server_is_described_as_it_is() {
    let house = House::open(&["--allow-registration"]);
    let document = house.hub.send("GET", "//openapi.json", &[], "").json();
    let mut anyone = house.visitor();
    // All that the hub says of itself is described, and all that is described is there.
    let said = anyone.get("/.well-known/smart-configuration").json();
    for (name, address) in said.as_object().unwrap() {
        if (name.ends_with("_endpoint") && name != "management_endpoint") || name == "jwks_uri" {
            let path = address.as_str().unwrap().strip_prefix(house.root()).unwrap();
            assert!(document["paths"].get(path).is_some(), "{name}");
        }
    }
    assert_eq!(document["security"], json!([{"smart": []}, {"session": []}]));
    // What goes well.
    let mut taro = house.signed_in("taro");
    let scope = "openid fhirUser profile launch/patient patient/*.rs offline_access";
    let place = format!("/auth/authorize?{}", written(&house.request("diary", scope)));
    check(&document, "GET", "/auth/authorize", &taro.get(&place));
    check(
        &document,
        "POST",
        "/auth/authorize",
        &taro.form("/auth/authorize", &house.request("diary", scope)),
    );
    let tokens = house.exchange("diary", &house.code(&mut taro, "diary", scope));
    check(&document, "POST", "/auth/token", &tokens);
    let tokens = tokens.json();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    for method in ["GET", "POST"] {
        let about = anyone.send(method, "/auth/userinfo", &[("authorization", &bearer)], "");
        assert_eq!(about.status, 200);
        check(&document, method, "/auth/userinfo", &about);
    }
    let secret = house.server("srv", CALLBACK, "patient/*.rs");
    let other = house.exchange("diary", "none");
    check(&document, "POST", "/auth/token", &other);
    for token in [tokens["access_token"].as_str().unwrap(), "none"] {
        let pairs = [("token", token), ("client_id", "srv"), ("client_secret", &secret)];
        check(&document, "POST", "/auth/introspect", &anyone.form("/auth/introspect", &pairs));
        check(&document, "POST", "/auth/revoke", &anyone.form("/auth/revoke", &pairs));
    }
    let launch = taro.send(
        "POST",
        "/auth/launch",
        &[("content-type", "application/json"), ("origin", house.root())],
        r#"{"patient":"p1"}"#,
    );
    assert_eq!(launch.status, 200, "{}", launch.body);
    check(&document, "POST", "/auth/launch", &launch);
    let about = json!({"client_name": "App", "redirect_uris": [CALLBACK], "scope": "patient/*.rs"});
    let headers = [("content-type", "application/json")];
    let registered = anyone.send("POST", "/auth/register", &headers, &about.to_string());
    assert_eq!(registered.status, 201, "{}", registered.body);
    check(&document, "POST", "/auth/register", &registered);
    // What does not. Last, since guesses make whoever guesses wait.
    let (mut asked, mut open) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, door) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            if door["security"] == json!([]) && path.starts_with("/fhir") {
                open.push(path.as_str());
            }
            if !door["tags"].as_array().unwrap().contains(&json!("authorisation")) {
                continue;
            }
            let method = method.to_uppercase();
            for headers in [
                &[("content-type", "application/x-www-form-urlencoded")][..],
                &[("content-type", "application/json")],
                &[("content-type", "application/x-www-form-urlencoded"), ("authorization", "Bearer x")],
                &[("content-type", "application/x-www-form-urlencoded"), ("authorization", "Basic eDp5")],
            ] {
                for body in [
                    "",
                    "{}",
                    "x=1&x=1",
                    "client_id=diary",
                    "client_id=portal&client_secret=x&token=x",
                    "grant_type=x",
                ] {
                    let body = if method == "GET" { "" } else { body };
                    check(&document, &method, path, &anyone.send(&method, path, headers, body));
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 200, "{asked}");
    assert_eq!(open, ["/fhir/metadata", "/fhir/.well-known/smart-configuration"], "the rest takes a token");
    // A hub where nobody signs in has none of it.
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let document = hub.send("GET", "//openapi.json", &[], "").json();
    assert!(document["paths"].as_object().unwrap().keys().all(|path| !path.contains("/auth/")));
    assert_eq!(document["security"], json!([]));
}
