//! A resource as it is kept: the JSON that was sent, without insignificant white space, with its id, and with room
//! for the two facts only a commit knows.
//!
//! `meta.versionId` and `meta.lastUpdated` are not in the kept text. [`Body::write`] puts them in at the one place
//! [`Splice`] names, so that a body can be hashed and compressed before its commit has a place in time, and two
//! versions are the same exactly when their texts are.

use crate::json::quote;
use crate::json::scan::{Member, members};
use crate::resource::NodeRef;

/// Where `versionId` and `lastUpdated` go, and what has to be written around them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Splice {
    /// At this byte, with a `meta` around them: the resource came without one.
    WithMeta(u32),
    /// At this byte, inside `meta`, which is otherwise empty.
    Alone(u32),
    /// At this byte, inside `meta`, with more after them.
    BeforeMore(u32),
}

impl Splice {
    /// The byte.
    #[must_use]
    pub fn at(self) -> u32 {
        match self {
            Splice::WithMeta(at) | Splice::Alone(at) | Splice::BeforeMore(at) => at,
        }
    }

    /// A number for its kind, for storage.
    #[must_use]
    pub fn kind(self) -> u8 {
        match self {
            Splice::WithMeta(_) => 0,
            Splice::Alone(_) => 1,
            Splice::BeforeMore(_) => 2,
        }
    }

    /// The splice with this kind's number, or `None` if there is no such kind.
    #[must_use]
    pub fn from_kind(kind: u8, at: u32) -> Option<Splice> {
        match kind {
            0 => Some(Splice::WithMeta(at)),
            1 => Some(Splice::Alone(at)),
            2 => Some(Splice::BeforeMore(at)),
            _ => None,
        }
    }
}

/// A resource as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    /// JSON without white space, without `meta.versionId` and `meta.lastUpdated`.
    pub text: String,
    /// Where those two go.
    pub splice: Splice,
}

/// A replacement of a part of the document's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// First byte replaced.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
    /// What stands there instead; inside a string it must be escaped already.
    pub text: String,
}

/// Labels of the version before, which survive an update that does not mention them (JSON of each Coding).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct KeptLabels {
    /// To be added to `meta.tag`.
    pub tags: Vec<String>,
    /// To be added to `meta.security`.
    pub security: Vec<String>,
}

impl KeptLabels {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.security.is_empty()
    }
}

impl Body {
    /// The body of the resource at `root` with this id, with edits inside it (in any order, not overlapping, none in
    /// its id or `meta`), and with labels added.
    #[must_use]
    pub fn new(root: NodeRef<'_>, id: &str, edits: &[Edit], labels: &KeptLabels) -> Body {
        let (start, end) = (root.node().start, root.node().end);
        let meta = root.child("meta");
        let is_inside = |e: &&Edit| {
            let is_in_meta = meta.is_some_and(|m| e.start >= m.node().start && e.end <= m.node().end);
            e.start >= start && e.end <= end && !is_in_meta
        };
        let mut pieces: Vec<Piece> = edits.iter().filter(is_inside).cloned().map(Piece::from).collect();
        let has_own_meta = meta.is_some() || !labels.is_empty();
        pieces.push(id_piece(root, id, !has_own_meta));
        let splice: fn(u32) -> Splice = match meta {
            Some(node) => {
                let kept = kept_meta(node.raw(), labels);
                let text = format!("{{{kept}}}");
                pieces.push(Piece { start: node.node().start, end: node.node().end, text, splice: Some(1) });
                if kept.is_empty() { Splice::Alone } else { Splice::BeforeMore }
            }
            None if has_own_meta => {
                let head = ",\"meta\":{";
                let text = format!("{head}{}}}", kept_meta("{}", labels));
                pieces.push(Piece { start: end - 1, end: end - 1, text, splice: Some(head.len()) });
                Splice::BeforeMore
            }
            None => Splice::WithMeta,
        };
        let (text, at) = apply(root.document().text(), start, end, pieces);
        Body { text, splice: splice(u32::try_from(at).unwrap_or(u32::MAX)) }
    }

    /// Appends the resource with its version and instant.
    pub fn write(&self, version: &str, last_updated: &str, out: &mut String) {
        write_spliced(&self.text, self.splice, version, last_updated, out);
    }
}

/// An edit, and where in its text the splice comes to stand if it makes the place for it.
struct Piece {
    start: u32,
    end: u32,
    text: String,
    splice: Option<usize>,
}

impl From<Edit> for Piece {
    fn from(edit: Edit) -> Piece {
        Piece { start: edit.start, end: edit.end, text: edit.text, splice: None }
    }
}

/// The id, where it stands or right after `resourceType`; the splice follows it if nothing else makes its place.
fn id_piece(root: NodeRef<'_>, id: &str, is_place: bool) -> Piece {
    let start = root.node().start;
    if let Some(node) = root.child("id").filter(|n| n.has_value()) {
        let text = format!("{id}\"");
        let splice = is_place.then_some(text.len());
        return Piece { start: node.node().start, end: node.node().end + 1, text, splice };
    }
    let mut member = String::from("\"id\":");
    quote(&mut member, id);
    let splice = is_place.then_some(member.len());
    let head = format!("{{\"resourceType\":\"{}\"", root.type_name());
    if root.raw().starts_with(&head) {
        let at = start + u32::try_from(head.len()).unwrap_or(0);
        Piece { start: at, end: at, text: format!(",{member}"), splice: splice.map(|s| s + 1) }
    } else {
        Piece { start: start + 1, end: start + 1, text: format!("{member},"), splice }
    }
}

/// Appends a kept text with version and instant put in.
pub fn write_spliced(text: &str, splice: Splice, version: &str, last_updated: &str, out: &mut String) {
    let at = splice.at() as usize;
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    out.reserve(text.len() + 96);
    out.push_str(before);
    if let Splice::WithMeta(_) = splice {
        out.push_str(",\"meta\":{");
    }
    out.push_str("\"versionId\":\"");
    out.push_str(version);
    out.push_str("\",\"lastUpdated\":\"");
    out.push_str(last_updated);
    out.push('"');
    match splice {
        Splice::WithMeta(_) => out.push('}'),
        Splice::BeforeMore(_) => out.push(','),
        Splice::Alone(_) => {}
    }
    out.push_str(after);
}

/// Applies the pieces to a part of the text; also where the splice has come to stand.
fn apply(source: &str, start: u32, end: u32, mut pieces: Vec<Piece>) -> (String, usize) {
    pieces.sort_by_key(|p| (p.start, p.end));
    let mut text = String::with_capacity((end - start) as usize + 64);
    let mut done = start;
    let mut splice = 0;
    for piece in pieces.iter().filter(|p| p.end <= end) {
        if piece.start < done {
            continue; // overlapping: the first stands
        }
        text.push_str(&source[done as usize..piece.start as usize]);
        if let Some(offset) = piece.splice {
            splice = text.len() + offset;
        }
        text.push_str(&piece.text);
        done = piece.end;
    }
    text.push_str(&source[done as usize..end as usize]);
    (text, splice)
}

/// The members of a `meta` that are kept, as they stand, with labels added.
fn kept_meta(meta: &str, labels: &KeptLabels) -> String {
    let mut kept = String::new();
    let mut add = |member: &str| {
        if !kept.is_empty() {
            kept.push(',');
        }
        kept.push_str(member);
    };
    let mut pending = [("tag", &labels.tags, false), ("security", &labels.security, false)];
    for Member { name, whole: member, .. } in members(meta) {
        if matches!(name, "versionId" | "lastUpdated" | "_versionId" | "_lastUpdated") {
            continue;
        }
        match pending.iter_mut().find(|(label, list, _)| *label == name && !list.is_empty()) {
            Some((_, list, is_done)) => {
                *is_done = true;
                let open = member.strip_suffix(']').unwrap_or(member);
                add(&format!("{open},{}]", list.join(",")));
            }
            None => add(member),
        }
    }
    for (name, list, is_done) in pending {
        if !is_done && !list.is_empty() {
            add(&format!("\"{name}\":[{}]", list.join(",")));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::resource::Resource;

    fn resource(json: &str) -> Resource {
        crate::json::parse(json.as_bytes(), &Limits::default()).unwrap()
    }

    fn written(json: &str, labels: &KeptLabels) -> String {
        let resource = resource(json);
        let body = Body::new(resource.root(), "7", &[], labels);
        let mut out = String::new();
        body.write("3", "2026-01-01T00:00:00.000Z", &mut out);
        out
    }

    const TWO: &str = "\"versionId\":\"3\",\"lastUpdated\":\"2026-01-01T00:00:00.000Z\"";

    #[test]
    fn only_id_and_the_two_facts_change() {
        let none = KeptLabels::default();
        for (json, expected) in [
            (r#"{"resourceType":"Patient"}"#.to_owned(), format!(r#"{{"resourceType":"Patient","id":"7","meta":{{{TWO}}}}}"#)),
            (
                r#"{"active":true,"resourceType":"Patient"}"#.to_owned(),
                format!(r#"{{"id":"7","meta":{{{TWO}}},"active":true,"resourceType":"Patient"}}"#),
            ),
            (
                r#"{"resourceType":"Patient","active":true,"id":"x"}"#.to_owned(),
                format!(r#"{{"resourceType":"Patient","active":true,"id":"7","meta":{{{TWO}}}}}"#),
            ),
            (
                r#"{"resourceType":"Patient","id":"x","meta":{"versionId":"9"},"active":true}"#.to_owned(),
                format!(r#"{{"resourceType":"Patient","id":"7","meta":{{{TWO}}},"active":true}}"#),
            ),
            (
                r#"{"resourceType":"Patient","meta":{"profile":["http://p"],"lastUpdated":"2020-01-01T00:00:00Z"},"id":"x"}"#
                    .to_owned(),
                format!(r#"{{"resourceType":"Patient","meta":{{{TWO},"profile":["http://p"]}},"id":"7"}}"#),
            ),
            (
                r#"{"resourceType":"Patient","meta":{"profile":["http://p"]}}"#.to_owned(),
                format!(r#"{{"resourceType":"Patient","id":"7","meta":{{{TWO},"profile":["http://p"]}}}}"#),
            ),
        ] {
            assert_eq!(written(&json, &none), expected, "{json}");
        }
    }

    #[test]
    fn labels_of_the_version_before_are_added() {
        let labels = KeptLabels {
            tags: vec![r#"{"code":"a"}"#.to_owned()],
            security: vec![r#"{"code":"R"}"#.to_owned()],
        };
        assert_eq!(
            written(r#"{"resourceType":"Patient","id":"x","active":true}"#, &labels),
            format!(
                r#"{{"resourceType":"Patient","id":"7","active":true,"meta":{{{TWO},"tag":[{{"code":"a"}}],"security":[{{"code":"R"}}]}}}}"#
            )
        );
        assert_eq!(
            written(r#"{"resourceType":"Patient","meta":{"tag":[{"code":"b"}]}}"#, &labels),
            format!(
                r#"{{"resourceType":"Patient","id":"7","meta":{{{TWO},"tag":[{{"code":"b"}},{{"code":"a"}}],"security":[{{"code":"R"}}]}}}}"#
            )
        );
    }

    #[test]
    fn edits_replace_inside_the_resource() {
        let json = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:1"}}"#;
        let resource = resource(json);
        let node = resource.root().path("subject.reference").unwrap();
        let edit = Edit { start: node.node().start, end: node.node().end, text: "Patient/1".to_owned() };
        let body = Body::new(resource.root(), "7", &[edit], &KeptLabels::default());
        assert!(body.text.contains(r#""subject":{"reference":"Patient/1"}"#), "{}", body.text);
    }

    #[test]
    fn an_entry_of_a_bundle_has_a_body_of_its_own() {
        let json = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","meta":{"versionId":"2"},"active":true}}]}"#;
        let bundle = resource(json);
        let entry = bundle.root().path("entry.resource").unwrap();
        let body = Body::new(entry, "7", &[], &KeptLabels::default());
        assert_eq!(body.text, r#"{"resourceType":"Patient","id":"7","meta":{},"active":true}"#);
        assert_eq!(&body.text[body.splice.at() as usize..][..1], "}");
    }
}
