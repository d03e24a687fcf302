//! The tokens of JSON (RFC 8259), over a text known to be UTF-8.

/// Why a text is not JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) message: String,
}

/// A place in a text.
pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// A string token: where it stands, without its quotes, and whether it has escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct StringToken {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_escaped: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        // RFC 8259 lets a reader ignore a byte order mark.
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Lexer { text, at }
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at, message: message.into() })
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte that is not white space; it is not consumed.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                other => return Some(*other),
            }
        }
        None
    }

    /// Consumes the byte if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, what: &str) -> Result<(), SyntaxError> {
        if self.eat(byte) {
            return Ok(());
        }
        let found = self.found();
        self.error(format!("expected {what}, found {found}"))
    }

    /// What stands here, for a message.
    pub(super) fn found(&mut self) -> String {
        match self.peek() {
            None => "the end of the text".to_owned(),
            Some(_) => {
                let shown: String = self.text[self.at..].chars().take(1).collect();
                format!("'{}'", shown.escape_debug())
            }
        }
    }

    /// Reads a string whose opening quote comes next.
    pub(super) fn string(&mut self) -> Result<StringToken, SyntaxError> {
        self.expect(b'"', "a string")?;
        let bytes = self.bytes();
        let start = self.at;
        let mut is_escaped = false;
        loop {
            match bytes.get(self.at) {
                None => {
                    self.at = start - 1;
                    return self.error("this string is not closed");
                }
                Some(b'"') => {
                    let token = StringToken { start, end: self.at, is_escaped };
                    self.at += 1;
                    return Ok(token);
                }
                Some(b'\\') => {
                    is_escaped = true;
                    self.escape()?;
                }
                Some(byte) if *byte < 0x20 => {
                    return self.error(format!(
                        "a control character (0x{byte:02x}) must be escaped inside a string"
                    ));
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// Steps over one escape.
    fn escape(&mut self) -> Result<(), SyntaxError> {
        let bytes = self.bytes();
        match bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let Some(first) = hex4(bytes, self.at + 2) else {
                    return self.error("\\u needs four hexadecimal digits");
                };
                let is_pair = bytes.get(self.at + 6..self.at + 8) == Some(b"\\u");
                match first {
                    0xd800..=0xdbff => match is_pair.then(|| hex4(bytes, self.at + 8)).flatten() {
                        Some(0xdc00..=0xdfff) => self.at += 12,
                        _ => return self.error("a high surrogate needs a low one after it"),
                    },
                    0xdc00..=0xdfff => return self.error("a low surrogate needs a high one before it"),
                    0 => return self.error("the character U+0000 is not allowed"),
                    _ => self.at += 6,
                }
                Ok(())
            }
            _ => self.error("this is not an escape JSON knows"),
        }
    }

    /// Reads a number whose first character comes next: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
    pub(super) fn number(&mut self) -> Result<(usize, usize), SyntaxError> {
        let bytes = self.bytes();
        let start = self.at;
        let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let whole = digits(at);
        if whole == at || (bytes[at] == b'0' && whole > at + 1) {
            return self.error("this is not a number JSON allows (no leading zeros, no plus sign)");
        }
        at = whole;
        if bytes.get(at) == Some(&b'.') {
            let end = digits(at + 1);
            if end == at + 1 {
                return self.error("a decimal point needs digits after it");
            }
            at = end;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let end = digits(at + 1 + sign);
            if end == at + 1 + sign {
                return self.error("an exponent needs digits");
            }
            at = end;
        }
        self.at = at;
        Ok((start, at))
    }

    /// Consumes `true`, `false` or `null` if it comes next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Steps over any value.
    pub(super) fn skip_value(&mut self, depth: usize) -> Result<(), SyntaxError> {
        let Some(depth) = depth.checked_sub(1) else { return self.error("nested too deeply") };
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => {
                self.at += 1;
                if self.eat(b'}') {
                    return Ok(());
                }
                loop {
                    self.string()?;
                    self.expect(b':', "':'")?;
                    self.skip_value(depth)?;
                    if !self.eat(b',') {
                        return self.expect(b'}', "',' or '}'");
                    }
                }
            }
            Some(b'[') => {
                self.at += 1;
                if self.eat(b']') {
                    return Ok(());
                }
                loop {
                    self.skip_value(depth)?;
                    if !self.eat(b',') {
                        return self.expect(b']', "',' or ']'");
                    }
                }
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            _ if self.word("true") || self.word("false") || self.word("null") => Ok(()),
            _ => {
                let found = self.found();
                self.error(format!("expected a value, found {found}"))
            }
        }
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u16> {
    let part = bytes.get(at..at + 4)?;
    part.iter().try_fold(0u16, |sum, b| Some(sum << 4 | char::from(*b).to_digit(16)? as u16))
}

/// Decodes the escapes of a string that [`Lexer::string`] has accepted. Anything else is left as it stands.
#[must_use]
pub fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let bytes = rest.as_bytes();
        let (decoded, length) = match bytes.get(at + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => decode_unicode(bytes, at),
            Some(byte) if byte.is_ascii() => (char::from(*byte), 2),
            _ => ('\\', 1),
        };
        out.push(decoded);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

fn decode_unicode(bytes: &[u8], at: usize) -> (char, usize) {
    let Some(first) = hex4(bytes, at + 2) else { return ('\u{fffd}', 2) };
    if let Some(c) = char::from_u32(u32::from(first)) {
        return (c, 6);
    }
    let second = hex4(bytes, at + 8).unwrap_or(0);
    let combined = 0x10000 + ((u32::from(first) & 0x3ff) << 10) + (u32::from(second) & 0x3ff);
    (char::from_u32(combined).unwrap_or('\u{fffd}'), 12)
}
