//! A town that is not: 霞ヶ原市 in 霞県. Postal codes begin with 000 and telephone numbers with 050-0000, which are not
//! given out.

use fhir::json::JsonWriter;

use crate::calendar::Moment;
use crate::rng::Rng;
use crate::write::Elements;

pub(crate) const NEIGHBOURHOODS: &[&str] = &[
    "本町",
    "若葉台",
    "桜ヶ丘",
    "緑町",
    "川端町",
    "東雲台",
    "旭町",
    "栄町",
    "中央",
    "松風町",
    "朝霧台",
    "鶴見ヶ浦",
    "柳原",
    "新田",
];

/// Where somebody lives.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    postal_code: String,
    line: String,
}

impl Address {
    /// Somewhere in the town.
    pub(crate) fn random(rng: &mut Rng) -> Address {
        let at = rng.index(NEIGHBOURHOODS.len());
        let (block, plot, house) = (rng.between(1, 5), rng.between(1, 28), rng.between(1, 20));
        let mut line = format!("{}{block}丁目{plot}番{house}号", NEIGHBOURHOODS[at]);
        if rng.chance(0.4) {
            let room = rng.between(1, 9) * 100 + rng.between(1, 12);
            line.push_str(&format!(
                " {}{room}号室",
                rng.pick(&["コーポ霞", "メゾン若葉", "霞ハイツ", "グリーンパレス"])
            ));
        }
        Address { postal_code: format!("000-{:04}", 101 + at * 7 + block as usize), line }
    }

    /// As an element of a list of addresses.
    pub(crate) fn write(
        &self,
        json: &mut JsonWriter,
        usage: &str,
        start: Option<Moment>,
        end: Option<Moment>,
    ) {
        json.object(|o| {
            o.member("use", usage).member("type", "both");
            o.member("text", &format!("〒{} 霞県霞ヶ原市{}", self.postal_code, self.line));
            o.name("line").array(|a| {
                a.string(&self.line);
            });
            o.member("city", "霞ヶ原市").member("state", "霞県");
            o.member("postalCode", &self.postal_code).member("country", "JP");
            if start.is_some() || end.is_some() {
                o.name("period").object(|p| {
                    if let Some(start) = start {
                        p.moment("start", start);
                    }
                    if let Some(end) = end {
                        p.moment("end", end);
                    }
                });
            }
        });
    }
}

/// A telephone number that nobody has.
pub(crate) fn phone(rng: &mut Rng) -> String {
    format!("050-0000-{:04}", rng.between(0, 9999))
}
