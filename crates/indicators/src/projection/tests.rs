use proptest::prelude::*;

use super::*;
use crate::public::{Limits, Source, read};

fn years(from: i32, values: &[f64]) -> Vec<(i32, f64)> {
    (from..).zip(values.iter().copied()).collect()
}

fn forecast(projection: &Projection) -> &[Ahead] {
    match &projection.result {
        Outcome::Forecast { ahead, .. } => ahead,
        other => panic!("{other}: {:?}", projection.backtest),
    }
}

#[test]
fn a_line_is_continued() {
    let values: Vec<f64> = (0..20).map(|t| 50.0 + 2.0 * f64::from(t) + f64::from(t * t % 3) * 0.1).collect();
    let projection = project(&years(2000, &values), Kind::Quantity, 5, None);
    let ahead = forecast(&projection);
    assert_eq!(ahead.iter().map(|a| a.year).collect::<Vec<_>>(), [2020, 2021, 2022, 2023, 2024]);
    for (a, expected) in ahead.iter().zip([90.0, 92.0, 94.0, 96.0, 98.0]) {
        assert!((a.middle - expected).abs() < 0.5, "{a:?}");
        assert!(a.within_95.low <= a.within_80.low && a.within_80.low <= a.middle);
        assert!(a.within_95.high >= a.within_80.high && a.within_80.high >= a.middle);
    }
    let widths: Vec<f64> = ahead.iter().map(|a| a.within_95.high - a.within_95.low).collect();
    assert!(widths.windows(2).all(|w| w[1] >= w[0]), "{widths:?}");
    let backtest = projection.backtest.unwrap();
    assert_eq!(backtest.origins, (10..20).collect::<Vec<_>>());
    let of = |method| *backtest.tried.iter().find(|t| t.method == method).unwrap();
    assert!(of(Method::Drift).mase < of(Method::Naive).mase);
    assert_eq!(backtest.tried.len(), 4);
}

#[test]
fn naive_and_drift_by_hand() {
    // 1, 3, 2, 6: moves 2, −1, 4; naive: √(21/3) = √7 a step; drift: (6 − 1)/3 a step, √(((1/3)² + (8/3)² + (7/3)²)/2) = √(114/18).
    let naive = Method::Naive.ahead(&[1.0, 3.0, 2.0, 6.0], 2).unwrap();
    assert_eq!(naive[1].middle, 6.0);
    assert!((naive[1].high_95 - 6.0 - 1.959_964 * 14f64.sqrt()).abs() < 1e-5);
    let drift = Method::Drift.ahead(&[1.0, 3.0, 2.0, 6.0], 2).unwrap();
    assert!((drift[1].middle - (6.0 + 10.0 / 3.0)).abs() < 1e-12);
    let deviation = (114.0f64 / 18.0).sqrt() * (2.0 * (1.0 + 2.0 / 3.0f64)).sqrt();
    assert!((drift[1].high_80 - drift[1].middle - 1.281_552 * deviation).abs() < 1e-5);
    assert_eq!((Method::Naive.ahead(&[1.0], 1), Method::Drift.ahead(&[1.0, 2.0], 1)), (None, None));
}

#[test]
fn theta_of_a_line_is_half_its_slope_where_it_smooths_nothing() {
    // A perfect line: with alpha 1 the errors are half the slope each and the level is the last value.
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let theta = Method::Theta.ahead(&values, 3).unwrap();
    assert!((theta[0].middle - 11.5).abs() < 1e-9 && (theta[2].middle - 12.5).abs() < 1e-9, "{theta:?}");
}

#[test]
fn no_better_than_as_last_year_is_a_result() {
    // Levels that stay until they jump, up and down.
    let values: Vec<f64> = [10.0, 14.0, 8.0, 10.5].iter().flat_map(|v| [*v; 6]).collect();
    let projection = project(&years(2000, &values), Kind::Quantity, 3, None);
    if projection.result != Outcome::NoBetterThanNaive {
        panic!("{} {:?}", projection.result, projection.backtest);
    }
    let backtest = projection.backtest.unwrap();
    assert!(backtest.tried.iter().all(|t| t.mase >= backtest.tried[0].mase));
    assert!(projection.result.to_string().contains("as last year"));
}

#[test]
fn shares_stay_shares_and_rates_stay_above_nothing() {
    let rising: Vec<f64> = (0..15).map(|t| 100.0 - 30.0 * 0.7f64.powi(t)).collect();
    for a in forecast(&project(&years(2000, &rising), Kind::Percent, 20, None)) {
        assert!(a.within_95.high <= 100.0 && a.middle < 100.0 && a.within_95.low >= 0.0, "{a:?}");
    }
    let falling: Vec<f64> = (0..15).map(|t| 40.0 * 0.8f64.powi(t) + f64::from(t % 2) * 0.01).collect();
    for a in forecast(&project(&years(2000, &falling), Kind::Rate, 20, None)) {
        assert!(a.within_95.low > 0.0, "{a:?}");
    }
    let fractions: Vec<f64> = rising.iter().map(|v| v / 100.0).collect();
    for a in forecast(&project(&years(2000, &fractions), Kind::Fraction, 20, None)) {
        assert!(a.within_95.high <= 1.0 && a.within_95.low >= 0.0, "{a:?}");
    }
    assert!(matches!(
        project(&[(i32::MIN, 1.0), (i32::MAX, 2.0)], Kind::Quantity, 5, Target::of("3.8.1")).result,
        Outcome::Refused { why: Refusal::Impossible { .. } }
    ));
    let mut with_zero = falling;
    with_zero.extend([0.0, 0.0]);
    let projection = project(&years(2000, &with_zero), Kind::Rate, 20, None);
    assert!(projection.notes.contains(&Note::NotLogarithmic));
    let mut full = rising;
    full.extend([100.0, 100.000_01]);
    let projection = project(&years(2000, &full), Kind::Percent, 20, None);
    assert_eq!(projection.notes, [Note::CutToWhole { years: vec![2016] }, Note::MovedInwards]);
}

#[test]
fn what_cannot_be_forecast_is_said() {
    let ten: Vec<f64> = (0..10).map(|t| f64::from(t) + 1.0).collect();
    let refused = |points: &[(i32, f64)], kind| match project(points, kind, 5, None).result {
        Outcome::Refused { why } => why,
        other => panic!("{other}"),
    };
    assert_eq!(refused(&years(2000, &ten[..9]), Kind::Quantity), Refusal::TooShort { count: 9, least: 10 });
    assert_eq!(refused(&[], Kind::Quantity), Refusal::TooShort { count: 0, least: 10 });
    let mut broken = years(2000, &ten);
    broken[3].1 = f64::NAN;
    assert_eq!(refused(&broken, Kind::Quantity), Refusal::NotFinite { year: 2003 });
    broken[3].1 = f64::INFINITY;
    assert_eq!(refused(&broken, Kind::Rate), Refusal::NotFinite { year: 2003 });
    broken[3].1 = -1.0;
    assert_eq!(refused(&broken, Kind::Rate), Refusal::Impossible { year: 2003, value: -1.0 });
    broken[3] = (2004, 4.0);
    assert_eq!(refused(&broken, Kind::Rate), Refusal::Twice { year: 2004 });
    assert_eq!(
        refused(&years(2000, &[vec![101.0], ten.clone()].concat()), Kind::Percent),
        Refusal::Impossible { year: 2000, value: 101.0 }
    );
    // Every third year is not enough of a series of single years; every second year is one of its own.
    let sparse: Vec<(i32, f64)> = [2000, 2001, 2004, 2005, 2008, 2009, 2012, 2013, 2016, 2017]
        .iter()
        .map(|y| (*y, f64::from(y - 1990)))
        .collect();
    assert_eq!(refused(&sparse, Kind::Quantity), Refusal::Gaps { count: 10, years: 18 });
    let even: Vec<(i32, f64)> = (0..12).map(|t| (2000 + 2 * t, f64::from(3 * t + t % 2))).collect();
    assert_eq!(
        forecast(&project(&even, Kind::Quantity, 5, None)).iter().map(|a| a.year).collect::<Vec<_>>(),
        [2024, 2026, 2028]
    );
    assert_eq!(
        project(&years(2000, &[7.0; 12]), Kind::Rate, 5, None).result,
        Outcome::Constant { value: 7.0 }
    );
}

#[test]
fn gaps_are_filled_or_left_out_and_said() {
    let mut points =
        years(2000, &(0..20).map(|t| 10.0 + f64::from(t) + 0.1 * f64::from(t % 3)).collect::<Vec<_>>());
    points.remove(5);
    let projection = project(&points, Kind::Quantity, 3, None);
    assert_eq!(projection.notes, [Note::Filled { years: vec![2005] }]);
    points.insert(0, (1980, 1.0));
    let projection = project(&points, Kind::Quantity, 3, None);
    assert_eq!(projection.notes[0], Note::LeftOut { from: 2000 });
    assert_eq!(projection.history.len(), 20);
}

#[test]
fn a_file_of_years_and_values() {
    let points = select::points("\u{feff}Year,note,value\n2001,x,1.5\n2002,,\n2003,,2\n").unwrap();
    assert_eq!(points, [(2001, 1.5), (2003, 2.0)]);
    for (text, expected) in [
        ("year\n2001\n", "no column 'value'"),
        ("year,value\n2001,a\n", "line 2: 'a' is no number"),
        ("year,value\nx,1\n", "line 2: 'x' is no year"),
        ("year,value\n2001\n", "line 2"),
    ] {
        let why = select::points(text).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_scenario_by_hand() {
    let mut target = Target::of("3.1.1").unwrap().clone();
    let history = [(2010, 200.0), (2020, 140.0)];
    let scenario = scenario::of(&history, Some(&target)).unwrap();
    // From 140 to 70 in ten years: −7 a year; half in ten years: 0.5^0.1 − 1 = −6.6967 %.
    assert_eq!(scenario.linear, Some(-7.0));
    assert!((scenario.compound.unwrap() + 0.066_967).abs() < 1e-6);
    assert_eq!((scenario.so_far, scenario.is_met), (Some(-6.0), false));
    target.year = 2020;
    assert_eq!(scenario::of(&history, Some(&target)).unwrap().linear, None);
    let index = Target::of("3.8.1").unwrap();
    assert!(scenario::of(&[(2015, 80.0)], Some(index)).unwrap().is_met);
    assert_eq!(scenario::of(&history, Target::of("3.4.1")), None);
    assert_eq!(scenario::of(&history, None), None);
}

#[test]
fn series_of_the_who_are_projected() {
    let Some(shared) = shared::folder("projections of the WHO's figures") else { return };
    let figures = |code: &str| {
        let bytes = std::fs::read(shared.join(format!("data/who-gho/{code}.csv.gz"))).unwrap();
        read(Source::WhoGho, code, "2020-10", &bytes, &Limits::default()).unwrap().figures
    };
    let tuberculosis = figures("MDG_0000000020");
    let wanted = select::Wanted { place: "JPN".into(), ..Default::default() };
    let series = select::series(&tuberculosis, &wanted).unwrap();
    assert_eq!(series.points.len(), 20);
    let projection = project(&series.points, Kind::Rate, 11, Target::of("3.3.2"));
    let ahead = forecast(&projection);
    assert_eq!(ahead.last().unwrap().year, 2030);
    assert!(ahead.last().unwrap().middle < series.points.last().unwrap().1);
    assert!(projection.scenario.unwrap().level < 5.0);
    // Of both sexes without being asked; of one when asked; and what is not there is said.
    let expectancy = figures("WHOSIS_000001");
    let both = select::series(&expectancy, &wanted).unwrap();
    assert_eq!(both.dimensions["SEX"], "BTSX");
    let women =
        select::Wanted { dimensions: [("SEX".to_owned(), "FMLE".to_owned())].into(), ..wanted.clone() };
    assert!(select::series(&expectancy, &women).unwrap().points[0].1 > both.points[0].1);
    let nowhere = select::Wanted { place: "XXX".into(), ..wanted.clone() };
    assert!(select::series(&expectancy, &nowhere).unwrap_err().to_string().contains("'XXX'"));
    let other = select::Wanted { dimensions: [("AGE".to_owned(), "0".to_owned())].into(), ..wanted.clone() };
    assert!(select::series(&expectancy, &other).unwrap_err().to_string().contains("SEX"));
    // Every country of every file: an outcome, and nothing that cannot be.
    for code in ["MDG_0000000026", "MDG_0000000020", "WSH_SANITATION_BASIC", "WHS6_102", "TB_1"] {
        let all = figures(code);
        let kind = crate::public::units::rule(Source::WhoGho, code).unwrap().kind;
        let places: std::collections::BTreeSet<_> = all.iter().map(|f| f.place.code.clone()).collect();
        for place in places.iter().step_by(7) {
            let wanted = select::Wanted { place: place.clone(), ..Default::default() };
            let Ok(series) = select::series(&all, &wanted) else { continue };
            let projection = project(&series.points, kind, 10, None);
            if let Outcome::Forecast { ahead, .. } = &projection.result {
                let most = kind.whole().unwrap_or(f64::INFINITY);
                let is_possible = |v: f64| v.is_finite() && v <= most && (v >= 0.0 || kind == Kind::Quantity);
                assert!(
                    ahead.iter().all(|a| is_possible(a.within_95.low) && is_possible(a.within_95.high)),
                    "{code} {place}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_series_has_an_outcome_within_what_can_be(
        values in prop::collection::vec(prop_oneof![0.0..100.0f64, Just(0.0), Just(100.0), Just(50.0), 0.0..1e-9f64], 0..26),
        skipped in prop::collection::vec(0usize..26, 0..6),
        ahead in 0usize..40,
    ) {
        let mut points = years(1990, &values);
        points.retain(|(year, _)| !skipped.contains(&((year - 1990) as usize)));
        for kind in [Kind::Percent, Kind::Fraction, Kind::Rate, Kind::Quantity] {
            let projection = project(&points, kind, ahead, Target::of("3.8.1"));
            if let Outcome::Forecast { ahead, method } = &projection.result {
                prop_assert!(!ahead.is_empty() && *method != Method::Naive);
                for a in ahead {
                    for v in [a.middle, a.within_80.low, a.within_80.high, a.within_95.low, a.within_95.high] {
                        prop_assert!(v.is_finite());
                        prop_assert!(kind == Kind::Quantity || v >= 0.0);
                        prop_assert!(v <= kind.whole().unwrap_or(f64::INFINITY));
                    }
                }
            }
            serde_json::to_string(&projection).unwrap();
        }
    }
}
