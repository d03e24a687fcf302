//! What is measured: codes, units and limits.
//!
//! LOINC beside JLAC10 (17 digits, as the health checkup files of 特定健診 use them). The limits are those of
//! 特定健診・特定保健指導 (保健指導判定値), for creatinine the common reference interval of the JCCLS.

use crate::body::Sample;

/// One kind of measurement.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) text: &'static str,
    pub(crate) loinc: &'static str,
    pub(crate) display: &'static str,
    pub(crate) jlac10: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ucum: &'static str,
    pub(crate) digits: u32,
    pub(crate) category: &'static str,
    /// Men, women; 0 for none.
    pub(crate) low: (f64, f64),
    /// Men, women; 0 for none.
    pub(crate) high: (f64, f64),
    /// Where it is found in a sample.
    pub(crate) of: fn(&Sample) -> f64,
}

const NONE: (f64, f64) = (0.0, 0.0);

const fn both(limit: f64) -> (f64, f64) {
    (limit, limit)
}

const fn vital(
    text: &'static str,
    codes: [&'static str; 3],
    unit: [&'static str; 2],
    of: fn(&Sample) -> f64,
) -> Measure {
    let [loinc, display, jlac10] = codes;
    let [unit, ucum] = unit;
    Measure {
        text,
        loinc,
        display,
        jlac10,
        unit,
        ucum,
        digits: 1,
        category: "vital-signs",
        low: NONE,
        high: NONE,
        of,
    }
}

const fn laboratory(
    text: &'static str,
    codes: [&'static str; 3],
    unit: &'static str,
    digits: u32,
    of: fn(&Sample) -> f64,
) -> Measure {
    let [loinc, display, jlac10] = codes;
    Measure {
        text,
        loinc,
        display,
        jlac10,
        unit,
        ucum: unit,
        digits,
        category: "laboratory",
        low: NONE,
        high: NONE,
        of,
    }
}

pub(crate) const HEIGHT: Measure =
    vital("身長", ["8302-2", "Body height", "9N001000000000001"], ["cm", "cm"], |s| s.height);
pub(crate) const WEIGHT: Measure =
    vital("体重", ["29463-7", "Body weight", "9N006000000000001"], ["kg", "kg"], |s| s.weight);
pub(crate) const BMI: Measure = Measure {
    low: both(18.5),
    high: both(24.9),
    ..vital(
        "BMI",
        ["39156-5", "Body mass index (BMI) [Ratio]", "9N011000000000001"],
        ["kg/m2", "kg/m2"],
        |s| s.bmi,
    )
};
pub(crate) const WAIST: Measure = Measure {
    high: (84.9, 89.9),
    ..vital(
        "腹囲",
        ["56086-2", "Adult Waist Circumference Protocol", "9N016160100000001"],
        ["cm", "cm"],
        |s| s.waist,
    )
};
pub(crate) const SYSTOLIC: Measure = Measure {
    high: both(129.0),
    digits: 0,
    ..vital(
        "収縮期血圧",
        ["8480-6", "Systolic blood pressure", "9A751000000000001"],
        ["mmHg", "mm[Hg]"],
        |s| s.systolic,
    )
};
pub(crate) const DIASTOLIC: Measure = Measure {
    high: both(84.0),
    digits: 0,
    ..vital(
        "拡張期血圧",
        ["8462-4", "Diastolic blood pressure", "9A761000000000001"],
        ["mmHg", "mm[Hg]"],
        |s| s.diastolic,
    )
};
pub(crate) const HBA1C: Measure = Measure {
    high: both(5.5),
    ..laboratory(
        "HbA1c(NGSP)",
        ["4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "3D046000001906202"],
        "%",
        1,
        |s| s.hba1c,
    )
};
pub(crate) const GLUCOSE: Measure = Measure {
    high: both(99.0),
    ..laboratory(
        "空腹時血糖",
        ["1558-6", "Fasting glucose [Mass/volume] in Serum or Plasma", "3D010000001926101"],
        "mg/dL",
        0,
        |s| s.glucose,
    )
};
pub(crate) const LDL: Measure = Measure {
    high: both(119.0),
    ..laboratory(
        "LDLコレステロール",
        [
            "18262-6",
            "Cholesterol in LDL [Mass/volume] in Serum or Plasma by Direct assay",
            "3F077000002327101",
        ],
        "mg/dL",
        0,
        |s| s.ldl,
    )
};
pub(crate) const HDL: Measure = Measure {
    low: both(40.0),
    ..laboratory(
        "HDLコレステロール",
        ["2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma", "3F070000002327101"],
        "mg/dL",
        0,
        |s| s.hdl,
    )
};
pub(crate) const TRIGLYCERIDES: Measure = Measure {
    high: both(149.0),
    ..laboratory(
        "中性脂肪",
        ["2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "3F015000002327101"],
        "mg/dL",
        0,
        |s| s.triglycerides,
    )
};
pub(crate) const AST: Measure = Measure {
    high: both(30.0),
    ..laboratory(
        "AST(GOT)",
        [
            "1920-8",
            "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
            "3B035000002327201",
        ],
        "U/L",
        0,
        |s| s.ast,
    )
};
pub(crate) const ALT: Measure = Measure {
    high: both(30.0),
    ..laboratory(
        "ALT(GPT)",
        [
            "1742-6",
            "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
            "3B045000002327201",
        ],
        "U/L",
        0,
        |s| s.alt,
    )
};
pub(crate) const GGT: Measure = Measure {
    high: both(50.0),
    ..laboratory(
        "γ-GT(γ-GTP)",
        [
            "2324-2",
            "Gamma glutamyl transferase [Enzymatic activity/volume] in Serum or Plasma",
            "3B090000002327101",
        ],
        "U/L",
        0,
        |s| s.ggt,
    )
};
pub(crate) const CREATININE: Measure = Measure {
    low: (0.65, 0.46),
    high: (1.07, 0.79),
    ..laboratory(
        "血清クレアチニン",
        ["2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "3C015000002327101"],
        "mg/dL",
        2,
        |s| s.creatinine,
    )
};
pub(crate) const EGFR: Measure = Measure {
    low: both(60.0),
    ucum: "mL/min/{1.73_m2}",
    ..laboratory(
        "eGFR",
        [
            "62238-1",
            "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by \
             Creatinine-based formula (CKD-EPI)",
            "8A065000002391901",
        ],
        "mL/min/1.73m2",
        1,
        |s| s.egfr,
    )
};

/// What a checkup sends to the laboratory.
pub(crate) const CHECKUP: [&Measure; 10] =
    [&HBA1C, &GLUCOSE, &LDL, &HDL, &TRIGLYCERIDES, &AST, &ALT, &GGT, &CREATININE, &EGFR];
