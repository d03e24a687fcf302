//! People: the first operator, signing in, a second factor, the account, the command line.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::visitor::{field, written};
use super::{House, PASSWORD, Visitor, done, task};
use crate::browser::Browser;
use crate::hub::{Hub, PROGRAM};
use crate::pages::is_well;

#[test]
fn the_first_operator_comes_in_once_and_nothing_secret_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("hub"), folder.path().join("log"));
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
        .env("YOJIGEN_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let link = lines.find_map(|line| {
        line.unwrap()
            .split_once("http://")
            .filter(|(_, l)| l.contains("invitation"))
            .map(|(_, l)| format!("http://{l}"))
    });
    let link = link.unwrap();
    let (root, path) =
        link.split_once("/auth/").map(|(root, path)| (root.to_owned(), format!("/auth/{path}"))).unwrap();
    let mut operator = Visitor::new(&root);
    let page = operator.get(&path);
    assert_eq!(page.status, 200, "{}", page.body);
    let (form, secret) = (field(&page.body, "form").unwrap(), field(&page.body, "secret").unwrap());
    let accept = |visitor: &mut Visitor, login: &str, password: &str, again: &str| {
        let pairs = [
            ("form", &*form),
            ("secret", &*secret),
            ("login", login),
            ("name", "運用"),
            ("password", password),
            ("again", again),
        ];
        visitor.form("/auth/invitation", &pairs)
    };
    for (login, password, again) in
        [("ope", "short", "short"), ("ope", PASSWORD, "another password"), ("名前", PASSWORD, PASSWORD)]
    {
        let answer = accept(&mut operator, login, password, again);
        assert_eq!(answer.status, 400, "{login} {password}");
        assert!(!answer.body.contains(password), "a password is not sent back");
    }
    let answer = accept(&mut operator, "ope", PASSWORD, PASSWORD);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/auth/account")), "{}", answer.body);
    assert!(operator.get("/auth/account").body.contains("運用者"));
    // It works once, and never again once there are users.
    let mut thief = Visitor::new(&root);
    assert_eq!(thief.get(&path).status, 404);
    assert_eq!(accept(&mut thief, "thief", PASSWORD, PASSWORD).status, 404);
    // A session of the operator's is a user's; nobody is shown anything by its address.
    let session = operator.cookie("yojigen-session").unwrap().to_owned();
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("signing key"), "the log was listened to");
    for secret in [PASSWORD, &session, &secret, &form] {
        assert!(!log.contains(secret), "{secret} in {log}");
        assert!(super::files_with(&data, secret).is_empty());
    }
    assert_eq!(std::fs::metadata(data.join("auth")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn users_are_kept_by_the_command_line_whether_or_not_the_hub_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let place = data.to_str().unwrap();
    let (is_done, said) = task(&["user", "list", "--data", place], "");
    assert!(!is_done && said.contains("not a data directory"), "{said}");
    assert!(Hub::serve(&data).stop());
    assert!(!data.join("auth").exists(), "a hub that is open has no secrets");
    done(&["user", "add", "hanako", "--role", "clinician", "--data", place, "--password-stdin"], PASSWORD);
    for (arguments, reason) in [
        (&["user", "add", "hanako", "--role", "clinician"][..], "already"),
        (&["user", "add", "x", "--role", "king"], "known are person"),
        (&["user", "add", "花子", "--role", "person"], "login name"),
        (&["user", "add", "x", "--role", "person", "--fhir-user", "Observation/1"], "no reference"),
        (&["user", "disable", "nobody"], "no user 'nobody'"),
        (
            &[
                "client",
                "add",
                "x",
                "--name",
                "X",
                "--scope",
                "patient/Patiant.rs",
                "--redirect-uri",
                "https://x.example",
            ],
            "Patient",
        ),
        (
            &[
                "client",
                "add",
                "x",
                "--name",
                "X",
                "--scope",
                "patient/*.rs",
                "--redirect-uri",
                "http://x.example",
            ],
            "https",
        ),
        (&["client", "remove", "x"], "no client 'x'"),
    ] {
        let (is_done, said) = task(&[arguments, &["--data", place]].concat(), "");
        assert!(!is_done && said.contains(reason), "{arguments:?}: {said}");
    }
    let (is_done, said) =
        task(&["user", "add", "x", "--role", "person", "--data", place, "--password-stdin"], "short\n");
    assert!(!is_done && said.contains("12 characters"), "{said}");

    let hub = Hub::serve_closed(&data, &["--session-longest", "3000"], &[]);
    let root = hub.base.trim_end_matches("/fhir").to_owned();
    // The hub runs, and does it.
    let added = done(&["user", "add", "taro", "--role", "person", "--patient", "p1", "--data", place], "");
    let link = added.lines().find(|line| line.contains("/auth/invitation")).unwrap().trim();
    assert!(link.starts_with(&root), "{link}");
    let list: Value = serde_json::from_str(&done(&["user", "list", "--json", "--data", place], "")).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert!(!list.to_string().contains("argon2"), "{list}");
    // By the link the user sets a password.
    let path = link.strip_prefix(&root).unwrap();
    let mut taro = Visitor::new(&root);
    let page = taro.get(path);
    let pairs = [
        ("form", field(&page.body, "form").unwrap()),
        ("secret", field(&page.body, "secret").unwrap()),
        ("password", PASSWORD.to_owned()),
        ("again", PASSWORD.to_owned()),
    ];
    assert_eq!(taro.form("/auth/invitation", &pairs).status, 303);
    assert_eq!(taro.get("/auth/account").status, 200);
    // Disabled, at once, everywhere.
    done(&["user", "disable", "taro", "--data", place], "");
    assert_eq!(taro.get("/auth/account").status, 303);
    assert_eq!(Visitor::new(&root).sign_in("taro", PASSWORD, "/").status, 403);
    done(&["user", "enable", "taro", "--data", place], "");
    assert_eq!(taro.get("/auth/account").status, 303, "sessions do not come back");
    assert_eq!(Visitor::new(&root).sign_in("taro", PASSWORD, "/").status, 303);
    done(&["user", "role", "taro", "proxy", "clinician", "--data", place], "");
    assert!(done(&["user", "list", "--data", place], "").contains("proxy,clinician"));
    // A second hub does not get the vault, nor one that others can read.
    let data_of_other = ["serve", "--listen", "127.0.0.1:0", "--data", place];
    assert!(!task(&data_of_other, "").0);
    assert!(hub.stop());
    std::fs::set_permissions(data.join("auth"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (is_done, said) = task(&data_of_other, "");
    assert!(!is_done && said.contains("chmod 700"), "{said}");
    let (is_done, said) = task(&["serve", "--listen", "0.0.0.0:0", "--data", place], "");
    assert!(!is_done && said.contains("--url"), "{said}");
}

#[test]
fn guessing_is_slow_and_tells_nothing() {
    let house = House::open(&[]);
    let mut guesser = house.visitor();
    let known = guesser.sign_in("taro", "wrong password 1", "/");
    let unknown = guesser.sign_in("nobody", "wrong password 1", "/");
    // Each page has a challenge of its own.
    let bare = |page: &str| {
        let (before, rest) = page.split_once("data-passkey=\"").unwrap();
        let after = rest.split_once('"').unwrap().1;
        format!("{before}{after}").replace("taro", "").replace("nobody", "")
    };
    assert_eq!((known.status, bare(&known.body)), (unknown.status, bare(&unknown.body)));
    let slow =
        (0..8).map(|_| guesser.sign_in("taro", "wrong password 2", "/")).find(|answer| answer.status == 429);
    assert!(slow.is_some());
    // The right password waits as well: else the wait would tell.
    assert_eq!(guesser.sign_in("taro", PASSWORD, "/").status, 429);
    assert_eq!(guesser.sign_in("hanako", PASSWORD, "/").status, 303, "others do not wait");
}

#[test]
fn a_second_factor_is_asked_for_and_counts_once() {
    let house = House::open(&[]);
    let mut taro = house.signed_in("taro");
    let form = field(&taro.get("/auth/account").body, "form").unwrap();
    let page = taro.form("/auth/account", &[("form", &*form), ("action", "begin-code")]);
    let (_, rest) = page.body.split_once("<p class=\"secret\">").unwrap();
    let secret = rest.split('<').next().unwrap().to_owned();
    assert!(page.body.contains("otpauth://totp/"), "{}", page.body);
    let code = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        auth::totp_code(&secret, now).unwrap()
    };
    let confirm = |taro: &mut Visitor, code: &str| {
        taro.form("/auth/account", &[("form", &*form), ("action", "confirm-code"), ("code", code)])
    };
    assert_eq!(confirm(&mut taro, "000000").status, 400);
    let used = code();
    let page = confirm(&mut taro, &used);
    assert_eq!(page.status, 200, "{}", page.body);
    let (_, rest) = page.body.split_once("<ul class=\"secret\"><li>").unwrap();
    let recovery = rest.split('<').next().unwrap().to_owned();
    assert!(!taro.get("/auth/account").body.contains(&recovery), "shown once");

    let half = |visitor: &mut Visitor| {
        let page = visitor.sign_in("taro", PASSWORD, "/auth/account");
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(visitor.cookie("yojigen-session").is_none());
        (field(&page.body, "form").unwrap(), field(&page.body, "half").unwrap())
    };
    let enter = |visitor: &mut Visitor, form: &str, half: &str, code: &str| {
        visitor.form(
            "/auth/sign-in",
            &[("form", form), ("return", "/auth/account"), ("half", half), ("code", code)],
        )
    };
    let mut again = house.visitor();
    let (form, first) = half(&mut again);
    assert_eq!(enter(&mut again, &form, &first, &used).status, 403, "a code counts once");
    assert_eq!(enter(&mut again, &form, &first, "").status, 403);
    assert_eq!(enter(&mut again, &form, "yjh_guessed", &recovery).status, 403);
    assert_eq!(enter(&mut again, &form, &first, &recovery).status, 303);
    assert_eq!(again.get("/auth/account").status, 200);
    let mut third = house.visitor();
    let (form, second) = half(&mut third);
    assert_eq!(enter(&mut third, &form, &second, &recovery).status, 403, "a recovery code counts once");
    assert_eq!(enter(&mut third, &form, &first, &recovery).status, 403, "nor the half of another sign-in");
    // Lost, the operator takes it away.
    let place = house.place().to_owned();
    done(
        &["user", "password", "taro", "--without-code", "--password-stdin", "--data", &place],
        "another long password\n",
    );
    assert_eq!(house.visitor().sign_in("taro", "another long password", "/").status, 303);
    assert_eq!(again.get("/auth/account").status, 303, "a new password ends sessions");
}

#[test]
fn one_signs_out_here_and_elsewhere() {
    let house = House::open(&["--session-idle", "3"]);
    let (mut here, mut elsewhere) = (house.signed_in("taro"), house.signed_in("taro"));
    let page = here.get("/auth/account");
    let form = field(&page.body, "form").unwrap();
    let other = field(&page.body, "id").unwrap();
    here.form("/auth/account", &[("form", &*form), ("id", &*other), ("action", "end-session")]);
    assert_eq!((here.get("/auth/account").status, elsewhere.get("/auth/account").status), (200, 303));
    let cookie = here.cookie("yojigen-session").unwrap().to_owned();
    assert_eq!(here.form("/auth/sign-out", &[("form", form)]).status, 303);
    assert!(here.cookie("yojigen-session").is_none());
    let kept = format!("yojigen-session={cookie}");
    assert_eq!(
        house.visitor().send("GET", "/auth/account", &[("cookie", &kept)], "").status,
        303,
        "it ends, not only its cookie"
    );
    // Not used, it ends by itself.
    let mut idle = house.signed_in("taro");
    assert_eq!(idle.get("/auth/account").status, 200);
    std::thread::sleep(std::time::Duration::from_millis(3200));
    assert_eq!(idle.get("/auth/account").status, 303);
    // The password changed, all sessions end.
    let (mut one, mut two) = (house.signed_in("taro"), house.signed_in("taro"));
    let form = field(&one.get("/auth/account").body, "form").unwrap();
    let change = |one: &mut Visitor, current: &str, again: &str| {
        let pairs = [
            ("form", &*form),
            ("action", "password"),
            ("current", current),
            ("password", "quite another one"),
            ("again", again),
        ];
        one.form("/auth/account", &pairs)
    };
    assert_eq!(change(&mut one, "wrong", "quite another one").status, 400);
    assert_eq!(change(&mut one, PASSWORD, "differs").status, 400);
    assert_eq!(change(&mut one, PASSWORD, "quite another one").status, 303);
    assert_eq!((one.get("/auth/account").status, two.get("/auth/account").status), (303, 303));
}

#[test]
fn in_a_real_browser_on_a_telephone_an_app_is_allowed() {
    let house = House::open(&[]);
    let root = house.root().to_owned();
    // The app: anything that answers at its redirect address.
    let app = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let callback = format!("http://localhost:{}/cb", app.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in app.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 22\r\nconnection: close\r\n\r\n<title>the app</title>");
        }
    });
    house.client(&[
        "phone",
        "--name",
        "健康日記",
        "--redirect-uri",
        &callback,
        "--scope",
        "openid fhirUser launch/patient patient/*.cruds",
    ]);
    let mut request = house.request(
        "phone",
        "openid fhirUser launch/patient patient/Observation.rs?category=laboratory patient/Condition.cruds",
    );
    request[2].1 = callback;
    for (width, language) in [(320, "ja"), (1280, "en")] {
        let browser = Browser::open(width, language);
        let address = format!("{root}/auth/authorize?{}&lang={language}", written(&request));
        browser.go(&address);
        is_well(&browser, "sign-in");
        browser.type_into("#login", "taro");
        browser.type_into("#password", "wrong password 1\n");
        is_well(&browser, "sign-in, wrong");
        assert!(browser.script("return document.querySelector('[role=alert]') !== null") == true);
        browser.type_into("#password", &format!("{PASSWORD}\n"));
        assert_eq!(browser.text("return document.querySelector('h1').textContent"), "健康日記");
        is_well(&browser, "consent");
        browser.press("button[value=allow]");
        let arrived = browser.text("return location.href");
        assert!(
            arrived.contains("/cb?code=yjo_") && browser.text("return document.title") == "the app",
            "{arrived}"
        );
        browser.go(&format!("{root}/auth/account?lang={language}"));
        is_well(&browser, "account");
        browser.go(&format!("{root}/auth/invitation?secret=yji_x"));
        is_well(&browser, "an old link");
    }
}
