//! Bytes over TCP and TLS that no client sends who means well.

use std::time::{Duration, Instant};

use super::{Pair, closes, connect, drips, exchanged, https};
use crate::hub::Hub;

/// What two parsers could read differently. Each ends with a request that must not be answered.
const SMUGGLED: &[(&str, &str)] = &[
    (
        "both lengths",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    ),
    (
        "both lengths, turned round",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX",
    ),
    (
        "two lengths",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
    ),
    (
        "the same length twice",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    ),
    ("a list of lengths", "POST /fhir HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0, 0\r\n\r\n"),
    ("a signed length", "POST /fhir HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n"),
    ("a folded line", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-One: 1\r\n Content-Length: 44\r\n\r\n"),
    ("a bare LF after a field", "GET /health HTTP/1.1\r\nHost: localhost\nX-One: 1\r\n\r\n"),
    ("a bare LF at the end", "GET /health HTTP/1.1\r\nHost: localhost\r\n\n"),
    ("a bare LF in the first line", "GET /health HTTP/1.1\nHost: localhost\r\n\r\n"),
    ("a bare CR", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-One: 1\rX-Two: 2\r\n\r\n"),
    ("white space before a colon", "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length : 44\r\n\r\n"),
    ("two hosts", "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n"),
    ("no host", "GET /health HTTP/1.1\r\n\r\n"),
    (
        "another encoding",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "an encoding of HTTP/1.0",
        "POST /fhir HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a chunk with an extension",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\n{}\r\n0\r\n\r\n",
    ),
    (
        "a chunk with a bare LF",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
    ),
    (
        "a chunk longer than it says",
        "POST /fhir HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n",
    ),
    ("a tunnel", "CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
];

const AFTER: &str = "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Hub::serve(&folder.path().join("plain"));
    let pair = Pair::new(folder.path(), "localhost", 30);
    let secure = Hub::serve_closed(&folder.path().join("secure"), &pair.arguments(), &[]);
    let check = |what: &str, answer: &str| {
        assert!(answer.starts_with("HTTP/1.1 400"), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: nothing after it is answered: {answer}");
    };
    for (what, bytes) in SMUGGLED {
        let bytes = format!("{bytes}{AFTER}");
        check(what, &exchanged(connect(&plain.base), bytes.as_bytes()));
        // In pieces, and as the second on its connection.
        let mut stream = connect(&plain.base);
        for piece in bytes.as_bytes().chunks(7) {
            if drips(&mut stream, &piece[..1], Duration::from_millis(1))
                || std::io::Write::write_all(&mut stream, &piece[1..]).is_err()
            {
                break;
            }
        }
        let answer = exchanged(stream, b"");
        // What is refused while it is still being sent may reset the connection before its answer is read.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{what}, in pieces: {answer}");
        assert!(!answer.contains("ready\n"), "{what}, in pieces: {answer}");
        let second = format!("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n{bytes}");
        let answer = exchanged(connect(&plain.base), second.as_bytes());
        let (first, second) = answer.split_once("ok\n").unwrap_or_else(|| panic!("{what}: {answer}"));
        assert!(first.starts_with("HTTP/1.1 200"), "{what}: {answer}");
        check(what, second);
    }
    let (what, bytes) = SMUGGLED[0];
    check(what, &exchanged(https(&secure.base, &pair.der), format!("{bytes}{AFTER}").as_bytes()));
    // What everybody reads the same way is taken, one after another.
    let well = "POST /fhir HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\n\
        Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = exchanged(connect(&plain.base), format!("{well}{well}{AFTER}").as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 400").count(), 2, "no Bundle: {answer}");
    assert!(answer.contains("OperationOutcome") && answer.ends_with("ready\n"), "{answer}");
}

#[test]
fn heads_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&folder.path().join("hub"));
    let long = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = "X-One: 1\r\n".repeat(200);
    let many = format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    for bytes in [long, many] {
        let answer = exchanged(connect(&hub.base), bytes.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    assert_eq!(hub.get("metadata").0, 200);
}

/// All at once, since each takes as long as its time limit.
#[test]
fn who_is_slow_on_purpose_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "localhost", 30);
    let plain = Hub::serve_with(&folder.path().join("plain"), &["--connection-idle", "3"], &[]);
    let secure = Hub::serve_closed(&folder.path().join("secure"), &pair.arguments(), &[]);
    let head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let body = "POST /fhir HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\nContent-Length: 1000\r\n\r\n";
    let second = Duration::from_secs(1);
    std::thread::scope(|scope| {
        // A head that drips has twenty seconds, over TLS too.
        scope.spawn(|| {
            let began = Instant::now();
            assert!(drips(&mut https(&secure.base, &pair.der), head, second));
            assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
        });
        scope.spawn(|| assert!(drips(&mut connect(&plain.base), head, second)));
        // A body that drips has no pause, and is too slow all the same.
        scope.spawn(|| {
            let mut stream = connect(&plain.base);
            std::io::Write::write_all(&mut stream, body.as_bytes()).unwrap();
            let began = Instant::now();
            let mut reader = stream.try_clone().unwrap();
            scope.spawn(move || drips(&mut stream, &[b' '; 60], second));
            let answer = exchanged(&mut reader, b"");
            assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too slowly"), "{answer}");
            assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
        });
        // Who says nothing, before a request or after, is not waited for.
        scope.spawn(|| assert!(closes(&mut connect(&plain.base), Duration::from_secs(15))));
        scope.spawn(|| {
            let mut stream = connect(&plain.base);
            std::io::Write::write_all(&mut stream, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            let began = Instant::now();
            assert!(exchanged(&mut stream, b"").starts_with("HTTP/1.1 200"));
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        });
        // HTTP/2 too: a preface, and no more.
        scope.spawn(|| {
            let mut stream = connect(&plain.base);
            let begun = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            std::io::Write::write_all(&mut stream, begun).unwrap();
            let began = Instant::now();
            exchanged(&mut stream, b"");
            assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
        });
        // Others are answered meanwhile.
        for _ in 0..20 {
            let began = Instant::now();
            assert_eq!(plain.get("metadata").0, 200);
            assert!(began.elapsed() < Duration::from_secs(2));
            std::thread::sleep(second);
        }
    });
}

/// What a body of zeros becomes when it is packed.
fn packed(size: usize, how: &str) -> Vec<u8> {
    let zeros = std::io::Read::take(std::io::repeat(b' '), size as u64);
    let mut out = Vec::new();
    match how {
        "gzip" => {
            let mut pack = flate2::read::GzEncoder::new(zeros, flate2::Compression::best());
            std::io::Read::read_to_end(&mut pack, &mut out).unwrap();
        }
        _ => {
            let mut pack = zstd::stream::Encoder::new(&mut out, 19).unwrap();
            pack.window_log(27).unwrap();
            std::io::copy(&mut { zeros }, &mut pack).unwrap();
            pack.finish().unwrap();
        }
    }
    out
}

#[test]
fn what_becomes_too_large_is_refused_however_small_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let hub =
        Hub::serve_with(&folder.path().join("hub"), &["--max-bundle", "16", "--body-memory", "32"], &[]);
    let send = |path: &str, coding: &str, body: &[u8]| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/fhir+json\r\nContent-Encoding: {coding}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        exchanged(connect(&hub.base), &[head.as_bytes(), body].concat())
    };
    let before = hub.memory();
    for how in ["gzip", "zstd"] {
        let bomb = packed(1 << 30, how);
        assert!(bomb.len() < 2 << 20, "{how}: {}", bomb.len());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let began = Instant::now();
                    let answer = send("/fhir", how, &bomb);
                    // What others hold meanwhile it does not wait for.
                    let statuses = ["HTTP/1.1 413", "HTTP/1.1 503"];
                    assert!(statuses.iter().any(|status| answer.starts_with(status)), "{how}: {answer}");
                    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
                });
            }
        });
        // Packed twice, or in a way that is not known, it is not looked into.
        for coding in [format!("{how}, {how}"), "br".to_owned(), "deflate".to_owned()] {
            let answer = send("/fhir", &coding, &bomb);
            assert!(answer.starts_with("HTTP/1.1 415"), "{coding}: {answer}");
        }
        // What is packed well is read; what is cut short or no packing at all is an error.
        let body = br#"{"resourceType":"Bundle","type":"batch"}"#;
        let mut small = packed(1, how);
        let answer = send("/fhir", how, &small);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        small.truncate(small.len() / 2);
        for broken in [&small[..], body] {
            assert!(send("/fhir", how, broken).starts_with("HTTP/1.1 400"), "{how}");
        }
    }
    let grown = hub.memory().saturating_sub(before);
    assert!(grown < 400 << 20, "{} MB more memory", grown >> 20);
    assert_eq!(hub.get("metadata").0, 200);
}
