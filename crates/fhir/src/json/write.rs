//! Writing JSON: for resources the hub makes itself (a CapabilityStatement, a synthetic patient, an outcome).

/// Appends a JSON string with its quotes.
pub fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        out.push_str(&rest[..at]);
        let byte = rest.as_bytes()[at];
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(other >> 4)]));
                out.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Writes one JSON document piece by piece; commas look after themselves.
#[derive(Debug, Default)]
pub struct JsonWriter {
    out: String,
    needs_comma: bool,
}

impl JsonWriter {
    /// An empty document.
    #[must_use]
    pub fn new() -> JsonWriter {
        JsonWriter::default()
    }

    /// The document.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// What has been written so far.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.out
    }

    fn comma(&mut self) {
        if self.needs_comma {
            self.out.push(',');
        }
        self.needs_comma = true;
    }

    /// The name of the member whose value comes next.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.comma();
        quote(&mut self.out, name);
        self.out.push(':');
        self.needs_comma = false;
        self
    }

    /// A string value.
    pub fn string(&mut self, value: &str) -> &mut Self {
        self.comma();
        quote(&mut self.out, value);
        self
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, value: &str) -> &mut Self {
        self.comma();
        self.out.push_str(value);
        self
    }

    /// A value that `fill` appends as JSON.
    pub fn raw_with(&mut self, fill: impl FnOnce(&mut String)) -> &mut Self {
        self.comma();
        fill(&mut self.out);
        self
    }

    /// A member with a string value.
    pub fn member(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name).string(value)
    }

    /// A member whose value is JSON already.
    pub fn raw_member(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name).raw(value)
    }

    /// An object value, filled by `fill`.
    pub fn object(&mut self, fill: impl FnOnce(&mut JsonWriter)) -> &mut Self {
        self.nested('{', '}', fill)
    }

    /// An array value, filled by `fill`.
    pub fn array(&mut self, fill: impl FnOnce(&mut JsonWriter)) -> &mut Self {
        self.nested('[', ']', fill)
    }

    fn nested(&mut self, open: char, close: char, fill: impl FnOnce(&mut JsonWriter)) -> &mut Self {
        self.comma();
        self.out.push(open);
        self.needs_comma = false;
        fill(self);
        self.out.push(close);
        self.needs_comma = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commas_look_after_themselves() {
        let mut json = JsonWriter::new();
        json.object(|o| {
            o.member("a", "1\n").raw_member("b", "2");
            o.name("c").array(|a| {
                a.string("x").object(|_| {}).raw("null");
            });
            o.member("d", "\"");
        });
        assert_eq!(json.finish(), r#"{"a":"1\n","b":2,"c":["x",{},null],"d":"\""}"#);
    }

    proptest! {
        #[test]
        fn quoted_strings_read_back(text in "\\PC{0,20}[\u{1}-\u{1f}]{0,3}\\PC{0,5}") {
            let mut out = String::new();
            quote(&mut out, &text);
            prop_assert_eq!(super::super::unescape(&out[1..out.len() - 1]), text);
        }
    }
}
