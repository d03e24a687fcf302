//! Passkeys: in a real browser with an authenticator in it, and against one that lies.

use serde_json::{Value, json};

use super::authenticator::{Authenticator, Lie};
use super::visitor::field;
use super::{House, PASSWORD, Visitor, done};
use crate::browser::Browser;
use crate::hub::Answer;
use crate::pages::is_well;

/// What a page wishes of the browser.
fn wish(page: &str, name: &str) -> Value {
    let (_, rest) =
        page.split_once(&format!("data-{name}=\"")).unwrap_or_else(|| panic!("no {name}: {page}"));
    let text = rest.split('"').next().unwrap();
    serde_json::from_str(&text.replace("&#34;", "\"").replace("&#38;", "&")).unwrap()
}

pub(super) fn make(visitor: &mut Visitor, authenticator: &mut Authenticator, lie: &Lie) -> Answer {
    let page = visitor.get("/auth/account?lang=en");
    let wish = wish(&page.body, "new-passkey");
    let mut pairs = authenticator.make(&wish, lie);
    pairs.push(("form", field(&page.body, "form").unwrap()));
    pairs.push(("action", "add-passkey".to_owned()));
    pairs.push(("passkey-name", "Telephone".to_owned()));
    visitor.form("/auth/account", &pairs)
}

/// The fields by which somebody signs in from a fresh page.
fn fields_for(
    visitor: &mut Visitor,
    authenticator: &mut Authenticator,
    lie: &Lie,
) -> Vec<(&'static str, String)> {
    let page = visitor.get("/auth/sign-in?lang=en&return=%2Fpeople");
    let mut pairs = authenticator.sign(&wish(&page.body, "passkey"), lie);
    pairs.push(("form", field(&page.body, "form").unwrap()));
    pairs.push(("return", "/people".to_owned()));
    pairs
}

pub(super) fn sign_in(house: &House, authenticator: &mut Authenticator, lie: &Lie) -> (u16, Option<String>) {
    let mut visitor = house.visitor();
    let pairs = fields_for(&mut visitor, authenticator, lie);
    let answer = visitor.form("/auth/passkey", &pairs);
    (answer.status, answer.header("location").map(str::to_owned))
}

/// That of somebody who is let in.
fn is_in(answer: &(u16, Option<String>)) -> bool {
    *answer == (303, Some("/people".to_owned()))
}

#[test]
fn a_passkey_is_made_only_for_this_hub_this_page_and_this_person() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    for (lie, said) in [
        (Lie { origin: Some("https://evil.example"), ..Lie::default() }, "will not do"),
        (Lie { origin: Some("http://localhost"), ..Lie::default() }, "will not do"),
        (Lie { host: Some("evil.example"), ..Lie::default() }, "will not do"),
        (Lie { kind: Some("webauthn.get"), ..Lie::default() }, "will not do"),
        (Lie { is_cross_origin: true, ..Lie::default() }, "will not do"),
        (Lie { challenge: Some("AAAA".to_owned()), ..Lie::default() }, "too old"),
        (Lie { flags: Some(0x01), ..Lie::default() }, "will not do"),
        (Lie { flags: Some(0x04), ..Lie::default() }, "will not do"),
        (Lie { flags: Some(0x15), ..Lie::default() }, "will not do"),
        (Lie { algorithm: Some(-1), ..Lie::default() }, "will not do"),
    ] {
        let answer = make(&mut taro, &mut Authenticator::new(b"one"), &lie);
        assert!(
            answer.status == 400 && answer.body.contains(said),
            "{lie:?}: {} {}",
            answer.status,
            answer.body
        );
    }
    let answer = make(&mut taro, &mut Authenticator::new(&[7; 1024]), &Lie::default());
    assert_eq!(answer.status, 400, "an id of 1,024 bytes");
    // Another's page, and a page of another person, made its challenge for themselves.
    let mut hanako = house.signed_in("hanako");
    let page = hanako.get("/auth/account");
    let mut pairs = Authenticator::new(b"one").make(&wish(&page.body, "new-passkey"), &Lie::default());
    pairs.push(("form", field(&taro.get("/auth/account").body, "form").unwrap()));
    pairs.push(("action", "add-passkey".to_owned()));
    pairs.push(("passkey-name", "Telephone".to_owned()));
    assert_eq!(taro.form("/auth/account", &pairs).status, 400);
    // Right, it is kept; nothing else was.
    let mut one = Authenticator::new(&[7; 1023]);
    let page = taro.get("/auth/account");
    let wished = wish(&page.body, "new-passkey");
    assert_eq!(wished["excludeCredentials"], json!([]));
    let mut pairs = one.make(&wished, &Lie::default());
    pairs.push(("form", field(&page.body, "form").unwrap()));
    pairs.push(("action", "add-passkey".to_owned()));
    pairs.push(("passkey-name", "Telephone".to_owned()));
    let answer = taro.form("/auth/account?lang=en", &pairs);
    assert!(answer.status == 200 && answer.body.contains("Telephone"), "{}", answer.body);
    // The same answer again is used; the same passkey again is known, also to another person.
    assert_eq!(taro.form("/auth/account", &pairs).status, 400);
    let answer = make(&mut taro, &mut one, &Lie::default());
    assert!(answer.status == 400 && answer.body.contains("already"), "{}", answer.body);
    let answer = make(&mut hanako, &mut one, &Lie::default());
    assert!(answer.status == 400 && answer.body.contains("already"), "{}", answer.body);
    let wished = wish(&taro.get("/auth/account").body, "new-passkey");
    assert_eq!(wished["excludeCredentials"][0]["transports"], json!(["internal"]));
}

#[test]
fn whoever_shows_anything_but_the_passkey_stays_outside() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let mut one = Authenticator::new(b"one");
    assert_eq!(make(&mut taro, &mut one, &Lie::default()).status, 200);
    let mut hanako = house.signed_in("hanako");
    let mut other = Authenticator::new(b"other");
    assert_eq!(make(&mut hanako, &mut other, &Lie::default()).status, 200);
    assert!(is_in(&sign_in(&house, &mut one, &Lie::default())));

    let handle_of_other = other.sign(&json!({"rpId": "localhost"}), &Lie::default()).pop().unwrap().1;
    for lie in [
        Lie { origin: Some("https://evil.example"), ..Lie::default() },
        Lie { host: Some("evil.example"), ..Lie::default() },
        Lie { kind: Some("webauthn.create"), ..Lie::default() },
        Lie { is_cross_origin: true, ..Lie::default() },
        Lie { challenge: Some("AAAA".to_owned()), ..Lie::default() },
        Lie { flags: Some(0x01), ..Lie::default() },
        Lie { flags: Some(0x04), ..Lie::default() },
        // It was none that may be backed up.
        Lie { flags: Some(0x0d), ..Lie::default() },
        Lie { has_other_signature: true, ..Lie::default() },
        Lie { signature: Some(vec![0]), ..Lie::default() },
        Lie { signature: Some(Vec::new()), ..Lie::default() },
        Lie { handle: Some(handle_of_other), ..Lie::default() },
        Lie { handle: Some(String::new()), ..Lie::default() },
    ] {
        let answer = sign_in(&house, &mut one, &lie);
        assert!(answer.0 == 403 && answer.1.is_none(), "{lie:?}: {answer:?}");
        // A guess more or less does not shut its owner out.
        assert!(is_in(&sign_in(&house, &mut one, &Lie::default())), "after {lie:?}");
    }
    // The ledger has both: who came in, and that somebody did not.
    let looked = done(&["ledger", "show", "--data", house.place(), "-n", "1000"], "");
    let of =
        |mark: &str| looked.lines().filter(|line| line.contains("sign-in  ") && line.contains(mark)).count();
    assert!(of(" 200 agent=Patient/p1 ") >= 13 && of(" 403 ") >= 13, "{looked}");
    // One that nobody has registered, and one that says it is taro's.
    assert_eq!(sign_in(&house, &mut Authenticator::new(b"unknown"), &Lie::default()).0, 403);
    let mut thief = Authenticator::new(b"one");
    thief.counter = 900;
    assert_eq!(sign_in(&house, &mut thief, &Lie::default()).0, 403);
    // An answer counts once, in the browser it was asked in.
    let mut visitor = house.visitor();
    let pairs = fields_for(&mut visitor, &mut one, &Lie::default());
    let mut stranger = house.visitor();
    let own = field(&stranger.get("/auth/sign-in").body, "form").unwrap();
    let stolen: Vec<(&str, String)> =
        pairs.iter().map(|(n, v)| (*n, if *n == "form" { own.clone() } else { v.clone() })).collect();
    assert_eq!(stranger.form("/auth/passkey", &stolen).status, 403);
    assert_eq!(visitor.form("/auth/passkey", &pairs).status, 303);
    let again: Vec<(&str, String)> = {
        let fresh = field(&visitor.get("/auth/sign-in").body, "form").unwrap();
        pairs.iter().map(|(n, v)| (*n, if *n == "form" { fresh.clone() } else { v.clone() })).collect()
    };
    assert_ne!(visitor.form("/auth/passkey", &again).status, 303);
    // A counter that goes back: there are two of it, and neither signs in any more.
    assert_eq!(sign_in(&house, &mut one, &Lie { counter: Some(1), ..Lie::default() }).0, 403);
    assert_eq!(sign_in(&house, &mut one, &Lie::default()).0, 403);
    let page = taro.get("/auth/account?lang=en");
    assert!(page.body.contains("There may be a copy"), "{}", page.body);
    // Another's is theirs, and so is what is done to it.
    assert!(is_in(&sign_in(&house, &mut other, &Lie::default())));
    let id = page.body.split("name=\"id\" value=\"").last().unwrap();
    let id = id.split('"').next().unwrap().to_owned();
    let form = field(&hanako.get("/auth/account").body, "form").unwrap();
    let pairs = [("form", &*form), ("id", &*id), ("action", "remove-passkey")];
    assert_eq!(hanako.form("/auth/account", &pairs).status, 404);
    // Whoever may not sign in does not do so by a passkey either; an operator takes it away.
    done(&["user", "disable", "hanako", "--data", house.place()], "");
    assert_eq!(sign_in(&house, &mut other, &Lie::default()).0, 403);
    done(&["user", "enable", "hanako", "--data", house.place()], "");
    assert!(is_in(&sign_in(&house, &mut other, &Lie::default())));
    let listed = done(&["user", "list", "--data", house.place()], "");
    assert!(listed.contains("(passkey)"), "{listed}");
    done(&["user", "password", "hanako", "--without-passkeys", "--data", house.place()], "");
    assert_eq!(sign_in(&house, &mut other, &Lie::default()).0, 403);
}

#[test]
fn in_a_real_browser_a_person_signs_in_by_a_passkey_and_nothing_else() {
    let house = House::open(&[]);
    let root = house.root().to_owned();
    for (width, language, login) in [(360, "ja", "taro"), (1280, "en", "hanako")] {
        let browser = Browser::open(width, language);
        let authenticator = browser.add_authenticator(true);
        let at = |path: &str| browser.go(&format!("{root}{path}"));
        at("/auth/sign-in");
        is_well(&browser, "sign-in with passkeys");
        browser.type_into("#login", login);
        browser.type_into("#password", &format!("{PASSWORD}\n"));
        browser.until(
            "return location.pathname === '/auth/account' && document.querySelector('.passkey') !== null",
        );
        is_well(&browser, "account without passkey");
        browser.script("document.querySelector('#passkey-name').value = '電話'");
        browser.click("button.passkey");
        browser.until("return document.querySelector('.own summary') !== null");
        assert!(browser.text("return document.body.textContent").contains("電話"));
        let kept = browser.credentials(&authenticator);
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!((&kept[0]["rpId"], &kept[0]["isResidentCredential"]), (&"localhost".into(), &true.into()));
        is_well(&browser, "account with a passkey");
        browser.prefer("prefers-color-scheme", "dark");
        at("/auth/account");
        is_well(&browser, "account with a passkey, dark");
        // This device has one already, and says so.
        browser.click("button.passkey");
        browser.until("return document.querySelector('.passkey-known').hidden === false");
        // Out, and in again without a name.
        browser.press("form[action='/auth/sign-out'] button");
        at("/auth/sign-in?return=%2Fpeople");
        // The browser may offer it by itself, beside the name's field.
        browser.script("const b = document.querySelector('button.passkey'); if (b) b.click()");
        browser.until("return location.pathname === '/people' && document.readyState === 'complete'");
        at("/auth/account");
        let signed = &browser.credentials(&authenticator)[0];
        assert!(signed["signCount"].as_u64() >= Some(2), "{signed}");
        // Called something else, and gone.
        browser.script("document.querySelector('.own details:has([name=passkey-name])').open = true");
        browser.script("document.querySelector('.own [name=passkey-name]').value = 'Key ring'");
        browser.press("button[value=name-passkey]");
        assert!(browser.text("return document.body.textContent").contains("Key ring"));
        browser.script("document.querySelector('.own details:has([name=passkey-name])').open = true");
        is_well(&browser, "account, a passkey's name");
        browser.press("button[value=remove-passkey]");
        assert!(browser.script("return document.querySelector('.own summary') === null") == true);
        browser.press("form[action='/auth/sign-out'] button");
        at("/auth/sign-in");
        browser.script("const b = document.querySelector('button.passkey'); if (b) b.click()");
        browser.until("return document.querySelector('.desk > [role=alert]') !== null");
        is_well(&browser, "a passkey that is gone");
        let (complaints, _) = browser.complaints_and_addresses();
        // The refusal itself is one; that signing out clears what the device kept is told too.
        let is_known = |c: &String| c.contains("403") || c.contains("Clear-Site-Data");
        assert!(complaints.iter().all(is_known), "{complaints:?}");
    }
}

#[test]
fn who_is_invited_sets_a_passkey_instead_of_a_password() {
    let house = House::open(&[]);
    let invited = done(&["user", "add", "jiro", "--role", "clinician", "--data", house.place()], "");
    let link = invited.split_whitespace().find(|word| word.contains("/auth/invitation?")).unwrap().to_owned();
    let browser = Browser::open(360, "en");
    let authenticator = browser.add_authenticator(true);
    browser.go(&link);
    browser.until("return document.querySelector('.with-passkey').hidden === false");
    is_well(&browser, "invitation");
    browser.click("button.passkey");
    browser.until("return location.pathname === '/auth/account' && document.readyState === 'complete'");
    assert_eq!(browser.credentials(&authenticator).len(), 1);
    // The only way in is not thrown away.
    browser.script("document.querySelector('.own details:has([name=passkey-name])').open = true");
    browser.press("button[value=remove-passkey]");
    assert!(
        browser.text("return document.querySelector('[role=alert]').textContent").contains("only way in")
    );
    // There is no password to ask for; with one the passkey may go.
    assert!(browser.script("return document.querySelector('#current') === null") == true);
    browser.script(&format!(
        "for (const name of ['password', 'again']) document.querySelector(`#${{name}}`).value = '{PASSWORD}'"
    ));
    browser.press("form:has(#again) button");
    let answer = house.visitor().sign_in("jiro", PASSWORD, "/auth/account");
    assert_eq!(answer.status, 303);
    // The link was used.
    browser.go(&link);
    assert_eq!(house.visitor().get(link.strip_prefix(house.root()).unwrap()).status, 404);
    // Nobody is verified: no passkey is made, and the page says so.
    let invited = done(&["user", "add", "saburo", "--role", "person", "--data", house.place()], "");
    let link = invited.split_whitespace().find(|word| word.contains("/auth/invitation?")).unwrap().to_owned();
    let other = Browser::open(360, "ja");
    other.add_authenticator(false);
    other.go(&link);
    other.until("return document.querySelector('.with-passkey').hidden === false");
    other.click("button.passkey");
    other.until("return document.querySelector('.passkey-none').hidden === false");
    is_well(&other, "invitation, no passkey");
}
