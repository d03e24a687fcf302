//! Which language a page speaks: the one asked for in the address, else the one remembered, else the browser's first
//! that is spoken here, else Japanese.

/// A language of the pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    /// 日本語
    Japanese,
    /// English
    English,
}

/// The cookie that remembers the choice.
pub(crate) const COOKIE: &str = "lang";

impl Language {
    /// Its BCP 47 tag.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Language::Japanese => "ja",
            Language::English => "en",
        }
    }

    /// The language of a tag (`en`, `en-GB`, `JA_jp`), if it is spoken here.
    pub(crate) fn of_tag(tag: &str) -> Option<Language> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().trim();
        [Language::Japanese, Language::English].into_iter().find(|l| primary.eq_ignore_ascii_case(l.tag()))
    }

    /// The language of a request.
    pub(crate) fn choose(asked: Option<&str>, cookies: &str, accepted: &str) -> Language {
        let remembered = cookies.split(';').filter_map(|c| c.trim().split_once('='));
        let remembered =
            remembered.filter(|(name, _)| *name == COOKIE).find_map(|(_, tag)| Language::of_tag(tag));
        asked
            .and_then(Language::of_tag)
            .or(remembered)
            .or_else(|| accept(accepted))
            .unwrap_or(Language::Japanese)
    }
}

/// The spoken language with the highest quality in an `Accept-Language`; among equals the first.
fn accept(header: &str) -> Option<Language> {
    let mut best: Option<(Language, f32)> = None;
    for range in header.split(',') {
        let mut parts = range.split(';');
        let Some(language) = Language::of_tag(parts.next().unwrap_or_default()) else { continue };
        let quality =
            parts.find_map(|p| p.trim().strip_prefix("q=")).map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if quality > 0.0 && best.is_none_or(|(_, known)| quality > known) {
            best = Some((language, quality));
        }
    }
    best.map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_goes_before_memory_and_memory_before_the_browser() {
        assert_eq!(Language::choose(Some("en"), "lang=ja", "ja"), Language::English);
        assert_eq!(Language::choose(Some("xx"), "a=b; lang=en", "ja"), Language::English);
        assert_eq!(Language::choose(None, "lang=", "en-GB,en;q=0.9"), Language::English);
        assert_eq!(Language::choose(None, "", ""), Language::Japanese);
    }

    #[test]
    fn the_browser_is_taken_at_its_quality() {
        assert_eq!(accept("en;q=0.3, ja;q=0.8"), Some(Language::Japanese));
        assert_eq!(accept("fr, en;q=0.5"), Some(Language::English));
        assert_eq!(accept("ja;q=0, en;q=0.1"), Some(Language::English));
        assert_eq!(accept("en;q=x, *"), None);
        assert_eq!(accept("fr"), None);
    }
}
