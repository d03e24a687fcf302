//! Bundles the hub answers with.

use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::r4;
use fhir::subset::{self, Subset};
use search::query::Pair;
use store::{HistoryEntry, Kept};

use crate::history::HistoryPage;
use crate::outcome;
use crate::search_type::SearchAnswer;

/// `Type/id`
#[must_use]
pub fn local_name(kept: &Kept) -> String {
    format!("{}/{}", r4().type_name(kept.resource_type), kept.id)
}

/// `W/"3"`
#[must_use]
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'/'
            | b'$'
            | b','
            | b'|' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// An address with these parameters.
#[must_use]
pub fn address(path: &str, pairs: &[Pair], cursor: Option<&str>) -> String {
    let mut url = path.to_owned();
    let given = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    for (at, (name, value)) in given.chain(cursor.map(|c| ("_cursor", c))).enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str(&percent(name));
        url.push('=');
        url.push_str(&percent(value));
    }
    url
}

pub(crate) fn link(json: &mut JsonWriter, relation: &str, url: &str) {
    json.object(|l| {
        l.member("relation", relation);
        l.member("url", url);
    });
}

/// A search's answer as a Bundle of type searchset; `path` is the address searched, without parameters.
#[must_use]
pub fn searchset(answer: &SearchAnswer, base: &str, path: &str) -> String {
    let mut json = JsonWriter::new();
    let pairs = &answer.query.understood;
    json.object(|b| {
        b.member("resourceType", "Bundle");
        b.member("type", "searchset");
        // The moment of recording the whole search is true for.
        b.member("timestamp", &format_instant(answer.instant));
        if let Some(total) = answer.total {
            b.raw_member("total", &total.to_string());
        }
        b.name("link").array(|links| {
            link(links, "self", &address(path, pairs, answer.query.cursor.as_deref()));
            for (relation, cursor) in [("next", &answer.next), ("previous", &answer.previous)] {
                if let Some(cursor) = cursor {
                    link(links, relation, &address(path, pairs, Some(cursor)));
                }
            }
        });
        let has_entries =
            !answer.matches.is_empty() || !answer.included.is_empty() || !answer.query.dropped.is_empty();
        if has_entries {
            b.name("entry").array(|entries| {
                for (kept, mode) in answer
                    .matches
                    .iter()
                    .map(|k| (k, "match"))
                    .chain(answer.included.iter().map(|k| (k, "include")))
                {
                    entries.object(|e| {
                        e.member("fullUrl", &format!("{base}/{}", local_name(kept)));
                        e.name("resource")
                            .raw_with(|out| write_part(kept, answer.query.subset.as_ref(), out));
                        e.name("search").object(|s| {
                            s.member("mode", mode);
                        });
                    });
                }
                if !answer.query.dropped.is_empty() {
                    entries.object(|e| {
                        outcome::write(e.name("resource"), &answer.query.dropped);
                        e.name("search").object(|s| {
                            s.member("mode", "outcome");
                        });
                    });
                }
            });
        }
    });
    json.finish()
}

/// Appends a resource, or the part of it that is asked for.
pub fn write_part(kept: &Kept, subset: Option<&Subset>, out: &mut String) {
    match subset {
        None => kept.write(out),
        Some(part) => subset::write(&kept.json(), part, out),
    }
}

/// A page of a history as a Bundle of type history.
#[must_use]
pub fn history(
    page: &HistoryPage,
    subset: Option<&Subset>,
    understood: &[Pair],
    base: &str,
    path: &str,
) -> String {
    let mut json = JsonWriter::new();
    json.object(|b| {
        b.member("resourceType", "Bundle");
        b.member("type", "history");
        b.member("timestamp", &format_instant(page.instant));
        b.name("link").array(|links| {
            link(links, "self", &address(path, understood, None));
            if let Some(next) = &page.next {
                link(links, "next", &address(path, understood, Some(next)));
            }
        });
        if !page.entries.is_empty() {
            b.name("entry").array(|entries| {
                for entry in &page.entries {
                    entries.object(|e| write_history_entry(e, entry, subset, base));
                }
            });
        }
    });
    json.finish()
}

fn write_history_entry(json: &mut JsonWriter, entry: &HistoryEntry, subset: Option<&Subset>, base: &str) {
    let kept = &entry.kept;
    let name = local_name(kept);
    json.member("fullUrl", &format!("{base}/{name}"));
    if kept.text.is_some() {
        json.name("resource").raw_with(|out| write_part(kept, subset, out));
    }
    let (method, status) = match (kept.is_deletion(), kept.is_creation) {
        (true, _) => ("DELETE", "204"),
        (false, true) => ("PUT", "201"),
        (false, false) => ("PUT", "200"),
    };
    json.name("request").object(|r| {
        r.member("method", method);
        r.member("url", &name);
    });
    json.name("response").object(|r| {
        r.member("status", status);
        r.member("etag", &etag(kept.version));
        r.member("lastModified", &format_instant(kept.instant));
        if kept.is_destroyed {
            let message = "what this version said has been destroyed";
            r.name("outcome")
                .raw_with(|out| out.push_str(&outcome::outcome(&[outcome::information(message)])));
        }
    });
}
