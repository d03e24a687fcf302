//! Pages of other origins: what a browser may let them read is for registered clients', and never by a person's cookie.

use serde_json::json;

use crate::auth::visitor::Visitor;
use crate::auth::{CALLBACK, House};
use crate::hub::Answer;

const ALLOWS: &str = "access-control-allow-origin";

fn preflight(visitor: &mut Visitor, origin: &str, method: &str, path: &str) -> Answer {
    let asks = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization,content-type,if-match"),
    ];
    visitor.send("OPTIONS", path, &asks, "")
}

fn has(answer: &Answer, name: &str, part: &str) -> bool {
    let mut all = answer.headers.iter().filter(|(n, _)| n == name);
    all.any(|(_, value)| value.to_ascii_lowercase().split(", ").any(|v| v.split(',').any(|v| v == part)))
}

#[test]
fn a_registered_apps_page_asks_first_and_is_told() {
    let house = House::open(&[]);
    let loopback = ["--redirect-uri", "http://127.0.0.1:9000/cb", "--redirect-uri", "com.example.app:/cb"];
    house.client(&[&["desk", "--name", "Desk", "--scope", "patient/*.rs"], &loopback[..]].concat());
    let mut anyone = house.visitor();
    for origin in ["https://app.example", "http://127.0.0.1:9000"] {
        for (path, method) in [
            ("/fhir/Patient/p1", "PUT"),
            ("/fhir/Patient/p1", "PATCH"),
            ("/fhir/Patient/p1", "DELETE"),
            ("/fhir", "POST"),
            ("/fhir/Patient/p1/$everything", "GET"),
            ("/auth/token", "POST"),
            ("/auth/revoke", "POST"),
            ("/auth/userinfo", "GET"),
        ] {
            let answer = preflight(&mut anyone, origin, method, path);
            assert_eq!((answer.status, answer.header(ALLOWS)), (200, Some(origin)), "{method} {path}");
            assert!(has(&answer, "access-control-allow-methods", &method.to_ascii_lowercase()), "{answer:?}");
            assert!(has(&answer, "access-control-allow-headers", "if-match"), "{answer:?}");
            // No cookie goes along, and no cache takes the answer for another origin's.
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{method} {path}");
            assert!(has(&answer, "vary", "origin"), "{answer:?}");
            assert_eq!(answer.body, "");
        }
    }
}

#[test]
fn nobody_elses_page_is_told_anything() {
    let house = House::open(&[]);
    let mut anyone = house.visitor();
    // Almost that of an app: another scheme, port, host below or above, or none at all.
    let strangers = [
        "http://app.example",
        "https://app.example:444",
        "https://www.app.example",
        "https://example",
        "https://app.example.evil.example",
        "https://evil.example",
        "https://app.example/",
        "null",
        "com.example.app:",
    ];
    for origin in strangers {
        for path in ["/fhir/Patient/p1", "/auth/token", "/auth/userinfo"] {
            let answer = preflight(&mut anyone, origin, "GET", path);
            assert_eq!(answer.header(ALLOWS), None, "{origin} {path}");
            let answer = anyone.send("GET", path, &[("origin", origin)], "");
            assert_eq!(answer.header(ALLOWS), None, "{origin} {path}");
        }
    }
    // What is for this hub's own pages is for no app's.
    for path in [
        "/",
        "/people",
        "/patients/p1",
        "/metrics",
        "/auth/sign-in",
        "/auth/account",
        "/auth/authorize",
        "/auth/launch",
    ] {
        for method in ["GET", "POST"] {
            let answer = preflight(&mut anyone, "https://app.example", method, path);
            assert_eq!(answer.header(ALLOWS), None, "{method} {path}");
            let answer = anyone.send(method, path, &[("origin", "https://app.example")], "");
            assert_eq!(answer.header(ALLOWS), None, "{method} {path}");
        }
    }
}

#[test]
fn answers_and_refusals_can_be_read_by_a_token_and_never_by_a_cookie() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let tokens = house.exchange("diary", &house.code(&mut taro, "diary", "patient/*.rs")).json();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let origin = CALLBACK.trim_end_matches("/cb");
    let mut app = house.visitor();
    for (path, headers, status) in [
        ("/fhir/Patient/p1", &[("authorization", &*bearer)][..], 200),
        ("/fhir/Patient/none", &[("authorization", &*bearer)], 404),
        ("/fhir/Patient?nonsense=1", &[("authorization", &*bearer)], 400),
        ("/fhir/Patient/p1", &[], 401),
        ("/fhir/Patient/p1", &[("authorization", "Bearer none")], 401),
        ("/auth/userinfo", &[("authorization", &*bearer)], 403),
    ] {
        let answer = app.send("GET", path, &[headers, &[("origin", origin)]].concat(), "");
        assert_eq!((answer.status, answer.header(ALLOWS)), (status, Some(origin)), "{path}: {}", answer.body);
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        assert!(has(&answer, "vary", "origin"), "{answer:?}");
        for exposed in ["etag", "location", "content-location", "www-authenticate", "retry-after"] {
            assert!(has(&answer, "access-control-expose-headers", exposed), "{exposed}: {answer:?}");
        }
    }
    // A page of an app that has the cookie go along may not read the answer, and changes nothing by it.
    let answer = taro.send("GET", "/fhir/Patient/p1", &[("origin", origin)], "");
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let body = json!({"resourceType": "Patient", "id": "p1", "active": true}).to_string();
    for method in ["PUT", "POST", "DELETE"] {
        let answer = taro.send(
            method,
            "/fhir/Patient/p1",
            &[("origin", origin), ("sec-fetch-site", "cross-site")],
            &body,
        );
        assert_eq!(
            (answer.status, answer.header("access-control-allow-credentials")),
            (403, None),
            "{}",
            answer.body
        );
    }
}
