//! Roles whose users show a second factor: before that there is nothing, in pages or by apps.

use serde_json::json;

use super::authenticator::{Authenticator, Lie};
use super::outside::{Scene, over};
use super::visitor::{field, written};
use super::{House, PASSWORD, Visitor, done, passkeys};
use crate::browser::Browser;
use crate::hub::{Answer, Hub};
use crate::pages::is_well;

const REQUIRED: &[&str] = &["--require-second-factor", "operator"];

fn with_operator(arguments: &[&str]) -> House {
    let house = House::open(arguments);
    house.user("ope", &["--role", "operator"]);
    house
}

/// Signs in by the password alone: where that leads in the end.
fn by_password(house: &House, login: &str) -> (Visitor, Option<String>) {
    let mut visitor = house.visitor();
    let answer = visitor.sign_in(login, PASSWORD, "/");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let place = visitor.get("/").header("location").map(str::to_owned);
    (visitor, place)
}

fn act(visitor: &mut Visitor, pairs: &[(&str, &str)]) -> Answer {
    let form = field(&visitor.get("/auth/account").body, "form").unwrap();
    visitor.form("/auth/account?lang=en&return=%2F", &[&[("form", &*form)], pairs].concat())
}

/// The code an authenticator app would show.
fn code(page: &str) -> String {
    let (_, rest) = page.split_once("<p class=\"secret\">").unwrap();
    auth::totp_code(rest.split('<').next().unwrap(), super::systems::now()).unwrap()
}

const TO_ACCOUNT: &str = "/auth/account?return=%2F";

#[test]
fn who_has_none_sets_one_up_before_anything_else() {
    let house = with_operator(REQUIRED);
    // It is asked of that role alone.
    assert_eq!(by_password(&house, "taro").1, None);
    let (mut ope, place) = by_password(&house, "ope");
    assert_eq!(place.as_deref(), Some(TO_ACCOUNT));
    let session = |ope: &mut Visitor, method: &str, path: &str, body: &str| {
        let headers = [("origin", house.root()), ("content-type", "application/json")];
        ope.send(method, path, &headers, body)
    };
    for (method, path, body) in [
        ("GET", "/fhir/Organization", ""),
        ("POST", "/fhir/Organization", "{}"),
        ("POST", "/auth/launch", "{}"),
    ] {
        let answer = session(&mut ope, method, path, body);
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
        assert!(answer.body.contains("/auth/account"), "{}", answer.body);
    }
    assert_eq!(ope.get("/metrics").status, 303);
    let asked = house.request("other", "openid");
    let place =
        ope.get(&format!("/auth/authorize?{}", written(&asked))).header("location").unwrap().to_owned();
    assert!(place.starts_with("/auth/account?return=%2Fauth%2Fauthorize"), "{place}");
    // Nor is anything changed but that.
    let page = ope.get("/auth/account?lang=en").body;
    assert!(page.contains("value=\"begin-code\"") && page.contains("Your role takes more"), "{page}");
    for absent in ["id=\"again\"", "end-session", "<h2>Where"] {
        assert!(!page.contains(absent), "{absent}");
    }
    let new = "another long password";
    let change = [("action", "password"), ("current", PASSWORD), ("password", new), ("again", new)];
    assert_eq!(act(&mut ope, &change).status, 400);
    assert_eq!(house.visitor().sign_in("ope", new, "/").status, 403);
    // Set up, it leads on.
    let page = act(&mut ope, &[("action", "begin-code")]).body;
    assert_eq!(act(&mut ope, &[("action", "confirm-code"), ("code", "000000")]).status, 400);
    assert_eq!(ope.get("/").status, 303);
    let page = act(&mut ope, &[("action", "confirm-code"), ("code", &code(&page))]);
    assert!(page.status == 200 && page.body.contains("<a href=\"/\">"), "{}", page.body);
    assert_eq!(ope.get("/").status, 200);
    assert_eq!(session(&mut ope, "GET", "/fhir/Organization", "").status, 200);
    let token = house.exchange("other", &house.code(&mut ope, "other", "openid fhirUser"));
    assert_eq!(token.status, 200, "{}", token.body);
}

#[test]
fn who_has_one_shows_it_and_sets_up_no_other_by_the_password() {
    let house = with_operator(REQUIRED);
    let (mut ope, _) = by_password(&house, "ope");
    let mut telephone = Authenticator::new(b"one");
    let answer = passkeys::make(&mut ope, &mut telephone, &Lie::default());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(ope.get("/").status, 200, "whoever made it was verified");
    // Somebody who found the password out.
    let (mut thief, place) = by_password(&house, "ope");
    assert_eq!(place.as_deref(), Some(TO_ACCOUNT));
    let page = thief.get("/auth/account?lang=en").body;
    assert!(page.contains("A password alone"), "{page}");
    assert!(!page.contains("begin-code") && !page.contains("data-new-passkey"), "{page}");
    for action in ["begin-code", "confirm-code", "add-passkey", "remove-passkey", "password", "end-session"] {
        assert_eq!(act(&mut thief, &[("action", action), ("code", "123456")]).status, 400, "{action}");
    }
    assert_eq!(thief.get("/").status, 303);
    let (status, place) = passkeys::sign_in(&house, &mut telephone, &Lie::default());
    assert_eq!((status, place.as_deref()), (303, Some("/people")));
}

#[test]
fn what_apps_were_granted_without_one_counts_no_more() {
    let mut house = with_operator(&[]);
    let mut ope = house.signed_in("ope");
    let scope = "openid user/Observation.cruds offline_access";
    let tokens = house.exchange("diary", &house.code(&mut ope, "diary", scope)).json();
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    assert!(house.knows(&token));
    assert!(house.hub.stop());
    house.hub = Hub::serve_closed(&house.data, REQUIRED, &[]);
    assert!(!house.knows(&token));
    let mut app = house.visitor();
    let bearer = format!("Bearer {token}");
    assert_eq!(app.send("GET", "/auth/userinfo", &[("authorization", &bearer)], "").status, 401);
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", "diary"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let answer = app.form("/auth/token", &pairs);
    assert_eq!(answer.json()["error"], "invalid_grant", "{}", answer.body);
}

#[test]
fn a_provider_says_that_it_was_shown_there() {
    let provider = House::open(&[]);
    provider.user("jiro", &["--role", "clinician"]);
    let rules = "accounts = \"add\"\n[[role]]\nrole = \"operator\"\n";
    let scene = Scene::with(provider.root(), rules, REQUIRED);
    let callback = format!("{}/auth/outside", scene.house.root());
    let secret = provider.server("this-hub", &callback, "openid profile fhirUser");
    std::fs::write(&scene.secret, secret).unwrap();
    let mut jiro = provider.signed_in("jiro");
    let (mut here, _) = over(&scene, &mut jiro);
    assert_eq!(here.get("/").header("location"), Some(TO_ACCOUNT));
    let page = here.get("/auth/account?lang=en").body;
    assert!(page.contains("Turn it on where you sign in") && !page.contains("begin-code"), "{page}");
    // With a code there it is enough here.
    let page = act(&mut jiro, &[("action", "begin-code")]).body;
    assert_eq!(act(&mut jiro, &[("action", "confirm-code"), ("code", &code(&page))]).status, 200);
    let (mut here, _) = over(&scene, &mut jiro);
    assert_eq!(here.get("/").status, 200);
}

#[test]
fn it_is_set_up_in_a_browser() {
    let house = with_operator(REQUIRED);
    for (width, language) in [(320, "ja"), (1280, "en")] {
        let browser = Browser::open(width, language);
        browser.go(&format!("{}/people", house.root()));
        browser.type_into("#login", "ope");
        browser.type_into("#password", &format!("{PASSWORD}\n"));
        browser.until("return location.pathname === '/auth/account' && document.readyState === 'complete'");
        is_well(&browser, "account, a second factor is needed");
        browser.press("button[value=begin-code]");
        is_well(&browser, "account, a second factor is set up");
        assert_eq!(browser.script("return document.querySelectorAll('h2').length > 0"), json!(true));
    }
    let place = house.place().to_owned();
    let (is_done, said) = super::task(&["serve", "--data", &place, "--require-second-factor", "nobody"], "");
    assert!(!is_done && said.contains("operator"), "{said}");
    done(&["user", "list", "--data", &place], "");
}
