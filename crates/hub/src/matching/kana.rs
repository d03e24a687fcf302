//! How a Japanese name sounds, in kana and in Latin letters.
//!
//! A name is written in kana of either kind and width, and in Latin letters after Hepburn (Shoji, passports), Kunrei
//! (Syozi) or freely (Shouji, Shohji). Kana are compared as kana; kana and letters by a key that all spellings of a
//! name share: syllables in Kunrei, without long vowels, doubled consonants and what parts syllables. The key joins
//! some names that are two (大野 and 小野): letters do not tell them apart either.

/// Kana, Hepburn, Kunrei; those of two kana first.
const SYLLABLES: &[(&str, &str, &str)] = &[
    ("きゃ", "kya", "kya"),
    ("きゅ", "kyu", "kyu"),
    ("きょ", "kyo", "kyo"),
    ("しゃ", "sha", "sya"),
    ("しゅ", "shu", "syu"),
    ("しょ", "sho", "syo"),
    ("しぇ", "she", "sye"),
    ("ちゃ", "cha", "tya"),
    ("ちゅ", "chu", "tyu"),
    ("ちょ", "cho", "tyo"),
    ("ちぇ", "che", "tye"),
    ("にゃ", "nya", "nya"),
    ("にゅ", "nyu", "nyu"),
    ("にょ", "nyo", "nyo"),
    ("ひゃ", "hya", "hya"),
    ("ひゅ", "hyu", "hyu"),
    ("ひょ", "hyo", "hyo"),
    ("みゃ", "mya", "mya"),
    ("みゅ", "myu", "myu"),
    ("みょ", "myo", "myo"),
    ("りゃ", "rya", "rya"),
    ("りゅ", "ryu", "ryu"),
    ("りょ", "ryo", "ryo"),
    ("ぎゃ", "gya", "gya"),
    ("ぎゅ", "gyu", "gyu"),
    ("ぎょ", "gyo", "gyo"),
    ("じゃ", "ja", "zya"),
    ("じゅ", "ju", "zyu"),
    ("じょ", "jo", "zyo"),
    ("じぇ", "je", "zye"),
    ("びゃ", "bya", "bya"),
    ("びゅ", "byu", "byu"),
    ("びょ", "byo", "byo"),
    ("ぴゃ", "pya", "pya"),
    ("ぴゅ", "pyu", "pyu"),
    ("ぴょ", "pyo", "pyo"),
    ("ふぁ", "fa", "fa"),
    ("ふぃ", "fi", "fi"),
    ("ふぇ", "fe", "fe"),
    ("ふぉ", "fo", "fo"),
    ("てぃ", "ti", "ti"),
    ("でぃ", "di", "di"),
    ("あ", "a", "a"),
    ("い", "i", "i"),
    ("う", "u", "u"),
    ("え", "e", "e"),
    ("お", "o", "o"),
    ("か", "ka", "ka"),
    ("き", "ki", "ki"),
    ("く", "ku", "ku"),
    ("け", "ke", "ke"),
    ("こ", "ko", "ko"),
    ("さ", "sa", "sa"),
    ("し", "shi", "si"),
    ("す", "su", "su"),
    ("せ", "se", "se"),
    ("そ", "so", "so"),
    ("た", "ta", "ta"),
    ("ち", "chi", "ti"),
    ("つ", "tsu", "tu"),
    ("て", "te", "te"),
    ("と", "to", "to"),
    ("な", "na", "na"),
    ("に", "ni", "ni"),
    ("ぬ", "nu", "nu"),
    ("ね", "ne", "ne"),
    ("の", "no", "no"),
    ("は", "ha", "ha"),
    ("ひ", "hi", "hi"),
    ("ふ", "fu", "hu"),
    ("へ", "he", "he"),
    ("ほ", "ho", "ho"),
    ("ま", "ma", "ma"),
    ("み", "mi", "mi"),
    ("む", "mu", "mu"),
    ("め", "me", "me"),
    ("も", "mo", "mo"),
    ("や", "ya", "ya"),
    ("ゆ", "yu", "yu"),
    ("よ", "yo", "yo"),
    ("ら", "ra", "ra"),
    ("り", "ri", "ri"),
    ("る", "ru", "ru"),
    ("れ", "re", "re"),
    ("ろ", "ro", "ro"),
    ("わ", "wa", "wa"),
    ("が", "ga", "ga"),
    ("ぎ", "gi", "gi"),
    ("ぐ", "gu", "gu"),
    ("げ", "ge", "ge"),
    ("ご", "go", "go"),
    ("ざ", "za", "za"),
    ("じ", "ji", "zi"),
    ("ず", "zu", "zu"),
    ("ぜ", "ze", "ze"),
    ("ぞ", "zo", "zo"),
    ("だ", "da", "da"),
    ("で", "de", "de"),
    ("ど", "do", "do"),
    ("ば", "ba", "ba"),
    ("び", "bi", "bi"),
    ("ぶ", "bu", "bu"),
    ("べ", "be", "be"),
    ("ぼ", "bo", "bo"),
    ("ぱ", "pa", "pa"),
    ("ぴ", "pi", "pi"),
    ("ぷ", "pu", "pu"),
    ("ぺ", "pe", "pe"),
    ("ぽ", "po", "po"),
    ("ゔ", "vu", "vu"),
    ("ぢ", "ji", "zi"),
    ("づ", "zu", "zu"),
    ("を", "o", "o"),
    ("ゐ", "i", "i"),
    ("ゑ", "e", "e"),
];

/// At most so many spellings of one name are looked for.
const MAX_SPELLINGS: usize = 16;

/// Whether a text, normalised, is kana only.
pub(super) fn is_kana(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| matches!(c, '\u{3041}'..='\u{3096}' | 'ー' | ' ' | '・'))
}

/// Whether a text, normalised, is Latin letters only.
pub(super) fn is_latin(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, ' ' | '-' | '\'' | '.' | '’'))
}

/// Kana in the form they are compared in: small ones are as large ones (insurers' files know no small ones), ぢ is じ,
/// づ is ず, を is お.
pub(super) fn plain_kana(text: &str) -> String {
    let plain = |c: char| match c {
        'ぁ' => 'あ',
        'ぃ' => 'い',
        'ぅ' => 'う',
        'ぇ' => 'え',
        'ぉ' => 'お',
        'っ' => 'つ',
        'ゃ' => 'や',
        'ゅ' => 'ゆ',
        'ょ' => 'よ',
        'ぢ' => 'じ',
        'づ' => 'ず',
        'を' => 'お',
        'ゐ' => 'い',
        'ゑ' => 'え',
        other => other,
    };
    text.chars().filter(|c| !matches!(c, ' ' | '・')).map(plain).collect()
}

/// The letters of one spelling of kana; long vowels as the kana have them.
fn letters(kana: &str, is_hepburn: bool) -> String {
    let mut out = String::new();
    let mut rest = kana;
    let mut is_doubled = false;
    while let Some(first) = rest.chars().next() {
        if let Some((kana, hepburn, kunrei)) = SYLLABLES.iter().find(|(kana, _, _)| rest.starts_with(kana)) {
            let syllable = if is_hepburn { hepburn } else { kunrei };
            if std::mem::take(&mut is_doubled) && !syllable.starts_with(is_vowel) {
                out.push_str(if syllable.starts_with("ch") { "t" } else { &syllable[..1] });
            }
            out.push_str(syllable);
            rest = &rest[kana.len()..];
            continue;
        }
        match first {
            'ん' => out.push('n'),
            'っ' => is_doubled = true,
            'ー' => out.extend(out.chars().next_back().filter(|c| is_vowel(*c))),
            _ => {}
        }
        rest = &rest[first.len_utf8()..];
    }
    if is_hepburn {
        // Passports: Jumpei, Namba.
        for (n, m) in [("nb", "mb"), ("nm", "mm"), ("np", "mp")] {
            out = out.replace(n, m);
        }
    }
    out
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'i' | 'u' | 'e' | 'o')
}

/// The pieces of a name in letters as kana; a long vowel may be part of it or not. `None` if the letters are not those
/// of a Japanese name.
fn kana(latin: &str) -> Option<String> {
    let text: Vec<char> =
        latin.chars().filter(|c| c.is_ascii_alphabetic() || matches!(c, '\'' | '-' | '’')).collect();
    let mut out = String::new();
    let mut at = 0;
    while at < text.len() {
        let (c, next) = (text[at], text.get(at + 1).copied());
        let is_doubled = Some(c) == next || (c == 't' && next == Some('c'));
        match c {
            '\'' | '-' | '’' => {}
            // Before b, m and p, passports write ん as m.
            'm' if matches!(next, Some('b' | 'p' | 'm')) => out.push('ん'),
            'n' if next.is_none_or(|n| !is_vowel(n) && n != 'y') => out.push('ん'),
            _ if !is_vowel(c) && is_doubled => out.push('っ'),
            // Ohno, Satoh: a mark of length.
            'h' if next.is_none_or(|n| !is_vowel(n) && n != 'y') && out.ends_with(ends_in_o) => {}
            _ => {
                let rest: String = text[at..].iter().take(3).collect();
                let found = (1..=rest.len()).rev().find_map(|length| syllable(&rest[..length]));
                let (kana, length) = found?;
                out.push_str(kana);
                at += length;
                continue;
            }
        }
        at += 1;
    }
    (!out.is_empty()).then_some(out)
}

fn ends_in_o(c: char) -> bool {
    "おこそとのほもよろごぞどぼぽょうくすつぬふむゆるぐずぶぷゅ".contains(c)
}

fn syllable(letters: &str) -> Option<(&'static str, usize)> {
    // l is r in some spellings.
    let letters = letters.replace('l', "r");
    let found = SYLLABLES
        .iter()
        .filter(|(kana, _, _)| !matches!(*kana, "てぃ" | "でぃ" | "ぢ" | "づ" | "を" | "ゐ" | "ゑ"));
    let by = |of: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
        found.clone().find(|entry| of(entry) == letters).map(|(kana, _, _)| (*kana, letters.len()))
    };
    by(|e| e.1).or_else(|| by(|e| e.2))
}

/// What all spellings of a name share; of names that are not Japanese, their letters.
pub(super) fn key(text: &str) -> String {
    let kunrei = match is_kana(text) {
        true => letters(&text.replace([' ', '・'], ""), false),
        false => match kana(text) {
            Some(kana) => letters(&kana, false),
            None => text.chars().filter(char::is_ascii_alphabetic).collect(),
        },
    };
    // A long vowel; that of e is written ei, which is also two vowels.
    let short = kunrei.replace("ou", "o").replace("oo", "o").replace("uu", "u").replace("aa", "a");
    let mut out = String::with_capacity(short.len());
    for c in short.chars() {
        if is_vowel(c) || !out.ends_with(c) {
            out.push(c);
        }
    }
    out
}

/// How a name in kana may be written in letters.
pub(super) fn in_letters(kana: &str) -> Vec<String> {
    let mut found = Vec::new();
    for is_hepburn in [true, false] {
        let full = letters(kana, is_hepburn);
        let short = full.replace("ou", "o").replace("oo", "o").replace("uu", "u");
        found.extend([short, full]);
    }
    found.retain(|f| !f.is_empty());
    distinct(found)
}

/// How a name in letters may be written in kana: an o or u inside may be long.
pub(super) fn in_kana(latin: &str) -> Vec<String> {
    let Some(kana) = kana(latin) else { return Vec::new() };
    let mut found = vec![String::new()];
    let characters: Vec<char> = kana.chars().collect();
    for (at, c) in characters.iter().enumerate() {
        let next = characters.get(at + 1);
        // A search is for beginnings: what the end may have more does not matter.
        let may_be_long =
            ends_in_o(*c) && next.is_some_and(|n| !matches!(n, 'ゃ' | 'ゅ' | 'ょ' | 'う' | 'お'));
        let mut longer = Vec::new();
        for one in &mut found {
            one.push(*c);
            if may_be_long {
                longer.push(format!("{one}う"));
                if at == 0 && *c == 'お' {
                    longer.push(format!("{one}お"));
                }
            }
        }
        found.extend(longer);
        found.truncate(MAX_SPELLINGS);
    }
    distinct(found)
}

fn distinct(mut found: Vec<String>) -> Vec<String> {
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_spellings_of_a_name_have_one_key() {
        for spellings in [
            &["さとう", "sato", "satou", "satoh", "satoo"][..],
            &["おおの", "ono", "ohno", "oono"],
            &["しょうじ", "shoji", "syozi", "shouji", "shohji", "syouji"],
            &["いのうえ", "inoue", "inoe"],
            &["じゅんぺい", "jumpei", "junpei", "zyunpei"],
            &["はっとり", "hattori"],
            &["はっちょう", "hatcho", "hacchou", "hattyo"],
            &["しんいち", "shin'ichi", "shin-ichi", "sin'iti"],
            &["ふじた", "ふぢた", "fujita", "huzita"],
            &["つちや", "tsuchiya", "tutiya"],
            &["ゆうこ", "yuko", "yuuko"],
            &["なんば", "namba", "nanba"],
            &["おはら", "ohara"],
        ] {
            let keys: Vec<String> = spellings.iter().map(|s| key(s)).collect();
            assert!(keys.iter().all(|k| *k == keys[0]), "{spellings:?} {keys:?}");
        }
        assert_eq!(key("smith"), "smith");
        assert_ne!(key("たろう"), key("じろう"));
    }

    #[test]
    fn kana_are_looked_for_by_letters_and_back() {
        assert_eq!(in_letters("しょうじ"), ["shoji", "shouji", "syouzi", "syozi"]);
        assert!(
            in_kana("yoko").contains(&"ようこ".to_owned()) && in_kana("yoko").contains(&"よこ".to_owned())
        );
        assert!(in_kana("ohno").contains(&"おおの".to_owned()));
        assert!(in_kana("smith").is_empty());
    }

    proptest! {
        #[test]
        fn a_key_is_stable_and_no_text_is_too_much(text in "\\PC{0,30}|[a-z' -]{0,30}|[ぁ-ん]{0,20}") {
            let once = key(&text);
            prop_assert!(in_kana(&text).len() <= MAX_SPELLINGS);
            prop_assert!(in_letters(&text).len() <= 4);
            prop_assert!(once.len() <= text.len() * 3 + 3);
        }
    }
}
