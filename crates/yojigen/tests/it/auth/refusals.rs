//! What is not given: each attack that the specifications name, against the real program.

use super::visitor::{field, written};
use super::{CALLBACK, House, PASSWORD, VERIFIER, parameter};
use crate::hub::Answer;

/// A request with one parameter changed, or left out.
fn changed(request: &[(String, String)], name: &str, value: Option<&str>) -> Vec<(String, String)> {
    let mut changed: Vec<_> = request.iter().filter(|(n, _)| n != name).cloned().collect();
    changed.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    changed
}

#[test]
fn a_request_that_might_be_somebody_elses_leads_nowhere() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let request = house.request("diary", "patient/*.rs");
    for (name, value) in [
        ("client_id", Some("unknown")),
        ("client_id", None),
        ("redirect_uri", None),
        ("redirect_uri", Some("https://app.example/cb/")),
        ("redirect_uri", Some("https://app.example/cb?x=1")),
        ("redirect_uri", Some("https://app.example.evil.example/cb")),
        ("redirect_uri", Some("https://evil.example/cb")),
        ("redirect_uri", Some("//evil.example")),
    ] {
        let answer = taro.get(&format!("/auth/authorize?{}", written(&changed(&request, name, value))));
        assert!([400, 401].contains(&answer.status), "{name} {value:?}: {}", answer.status);
        assert_eq!(answer.header("location"), None, "{name} {value:?}");
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", written(&request));
    assert_eq!(taro.get(&format!("/auth/authorize?{twice}")).status, 400);
}

#[test]
fn a_request_that_is_wrong_is_told_to_the_app() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let request = house.request("diary", "patient/*.rs");
    for (name, value, error) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_type", None, "invalid_request"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("short"), "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("aud", None, "invalid_request"),
        ("aud", Some("https://other.example/fhir"), "invalid_request"),
        ("scope", Some("system/*.rs"), "invalid_scope"),
        ("scope", Some("nonsense"), "invalid_scope"),
        ("launch", Some("yjl_guessed"), "invalid_request"),
        ("request_uri", Some("https://evil.example"), "invalid_request"),
        ("response_mode", Some("fragment"), "invalid_request"),
        ("prompt", Some("none"), "interaction_required"),
        ("prompt", Some("none login"), "invalid_request"),
        ("prompt", Some("dance"), "invalid_request"),
        ("max_age", Some("x"), "invalid_request"),
    ] {
        let place = taro.allow(&changed(&request, name, value), &[]);
        assert!(place.starts_with(&format!("{CALLBACK}?error=")), "{name}: {place}");
        assert_eq!(parameter(&place, "error").as_deref(), Some(error), "{name} {value:?}: {place}");
        assert_eq!(parameter(&place, "state").as_deref(), Some("st&te=1"), "{place}");
        // RFC 9207: an app that asked another hub sees that this is not its answer.
        assert_eq!(parameter(&place, "iss").as_deref(), Some(house.root()), "{place}");
    }
    let mut nobody = house.visitor();
    let place = nobody.allow(&changed(&request, "prompt", Some("none")), &[]);
    assert_eq!(parameter(&place, "error").as_deref(), Some("login_required"));
    // Asked to sign in again, a person does so even when signed in.
    for (name, value) in [("prompt", "login"), ("max_age", "0")] {
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let place = taro.allow(&changed(&request, name, Some(value)), &[]);
        assert!(place.starts_with("/auth/sign-in?return="), "{place}");
        assert!(!parameter(&place, "return").unwrap().contains(name));
    }
    // A person refuses.
    let page = taro.get(&format!("/auth/authorize?{}", written(&request)));
    let pairs = [
        ("form", field(&page.body, "form").unwrap()),
        ("request", field(&page.body, "request").unwrap()),
        ("decision", "deny".to_owned()),
    ];
    let place = taro.form("/auth/consent", &pairs).header("location").unwrap().to_owned();
    assert_eq!(parameter(&place, "error").as_deref(), Some("access_denied"));
    // A person without a record of their own has none to show.
    house.user("ope", &["--role", "operator"]);
    let mut operator = house.signed_in("ope");
    assert_eq!(parameter(&operator.allow(&request, &[]), "error").as_deref(), Some("access_denied"));
}

#[test]
fn a_form_of_another_site_is_not_believed() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let mut hanako = house.signed_in("hanako");
    let request = house.request("diary", "patient/*.rs");
    let page = taro.get(&format!("/auth/authorize?{}", written(&request)));
    let hidden = field(&page.body, "request").unwrap();
    let others = field(&hanako.get("/auth/account").body, "form").unwrap();
    for form in ["", "guessed", &others] {
        let pairs = [("form", form), ("request", &*hidden), ("decision", "allow"), ("scope", "patient/*.rs")];
        let answer = taro.form("/auth/consent", &pairs);
        assert_eq!((answer.status, answer.header("location")), (400, None));
        assert_eq!(taro.form("/auth/account", &[("form", form), ("action", "begin-code")]).status, 400);
    }
    // Signing somebody in by force is not possible either.
    let mut nobody = house.visitor();
    let pairs = [("form", "guessed"), ("return", "/"), ("login", "taro"), ("password", PASSWORD)];
    assert_eq!(nobody.form("/auth/sign-in", &pairs).status, 400);
    assert!(nobody.cookie("yojigen-session").is_none());
    // Nobody is led elsewhere after signing in.
    for place in ["https://evil.example", "//evil.example", "/\\evil.example"] {
        let answer = house.visitor().sign_in("taro", PASSWORD, place);
        assert_eq!(answer.header("location"), Some("/auth/account"), "{place}");
    }
}

fn exchange(house: &House, pairs: &[(&str, &str)]) -> Answer {
    house.visitor().form("/auth/token", pairs)
}

#[test]
fn a_code_is_for_one_client_once() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let code = house.code(&mut taro, "diary", "patient/*.rs offline_access");
    let right = [
        ("grant_type", "authorization_code"),
        ("client_id", "diary"),
        ("code", &*code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let other_verifier = "x".repeat(43);
    for (at, value, error) in [
        (0, "password", "unsupported_grant_type"),
        (1, "other", "invalid_grant"),
        (1, "unknown", "invalid_client"),
        (2, "yjo_guessed", "invalid_grant"),
        (3, "https://app.example/other", "invalid_grant"),
        (4, &*other_verifier, "invalid_grant"),
        (4, "", "invalid_request"),
    ] {
        let mut wrong = right;
        wrong[at].1 = value;
        let answer = exchange(&house, &wrong);
        assert_eq!(answer.json()["error"], error, "{value}: {}", answer.body);
        assert!(answer.status >= 400 && !answer.body.contains(&code));
    }
    // Not in the address, not as JSON, not twice.
    let path = format!("/auth/token?{}", written(&right));
    assert_eq!(house.visitor().form(&path, &[("a", "b")]).status, 400);
    assert_eq!(
        house.visitor().send("POST", "/auth/token", &[("content-type", "application/json")], "{}").status,
        400
    );
    assert_eq!(exchange(&house, &[&right[..], &[("code", "x")]].concat()).json()["error"], "invalid_request");
    assert_eq!(house.visitor().get("/auth/token").status, 405);

    let answer = exchange(&house, &right);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert!(house.knows(access));
    // Whoever comes with it again, what it gave is gone.
    assert_eq!(exchange(&house, &right).json()["error"], "invalid_grant");
    assert!(!house.knows(access));
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "diary"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(exchange(&house, &refresh).json()["error"], "invalid_grant");
}

#[test]
fn of_many_with_one_code_nobody_keeps_anything() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let code = house.code(&mut taro, "diary", "patient/*.rs");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| house.exchange("diary", &code))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let given: Vec<_> = answers.iter().filter(|a| a.status == 200).collect();
    assert!(given.len() <= 1, "{}", given.len());
    for answer in given {
        assert!(!house.knows(answer.json()["access_token"].as_str().unwrap()));
    }
}

#[test]
fn a_stolen_refresh_token_ends_its_family() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let code = house.code(&mut taro, "diary", "patient/*.rs offline_access");
    let first = house.exchange("diary", &code).json();
    let refresh = |client: &str, token: &str| {
        exchange(&house, &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)])
    };
    let stolen = first["refresh_token"].as_str().unwrap();
    assert_eq!(refresh("other", stolen).json()["error"], "invalid_grant", "another client's");
    let second = refresh("diary", stolen).json();
    let newest = second["access_token"].as_str().unwrap();
    assert!(house.knows(newest) && house.knows(first["access_token"].as_str().unwrap()));
    assert_eq!(refresh("diary", stolen).json()["error"], "invalid_grant");
    assert!(!house.knows(newest) && !house.knows(first["access_token"].as_str().unwrap()));
    assert_eq!(refresh("diary", second["refresh_token"].as_str().unwrap()).json()["error"], "invalid_grant");
    // What others were given stays.
    let code = house.code(&mut taro, "diary", "patient/*.rs offline_access");
    assert!(house.knows(house.exchange("diary", &code).json()["access_token"].as_str().unwrap()));
}

#[test]
fn a_refresh_token_says_whose_it_is_and_nobody_elses() {
    let house = House::open(&[]);
    let secret = &*house.server("srv", CALLBACK, "patient/*.rs offline_access");
    let mut taro = house.signed_in("taro");
    let code = house.code(&mut taro, "diary", "patient/*.rs offline_access");
    let own = house.exchange("diary", &code).json()["refresh_token"].as_str().unwrap().to_owned();
    let refresh = |token: &str, further: &[(&str, &str)]| {
        let pairs = [&[("grant_type", "refresh_token"), ("refresh_token", token)], further].concat();
        exchange(&house, &pairs).json()
    };
    let next = refresh(&own, &[]);
    assert_eq!(next["scope"], "patient/*.rs offline_access", "{next}");
    assert_eq!(refresh(&own, &[])["error"], "invalid_grant", "again");
    assert_eq!(refresh(next["refresh_token"].as_str().unwrap(), &[])["error"], "invalid_grant", "ended");
    assert_eq!(refresh("yjr_guessed", &[])["error"], "invalid_grant");
    // Who has a secret shows it, or is nobody.
    let code = house.code(&mut taro, "srv", "patient/*.rs offline_access");
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", "srv"),
        ("client_secret", secret),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let given = exchange(&house, &pairs).json();
    let token = given["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(token, &[])["error"], "invalid_client");
    assert_eq!(refresh(token, &[("client_id", "srv")])["error"], "invalid_client");
    assert_eq!(refresh(token, &[("client_secret", secret)])["error"], "invalid_client");
    let right = [("client_id", "srv"), ("client_secret", secret)];
    assert!(refresh(token, &right)["access_token"].is_string());
}

#[test]
fn without_a_good_token_there_is_nothing() {
    let house = House::open(&["--token-lifetime", "2"]);
    let answer = house.hub.send("GET", "Patient", &[], "");
    assert_eq!((answer.status, answer.json()["resourceType"].as_str()), (401, Some("OperationOutcome")));
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer realm=") && !challenge.contains("error"), "{challenge}");
    for (method, path) in [
        ("POST", "Patient"),
        ("PUT", "Patient/x"),
        ("DELETE", "Patient/x"),
        ("POST", ""),
        ("GET", "Patient/x/_history"),
        ("GET", "$export"),
        ("GET", "_jobs/x/y"),
        ("GET", "_websocket"),
        ("POST", "Patient/$match"),
        ("GET", "//metrics"),
    ] {
        let answer = house.hub.send(method, path, &[], "");
        assert!([401, 303].contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
    }
    for page in ["/hub", "/people?q=a", "/patients/x", "/nothing"] {
        let answer = house.visitor().get(page);
        assert_eq!(answer.status, 303, "{page}");
        assert_eq!(parameter(answer.header("location").unwrap(), "return").as_deref(), Some(page));
    }
    for open in ["/", "/ready", "/health", "/fhir/metadata", "/openapi.json"] {
        assert_eq!(house.visitor().get(open).status, 200, "{open}");
    }
    for authorization in ["Bearer yja_guessed", "Bearer ", "Basic dGFybzp4", "Bearer a b"] {
        let answer = house.hub.send("GET", "Patient", &[("authorization", authorization)], "");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(
            answer.status == 401 && challenge.contains("error=\"invalid_token\""),
            "{authorization} {challenge}"
        );
    }
    assert_eq!(house.hub.send("GET", "Patient?access_token=x", &[], "").status, 401, "never in an address");
    // A token ends; revoked it ends before.
    let mut taro = house.signed_in("taro");
    let tokens = house.exchange("diary", &house.code(&mut taro, "diary", "patient/*.rs")).json();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(tokens["expires_in"], 2);
    assert!(house.knows(token));
    // It shows its user's record and nobody else's.
    let bearer = format!("Bearer {token}");
    let read = |path: &str| house.hub.send("GET", path, &[("authorization", &bearer)], "");
    assert_eq!(read("Patient/p1").status, 200, "{}", read("Patient/p1").body);
    assert_eq!(read("Patient/p2").status, 404);
    assert_eq!(read("Patient").json()["total"], 1);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert!(!house.knows(token));
    let tokens = house.exchange("diary", &house.code(&mut taro, "diary", "patient/*.rs")).json();
    let token = tokens["access_token"].as_str().unwrap();
    let revoke =
        |client: &str| house.visitor().form("/auth/revoke", &[("client_id", client), ("token", token)]);
    assert_eq!(revoke("other").status, 400);
    assert!(house.knows(token));
    assert_eq!(revoke("diary").status, 200);
    assert!(!house.knows(token));
    assert_eq!(revoke("diary").status, 200, "again is no fault");
}

#[test]
fn a_session_is_of_this_hubs_pages_only() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    assert_ne!(taro.get("/fhir/Patient").status, 401);
    let patient = r#"{"resourceType":"Patient"}"#;
    let json = ("content-type", "application/fhir+json");
    let by = |visitor: &mut super::Visitor, origin: Option<&str>| {
        let mut headers = vec![json];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let answer = visitor.send("POST", "/fhir/Patient", &headers, patient);
        (answer.status, answer.body)
    };
    for origin in [Some("https://evil.example"), Some("null"), None] {
        let (status, body) = by(&mut taro, origin);
        assert!(status == 403 && body.contains("page of this hub"), "{origin:?} {status} {body}");
    }
    let (_, body) = by(&mut taro, Some(house.root()));
    assert!(!body.contains("page of this hub"), "{body}");
}
