//! Steps over parts of a text that is known to be JSON, looking at as little of it as can be.

use super::projection::Unreadable;

/// A place in a text.
pub(super) struct Skip<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Skip<'_> {
    pub(super) fn error(&self, message: &'static str) -> Unreadable {
        Unreadable { at: self.at, message }
    }

    /// The next byte that is not white space; it is not consumed.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
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

    pub(super) fn expect(&mut self, byte: u8, message: &'static str) -> Result<(), Unreadable> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(message)) }
    }

    /// Where the string that comes next begins and ends, without its quotes, and whether it has escapes.
    pub(super) fn string(&mut self) -> Result<(usize, usize, bool), Unreadable> {
        self.expect(b'"', "a string belongs here")?;
        let start = self.at;
        let Some((end, is_escaped)) = string_end(self.bytes, start) else {
            return Err(self.error("this string is not closed"));
        };
        self.at = end + 1;
        Ok((start, end, is_escaped))
    }

    /// Steps over any value.
    pub(super) fn value(&mut self) -> Result<(), Unreadable> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => {
                self.at += 1;
                self.rest_of(b'{', b'}')
            }
            Some(b'[') => {
                self.at += 1;
                self.rest_of(b'[', b']')
            }
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                while let Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E') =
                    self.bytes.get(self.at)
                {
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(self.error("a value belongs here")),
        }
    }

    /// Steps over what is left of an object or array, its end included.
    pub(super) fn rest_of(&mut self, open: u8, close: u8) -> Result<(), Unreadable> {
        let mut depth = 1usize;
        let mut at = self.at;
        loop {
            match self.bytes.get(at) {
                Some(b'"') => match string_end(self.bytes, at + 1) {
                    Some((end, _)) => at = end,
                    None => return Err(self.error("this string is not closed")),
                },
                Some(byte) if *byte == open => depth += 1,
                Some(byte) if *byte == close => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = at + 1;
                        return Ok(());
                    }
                }
                Some(_) => {}
                None => return Err(self.error("this is not closed")),
            }
            at += 1;
        }
    }
}

/// Where a string ends whose first character is at a byte, and whether it has escapes.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start;
    let mut is_escaped = false;
    loop {
        match bytes.get(at)? {
            b'"' => return Some((at, is_escaped)),
            b'\\' => {
                is_escaped = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
}
