//! JSON for eyes: one member a line.

/// Appends a text that is JSON without white space, indented by two spaces a level.
pub fn pretty(json: &str, out: &mut String) {
    out.reserve(json.len() * 3 / 2);
    let bytes = json.as_bytes();
    let (mut depth, mut at) = (0usize, 0usize);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at = (at + 1).min(bytes.len());
                out.push_str(&json[start..at]);
            }
            open @ (b'{' | b'[') => {
                out.push(char::from(open));
                at += 1;
                if matches!(bytes.get(at), Some(b'}' | b']')) {
                    out.push(char::from(bytes[at]));
                    at += 1;
                } else {
                    depth += 1;
                    line(out, depth);
                }
            }
            close @ (b'}' | b']') => {
                depth = depth.saturating_sub(1);
                line(out, depth);
                out.push(char::from(close));
                at += 1;
            }
            b',' => {
                out.push(',');
                line(out, depth);
                at += 1;
            }
            b':' => {
                out.push_str(": ");
                at += 1;
            }
            _ => {
                while at < bytes.len() && !matches!(bytes[at], b'"' | b'{' | b'[' | b'}' | b']' | b',' | b':')
                {
                    at += 1;
                }
                out.push_str(&json[start..at]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_member_a_line() {
        let mut out = String::new();
        super::pretty(r#"{"a":[1.00,{}],"b":"x,\"{é","c":[]}"#, &mut out);
        assert_eq!(out, "{\n  \"a\": [\n    1.00,\n    {}\n  ],\n  \"b\": \"x,\\\"{é\",\n  \"c\": []\n}");
    }
}
