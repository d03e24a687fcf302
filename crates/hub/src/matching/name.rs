//! Names as they are compared: by what they are written in, and without what only looks different.

use std::collections::BTreeSet;

use fhir::NodeRef;
use search::normalize::normalize;

use super::kana::{is_kana, is_latin, plain_kana};

/// Kanji that write the same name, the usual one first: registers, fonts and keyboards differ (高 and 髙).
const SAME_KANJI: &[&str] = &[
    "高髙",
    "崎﨑碕",
    "斉齊斎齋",
    "辺邊邉",
    "沢澤",
    "広廣",
    "桜櫻",
    "浜濱濵",
    "国國",
    "真眞",
    "恵惠",
    "富冨",
    "島嶋嶌",
    "竜龍",
    "栄榮",
    "会會",
    "関關",
    "学學",
    "滝瀧",
    "徳德",
    "吉𠮷",
    "万萬",
    "宝寶",
    "礼禮",
    "寿壽",
    "芦蘆",
    "条條",
    "奥奧",
    "槙槇",
    "瀬瀨",
    "静靜",
    "弥彌",
    "船舩",
    "柳栁",
    "渕淵",
    "曽曾",
    "郷鄕",
    "鉄鐵鐡",
    "豊豐",
    "亀龜",
    "来來",
    "黒黑",
    "藤籐",
    "峰峯",
    "館舘",
    "黄黃",
    "増增",
];

/// A part of a name (family or given) in all writings a resource has it in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// In kanji, or in what is neither kana nor Latin.
    pub(super) ideographs: BTreeSet<String>,
    /// In kana.
    pub(super) kana: BTreeSet<String>,
    /// In Latin letters.
    pub(super) latin: BTreeSet<String>,
}

impl Part {
    fn add(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if is_kana(text) {
            self.kana.insert(text.to_owned());
        } else if is_latin(text) {
            self.latin.insert(text.to_owned());
        } else {
            self.ideographs.insert(usual_kanji(text));
        }
    }

    /// Kana as they are compared.
    pub(super) fn plain_kana(&self) -> BTreeSet<String> {
        self.kana.iter().map(|k| plain_kana(k)).collect()
    }
}

/// The names of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) family: Part,
    pub(super) given: Part,
    /// Family names no longer in use (`maiden`, `old`).
    pub(super) former: Part,
    /// Whole names that nobody has divided.
    pub(super) whole: BTreeSet<String>,
}

/// More names than this are not read.
const MAX_NAMES: usize = 20;
/// More characters of a name than this are not read.
const MAX_CHARACTERS: usize = 80;

/// A name in the form texts are compared in.
fn plain(text: &str) -> String {
    let begun: String = text.chars().take(MAX_CHARACTERS).collect();
    normalize(&begun)
}

impl Names {
    /// Those of a Patient.
    pub(super) fn read(patient: NodeRef<'_>) -> Names {
        let mut names = Names::default();
        for name in patient.all("name").take(MAX_NAMES) {
            let is_former = matches!(name.text_at("use").as_deref(), Some("maiden" | "old"));
            let family = name.text_at("family").map(|t| plain(&t)).unwrap_or_default();
            let given: Vec<String> =
                name.all("given").filter_map(NodeRef::value).take(MAX_NAMES).map(|t| plain(&t)).collect();
            if family.is_empty() && given.is_empty() {
                names.add_text(&plain(&name.text_at("text").unwrap_or_default()), is_former);
                continue;
            }
            names.add(&family, &given.join(" "), is_former);
            if !is_former && given.len() > 1 {
                names.given.add(&given[0]);
            }
        }
        names
    }

    fn add(&mut self, family: &str, given: &str, is_former: bool) {
        if is_former {
            self.former.add(family);
        } else {
            self.family.add(family);
        }
        // A given name stays when a family name changes.
        self.given.add(given);
    }

    /// A name that is one text: divided at its first space, in the order of Japanese names.
    fn add_text(&mut self, text: &str, is_former: bool) {
        match text.split_once(' ') {
            Some((family, given)) => self.add(family, given, is_former),
            None if text.is_empty() || is_former => {}
            None => {
                self.whole.insert(usual_kanji(text));
            }
        }
    }

    /// Divides whole names as another's names are divided, where they are the same.
    pub(super) fn divided_as(&self, other: &Names) -> Names {
        let mut divided = self.clone();
        let sets: [fn(&Part) -> &BTreeSet<String>; 3] = [|p| &p.ideographs, |p| &p.kana, |p| &p.latin];
        for set in sets {
            for family in set(&other.family).iter().chain(set(&other.former)) {
                for given in set(&other.given) {
                    if self.whole.contains(&format!("{family}{given}")) {
                        divided.add(family, given, false);
                    }
                }
            }
        }
        // Where neither is divided, the same text is the same name, however it is divided.
        for whole in self.whole.intersection(&other.whole) {
            let at = whole.char_indices().nth(whole.chars().count() / 2).map_or(0, |(at, _)| at);
            divided.add(&whole[..at], &whole[at..], false);
        }
        divided
    }
}

/// The text with the usual one of kanji that write the same name.
fn usual_kanji(text: &str) -> String {
    let usual = |c: char| {
        let same = SAME_KANJI.iter().find(|same| same.contains(c));
        same.and_then(|same| same.chars().next()).unwrap_or(c)
    };
    text.chars().filter(|c| *c != ' ').map(usual).collect()
}

/// All characters that write the same as this one, itself first.
pub(super) fn same_kanji(c: char) -> Vec<char> {
    let others = SAME_KANJI.iter().filter(|same| same.contains(c)).flat_map(|same| same.chars());
    let mut found = vec![c];
    found.extend(others.filter(|other| *other != c));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(json: &str) -> Names {
        let text = format!(r#"{{"resourceType":"Patient","name":{json}}}"#);
        let patient = fhir::json::parse(text.as_bytes(), &fhir::Limits::default()).unwrap();
        Names::read(patient.root())
    }

    #[test]
    fn one_name_in_three_writings() {
        let read = names(
            r#"[{"family":"髙橋","given":["花子"]},{"family":"ﾀｶﾊｼ","given":["ﾊﾅｺ"]},{"text":"Takahashi Hanako"},{"use":"maiden","family":"山田"}]"#,
        );
        let only = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(",");
        assert_eq!(only(&read.family.ideographs), "高橋");
        assert_eq!(
            (only(&read.family.kana), only(&read.given.kana)),
            ("たかはし".to_owned(), "はなこ".to_owned())
        );
        assert_eq!(
            (only(&read.family.latin), only(&read.former.ideographs)),
            ("takahashi".to_owned(), "山田".to_owned())
        );
    }

    #[test]
    fn a_whole_name_is_divided_as_another_is() {
        let (whole, divided) =
            (names(r#"[{"text":"山田花子"}]"#), names(r#"[{"family":"山田","given":["花子"]}]"#));
        assert!(whole.family.ideographs.is_empty());
        assert_eq!(whole.divided_as(&divided).family, divided.family);
        assert!(!whole.divided_as(&whole).given.ideographs.is_empty());
    }
}
