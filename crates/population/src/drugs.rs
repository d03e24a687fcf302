//! Medicines, as generic names, with ATC codes; and the order in which chronic diseases are treated.
//!
//! YJ codes are left out: they differ by manufacturer, and an invented one would be wrong. The order follows the
//! Japanese guidelines (JSH 2019, 日本糖尿病学会, 日本動脈硬化学会) in outline only.

use crate::prevalence::Disease;

/// A medicine and how it is taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drug {
    pub(crate) name: &'static str,
    pub(crate) atc: (&'static str, &'static str),
    pub(crate) usage: &'static str,
    /// Times a day; 0 for when needed.
    pub(crate) times: u32,
}

const fn drug(
    name: &'static str,
    atc: (&'static str, &'static str),
    usage: &'static str,
    times: u32,
) -> Drug {
    Drug { name, atc, usage, times }
}

const MORNING: &str = "1回1錠 1日1回 朝食後";
const TWICE: &str = "1回1錠 1日2回 朝夕食後";
const THRICE: &str = "1回1錠 1日3回 毎食後";

const AMLODIPINE_2: Drug = drug("アムロジピン錠2.5mg", ("C08CA01", "amlodipine"), MORNING, 1);
const AMLODIPINE: Drug = drug("アムロジピン錠5mg", ("C08CA01", "amlodipine"), MORNING, 1);
const TELMISARTAN: Drug = drug("テルミサルタン錠40mg", ("C09CA07", "telmisartan"), MORNING, 1);
const THIAZIDE: Drug = drug("トリクロルメチアジド錠1mg", ("C03AA06", "trichlormethiazide"), MORNING, 1);
const METFORMIN_250: Drug = drug("メトホルミン塩酸塩錠250mg", ("A10BA02", "metformin"), TWICE, 2);
const METFORMIN: Drug = drug("メトホルミン塩酸塩錠500mg", ("A10BA02", "metformin"), TWICE, 2);
const SITAGLIPTIN: Drug = drug("シタグリプチン錠50mg", ("A10BH01", "sitagliptin"), MORNING, 1);
const EMPAGLIFLOZIN: Drug = drug("エンパグリフロジン錠10mg", ("A10BK03", "empagliflozin"), MORNING, 1);
const GLARGINE: Drug = drug(
    "インスリン グラルギン注100単位/mL",
    ("A10AE04", "insulin glargine"),
    "1回8単位 1日1回 就寝前 皮下注射",
    1,
);
const ROSUVASTATIN: Drug = drug("ロスバスタチン錠2.5mg", ("C10AA07", "rosuvastatin"), MORNING, 1);
const ROSUVASTATIN_5: Drug = drug("ロスバスタチン錠5mg", ("C10AA07", "rosuvastatin"), MORNING, 1);
const EZETIMIBE: Drug = drug("エゼチミブ錠10mg", ("C10AX09", "ezetimibe"), MORNING, 1);

pub(crate) const ACETAMINOPHEN: Drug =
    drug("アセトアミノフェン錠500mg", ("N02BE01", "paracetamol"), "1回1錠 発熱・疼痛時", 0);
pub(crate) const CARBOCISTEINE: Drug =
    drug("カルボシステイン錠500mg", ("R05CB03", "carbocisteine"), THRICE, 3);
pub(crate) const FEXOFENADINE: Drug =
    drug("フェキソフェナジン塩酸塩錠60mg", ("R06AX26", "fexofenadine"), TWICE, 2);
pub(crate) const OSELTAMIVIR: Drug =
    drug("オセルタミビルカプセル75mg", ("J05AH02", "oseltamivir"), "1回1カプセル 1日2回 朝夕食後", 2);
pub(crate) const LOXOPROFEN: Drug =
    drug("ロキソプロフェンナトリウム錠60mg", ("M01AE", "Propionic acid derivatives"), THRICE, 3);
pub(crate) const BIFIDO: Drug =
    drug("ビフィズス菌製剤錠", ("A07FA", "Antidiarrheal microorganisms"), THRICE, 3);
pub(crate) const HEPARINOID: Drug = drug(
    "ヘパリン類似物質クリーム0.3%",
    ("C05BA", "Heparins or heparinoids for topical use"),
    "1日2回 患部に塗布",
    2,
);
pub(crate) const REBAMIPIDE: Drug = drug("レバミピド錠100mg", ("A02BX14", "rebamipide"), THRICE, 3);

/// What is given at each level of treatment, the lowest first.
pub(crate) fn levels(disease: Disease) -> &'static [&'static [&'static Drug]] {
    match disease {
        Disease::Hypertension => &[
            &[&AMLODIPINE_2],
            &[&AMLODIPINE],
            &[&AMLODIPINE, &TELMISARTAN],
            &[&AMLODIPINE, &TELMISARTAN, &THIAZIDE],
        ],
        Disease::Diabetes => &[
            &[&METFORMIN_250],
            &[&METFORMIN],
            &[&METFORMIN, &SITAGLIPTIN],
            &[&METFORMIN, &SITAGLIPTIN, &EMPAGLIFLOZIN],
            &[&METFORMIN, &SITAGLIPTIN, &EMPAGLIFLOZIN, &GLARGINE],
        ],
        Disease::Dyslipidaemia => &[&[&ROSUVASTATIN], &[&ROSUVASTATIN_5], &[&ROSUVASTATIN_5, &EZETIMIBE]],
    }
}

/// The effect of a level, counted from 1: mmHg, points of HbA1c, or the share of LDL; 0 for none.
pub(crate) fn effect(disease: Disease, level: usize) -> f64 {
    let effects: &[f64] = match disease {
        Disease::Hypertension => &[0.0, 8.0, 14.0, 22.0, 29.0],
        Disease::Diabetes => &[0.0, 0.4, 0.8, 1.4, 1.9, 2.6],
        Disease::Dyslipidaemia => &[0.0, 0.28, 0.36, 0.47],
    };
    effects.get(level).copied().unwrap_or(0.0)
}
