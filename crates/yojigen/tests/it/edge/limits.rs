//! How much is taken: connections, requests.

use std::io::Write as _;
use std::time::Duration;

use super::{closes, connect, exchanged};
use crate::auth::House;
use crate::hub::{Answer, Hub};

#[test]
fn connections_have_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--connections", "6", "--connections-per-address", "4"];
    let hub = Hub::serve_with(&folder.path().join("hub"), &arguments, &[]);
    let ask = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut taken: Vec<_> = (0..4).map(|_| connect(&hub.base)).collect();
    for stream in &mut taken {
        stream.write_all(ask).unwrap();
        assert!(!closes(stream, Duration::from_secs(5)), "a share of four");
    }
    for _ in 0..10 {
        assert!(closes(&mut connect(&hub.base), Duration::from_secs(5)), "the share is used up");
    }
    // Those that are there go on; what ends makes room.
    taken[1].write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    assert!(exchanged(&mut taken[1], b"").contains("200"));
    drop(taken.remove(0));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(hub.get("metadata").0, 200);
}

fn is_throttled(answer: &Answer) -> bool {
    let wait = answer.header("retry-after").and_then(|v| v.parse::<u64>().ok());
    if answer.status == 429 {
        assert!(wait.is_some_and(|wait| (1..=5).contains(&wait)), "{answer:?}");
    }
    answer.status == 429
}

#[test]
fn clients_and_persons_have_a_rate() {
    let house = House::open(&["--rate-per-client", "20", "--rate-per-person", "5", "--rate-burst", "2"]);
    let mut taro = house.signed_in("taro");
    let token = |visitor: &mut crate::auth::visitor::Visitor, client: &str| -> String {
        let code = house.code(visitor, client, "patient/*.rs user/Observation.cruds launch/patient");
        let given = house.exchange(client, &code);
        format!(
            "Bearer {}",
            given.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", given.body))
        )
    };
    let of_taro = token(&mut taro, "diary");
    let ask = |token: &str| house.hub.send("GET", "Patient/p1", &[("authorization", token)], "");
    let taken = (0..30).filter(|_| !is_throttled(&ask(&of_taro))).count();
    assert!((10..=15).contains(&taken), "{taken} of a person's burst");
    let refused = ask(&of_taro);
    let outcome = refused.json();
    assert_eq!(refused.status, 429);
    assert_eq!(
        (&outcome["resourceType"], &outcome["issue"][0]["code"]),
        (&"OperationOutcome".into(), &"throttled".into())
    );
    assert!(refused.body.contains("this person"), "{}", refused.body);
    // By another app the person is the same.
    let other = token(&mut taro, "other");
    assert!(is_throttled(&ask(&other)));
    let system = |kid: &str| {
        let key = crate::auth::systems::Key::new(kid);
        let file = house.data.with_extension(kid);
        std::fs::write(&file, serde_json::json!({"keys": [key.jwk]}).to_string()).unwrap();
        let (file, name) = (file.to_str().unwrap(), format!("System {kid}"));
        house.client(&[kid, "--name", &name, "--kind", "keyed", "--keys", file, "--scope", "system/*.rs"]);
        let claims = serde_json::json!({"iss": kid, "sub": kid, "aud": format!("{}/auth/token", house.root()),
            "exp": crate::auth::systems::now() + 200, "jti": "1"});
        let header = serde_json::json!({"alg": "ES384", "kid": kid});
        let given = crate::auth::systems::ask(&house, &key.sign(&header, &claims), "system/*.rs");
        format!("Bearer {}", given.json()["access_token"].as_str().unwrap())
    };
    let (first, second) = (system("one"), system("two"));
    let taken = (0..100).filter(|_| !is_throttled(&ask(&first))).count();
    assert!((40..=60).contains(&taken), "{taken} of a client's burst");
    assert!(ask(&first).body.contains("this client"));
    assert!(!is_throttled(&ask(&second)), "another client has its own");
    std::thread::sleep(Duration::from_secs(2));
    assert!(!is_throttled(&ask(&of_taro)) && !is_throttled(&ask(&first)), "after a rest it goes on");
}

#[test]
fn strangers_have_a_rate_by_address() {
    let house = House::open(&["--rate-per-address", "10", "--rate-burst", "1"]);
    std::thread::sleep(Duration::from_secs(1));
    let ask = || house.hub.send("GET", "Patient/p1", &[("authorization", "Bearer nonsense")], "");
    let answers: Vec<Answer> = (0..40).map(|_| ask()).collect();
    assert!(answers.iter().any(|answer| answer.status == 401) && answers.iter().any(is_throttled));
    // What is asked to be let in is one of those.
    let token =
        || house.visitor().form("/auth/token", &[("grant_type", "refresh_token"), ("client_id", "diary")]);
    let refused = (0..40).map(|_| token()).find(is_throttled).unwrap();
    assert!(refused.json()["error"].is_string(), "{}", refused.body);
    // That it lives can always be asked.
    assert!((0..50).all(|_| house.hub.send("GET", "//health", &[], "").status == 200));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(ask().status, 401);
}
