//! Signing in and letting apps in, as an app and a browser see it: what is given, and above all what is not.

mod apps;
mod authenticator;
mod outside;
mod passkeys;
mod people;
mod provider;
mod published_keys;
mod refusals;
mod second_factor;
mod smart_client;
pub(crate) mod systems;
pub(crate) mod visitor;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use self::visitor::Visitor;
use crate::hub::{Hub, PROGRAM};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const CALLBACK: &str = "https://app.example/cb";
/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Runs a task with something on its standard input: whether it went well, and what it said.
pub(crate) fn task(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

pub(crate) fn done(arguments: &[&str], input: &str) -> String {
    let (is_done, said) = task(arguments, input);
    assert!(is_done, "{arguments:?}: {said}");
    said
}

/// A hub with some users and clients.
pub(crate) struct House {
    pub(crate) hub: Hub,
    pub(crate) data: PathBuf,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn open(arguments: &[&str]) -> House {
        House::holding(&[], arguments)
    }

    /// One that holds more than two persons.
    pub(crate) fn holding(resources: &[Value], arguments: &[&str]) -> House {
        House::with(resources, arguments, &[])
    }

    /// One that is run by another program.
    pub(crate) fn under(program: &[&str], arguments: &[&str]) -> House {
        House::with(&[], arguments, program)
    }

    fn with(resources: &[Value], arguments: &[&str], under: &[&str]) -> House {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("hub");
        let file = folder.path().join("resources.ndjson");
        let persons = ["p1", "p2"].map(|id| json!({"resourceType": "Patient", "id": id}));
        let lines: Vec<String> = persons.iter().chain(resources).map(|r| format!("{r}\n")).collect();
        std::fs::write(&file, lines.concat()).unwrap();
        crate::hub::import(&data, &[&file]);
        let hub = Hub::serve_closed(&data, arguments, under);
        let house = House { hub, data, _folder: folder };
        house.user("taro", &["--role", "person", "--name", "山田 太郎", "--fhir-user", "Patient/p1"]);
        house.user(
            "hanako",
            &["--role", "clinician", "--name", "山田 花子", "--fhir-user", "Practitioner/d1"],
        );
        let scopes = "openid fhirUser profile launch launch/patient patient/*.rs user/Observation.cruds offline_access online_access";
        for (id, kind) in [("diary", "public"), ("other", "public"), ("portal", "confidential")] {
            let name = format!("App {id}");
            house.client(&[
                id,
                "--name",
                &name,
                "--kind",
                kind,
                "--redirect-uri",
                CALLBACK,
                "--scope",
                scopes,
            ]);
        }
        house
    }

    pub(crate) fn place(&self) -> &str {
        self.data.to_str().unwrap()
    }

    pub(crate) fn user(&self, login: &str, further: &[&str]) {
        let arguments =
            [&["user", "add", login, "--data", self.place(), "--password-stdin"], further].concat();
        done(&arguments, &format!("{PASSWORD}\n"));
    }

    pub(crate) fn client(&self, further: &[&str]) -> Value {
        let arguments = [&["client", "add", "--json", "--data", self.place()], further].concat();
        serde_json::from_str(&done(&arguments, "")).unwrap()
    }

    /// Registers an app on a server; its secret.
    pub(crate) fn server(&self, id: &str, callback: &str, scope: &str) -> String {
        let kind = ["--kind", "confidential", "--redirect-uri", callback, "--scope", scope];
        let added = self.client(&[&[id, "--name", "Server"], &kind[..]].concat());
        added["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) fn root(&self) -> &str {
        self.hub.base.trim_end_matches("/fhir")
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::new(self.root())
    }

    /// Somebody who is signed in.
    pub(crate) fn signed_in(&self, login: &str) -> Visitor {
        let mut visitor = self.visitor();
        let answer = visitor.sign_in(login, PASSWORD, "/auth/account");
        assert_eq!(answer.status, 303, "{}", answer.body);
        visitor
    }

    /// The parameters of an authorization request.
    pub(crate) fn request(&self, client: &str, scope: &str) -> Vec<(String, String)> {
        let pairs = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("state", "st&te=1"),
            ("aud", &self.hub.base),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("nonce", "n-1"),
        ];
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    /// A code for an app, allowed by whoever is signed in.
    pub(crate) fn code(&self, visitor: &mut Visitor, client: &str, scope: &str) -> String {
        let place = visitor.allow(&self.request(client, scope), &[]);
        parameter(&place, "code").unwrap_or_else(|| panic!("{place}"))
    }

    /// What a code is exchanged for.
    pub(crate) fn exchange(&self, client: &str, code: &str) -> crate::hub::Answer {
        self.visitor().form(
            "/auth/token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", client),
                ("code", code),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ],
        )
    }

    /// Whether a token says who its bearer is. What that allows is another question (403 or 200).
    pub(crate) fn knows(&self, token: &str) -> bool {
        let bearer = format!("Bearer {token}");
        let answer = self.hub.send("GET", "Patient", &[("authorization", &bearer)], "");
        assert!([200, 401, 403].contains(&answer.status), "{} {}", answer.status, answer.body);
        answer.status != 401
    }
}

/// A parameter of an address.
pub(crate) fn parameter(place: &str, name: &str) -> Option<String> {
    let (_, query) = place.split_once('?')?;
    let pair = query.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name)?;
    let mut bytes = Vec::new();
    let mut rest = pair.1.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    Some(String::from_utf8(bytes).unwrap())
}

/// Every file below a folder that holds a text.
pub(crate) fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|w| w == text.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}
