//! How many entries a Bundle in XML has, found out before it is read: reading takes many times the text's memory.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Whether a document has more than `limit` elements named `entry` at its top. What is no XML has none: reading says why.
#[must_use]
pub fn has_more_entries(xml: &[u8], limit: usize) -> bool {
    let Ok(text) = std::str::from_utf8(xml) else { return false };
    let mut reader = Reader::from_str(text);
    let (mut depth, mut entries) = (0usize, 0usize);
    loop {
        let is_entry = |name: &str| depth == 1 && name == "entry";
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                entries += usize::from(is_entry(element.local_name().as_ref()));
                depth += 1;
            }
            Ok(Event::Empty(element)) => entries += usize::from(is_entry(element.local_name().as_ref())),
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Eof) | Err(_) => return entries > limit,
            Ok(_) => {}
        }
        if entries > limit {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_at_the_top_alone() {
        let bundle = |entries: &str| format!("<Bundle xmlns=\"http://hl7.org/fhir\">{entries}</Bundle>");
        let nested =
            "<entry><resource><Bundle><entry/><entry/><entry/></Bundle></resource></entry><f:entry/>";
        assert!(has_more_entries(bundle(nested).as_bytes(), 1));
        assert!(!has_more_entries(bundle(nested).as_bytes(), 2));
        assert!(!has_more_entries(b"<a", 0) && !has_more_entries(b"\xff", 0) && !has_more_entries(b"{}", 0));
    }
}
