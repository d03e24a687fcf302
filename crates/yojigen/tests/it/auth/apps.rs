//! An app's whole way, standalone and from a record.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::visitor::{Visitor, field, fields, written};
use super::{CALLBACK, House, PASSWORD, done, parameter};

/// The claims of an id_token that one of the hub's keys signed.
fn verified(house: &House, token: &str) -> Value {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
    };
    let keys = house.visitor().get("/auth/jwks").json();
    let header = read(header);
    assert_eq!(header["alg"], "ES256");
    let key = keys["keys"].as_array().unwrap().iter().find(|k| k["kid"] == header["kid"]).unwrap().clone();
    assert!(key.get("d").is_none());
    let part = |name: &str| BASE64URL_NOPAD.decode(key[name].as_str().unwrap().as_bytes()).unwrap();
    let point = [vec![4], part("x"), part("y")].concat();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point);
    key.verify(message.as_bytes(), &BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap()).unwrap();
    read(claims)
}

#[test]
fn a_person_lets_an_app_in_and_takes_it_back() {
    let house = House::open(&[]);
    let mut taro = house.visitor();
    let request = house.request("diary", "openid fhirUser launch/patient patient/Observation.rs patient/Condition.read offline_access system/*.rs nonsense");
    // Nobody is signed in: the way leads over the sign-in page and back.
    let first = taro.get(&format!("/auth/authorize?{}", written(&request)));
    assert_eq!(first.status, 303);
    let place = parameter(first.header("location").unwrap(), "return").unwrap();
    let answer = taro.sign_in("taro", PASSWORD, &place);
    assert_eq!(answer.header("location"), Some(place.as_str()), "{}", answer.body);
    let cookie =
        answer.headers.iter().find(|(n, v)| n == "set-cookie" && v.starts_with("yojigen-session=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.1.contains(attribute), "{}", cookie.1);
    }
    let page = taro.get(&place);
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.ends_with("form-action 'self' https://app.example"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(
        page.body.contains("検査結果・測定値") && page.body.contains("あなた自身の記録"),
        "{}",
        page.body
    );
    let english = taro.get(&format!("/auth/authorize?{}&lang=en", written(&request)));
    assert!(english.body.contains("test results and measurements"));
    // What is not ticked is not given: no Condition.
    let asked = fields(&page.body, "scope");
    assert_eq!(
        asked,
        ["openid", "fhirUser", "patient/Observation.rs", "patient/Condition.rs", "offline_access"]
    );
    let mut pairs = vec![
        ("form", field(&page.body, "form").unwrap()),
        ("request", field(&page.body, "request").unwrap()),
        ("decision", "allow".to_owned()),
        // Nobody asked for these.
        ("scope", "patient/*.cruds".to_owned()),
        ("scope", "user/Observation.rs".to_owned()),
        ("patient", "somebody-else".to_owned()),
    ];
    pairs.extend(asked.iter().filter(|s| !s.contains("Condition")).map(|s| ("scope", s.clone())));
    let answer = taro.form("/auth/consent", &pairs);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let place = answer.header("location").unwrap();
    assert!(place.starts_with(&format!("{CALLBACK}?code=")), "{place}");
    assert_eq!(parameter(place, "state").as_deref(), Some("st&te=1"));
    assert_eq!(parameter(place, "iss").as_deref(), Some(house.root()));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));

    let answer = house.exchange("diary", &parameter(place, "code").unwrap());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    assert_eq!(tokens["scope"], "openid fhirUser launch/patient patient/Observation.rs offline_access");
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"], &tokens["patient"]),
        (&json!("Bearer"), &json!(900), &json!("p1"))
    );
    let claims = verified(&house, tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["fhirUser"], json!(format!("{}/Patient/p1", house.hub.base)));
    assert_eq!(
        (&claims["aud"], &claims["nonce"], &claims["iss"]),
        (&json!("diary"), &json!("n-1"), &json!(house.root()))
    );
    assert!(claims["exp"].as_u64() > claims["iat"].as_u64() && claims.get("name").is_none());
    let access = tokens["access_token"].as_str().unwrap();
    assert!(house.knows(access));
    let bearer = format!("Bearer {access}");
    let info = house.visitor().send("GET", "/auth/userinfo", &[("authorization", &bearer)], "");
    assert_eq!((info.status, &info.json()["sub"]), (200, &claims["sub"]));

    // Refreshed, each refresh token works once; narrower if asked.
    let refresh = |token: &str, scope: Option<&str>| {
        let mut pairs =
            vec![("grant_type", "refresh_token"), ("client_id", "diary"), ("refresh_token", token)];
        pairs.extend(scope.map(|scope| ("scope", scope)));
        house.visitor().form("/auth/token", &pairs)
    };
    let first = tokens["refresh_token"].as_str().unwrap();
    let answer = refresh(first, Some("patient/Observation.r"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let second = answer.json();
    assert_eq!(second["scope"], "patient/Observation.r openid offline_access");
    assert_eq!(
        refresh(second["refresh_token"].as_str().unwrap(), Some("patient/*.cruds")).json()["scope"],
        "patient/Observation.rs openid offline_access"
    );
    assert!(house.knows(access));

    // On the account's page it is taken back, at once.
    let page = taro.get("/auth/account");
    assert!(page.body.contains("App diary"), "{}", page.body);
    let form = field(&page.body, "form").unwrap();
    let grant = fields(&page.body, "id")[0].clone();
    let mut hanako = house.signed_in("hanako");
    let foreign = field(&hanako.get("/auth/account").body, "form").unwrap();
    hanako.form("/auth/account", &[("form", &*foreign), ("id", &*grant), ("action", "end-grant")]);
    assert!(house.knows(access), "nobody ends another's grant");
    let answer = taro.form("/auth/account", &[("form", &*form), ("id", &*grant), ("action", "end-grant")]);
    assert_eq!(answer.status, 200);
    assert!(!house.knows(access));
    assert_eq!(refresh(first, None).json()["error"], "invalid_grant");
}

#[test]
fn a_clinician_chooses_a_patient_or_starts_an_app_on_one() {
    let house = House::open(&[]);
    let mut hanako = house.signed_in("hanako");
    let request = house.request("portal", "launch/patient patient/*.rs openid fhirUser");
    let page = hanako.get(&format!("/auth/authorize?{}", written(&request)));
    assert!(page.body.contains("id=\"patient\""), "{}", page.body);
    let pairs = [
        ("form", field(&page.body, "form").unwrap()),
        ("request", field(&page.body, "request").unwrap()),
        ("decision", "allow".to_owned()),
        ("scope", "patient/*.rs".to_owned()),
    ];
    for bad in ["", "a/b", "no id"] {
        let pairs = [&pairs[..], &[("patient", bad.to_owned())]].concat();
        assert_eq!(hanako.form("/auth/consent", &pairs).status, 400, "{bad}");
    }
    let place = hanako.allow(&request, &[("patient", "Patient/p7")]);
    let code = parameter(&place, "code").unwrap();
    // The portal proves who it is by its secret.
    let added = house.client(&[
        "portal2",
        "--name",
        "Portal",
        "--kind",
        "confidential",
        "--redirect-uri",
        CALLBACK,
        "--scope",
        "patient/*.rs",
    ]);
    assert!(added["secret"].as_str().unwrap().len() > 40);
    assert_eq!(house.exchange("portal", &code).json()["error"], "invalid_client");

    // Started on a patient: the handle carries it, once, for this user only.
    let own = [("content-type", "application/json"), ("origin", house.root())];
    let body = json!({"patient": "p9", "encounter": "e1", "client": "diary"}).to_string();
    let answer = hanako.send("POST", "/auth/launch", &own, &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["iss"], json!(house.hub.base));
    let handle = answer.json()["launch"].as_str().unwrap().to_owned();
    let mut request = house.request("diary", "launch patient/*.rs");
    request.push(("launch".to_owned(), handle));
    let mut taro = house.signed_in("taro");
    assert_eq!(parameter(&taro.allow(&request, &[]), "error").as_deref(), Some("access_denied"));
    let place = hanako.allow(&request, &[("patient", "p7")]);
    let tokens = house.exchange("diary", &parameter(&place, "code").unwrap()).json();
    assert_eq!(
        (&tokens["patient"], &tokens["encounter"], &tokens["scope"]),
        (&json!("p9"), &json!("e1"), &json!("launch patient/*.rs"))
    );
    assert_eq!(parameter(&hanako.allow(&request, &[]), "error").as_deref(), Some("invalid_request"), "once");

    // Another origin's page, or an app, starts nothing.
    let foreign = [("content-type", "application/json"), ("origin", "https://evil.example")];
    assert_eq!(hanako.send("POST", "/auth/launch", &foreign, &body).status, 403);
    assert_eq!(
        hanako.send("POST", "/auth/launch", &[("content-type", "application/json")], &body).status,
        403
    );
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let by_app = [("authorization", &*bearer), ("content-type", "application/json")];
    assert_eq!(house.visitor().send("POST", "/auth/launch", &by_app, &body).status, 401);
    assert_eq!(house.visitor().send("POST", "/auth/launch", &own, &body).status, 401);
}

#[test]
fn access_online_ends_with_the_session() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let code = house.code(&mut taro, "diary", "patient/*.rs online_access");
    let tokens = house.exchange("diary", &code).json();
    let refresh = |token: &Value| {
        let pairs = [
            ("grant_type", "refresh_token"),
            ("client_id", "diary"),
            ("refresh_token", token.as_str().unwrap()),
        ];
        house.visitor().form("/auth/token", &pairs)
    };
    let answer = refresh(&tokens["refresh_token"]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let form = field(&taro.get("/auth/account").body, "form").unwrap();
    assert_eq!(taro.form("/auth/sign-out", &[("form", form)]).status, 303);
    assert_eq!(refresh(&answer.json()["refresh_token"]).json()["error"], "invalid_grant");
}

#[test]
fn what_the_hub_says_of_itself_is_so() {
    let house = House::open(&[]);
    let mut anyone = house.visitor();
    let said = anyone.get("/fhir/.well-known/smart-configuration");
    assert_eq!((said.status, said.header("content-type")), (200, Some("application/json")));
    let said = said.json();
    for path in [
        "/.well-known/smart-configuration",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(anyone.get(path).json(), said, "{path}");
    }
    assert_eq!(said["issuer"], json!(house.root()));
    assert_eq!(said["code_challenge_methods_supported"], json!(["S256"]));
    assert!(said.get("registration_endpoint").is_none());
    for (name, value) in
        said.as_object().unwrap().iter().filter(|(n, _)| n.ends_with("_endpoint") || *n == "jwks_uri")
    {
        let path =
            value.as_str().unwrap().strip_prefix(house.root()).unwrap_or_else(|| panic!("{name} {value}"));
        assert_ne!(anyone.get(path).status, 404, "{name}");
    }
    // An app in a browser of another origin reads it, and may ask the rest.
    for path in ["/fhir/.well-known/smart-configuration", "/auth/token", "/fhir/Patient"] {
        let asks = [
            ("origin", "https://app.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        let answer = anyone.send("OPTIONS", path, &asks, "");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (200, Some("https://app.example")),
            "{path}"
        );
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("authorization,content-type"),
            "{path}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        // Whoever is not registered reads what the hub says of itself, and nothing else.
        let strange = [("origin", "https://elsewhere.example"), asks[1], asks[2]];
        let answer = anyone.send("OPTIONS", path, &strange, "");
        let is_told = path.ends_with("smart-configuration");
        assert_eq!(answer.header("access-control-allow-origin").is_some(), is_told, "{path}");
    }
    // Until it is registered; and no longer when it is removed.
    let token = |anyone: &mut Visitor| {
        let asks = [("origin", "https://elsewhere.example")];
        anyone.send("POST", "/auth/token", &asks, "").header("access-control-allow-origin").is_some()
    };
    assert!(!token(&mut anyone));
    house.client(&[
        "late",
        "--name",
        "Late",
        "--kind",
        "public",
        "--redirect-uri",
        "https://elsewhere.example/cb",
        "--scope",
        "openid",
    ]);
    assert!(token(&mut anyone));
    done(&["client", "remove", "late", "--data", house.place()], "");
    assert!(!token(&mut anyone));
    let answer = anyone.send(
        "OPTIONS",
        "/auth/consent",
        &[("origin", "https://app.example"), ("access-control-request-method", "POST")],
        "",
    );
    assert_eq!(answer.header("access-control-allow-origin"), None, "pages are for nobody else");
    let statement = anyone.get("/fhir/metadata");
    assert_eq!(statement.status, 200);
    let security = &statement.json()["rest"][0]["security"];
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    assert!(security.to_string().contains("/auth/authorize"), "{security}");
}

#[test]
fn apps_register_themselves_only_where_they_may() {
    let house = House::open(&[]);
    let about = json!({"client_name": "Own", "redirect_uris": ["https://own.example/cb"], "scope": "patient/*.rs launch/patient"});
    let register = |house: &House, about: &Value| {
        house.visitor().send(
            "POST",
            "/auth/register",
            &[("content-type", "application/json")],
            &about.to_string(),
        )
    };
    assert_eq!(register(&house, &about).status, 403);
    drop(house);
    let house = House::open(&["--allow-registration"]);
    let answer = register(&house, &about);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = answer.json()["client_id"].as_str().unwrap().to_owned();
    let mut taro = house.signed_in("taro");
    let mut request = house.request(&id, "patient/*.rs");
    request[2].1 = "https://own.example/cb".to_owned();
    let page = taro.get(&format!("/auth/authorize?lang=en&{}", written(&request)));
    assert!(page.body.contains("registered itself"), "{}", page.body);
    for (name, value) in [
        ("scope", json!("system/*.rs")),
        ("redirect_uris", json!(["http://own.example/cb"])),
        ("redirect_uris", json!(["javascript:alert(1)"])),
        ("redirect_uris", json!([])),
        ("grant_types", json!(["client_credentials"])),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("jwks_uri", json!("http://169.254.169.254/")),
        ("client_name", json!("")),
    ] {
        let mut wrong = about.clone();
        wrong[name] = value;
        let answer = register(&house, &wrong);
        assert_eq!(answer.status, 400, "{name} {}", answer.body);
    }
}
