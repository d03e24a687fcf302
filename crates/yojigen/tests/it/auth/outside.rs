//! An outside OpenID provider: another hub, and one that lies.

use std::path::PathBuf;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::provider::Provider;
use super::systems::{Key, now};
use super::visitor::field;
use super::{House, PASSWORD, Visitor, done, parameter, task};
use crate::browser::Browser;
use crate::hub::Answer;
use crate::pages::is_well;

/// A hub where people sign in at a provider too.
pub(super) struct Scene {
    pub(super) house: House,
    pub(super) secret: PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn open(issuer: &str, rules: &str) -> Scene {
        Scene::with(issuer, rules, &[])
    }

    /// The same with further arguments.
    pub(super) fn with(issuer: &str, rules: &str, further: &[&str]) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let (secret, file) = (folder.path().join("secret"), folder.path().join("rules.toml"));
        std::fs::write(&secret, "s3cr&t\n").unwrap();
        std::fs::write(&file, rules).unwrap();
        let arguments = [
            "--openid-issuer",
            issuer,
            "--openid-client-id",
            "this-hub",
            "--openid-client-secret-file",
            secret.to_str().unwrap(),
            "--openid-rules",
            file.to_str().unwrap(),
        ];
        let house = House::open(&[&arguments[..], further].concat());
        Scene { house, secret, _folder: folder }
    }

    /// Sets out: where the browser is sent.
    fn begin(&self, visitor: &mut Visitor) -> String {
        let answer = visitor.get("/auth/outside/begin?return=%2Fpeople");
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer.header("location").unwrap().to_owned()
    }
}

fn is_in(answer: &Answer) -> bool {
    answer.status == 303 && answer.header("location") == Some("/people")
}

/// The path of an address.
fn path(place: &str) -> String {
    format!("/{}", place.splitn(4, '/').nth(3).unwrap())
}

/// Goes from a hub to another that is its provider, and back: who is here then, and what was answered.
pub(super) fn over(scene: &Scene, there: &mut Visitor) -> (Visitor, Answer) {
    let mut here = scene.house.visitor();
    let place = scene.begin(&mut here);
    let names = [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    ];
    let request: Vec<(String, String)> =
        names.iter().map(|name| ((*name).to_owned(), parameter(&place, name).unwrap())).collect();
    let answer = here.get(&path(&there.allow(&request, &[])));
    (here, answer)
}

#[test]
fn another_hub_says_who_somebody_is() {
    let provider = House::open(&[]);
    provider.user("jiro", &["--role", "clinician", "--name", "次郎", "--fhir-user", "Practitioner/d2"]);
    let rules = "name = \"さくら総合病院および地域医療連携ネットワーク Hub P\"\naccounts = \"add\"\nscope = \"openid profile\"\n\
        [[role]]\nclaim = \"preferred_username\"\nvalue = \"jiro\"\nrole = \"clinician\"\n\
        [[role]]\nclaim = \"preferred_username\"\nvalue = \"hanako\"\nrole = \"clinician\"\n";
    let scene = Scene::open(provider.root(), rules);
    let callback = format!("{}/auth/outside", scene.house.root());
    let secret = provider.server("this-hub", &callback, "openid profile fhirUser");
    std::fs::write(&scene.secret, secret).unwrap();

    // Jiro is added, with the role the rules give, and comes again as the same.
    let mut jiro = provider.signed_in("jiro");
    assert!(is_in(&over(&scene, &mut jiro).1));
    assert!(is_in(&over(&scene, &mut jiro).1));
    let listed = done(&["user", "list", "--data", scene.house.place()], "");
    let line = listed.lines().find(|line| line.starts_with("jiro")).unwrap();
    assert_eq!(line, "jiro  clinician  次郎  (signs in elsewhere)");
    // Who has no role by the rules is not let in, and who has a name that is somebody else's here is not them.
    assert_eq!(over(&scene, &mut provider.signed_in("taro")).1.status, 403);
    let mut hanako = provider.signed_in("hanako");
    assert_eq!(over(&scene, &mut hanako).1.status, 403);
    // The operator says that she is.
    let users: Value =
        serde_json::from_str(&done(&["user", "list", "--json", "--data", provider.place()], "")).unwrap();
    let subject =
        users.as_array().unwrap().iter().find(|user| user["login"] == "hanako").unwrap()["id"].clone();
    let link =
        ["user", "link", "hanako", "--issuer", provider.root(), "--subject", subject.as_str().unwrap()];
    done(&[&link[..], &["--data", scene.house.place()]].concat(), "");
    assert!(is_in(&over(&scene, &mut hanako).1));
    let (is_done, said) = task(&[&link[..], &["--data", scene.house.place()]].concat(), "");
    assert!(!is_done && said.contains("already"), "{said}");
    done(&["user", "unlink", "hanako", "--data", scene.house.place()], "");
    assert_eq!(over(&scene, &mut hanako).1.status, 403);
    done(&["user", "disable", "jiro", "--data", scene.house.place()], "");
    assert_eq!(over(&scene, &mut jiro).1.status, 403);
    done(&["user", "enable", "jiro", "--data", scene.house.place()], "");
    // A secret that is not this hub's gets nothing.
    let right = std::fs::read_to_string(&scene.secret).unwrap();
    std::fs::write(&scene.secret, "another").unwrap();
    assert_eq!(over(&scene, &mut jiro).1.status, 403);
    std::fs::write(&scene.secret, right).unwrap();

    // In a browser, in both languages.
    for (width, language) in [(360, "ja"), (1280, "en")] {
        let browser = Browser::open(width, language);
        browser.go(&format!("{}/auth/sign-in?return=%2Fauth%2Faccount", scene.house.root()));
        is_well(&browser, "sign-in, with a provider");
        browser.prefer("prefers-color-scheme", "dark");
        browser.go(&format!("{}/auth/sign-in?return=%2Fauth%2Faccount", scene.house.root()));
        is_well(&browser, "sign-in, with a provider, dark");
        browser.press("a.button[href^='/auth/outside/begin']");
        assert!(browser.text("return location.href").starts_with(provider.root()));
        browser.type_into("#login", "jiro");
        browser.type_into("#password", &format!("{PASSWORD}\n"));
        browser.press("button[value=allow]");
        let here = browser.text("return location.href");
        assert_eq!(here, format!("{}/auth/account", scene.house.root()));
        // There is no other way in for who is managed there.
        assert!(browser.script("return document.querySelector('#again, .passkey') === null") == true);
        is_well(&browser, "account, managed elsewhere");
        browser.press("form[action='/auth/sign-out'] button");
        is_well(&browser, "signed out here");
        let note = browser.text("return document.querySelector('.note').textContent");
        assert!(note.contains("Hub P"), "{note}");
    }
}

/// How an answer differs from a true one: in the id_token's header and claims, and in what comes with the code.
#[derive(Default)]
struct Lie {
    header: Option<Value>,
    claims: Vec<(&'static str, Value)>,
    answer: Vec<(&'static str, Option<String>)>,
    is_unsigned: bool,
    is_by_other: bool,
    is_hmac: bool,
}

/// Sets out, and comes back with what the provider says.
fn arrive(scene: &Scene, provider: &Provider, key: &Key, lie: &Lie) -> Answer {
    arrive_as(&mut scene.house.visitor(), scene, provider, key, lie)
}

fn arrive_as(visitor: &mut Visitor, scene: &Scene, provider: &Provider, key: &Key, lie: &Lie) -> Answer {
    let place = scene.begin(visitor);
    let header = lie.header.clone().unwrap_or(json!({"alg": "ES384", "kid": key.jwk["kid"]}));
    let mut claims = json!({"iss": provider.issuer, "aud": "this-hub", "sub": "u-1", "exp": now() + 60, "iat": now(),
        "nonce": parameter(&place, "nonce").unwrap(), "preferred_username": "sensei", "groups": ["doctors"]});
    for (name, value) in &lie.claims {
        claims[*name] = value.clone();
    }
    let mut token = key.sign(&header, &claims);
    let message = token.rsplit_once('.').unwrap().0.to_owned();
    if lie.is_unsigned {
        token = format!("{message}.");
    }
    if lie.is_by_other {
        token = Key::new("k1").sign(&header, &claims);
    }
    if lie.is_hmac {
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.jwk.to_string().as_bytes());
        let tag = BASE64URL_NOPAD.encode(ring::hmac::sign(&secret, message.as_bytes()).as_ref());
        token = format!("{message}.{tag}");
    }
    provider.give(&token);
    let mut answer = vec![
        ("code", Some("c".to_owned())),
        ("state", parameter(&place, "state")),
        ("iss", Some(provider.issuer.clone())),
    ];
    for (name, value) in &lie.answer {
        answer.retain(|(n, _)| n != name);
        answer.push((name, value.clone()));
    }
    let query: Vec<String> =
        answer.iter().filter_map(|(n, v)| Some(format!("{n}={}", v.as_ref()?))).collect();
    let answer = visitor.get(&format!("/auth/outside?{}", query.join("&")));
    assert_eq!(visitor.cookie("yojigen-session").is_some(), is_in(&answer), "{}", answer.status);
    answer
}

const RULES: &str = "accounts = \"add\"\nlink-verified-email = true\n\
    [[role]]\nclaim = \"groups\"\nvalue = \"doctors\"\nrole = \"clinician\"\n\
    [[role]]\nclaim = \"groups\"\nvalue = \"desk\"\nrole = \"registrar\"\n";

#[test]
fn what_a_provider_did_not_say_to_this_browser_now_is_nothing() {
    let key = Key::new("k1");
    let provider = Provider::open(&key);
    let scene = Scene::open(&provider.issuer, RULES);
    let none = |header: Value| Lie { header: Some(header), ..Lie::default() };
    let claim = |name: &'static str, value: Value| Lie { claims: vec![(name, value)], ..Lie::default() };
    let answered = |name: &'static str, value: Option<&str>| Lie {
        answer: vec![(name, value.map(str::to_owned))],
        ..Lie::default()
    };
    let lies = [
        ("another nonce", claim("nonce", json!("n-2"))),
        ("no nonce", claim("nonce", Value::Null)),
        ("another issuer", claim("iss", json!("https://evil.example"))),
        ("another audience", claim("aud", json!("another-hub"))),
        ("several audiences, for whom is not said", claim("aud", json!(["this-hub", "another-hub"]))),
        ("expired", claim("exp", json!(now() - 60))),
        ("of tomorrow", claim("iat", json!(now() + 86_400))),
        ("no subject", claim("sub", json!(""))),
        ("alg none", Lie { header: Some(json!({"alg": "none"})), is_unsigned: true, ..Lie::default() }),
        ("unsigned", Lie { is_unsigned: true, ..Lie::default() }),
        (
            "an HMAC under the public key",
            Lie { header: Some(json!({"alg": "HS256", "kid": "k1"})), is_hmac: true, ..Lie::default() },
        ),
        ("another algorithm than the key's", none(json!({"alg": "RS256", "kid": "k1"}))),
        ("another key", Lie { is_by_other: true, ..Lie::default() }),
        ("an unknown key", none(json!({"alg": "ES384", "kid": "k9"}))),
        ("another provider's answer", answered("iss", Some("https://evil.example"))),
        ("nobody's answer", answered("iss", None)),
        ("no state", answered("state", None)),
        ("a guessed state", answered("state", Some("guessed"))),
        ("a guessed state with a place", answered("state", Some("AAAA.L3Blb3BsZQ"))),
        ("no code", answered("code", None)),
        ("a refusal", answered("error", Some("access_denied"))),
    ];
    for (what, lie) in lies {
        let answer = arrive(&scene, &provider, &key, &lie);
        assert!(answer.status == 403 && answer.header("location").is_none(), "{what}: {}", answer.status);
    }
    let listed = done(&["user", "list", "--data", scene.house.place()], "");
    assert!(!listed.contains("sensei"), "{listed}");
    assert!(is_in(&arrive(&scene, &provider, &key, &Lie::default())));
    // How this hub asked: with the verifier, and its secret where no address shows it.
    let (body, authorization) = provider.said.lock().unwrap().asked.pop().unwrap();
    assert!(body.contains("code_verifier=") && !body.contains("s3cr"), "{body}");
    assert!(authorization.starts_with("Basic "), "{authorization}");

    // Another's answer is nobody else's: begun in one browser it does not end in another, nor twice.
    let (mut one, mut other) = (scene.house.visitor(), scene.house.visitor());
    let place = scene.begin(&mut one);
    scene.begin(&mut other);
    let claims = json!({"iss": provider.issuer, "aud": "this-hub", "sub": "u-1", "exp": now() + 60, "iat": now(),
        "nonce": parameter(&place, "nonce").unwrap(), "groups": ["doctors"]});
    provider.give(&key.sign(&json!({"alg": "ES384", "kid": "k1"}), &claims));
    let back =
        format!("/auth/outside?code=c&state={}&iss={}", parameter(&place, "state").unwrap(), provider.issuer);
    assert_eq!(other.get(&back).status, 403);
    assert!(is_in(&one.get(&back)));
    assert_eq!(one.get(&back).status, 403, "twice");
    // A place that was put in is not gone to.
    let place = scene.begin(&mut one);
    let state = parameter(&place, "state").unwrap();
    let elsewhere =
        format!("{}.{}", state.split_once('.').unwrap().0, BASE64URL_NOPAD.encode(b"//evil.example"));
    assert_eq!(
        one.get(&format!("/auth/outside?code=c&state={elsewhere}&iss={}", provider.issuer)).status,
        403
    );
    // Who signs out here may sign out there.
    let mut leaving = scene.house.visitor();
    assert!(is_in(&arrive_as(&mut leaving, &scene, &provider, &key, &Lie::default())));
    let form = field(&leaving.get("/auth/account").body, "form").unwrap();
    let left = leaving.form("/auth/sign-out", &[("form", form)]);
    assert_eq!(left.header("location"), Some("/auth/sign-in?left=outside"));
    assert!(leaving.get("/auth/sign-in?left=outside").body.contains("/auth/outside/leave"));
    let there = leaving.get("/auth/outside/leave").header("location").unwrap().to_owned();
    assert!(there.starts_with(&format!("{}/leave?client_id=this-hub&", provider.issuer)), "{there}");
    // Nobody is led elsewhere.
    let mut visitor = scene.house.visitor();
    let answer = visitor.get("/auth/outside/begin?return=https%3A%2F%2Fevil.example");
    assert!(answer.header("location").unwrap().starts_with(&provider.issuer));

    // Each end is in the ledger, and no code or state of it.
    let looked = done(&["ledger", "show", "--data", scene.house.place(), "-n", "1000"], "");
    let of = |status: &str| {
        looked.lines().filter(|line| line.contains("sign-in  ") && line.contains(status)).count()
    };
    assert!(of(" 200 agent=") >= 2 && of(" 403 ") >= 20 && !looked.contains("state="), "{looked}");

    // Its keys change: the new ones are asked for.
    std::thread::sleep(std::time::Duration::from_secs(11));
    let next = Key::new("k2");
    provider.said.lock().unwrap().keys = json!({"keys": [next.jwk]});
    assert!(is_in(&arrive(&scene, &provider, &next, &Lie::default())));
    assert_eq!(arrive(&scene, &provider, &key, &Lie::default()).status, 403, "the old one is gone");
}

#[test]
fn roles_come_with_each_sign_in_and_an_address_counts_only_verified() {
    let key = Key::new("k1");
    let provider = Provider::open(&key);
    let scene = Scene::open(&provider.issuer, RULES);
    let come = |claims: &[(&'static str, Value)]| {
        arrive(&scene, &provider, &key, &Lie { claims: claims.to_vec(), ..Lie::default() })
    };
    let roles = |login: &str| {
        let listed = done(&["user", "list", "--data", scene.house.place()], "");
        let line = listed.lines().find(|line| line.starts_with(&format!("{login}  ")));
        line.map(|line| line.split("  ").nth(1).unwrap().to_owned())
    };
    assert!(is_in(&come(&[])));
    assert_eq!(roles("sensei").as_deref(), Some("clinician"));
    assert!(is_in(&come(&[("groups", json!(["desk", "doctors"]))])));
    assert_eq!(roles("sensei").as_deref(), Some("clinician,registrar"));
    assert!(is_in(&come(&[("groups", json!("desk"))])));
    assert_eq!(roles("sensei").as_deref(), Some("registrar"));
    // Let go there, nobody here.
    assert_eq!(come(&[("groups", json!([]))]).status, 403);
    // An address is no name of somebody, unless it was verified; and then their roles are those they have here.
    scene.house.user("hanako@example.org", &["--role", "auditor"]);
    let email = ("email", json!("hanako@example.org"));
    let who = ("sub", json!("u-2"));
    let none = ("groups", json!([]));
    for verified in [json!(false), json!("true"), Value::Null] {
        let claims = [email.clone(), who.clone(), none.clone(), ("email_verified", verified)];
        assert_eq!(come(&claims).status, 403);
    }
    assert!(is_in(&come(&[email.clone(), who.clone(), none.clone(), ("email_verified", json!(true))])));
    assert_eq!(roles("hanako@example.org").as_deref(), Some("auditor"));
    // From then on it is the subject that counts.
    assert!(is_in(&come(&[who, none])));
    // Asked at the userinfo endpoint, the provider speaks of the same person or of nobody.
    let scene = Scene::open(&provider.issuer, &format!("userinfo = true\n{RULES}"));
    let come = |about: Value| {
        provider.said.lock().unwrap().about = about;
        arrive(&scene, &provider, &key, &Lie { claims: vec![("groups", Value::Null)], ..Lie::default() })
    };
    assert_eq!(come(json!({"sub": "u-9", "groups": ["doctors"]})).status, 403);
    assert_eq!(come(json!({"groups": ["doctors"]})).status, 403);
    assert_eq!(come(json!({"sub": "u-1"})).status, 403, "no role by either");
    assert!(is_in(&come(json!({"sub": "u-1", "groups": ["desk"]}))));
    let lie = Lie { claims: vec![("preferred_username", json!("deputy"))], ..Lie::default() };
    let lie = Lie { claims: [lie.claims, vec![("sub", json!("u-3"))]].concat(), ..Lie::default() };
    provider.said.lock().unwrap().about =
        json!({"sub": "u-3", "preferred_username": "forged", "name": "代理"});
    assert!(is_in(&arrive(&scene, &provider, &key, &lie)));
    let listed = done(&["user", "list", "--data", scene.house.place()], "");
    assert!(
        listed.contains("deputy  clinician  代理") && !listed.contains("forged"),
        "what was signed counts: {listed}"
    );
    let pairs = [
        ("--openid-client-id", "x"),
        ("--openid-rules", "/none"),
        ("--openid-issuer", "http://id.example"),
        ("--openid-issuer", "https://id.example/?x"),
    ];
    for (flag, value) in pairs {
        let (is_done, said) = task(&["serve", "--data", scene.house.place(), flag, value], "");
        assert!(!is_done && said.contains("openid-issuer"), "{flag}: {said}");
    }
}
