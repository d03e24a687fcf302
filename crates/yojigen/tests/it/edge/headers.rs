//! What every answer says to browsers and caches: of every address there is, to whoever asks.
//!
//! Which addresses there are is read from the routes in the sources and from the OpenAPI description, so that one that is added
//! is tried as well.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::Pair;
use crate::auth::visitor::Visitor;
use crate::auth::{House, PASSWORD};
use crate::hub::Answer;

/// Whatever stands in `.route("…"` below a folder.
fn routes(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            routes(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for other in [".nest(", ".route_service(", ".nest_service("] {
                assert!(!text.contains(other), "{}: {other} is not looked for here", path.display());
            }
            for rest in text.split(".route(").skip(1) {
                let literal = rest.trim_start().strip_prefix('"');
                let literal =
                    literal.unwrap_or_else(|| panic!("{}: a route without its address", path.display()));
                found.insert(literal.split('"').next().unwrap().to_owned());
            }
        }
    }
}

/// Some of what persons and clinicians write.
const KINDS: &[&str] = &[
    "note", "problem", "allergy", "medicine", "order", "result", "vaccine", "referral", "pressure", "weight",
    "symptom", "mood", "document",
];

/// Every address, with something in the place of what it names.
fn addresses(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for of in ["web", "server"] {
        routes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of).join("src"), &mut found);
    }
    assert!(
        found.contains("/patients/{id}") && found.contains("/auth/token") && found.contains("/health"),
        "{found:?}"
    );
    found.extend(document["paths"].as_object().unwrap().keys().cloned());
    let named = [
        ("{type}", "Patient"),
        ("{compartment}", "Patient"),
        ("{version}", "1"),
        ("{order}", "s1"),
        ("{rid}", "o1"),
        ("{asked}", "q1"),
        ("{*path}", "Patient/p1"),
        ("{id}", "p1"),
    ];
    let named =
        |path: &String| named.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
    let found = found.iter().map(named).flat_map(|path| match path.contains("{kind}") {
        true => KINDS.iter().map(|kind| path.replace("{kind}", kind)).collect(),
        false => vec![path.replace(['{', '}'], "")],
    });
    let beside = [
        "/nothing/here",
        "/people?q=a&lang=en",
        "/patients/p1?_asOf=2020",
        "/patients/none",
        "/fhir/Binary/b1",
        "/fhir/Nothing",
    ];
    found.chain(beside.map(str::to_owned)).collect()
}

/// What caches may keep: nothing of anybody's.
fn is_public(path: &str) -> bool {
    path.starts_with("/assets/")
        || path.contains("/.well-known/")
        || matches!(path, "/auth/jwks" | "/openapi.json" | "/fhir/metadata")
}

/// What is wrong with an answer.
fn findings(path: &str, answer: &Answer, is_secure: bool) -> Vec<String> {
    let mut found = Vec::new();
    let header = |name: &str| answer.header(name).unwrap_or_default();
    let mut must = |is_so: bool, what: &str, value: &str| {
        if !is_so {
            found.push(format!("{what}: '{value}'"));
        }
    };
    for name in [
        "content-security-policy",
        "x-content-type-options",
        "referrer-policy",
        "cache-control",
        "content-type",
    ] {
        let times = answer.headers.iter().filter(|(n, _)| n == name).count();
        must(times < 2, "said twice", name);
    }
    must(header("x-content-type-options") == "nosniff", "x-content-type-options", "");
    let policy = header("content-security-policy");
    if !path.starts_with("/assets/") {
        let is_bounded = ["default-src 'none'", "default-src 'self'"].iter().any(|p| policy.contains(p));
        must(is_bounded, "default-src", policy);
        for needed in ["frame-ancestors 'none'", "base-uri 'none'", "form-action "] {
            must(policy.contains(needed), needed, policy);
        }
        for loose in ["unsafe", "*", "data:", "http:"] {
            must(!policy.contains(loose), "the policy lets in", loose);
        }
    }
    must(
        ["no-referrer", "same-origin"].contains(&header("referrer-policy")),
        "referrer-policy",
        header("referrer-policy"),
    );
    must(header("permissions-policy").contains("geolocation=()"), "permissions-policy", "");
    must(
        answer.header("strict-transport-security") == is_secure.then_some("max-age=31536000"),
        "strict-transport-security",
        header("strict-transport-security"),
    );
    if !is_public(path) {
        must(header("cache-control") == "no-store", "cache-control", header("cache-control"));
    }
    for told in ["server", "x-powered-by"] {
        must(answer.header(told).is_none(), told, header(told));
    }
    let media_type = header("content-type");
    must(answer.body.is_empty() || !media_type.is_empty(), "content-type", "");
    let is_uploaded = path.starts_with("/fhir/Binary/");
    must(
        !media_type.starts_with("text/") || is_uploaded || media_type.contains("charset=utf-8"),
        "charset",
        media_type,
    );
    for (_, cookie) in answer.headers.iter().filter(|(n, _)| n == "set-cookie") {
        for part in ["HttpOnly", "SameSite=", "Path=/"] {
            must(cookie.contains(part), "a cookie without", part);
        }
        must(!is_secure || cookie.contains("; Secure"), "a cookie for plain http", cookie);
        // What a page is written in is no secret.
        must(!is_secure || ["__Host-", "lang="].iter().any(|of| cookie.starts_with(of)), "cookie", cookie);
    }
    if media_type.starts_with("text/html") && !is_uploaded {
        must(header("vary").contains("Cookie"), "vary", header("vary"));
        found.extend(in_line(&answer.body).into_iter().map(|what| format!("in the page: {what}")));
    } else {
        must(
            // A worker is a script of the hub's own, and does what its policy lets scripts do.
            policy.contains("sandbox") || path.starts_with("/assets/") || path == "/me-worker.js",
            "no page, and not a sandbox",
            policy,
        );
    }
    found
}

/// Scripts and styles that stand in a page, and what it takes from elsewhere.
fn in_line(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap_or((tag, ""));
        let name = tag.split([' ', '\n', '/']).next().unwrap().to_ascii_lowercase();
        if name == "style" || (name == "script" && (!tag.contains(" src=") || !text.trim().is_empty())) {
            found.push(tag.to_owned());
        }
        // Attributes, without what stands in quotation marks.
        let bare: String = tag.split('"').step_by(2).collect();
        for attribute in bare.split_ascii_whitespace().skip(1) {
            let is_run = attribute.starts_with("on") && attribute.contains('=');
            if attribute == "style=" || is_run || attribute == "srcdoc=" {
                found.push(tag.to_owned());
            }
        }
        for elsewhere in
            ["src=\"http", "src=\"//", "href=\"javascript:", "action=\"http", "xlink:href=\"http"]
        {
            if tag.contains(elsewhere) || (name == "link" && tag.contains("href=\"http")) {
                found.push(tag.to_owned());
            }
        }
    }
    found
}

fn signed_in(pair: &Pair, house: &House, login: &str) -> Visitor {
    let mut visitor = Visitor::by(pair.agent(), house.root());
    assert_eq!(visitor.sign_in(login, PASSWORD, "/auth/account").status, 303);
    visitor
}

#[test]
fn every_answer_of_every_address_is_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "localhost", 30);
    let html = "PCFET0NUWVBFIGh0bWw+PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==";
    let binary = json!({"resourceType": "Binary", "id": "b1", "contentType": "text/html", "data": html,
        "securityContext": {"reference": "Patient/p1"}});
    let limits = ["--rate-per-address", "0", "--rate-per-person", "0"];
    let about = json!({"reference": "Patient/p1"});
    let sakura = json!({"resourceType": "Organization", "id": "sakura", "name": "Sakura Clinic"});
    let encounter = json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"}, "subject": about,
        "serviceProvider": {"reference": "Organization/sakura"}});
    let order = json!({"resourceType": "ServiceRequest", "id": "s1", "status": "active", "intent": "order", "subject": about,
        "code": {"text": "紹介"}});
    let resources = [binary, sakura, encounter, order];
    let house = House::holding(&resources, &[&pair.arguments()[..], &limits].concat());
    house.user("ope", &["--role", "operator"]);
    let care = ["--fhir-user", "Practitioner/d2", "--organization", "Organization/sakura"];
    house.user("jiro", &[&["--role", "clinician"], &care[..]].concat());
    let mut anyone = Visitor::by(pair.agent(), house.root());
    let document = anyone.get("/openapi.json").json();
    let mut visitors = vec![("nobody", anyone)];
    for login in ["taro", "hanako", "ope", "jiro"] {
        visitors.push((login, signed_in(&pair, &house, login)));
    }
    let (mut wrong, mut pages, mut asked) = (Vec::new(), BTreeSet::new(), 0);
    for path in addresses(&document) {
        for (who, visitor) in &mut visitors {
            for (method, accept) in [("GET", "text/html,*/*"), ("POST", "*/*"), ("PUT", "*/*")] {
                let headers = [("accept", accept), ("content-type", "application/x-www-form-urlencoded")];
                // What a form ends would end it for those that come after.
                let body = if method == "GET" { "" } else { "x=1" };
                let answer = visitor.send(method, &path, &headers, body);
                asked += 1;
                let is_page = answer.header("content-type").is_some_and(|t| t.starts_with("text/html"));
                if is_page && answer.status == 200 {
                    pages.insert((path.clone(), *who));
                }
                let path = path.split('?').next().unwrap();
                for finding in findings(path, &answer, true) {
                    wrong.push(format!("{who} {method} {path} ({}): {finding}", answer.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    for seen in [
        ("/", "taro"),
        ("/patients/p1", "taro"),
        ("/me/p1", "taro"),
        ("/me/p1/sharing", "taro"),
        ("/me/p1/add/pressure", "taro"),
        ("/clinic/p1", "jiro"),
        ("/clinic/p1/write/note", "jiro"),
        ("/clinic/p1/letter/s1", "jiro"),
        ("/auth/account", "hanako"),
        ("/auth/sign-in", "nobody"),
    ] {
        assert!(pages.contains(&(seen.0.to_owned(), seen.1)), "{seen:?} among {pages:?}");
    }
    // What somebody uploaded as a page is shown as one, and runs nothing.
    let (_, taro) = &mut visitors[1];
    let shown = taro.send("GET", "/fhir/Binary/b1", &[("accept", "text/html")], "");
    assert!(shown.status == 200 && shown.body.contains("<script>"), "{} {}", shown.status, shown.body);
    assert!(shown.header("content-security-policy").unwrap().contains("sandbox"));
    assert_eq!(shown.header("content-security-policy").unwrap().matches("allow-").count(), 0);
}

#[test]
fn a_request_too_many_and_a_hub_without_tls_say_the_same() {
    let house = House::open(&["--rate-per-address", "1", "--rate-burst", "1"]);
    let mut anyone = house.visitor();
    for path in
        ["/people", "/fhir/Patient", "/auth/sign-in", "/auth/token", "/.well-known/smart-configuration"]
    {
        let answer = (0..5).map(|_| anyone.get(path)).find(|answer| answer.status == 429);
        let answer = answer.unwrap_or_else(|| panic!("{path} is taken each time"));
        let found = findings("", &answer, false);
        assert!(found.is_empty(), "{path}: {found:?}");
    }
}
