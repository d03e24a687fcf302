//! Parts of a text that is known to be JSON without white space: what the hub keeps and writes itself.

/// A member of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member<'t> {
    /// Its name.
    pub name: &'t str,
    /// Its value's text.
    pub value: &'t str,
    /// Name, colon and value as they stand.
    pub whole: &'t str,
}

/// The members of an object.
pub fn members(object: &str) -> impl Iterator<Item = Member<'_>> {
    parts(object).filter_map(|whole| {
        // The names FHIR knows have no escapes.
        let (name, value) = whole.strip_prefix('"')?.split_once("\":")?;
        Some(Member { name, value, whole })
    })
}

/// The items of an array.
pub fn items(array: &str) -> impl Iterator<Item = &str> {
    parts(array)
}

/// What stands between the outer brackets, separated by commas.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 1;
    std::iter::from_fn(move || {
        let start = at;
        let (mut depth, mut is_string) = (0usize, false);
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if is_string => at += 1,
                b'"' => is_string = !is_string,
                _ if is_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 0 => depth -= 1,
                b',' if depth > 0 => {}
                b'}' | b']' | b',' => {
                    let part = &text[start..at];
                    at += 1;
                    return (!part.is_empty()).then_some(part);
                }
                _ => {}
            }
            at += 1;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_whatever_they_hold() {
        let text = r#"{"a":"x,}\"]","b":[1,{"c":[]}],"d":{}}"#;
        let found: Vec<_> = members(text).map(|m| (m.name, m.value)).collect();
        assert_eq!(found, [("a", r#""x,}\"]""#), ("b", r#"[1,{"c":[]}]"#), ("d", "{}")]);
        assert_eq!(items(found[1].1).collect::<Vec<_>>(), ["1", r#"{"c":[]}"#]);
        assert_eq!(members("{}").count() + items("[]").count(), 0);
    }
}
