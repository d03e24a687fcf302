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
            at = next_of(self.bytes, at, [b'"', open, close]);
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
        at = next_of(bytes, at, [b'"', b'\\', b'"']);
        match bytes.get(at)? {
            b'\\' => {
                is_escaped = true;
                at += 2;
            }
            _ => return Some((at, is_escaped)),
        }
    }
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The next of these bytes; the end of the text if there is none. Eight bytes are looked at together: a word from which
/// a byte's value was taken away bit by bit has a zero where the byte stood.
fn next_of(bytes: &[u8], start: usize, wanted: [u8; 3]) -> usize {
    let mut at = start;
    let [a, b, c] = wanted.map(|byte| ONES * u64::from(byte));
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let found = zeros(word ^ a) | zeros(word ^ b) | zeros(word ^ c);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| !wanted.contains(byte)) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_byte_is_found_wherever_it_stands() {
        let mut text = vec![b'x'; 40];
        for at in 0..40 {
            text[at] = b'}';
            for start in 0..=40 {
                let expected = if start <= at { at } else { 40 };
                assert_eq!(next_of(&text, start, *b"\"{}"), expected, "{start} {at}");
            }
            // Neighbours in value, and bytes past 127, are none of them.
            text[at] = if at % 2 == 0 { b'|' } else { 0xfd };
        }
        assert_eq!(string_end(br#"a\\"b\"c"d"#, 0), Some((3, true)));
        assert_eq!(string_end(br#"a\"#, 0), None);
    }

    #[test]
    fn values_are_stepped_over_whole() {
        let text = br#"{"a":[1,"]}\"",{"b":{}}],"c":-1.5e3} "x" null 7"#;
        let mut skip = Skip { bytes: text, at: 0 };
        let mut ends = Vec::new();
        while skip.peek().is_some() {
            skip.value().unwrap();
            ends.push(skip.at);
        }
        assert_eq!(ends, [36, 40, 45, 47]);
        assert!(Skip { bytes: b"{\"a\":1", at: 0 }.value().is_err());
    }
}
