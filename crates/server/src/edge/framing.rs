//! Where requests of HTTP/1 begin and end (RFC 9112): read strictly, before the parser that serves them.
//!
//! Request smuggling lives off two parsers that find different ends. The serving parser is liberal where the RFC lets it be (a bare LF
//! ends a line, of Content-Length and Transfer-Encoding the latter counts, chunks have extensions); this one takes only what
//! every parser reads the same way, so that whatever stands before the hub, or comes to stand there, sees the requests the hub sees.
//! It keeps no bytes but of a line that is not whole yet, and passes over bodies by their length.
//!
//! HTTP/2 frames its messages itself and passes, as does what follows an upgrade.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A head, or a trailer, has at most so many bytes. The serving parser's own bound (431) comes first.
const LONGEST: usize = 128 << 10;
/// With these bytes a client that knows HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is not taken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// How many bytes before it are good.
    pub(crate) good: usize,
    /// For a log.
    pub(crate) why: &'static str,
}

/// What a head says of its body.
#[derive(Debug, Default)]
struct Head {
    /// Whether its first line has come.
    is_begun: bool,
    is_version_1_1: bool,
    hosts: u32,
    lengths: u32,
    length: u64,
    encodings: u32,
}

#[derive(Debug)]
enum State {
    /// So much of the preface has come, and nothing else.
    Start(usize),
    Head(Head),
    Body(u64),
    ChunkSize,
    Chunk(u64),
    /// CR and LF after a chunk; whether the CR has come.
    ChunkEnd(bool),
    Trailer,
    /// No HTTP/1, or no more.
    Passed,
}

/// One connection's place in its requests.
#[derive(Debug)]
pub(crate) struct Framing {
    state: State,
    /// A line that is not whole yet.
    line: Vec<u8>,
    /// Bytes of the head or trailer so far.
    length: usize,
    /// Set by whoever answers 101.
    is_upgraded: Arc<AtomicBool>,
}

impl Framing {
    pub(crate) fn new(is_upgraded: Arc<AtomicBool>) -> Framing {
        Framing { state: State::Start(0), line: Vec::new(), length: 0, is_upgraded }
    }

    /// Whether a head has begun and is not whole.
    pub(crate) fn is_in_head(&self) -> bool {
        match &self.state {
            State::Start(count) => *count > 0,
            State::Head(head) => head.is_begun || !self.line.is_empty(),
            _ => false,
        }
    }

    /// Takes bytes as they come.
    ///
    /// # Errors
    /// From where on they are not taken.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.is_upgraded.load(Ordering::Acquire) {
            self.state = State::Passed;
        }
        let mut at = 0;
        while at < bytes.len() {
            at +=
                self.step(&bytes[at..]).map_err(|refused| Refused { good: at + refused.good, ..refused })?;
        }
        Ok(())
    }

    /// Takes some of the bytes; how many.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Refused> {
        let left = bytes.len() as u64;
        match &mut self.state {
            State::Passed => Ok(bytes.len()),
            State::Start(count) => {
                if bytes[0] == PREFACE[*count] {
                    *count += 1;
                    if *count == PREFACE.len() {
                        self.state = State::Passed;
                    }
                    return Ok(1);
                }
                let begun = &PREFACE[..*count];
                self.state = State::Head(Head::default());
                // These are served already, if they came in an earlier piece.
                self.take(begun).map_err(|refused| Refused { good: 0, ..refused })?;
                Ok(0)
            }
            State::Body(rest) => {
                let taken = left.min(*rest);
                *rest -= taken;
                if *rest == 0 {
                    self.state = State::Head(Head::default());
                }
                Ok(taken as usize)
            }
            State::Chunk(rest) => {
                let taken = left.min(*rest);
                *rest -= taken;
                if *rest == 0 {
                    self.state = State::ChunkEnd(false);
                }
                Ok(taken as usize)
            }
            State::ChunkEnd(is_half) => match (bytes[0], *is_half) {
                (b'\r', false) => {
                    *is_half = true;
                    Ok(1)
                }
                (b'\n', true) => {
                    self.state = State::ChunkSize;
                    Ok(1)
                }
                _ => Err(Refused { good: 0, why: "a chunk is longer or shorter than it says" }),
            },
            State::Head(_) | State::ChunkSize | State::Trailer => self.line(bytes),
        }
    }

    /// Takes bytes up to a line's end.
    fn line(&mut self, bytes: &[u8]) -> Result<usize, Refused> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.length += taken;
        if self.length > LONGEST {
            return Err(Refused { good: 0, why: "the head is too long" });
        }
        if end.is_none() {
            self.line.extend_from_slice(bytes);
            return Ok(taken);
        }
        let kept = std::mem::take(&mut self.line);
        let whole;
        let line = if kept.is_empty() {
            &bytes[..taken]
        } else {
            whole = [&kept, &bytes[..taken]].concat();
            &whole
        };
        // All but the LF may be served: without its end the line is none.
        let refused = |why| Refused { good: taken - 1, why };
        let text = line.strip_suffix(b"\r\n").ok_or(refused("a line ends with a bare LF"))?;
        if text.contains(&b'\r') || text.contains(&0) {
            return Err(refused("a line has a bare CR or a NUL"));
        }
        self.whole_line(text).map_err(refused)?;
        Ok(taken)
    }

    fn whole_line(&mut self, text: &[u8]) -> Result<(), &'static str> {
        match &mut self.state {
            // Empty lines before a request are passed over (2.2).
            State::Head(head) if !head.is_begun && text.is_empty() => {}
            State::Head(head) if !head.is_begun => head.begin(text)?,
            State::Head(head) if text.is_empty() => {
                self.length = 0;
                self.state = head.body()?;
            }
            State::Head(head) => head.field(text)?,
            State::Trailer if text.is_empty() => {
                self.length = 0;
                self.state = State::Head(Head::default());
            }
            State::Trailer => {
                field(text)?;
            }
            State::ChunkSize => {
                let size = chunk_size(text)?;
                if size == 0 {
                    self.state = State::Trailer;
                } else {
                    self.length = 0;
                    self.state = State::Chunk(size);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A chunk's size: nothing but hexadecimal digits.
fn chunk_size(text: &[u8]) -> Result<u64, &'static str> {
    if !text.iter().all(u8::is_ascii_hexdigit) {
        return Err("a chunk's size has an extension or is no number");
    }
    let text = std::str::from_utf8(text).ok().filter(|text| (1..=15).contains(&text.len()));
    text.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or("a chunk's size is no number")
}

/// A field's name and its value without the white space around it.
fn field(text: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    if matches!(text[0], b' ' | b'\t') {
        return Err("a line goes on with the next (obs-fold)");
    }
    let colon = text.iter().position(|byte| *byte == b':').ok_or("a field has no colon")?;
    let (name, value) = (&text[..colon], &text[colon + 1..]);
    if name.is_empty() || name.iter().any(|byte| byte.is_ascii_whitespace()) {
        return Err("a field's name is empty or has white space");
    }
    Ok((name, value.trim_ascii()))
}

impl Head {
    /// The request line.
    fn begin(&mut self, text: &[u8]) -> Result<(), &'static str> {
        self.is_begun = true;
        self.is_version_1_1 = text.ends_with(b" HTTP/1.1");
        if !self.is_version_1_1 && !text.ends_with(b" HTTP/1.0") {
            return Err("the request line names no version of HTTP/1");
        }
        if text.starts_with(b"CONNECT ") {
            return Err("this is no proxy (CONNECT)");
        }
        Ok(())
    }

    fn field(&mut self, text: &[u8]) -> Result<(), &'static str> {
        let (name, value) = field(text)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            let digits = std::str::from_utf8(value).ok();
            let digits =
                digits.filter(|d| !d.is_empty() && d.len() < 20 && d.bytes().all(|b| b.is_ascii_digit()));
            self.length = digits.and_then(|d| d.parse().ok()).ok_or("Content-Length is no number")?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encodings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err("Transfer-Encoding is not chunked");
            }
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        }
        Ok(())
    }

    /// What follows a head.
    fn body(&self) -> Result<State, &'static str> {
        if self.hosts > 1 || (self.hosts == 0 && self.is_version_1_1) {
            return Err("there is not one Host");
        }
        match (self.lengths, self.encodings) {
            (0, 1) if self.is_version_1_1 => Ok(State::ChunkSize),
            (0, 1) => Err("Transfer-Encoding with HTTP/1.0"),
            (0, 0) => Ok(State::Head(Head::default())),
            (1, 0) if self.length == 0 => Ok(State::Head(Head::default())),
            (1, 0) => Ok(State::Body(self.length)),
            (_, 0) => Err("there are two Content-Lengths"),
            (0, _) => Err("there are two Transfer-Encodings"),
            _ => Err("there are both Content-Length and Transfer-Encoding"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framing() -> Framing {
        Framing::new(Arc::default())
    }

    const GOOD: &[&str] = &[
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost:a\r\nCONTENT-LENGTH:  5 \r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhel\nO\r\n00A\r\n0123456789\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-After: 1\r\n\r\n",
        "PRIDE / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];

    const BAD: &[&str] = &[
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloo\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    ];

    #[test]
    fn what_is_read_in_one_way_only_is_taken() {
        for first in GOOD {
            for second in GOOD {
                let mut framing = framing();
                assert_eq!(framing.take(first.as_bytes()), Ok(()), "{first}");
                assert_eq!(framing.take(second.as_bytes()), Ok(()), "{first}{second}");
                assert!(!framing.is_in_head(), "{first}{second}");
            }
        }
        for text in BAD {
            let refused = framing().take(text.as_bytes()).expect_err(text);
            assert!(refused.good < text.len(), "{text}: {refused:?}");
            let mut after = framing();
            after.take(GOOD[4].as_bytes()).unwrap();
            assert!(after.take(text.as_bytes()).is_err(), "after another: {text}");
        }
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(LONGEST));
        assert!(framing().take(long.as_bytes()).is_err());
    }

    #[test]
    fn other_protocols_pass() {
        let mut second = framing();
        second.take(&PREFACE[..9]).unwrap();
        assert!(second.is_in_head());
        second.take(&[&PREFACE[9..], b"\0\0\0\x04\n\n"].concat()).unwrap();
        assert!(!second.is_in_head());
        let flag: Arc<AtomicBool> = Arc::default();
        let mut upgraded = Framing::new(Arc::clone(&flag));
        upgraded.take(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").unwrap();
        assert!(Framing::new(Arc::default()).take(b"\x81\n").is_err());
        flag.store(true, Ordering::Release);
        assert_eq!(upgraded.take(b"\x81\n\0\n"), Ok(()));
    }

    proptest! {
        /// What is decided does not depend on the pieces in which it comes.
        #[test]
        fn pieces_do_not_matter(which in 0..GOOD.len() + BAD.len(), cuts in prop::collection::vec(0_usize..200, 0..6)) {
            let text = GOOD.iter().chain(BAD).nth(which).unwrap().as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut framing = framing();
            let outcome = cuts.windows(2).try_for_each(|pair| framing.take(&text[pair[0]..pair[1]]));
            prop_assert_eq!(outcome.is_ok(), which < GOOD.len());
        }

        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(prop::sample::select(b"GPOST /:.HTP1\r\n \t05;a\0".to_vec()), 0..200)) {
            if let Err(refused) = framing().take(&bytes) {
                prop_assert!(refused.good < bytes.len());
            }
        }
    }
}
