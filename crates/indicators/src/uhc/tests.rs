use super::*;
use crate::public::{Limits, Source};

fn given(method: &Method, has_malaria: bool, but: &[(&str, f64, &str)]) -> Given {
    let mut given = Given { has_malaria, ..Given::default() };
    for part in method.areas.iter().flat_map(|a| &a.tracers).flat_map(Tracer::parts) {
        let value = match part.unit.as_str() {
            "percent" => 80.0,
            _ => part.best,
        };
        given.measures.insert(part.id, Measure { value, unit: part.unit });
    }
    for (id, value, unit) in but {
        given.measures.insert((*id).to_owned(), Measure { value: *value, unit: (*unit).to_owned() });
    }
    given
}

fn tracer(version: &str, id: &str, value: f64, unit: &str) -> (f64, Option<Adjustment>) {
    let method = Method::version(version).unwrap();
    let score = method.score(&given(method, true, &[(id, value, unit)])).unwrap();
    let found = score.areas.iter().flat_map(|a| &a.tracers).find(|t| t.id == id).unwrap().clone();
    (found.score.unwrap(), found.adjustment)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn the_versions_have_fourteen_tracers_in_four_areas() {
    assert_eq!(Method::all().iter().map(|m| m.version.as_str()).collect::<Vec<_>>(), ["2019", "2023"]);
    for method in Method::all() {
        let counts: Vec<usize> = method.areas.iter().map(|a| a.tracers.len()).collect();
        assert_eq!(counts, [4, 4, 3, 3]);
        assert!(!method.source.is_empty() && !method.ja.is_empty());
        for tracer in method.areas.iter().flat_map(|a| &a.tracers) {
            assert!(!tracer.parts().is_empty(), "{}", tracer.id);
        }
    }
}

#[test]
fn every_rescaling_at_below_and_above_its_bounds() {
    // (version, tracer, unit, at worst, half-way, at best, beyond best or the most there is)
    let cases = [
        ("2023", "tobacco-non-use", "percent", 30.0, 65.0, 100.0),
        ("2019", "tobacco-non-use", "percent", 50.0, 75.0, 100.0),
        ("2019", "normal-blood-pressure", "percent", 50.0, 75.0, 100.0),
        ("2023", "hypertension-treatment", "percent", 0.0, 50.0, 100.0),
        ("2023", "fasting-glucose", "mmol/L", 7.4, 6.25, 5.1),
        ("2019", "fasting-glucose", "mmol/L", 7.1, 6.1, 5.1),
        ("2023", "hospital-beds", "per 10,000", 0.0, 9.0, 18.0),
        ("2019", "hospital-beds", "per 10,000", 0.0, 9.0, 18.0),
    ];
    for (version, id, unit, worst, middle, best) in cases {
        assert_eq!(tracer(version, id, worst, unit), (1.0, Some(Adjustment::RaisedToOne)), "{version} {id}");
        close(tracer(version, id, middle, unit).0, 50.0);
        close(tracer(version, id, best, unit).0, 100.0);
    }
    // Beyond the bounds.
    assert_eq!(tracer("2023", "tobacco-non-use", 12.0, "percent").0, 1.0);
    assert_eq!(tracer("2023", "fasting-glucose", 8.0, "mmol/L").0, 1.0);
    assert_eq!(tracer("2023", "fasting-glucose", 4.8, "mmol/L"), (100.0, Some(Adjustment::CutToHundred)));
    assert_eq!(tracer("2023", "hospital-beds", 130.5, "per 10,000"), (100.0, Some(Adjustment::CutToHundred)));
    // What is rescaled from 0 to 100 stays.
    for id in [
        "family-planning",
        "antenatal-care",
        "dtp3",
        "child-treatment",
        "tuberculosis",
        "hiv",
        "itn",
        "sanitation",
        "ihr",
    ] {
        close(tracer("2023", id, 37.5, "percent").0, 37.5);
        close(tracer("2023", id, 0.375, "fraction").0, 37.5);
        assert_eq!(tracer("2023", id, 0.0, "percent").0, 1.0);
    }
}

#[test]
fn the_workforce_is_the_geometric_mean_of_three_cadres_each_cut_at_its_threshold() {
    let method = Method::version("2023").unwrap();
    // Physicians 0.45 of 0.9: 50. Psychiatrists 5 of 1: 100, not 500. Surgeons 1.75 of 14: 12.5.
    // (50 × 100 × 12.5)^(1/3) = 62,500^(1/3) = 39.685…
    let of = |but: &[(&str, f64, &str)]| {
        let score = method.score(&given(method, false, but)).unwrap();
        let capacity = score.areas.into_iter().find(|a| a.id == "capacity").unwrap();
        capacity.tracers.into_iter().find(|t| t.id == "workforce").unwrap().score.unwrap()
    };
    let given = [
        ("physicians", 0.45, "per 1,000"),
        ("psychiatrists", 5.0, "per 100,000"),
        ("surgeons", 1.75, "per 100,000"),
    ];
    close(of(&given), 62_500f64.cbrt());
    close(of(&[("psychiatrists", 0.0, "per 100,000")]), 1.0);
}

#[test]
fn nets_count_only_where_malaria_does() {
    let method = Method::version("2023").unwrap();
    let infectious = |has_malaria| {
        let but = [
            ("tuberculosis", 90.0, "percent"),
            ("hiv", 60.0, "percent"),
            ("itn", 20.0, "percent"),
            ("sanitation", 50.0, "percent"),
        ];
        let score = method.score(&given(method, has_malaria, &but)).unwrap();
        (score.areas[1].score.unwrap(), score.dropped)
    };
    close(infectious(true).0, (90.0f64 * 60.0 * 20.0 * 50.0).powf(0.25));
    close(infectious(false).0, (90.0f64 * 60.0 * 50.0).cbrt());
    assert_eq!(infectious(false).1, ["itn"]);
    assert!(infectious(true).1.is_empty());
}

#[test]
fn what_is_missing_is_reported_and_the_rest_is_scored() {
    let method = Method::version("2023").unwrap();
    let mut given = given(method, true, &[]);
    given.measures.remove("itn");
    given.measures.remove("surgeons");
    let score = method.score(&given).unwrap();
    assert_eq!(score.missing, ["itn", "surgeons"]);
    assert_eq!(score.index, None);
    let scored: Vec<bool> = score.areas.iter().map(|a| a.score.is_some()).collect();
    assert_eq!(scored, [true, false, true, false]);
}

#[test]
fn an_index_worked_by_hand() {
    // All percentages 80, everything else at its best; tobacco: (80 − 30)/70 = 71.428…
    let method = Method::version("2023").unwrap();
    let score = method.score(&given(method, false, &[])).unwrap();
    let ncd = (80.0f64 * 100.0 * (50.0 / 0.7)).cbrt();
    let capacity = (100.0f64 * 100.0 * 80.0).cbrt();
    close(score.index.unwrap(), (80.0 * 80.0 * ncd * capacity).powf(0.25));
    assert_eq!(score.missing, Vec::<String>::new());
}

#[test]
fn a_unit_is_said_and_never_guessed() {
    let method = Method::version("2023").unwrap();
    let refused = |id: &str, value: f64, unit: &str| {
        method.score(&given(method, false, &[(id, value, unit)])).unwrap_err().to_string()
    };
    assert!(refused("hospital-beds", 13.0, "per 1,000").contains("needs 'per 10,000'"));
    assert!(refused("dtp3", 85.0, "fraction").contains("85"));
    assert!(refused("dtp3", 101.0, "percent").contains("101"));
    assert!(refused("dtp3", f64::NAN, "percent").contains("NaN"));
    assert!(refused("dtp3", -1.0, "percent").contains("-1"));
    assert!(refused("dpt3", 80.0, "percent").contains("dtp3"));
}

#[test]
fn rounding_is_half_up() {
    assert_eq!([49.5, 49.499_999, 50.5, 0.0].map(rounded), [50.0, 49.0, 51.0, 0.0]);
    assert_eq!(geometric_mean(&[]), None);
    assert_eq!(geometric_mean(&[-1.0, 2.0]), None);
    assert_eq!(geometric_mean(&[0.0, 50.0]), Some(0.0));
}

#[test]
fn japan_2017_of_the_release_of_2019() {
    // Sub-indices .855, .787, .710, .999 as published to three digits; the published index is 83.
    let ours = geometric_mean(&[85.5, 78.7, 71.0, 99.9]).unwrap();
    assert_eq!(rounded(ours), 83.0);
}

#[test]
fn the_index_of_every_country_is_the_published_one() {
    let Some(shared) = shared::folder("the index of the WHO") else { return };
    let mut figures = Vec::new();
    for code in compare::CODES {
        let bytes = std::fs::read(shared.join(format!("data/who-gho/{code}.csv.gz"))).unwrap();
        let reading = crate::public::read(Source::WhoGho, code, "2020-10", &bytes, &Limits::default());
        figures.extend(reading.unwrap().figures);
    }
    let comparison = compare(&figures, Some(2015));
    let differing: Vec<_> = comparison.lines.iter().filter(|l| l.difference != Some(0.0)).collect();
    assert_eq!((comparison.compared, comparison.agreeing), (183, 183), "{differing:?}");
    assert!(compare(&figures, Some(1900)).lines.is_empty());
    // Without one sub-index a country is told, not computed.
    figures.retain(|f| !(f.code == "UHC_SCI_NCD" && f.place.code == "JPN"));
    let comparison = compare(&figures, None);
    let japan = comparison.lines.iter().find(|l| l.place == "JPN").unwrap();
    assert_eq!((japan.ours, japan.missing.as_slice()), (None, &["UHC_SCI_NCD".to_owned()][..]));
}
