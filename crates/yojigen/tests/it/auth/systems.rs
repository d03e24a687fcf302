//! Systems without users (SMART Backend Services), and how a client proves who it is.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::{House, task};
use crate::hub::Answer;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) struct Key {
    pair: EcdsaKeyPair,
    pub(crate) jwk: Value,
}

impl Key {
    pub(crate) fn new(kid: &str) -> Key {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let (x, y) = (BASE64URL_NOPAD.encode(&point[1..49]), BASE64URL_NOPAD.encode(&point[49..]));
        Key { pair, jwk: json!({"kty": "EC", "crv": "P-384", "kid": kid, "x": x, "y": y}) }
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn claims(house: &House, jti: &str) -> Value {
    let aud = format!("{}/auth/token", house.root());
    json!({"iss": "warehouse", "sub": "warehouse", "aud": aud, "exp": now() + 200, "jti": jti})
}

pub(crate) fn ask(house: &House, assertion: &str, scope: &str) -> Answer {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    house.visitor().form("/auth/token", &pairs)
}

fn with_warehouse() -> (House, Key) {
    let house = House::open(&[]);
    let key = Key::new("k1");
    let file = house.data.with_extension("jwks");
    std::fs::write(&file, json!({"keys": [key.jwk]}).to_string()).unwrap();
    house.client(&[
        "warehouse",
        "--name",
        "Warehouse",
        "--kind",
        "keyed",
        "--keys",
        file.to_str().unwrap(),
        "--scope",
        "system/*.rs",
        "--role",
        "researcher",
    ]);
    (house, key)
}

#[test]
fn a_system_signs_for_itself() {
    let (house, key) = with_warehouse();
    let header = json!({"alg": "ES384", "typ": "JWT", "kid": "k1"});
    let answer =
        ask(&house, &key.sign(&header, &claims(&house, "1")), "system/Patient.rs system/Observation.cruds");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!(
        (&tokens["scope"], &tokens["expires_in"]),
        (&json!("system/Patient.rs system/Observation.rs"), &json!(300))
    );
    assert!(tokens.get("refresh_token").is_none());
    let token = tokens["access_token"].as_str().unwrap();
    assert!(house.knows(token));
    // Of its own tokens it may ask; of others' a resource server may.
    let introspect = |assertion: &str, token: &str| {
        let pairs = [("client_assertion_type", TYPE), ("client_assertion", assertion), ("token", token)];
        house.visitor().form("/auth/introspect", &pairs).json()
    };
    let told = introspect(&key.sign(&header, &claims(&house, "2")), token);
    assert_eq!(
        (&told["active"], &told["client_id"], &told["sub"]),
        (&json!(true), &json!("warehouse"), &json!("warehouse"))
    );
    let mut taro = house.signed_in("taro");
    let tokens = house.exchange("diary", &house.code(&mut taro, "diary", "patient/*.rs")).json();
    let others = tokens["access_token"].as_str().unwrap();
    assert_eq!(introspect(&key.sign(&header, &claims(&house, "3")), others), json!({"active": false}));
    let added = house.client(&[
        "gate",
        "--name",
        "Gate",
        "--kind",
        "confidential",
        "--redirect-uri",
        super::CALLBACK,
        "--scope",
        "openid",
        "--may-introspect",
    ]);
    let basic =
        format!("Basic {}", BASE64.encode(format!("gate:{}", added["secret"].as_str().unwrap()).as_bytes()));
    let headers = [("authorization", &*basic), ("content-type", "application/x-www-form-urlencoded")];
    let told = house.visitor().send("POST", "/auth/introspect", &headers, &format!("token={others}")).json();
    assert_eq!((&told["active"], &told["patient"]), (&json!(true), &json!("p1")));
    assert_eq!(
        house.visitor().form("/auth/introspect", &[("client_id", "diary"), ("token", others)]).status,
        401
    );
    // Removed, it is nobody any more, at once.
    super::done(&["client", "remove", "warehouse", "--data", house.place()], "");
    assert!(!house.knows(token));
}

#[test]
fn an_assertion_that_is_not_exactly_right_is_nothing() {
    let (house, key) = with_warehouse();
    let right = json!({"alg": "ES384", "kid": "k1"});
    let endpoint = format!("{}/auth/token", house.root());
    let mut number = 0;
    let mut refused = |what: &str, header: &Value, change: &dyn Fn(&mut Value)| {
        number += 1;
        let mut claims = claims(&house, &format!("jti-{number}"));
        change(&mut claims);
        let answer = ask(&house, &key.sign(header, &claims), "system/*.rs");
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (401, &json!("invalid_client")),
            "{what}: {}",
            answer.body
        );
        assert!(!answer.body.contains("jti-"), "what it says is not repeated: {}", answer.body);
    };
    for algorithm in ["none", "HS256", "HS384", "RS384", "ES256"] {
        refused(algorithm, &json!({"alg": algorithm, "kid": "k1"}), &|_| {});
    }
    refused("unknown kid", &json!({"alg": "ES384", "kid": "k2"}), &|_| {});
    for (name, value) in [
        ("aud", json!("https://other.example/auth/token")),
        ("aud", json!(house.root())),
        ("aud", Value::Null),
        ("exp", json!(now() - 1)),
        ("exp", json!(now() + 3600)),
        ("exp", json!("never")),
        ("exp", Value::Null),
        ("nbf", json!(now() + 120)),
        ("jti", Value::Null),
        ("iss", json!("diary")),
        ("sub", json!("diary")),
        ("iss", json!(1)),
    ] {
        refused(name, &right, &|claims| claims[name] = value.clone());
    }
    refused("aud among others", &right, &|claims| claims["aud"] = json!(["https://other.example"]));
    // A list of audiences that names this one is right; used twice it is not.
    let mut good = claims(&house, "once");
    good["aud"] = json!([endpoint, "https://other.example"]);
    let assertion = key.sign(&right, &good);
    assert_eq!(ask(&house, &assertion, "system/*.rs").status, 200);
    assert_eq!(ask(&house, &assertion, "system/*.rs").status, 401, "replayed");
    // The public key used as an HMAC's secret, and no signature at all.
    let (message, _) = assertion.rsplit_once('.').unwrap();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA384, key.jwk.to_string().as_bytes());
    let tag = BASE64URL_NOPAD.encode(ring::hmac::sign(&secret, message.as_bytes()).as_ref());
    assert_eq!(ask(&house, &format!("{message}.{tag}"), "system/*.rs").status, 401);
    assert_eq!(ask(&house, &format!("{message}."), "system/*.rs").status, 401);
    // Another's key.
    assert_eq!(ask(&house, &Key::new("k1").sign(&right, &claims(&house, "x")), "system/*.rs").status, 401);
    // Right, but more than it may.
    let answer = ask(&house, &key.sign(&right, &claims(&house, "y")), "system/*.cud user/*.rs patient/*.rs");
    assert_eq!(answer.json()["error"], "invalid_scope", "{}", answer.body);
    // Somebody without a key asks for himself.
    let pairs = [("grant_type", "client_credentials"), ("client_id", "diary"), ("scope", "system/*.rs")];
    assert_eq!(house.visitor().form("/auth/token", &pairs).json()["error"], "unauthorized_client");
    // A key set with the private part is not taken.
    let file = house.data.with_extension("private");
    let mut private = key.jwk.clone();
    private["d"] = json!("AAAA");
    std::fs::write(&file, json!({"keys": [private]}).to_string()).unwrap();
    let (is_done, said) = task(
        &[
            "client",
            "add",
            "x",
            "--name",
            "X",
            "--kind",
            "keyed",
            "--keys",
            file.to_str().unwrap(),
            "--scope",
            "system/*.rs",
            "--data",
            house.place(),
        ],
        "",
    );
    assert!(!is_done && said.contains("private"), "{said}");
}

#[test]
fn a_client_has_its_secret_once() {
    let house = House::open(&[]);
    let secret = &*house.server("srv", super::CALLBACK, "patient/*.rs");
    let mut taro = house.signed_in("taro");
    let code = house.code(&mut taro, "srv", "patient/*.rs");
    let body = |further: &[(&str, &str)]| -> Vec<(String, String)> {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", super::CALLBACK),
            ("code_verifier", super::VERIFIER),
        ];
        let own = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        pairs.iter().chain(further).map(own).collect()
    };
    for further in [
        vec![("client_id", "srv")],
        vec![("client_id", "srv"), ("client_secret", "wrong")],
        vec![("client_id", "diary"), ("client_secret", secret)],
        vec![("client_secret", secret)],
    ] {
        let answer = house.visitor().form("/auth/token", &body(&further));
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (401, &json!("invalid_client")),
            "{}",
            answer.body
        );
        assert!(answer.header("www-authenticate").is_some() && !answer.body.contains(secret));
    }
    let answer =
        house.visitor().form("/auth/token", &body(&[("client_id", "srv"), ("client_secret", secret)]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    // It is kept nowhere, nor is any token.
    assert!(super::files_with(&house.data, secret).is_empty());
    assert!(super::files_with(&house.data, answer.json()["access_token"].as_str().unwrap()).is_empty());
    // Guesses cost time.
    let guess =
        || house.visitor().form("/auth/token", &body(&[("client_id", "srv"), ("client_secret", "wrong")]));
    let slow = (0..10).map(|_| guess()).find(|answer| answer.status == 429);
    assert!(slow.is_some_and(|answer| answer.header("retry-after").is_some()));
}
