use super::bootstrap::percentile;
use super::interval::{poisson, wilson};
use super::run_chart::{Rules, Signal, limits_of_runs, run_chart};
use super::standardise::{Standard, Stratum, direct};
use super::*;

fn close(a: f64, b: f64, within: f64) {
    assert!((a - b).abs() <= within, "{a} is not {b}");
}

#[test]
fn wilsons_interval_is_that_of_newcombe() {
    // Newcombe (1998), table I, method 3.
    for (x, n, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let interval = wilson(x, n, 0.95).unwrap();
        close(interval.low, low, 0.00005);
        close(interval.high, high, 0.00005);
    }
    assert_eq!(wilson(20, 20, 0.95).unwrap().high, 1.0);
    assert_eq!((wilson(1, 0, 0.95), wilson(2, 1, 0.95), wilson(1, 2, 1.0)), (None, None, None));
}

#[test]
fn the_interval_of_a_count_is_that_of_the_tables() {
    // Exact limits of a Poisson count, as in Geigy's tables: 0: 0–3.689; 1: 0.0253–5.572; 10: 4.795–18.39.
    for (x, low, high) in [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)] {
        let interval = poisson(x, 0.95).unwrap();
        close(interval.low, low, 0.0005);
        close(interval.high, high, 0.0005);
    }
}

#[test]
fn a_bootstrap_is_the_same_for_the_same_seed_and_covers() {
    let values: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
    let mean = |sample: &[&f64]| Some(sample.iter().copied().sum::<f64>() / sample.len() as f64);
    let of = |seed| percentile(&values, mean, 0.95, 2000, seed).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    // The mean is 4.5, the standard error √8.25 / √200 = 0.2031: the interval is about 4.5 ± 0.398.
    close(of(1).low, 4.102, 0.04);
    close(of(1).high, 4.898, 0.04);
    assert_eq!(percentile(&values[..0], mean, 0.95, 10, 1), None);
    assert_eq!(percentile(&values, |_| None, 0.95, 10, 1), None);
}

#[test]
fn a_rate_standardised_by_hand() {
    // Two groups, weights 3:1. Rates 10/1000 and 40/500: 0.75 × 0.01 + 0.25 × 0.08 = 0.0275; crude 50/1500.
    let strata = [
        Stratum { events: 10, population: 1000.0, weight: 3.0 },
        Stratum { events: 40, population: 500.0, weight: 1.0 },
    ];
    let rate = direct(&strata, 0.95).unwrap();
    close(rate.rate, 0.0275, 1e-12);
    close(rate.crude, 50.0 / 1500.0, 1e-12);
    assert!(rate.interval.low < 0.0275 && rate.interval.high > 0.0275);
    // One group of weight 1: Fay and Feuer's interval is the exact one of the count.
    let one = direct(&[Stratum { events: 10, population: 1.0, weight: 1.0 }], 0.95).unwrap();
    let exact = poisson(10, 0.95).unwrap();
    close(one.interval.low, exact.low, 1e-6);
    close(one.interval.high, exact.high, 1e-6);
    assert_eq!(
        direct(&[Stratum { events: 0, population: 9.0, weight: 1.0 }], 0.95).unwrap().interval.low,
        0.0
    );
    let empty = [strata[0], Stratum { events: 0, population: 0.0, weight: 1.0 }];
    assert_eq!(direct(&empty, 0.95), Err(standardise::Error::Population { group: 1 }));
    assert!(direct(&strata, 1.0).is_err() && direct(&[], 0.95).is_err());
}

#[test]
fn down_syndrome_by_mothers_age_as_in_fleiss() {
    // Fleiss (1981), table 14.4: first births in Michigan 1950–64 by the mother's age, against all births; the standardised
    // rate is 92.3 per 100,000 (crude 56.3). The interval was computed apart from this program.
    let events = [107, 141, 60, 40, 39, 25];
    let population = [230_061, 329_449, 114_920, 39_487, 14_208, 3_052];
    let all = [319_933, 931_318, 786_511, 488_235, 237_863, 61_313];
    let strata: Vec<Stratum> = (0..6)
        .map(|i| Stratum {
            events: events[i],
            population: f64::from(population[i]),
            weight: f64::from(all[i]),
        })
        .collect();
    let rate = direct(&strata, 0.95).unwrap();
    close(rate.crude * 1e5, 56.3, 0.05);
    close(rate.rate * 1e5, 92.3, 0.05);
    close(rate.interval.low * 1e5, 80.442, 0.005);
    close(rate.interval.high * 1e5, 105.763, 0.005);
}

#[test]
fn standard_populations_sum_to_what_their_sources_say() {
    let sum = |id: &str| Standard::named(id).unwrap().weight.iter().sum::<f64>();
    close(sum("who-2000-2025"), 100.035, 1e-9);
    close(sum("japan-2015"), 125_319.0, 1e-9);
    for standard in Standard::all() {
        assert_eq!(standard.from.len(), standard.weight.len());
    }
    let japan = Standard::named("japan-2015").unwrap();
    let groups = japan.grouped(&[0, 15, 65]).unwrap();
    assert_eq!(groups[0], 5026.0 + 5369.0 + 5711.0);
    close(groups.iter().sum(), 125_319.0, 1e-9);
    assert!(japan.grouped(&[0, 12]).is_err() && japan.grouped(&[5, 0]).is_err());
}

#[test]
fn a_funnel_by_hand() {
    // Ten coins. P(R ≤ 1) = 11/1024, P(R ≤ 2) = 56/1024 > 0.025: r = 2, less (56/1024 − 0.025) / (45/1024) = 0.67556:
    // 1.32444 of 10. P(R ≤ 8) = 1013/1024 > 0.975: 8 − (1013/1024 − 0.975) / (45/1024) = 7.67556.
    let limits = funnel::proportion(0.5, 10).unwrap();
    close(limits.alert.low, 0.132_444, 1e-6);
    close(limits.alert.high, 0.767_556, 1e-6);
    // P(R ≤ 0) = 1/1024 < 0.001 < 11/1024: 1 − (11/1024 − 0.001) / (10/1024) = 0.0024.
    close(limits.alarm.low, 0.000_24, 1e-9);
    assert!(limits.alarm.low < limits.alert.low && limits.alarm.high > limits.alert.high);
    assert_eq!(limits.zone(0.5), funnel::Zone::Within);
    assert_eq!(limits.zone(0.1), funnel::Zone::Alert);
    assert_eq!(limits.zone(1.0), funnel::Zone::Alarm);
    // Of a hundred thousand the limits are the normal ones: 0.2 ± 1.95996 × √(0.16/100000), ± half a person.
    let large = funnel::proportion(0.2, 100_000).unwrap();
    close(large.alert.low, 0.2 - 0.002_479, 0.000_02);
    close(large.alert.high, 0.2 + 0.002_479, 0.000_02);
    let ratio = funnel::ratio(400.0).unwrap();
    close(ratio.alert.low, 1.0 - 1.96 / 20.0, 0.004);
    close(ratio.alert.high, 1.0 + 1.96 / 20.0, 0.004);
    assert_eq!(
        (funnel::proportion(0.5, 0), funnel::proportion(1.5, 3), funnel::ratio(0.0)),
        (None, None, None)
    );
    assert!(funnel::proportion(0.0, 10).is_some() && funnel::proportion(1.0, 10).is_some());
}

#[test]
fn limits_of_runs_are_those_of_swed_and_eisenhart() {
    // Their table of 2.5 %: signals are ≤ and ≥: 5+5: 2, 10; 10+10: 6, 16; 15+15: 10, 22; 20+20: 14, 28.
    for (each, few, many) in [(5, 2, 10), (10, 6, 16), (15, 10, 22), (20, 14, 28)] {
        assert_eq!(limits_of_runs(each, each), (few + 1, many - 1), "{each}");
    }
    assert_eq!(limits_of_runs(0, 9), (1, 1));
}

#[test]
fn run_charts_have_the_signals_of_the_rules() {
    let of = |values: &[f64]| run_chart(values, Rules::default()).unwrap();
    // Six below, then six above; the median is 5.5 between them.
    let shifted = of(&[3.0, 5.0, 4.0, 5.0, 3.0, 4.0, 7.0, 6.0, 8.0, 7.0, 6.0, 8.0]);
    assert_eq!(
        shifted.signals,
        [
            Signal::Shift { from: 0, to: 5, is_above: false },
            Signal::Shift { from: 6, to: 11, is_above: true },
            Signal::TooFewRuns { runs: 2, least: 4 },
        ]
    );
    assert_eq!(
        run_chart(
            &[3.0, 5.0, 4.0, 5.0, 3.0, 4.0, 7.0, 6.0, 8.0, 7.0, 6.0, 8.0],
            Rules { shift: 7, trend: 6 }
        )
        .unwrap()
        .signals
        .len(),
        1
    );
    // A point on the median neither counts nor ends a run; one equal to the last neither counts nor ends a trend.
    let rising = of(&[5.0, 9.0, 1.0, 2.0, 2.0, 3.0, 5.0, 6.0, 2.0, 8.0, 1.0, 9.0, 5.0, 4.0]);
    assert!(rising.signals.contains(&Signal::Trend { from: 2, to: 7, is_rising: true }), "{rising:?}");
    let zigzag: Vec<f64> = (0..14).map(|i| if i % 2 == 0 { 1.0 } else { 2.0 }).collect();
    assert_eq!(of(&zigzag).signals, [Signal::TooManyRuns { runs: 14, most: 12 }]);
    let far = of(&[5.0, 6.0, 5.5, 4.0, 4.5, 6.0, 5.0, 30.0, 4.0, 4.4, 5.6, 5.1]);
    assert_eq!(far.signals, [Signal::Astronomical { at: 7 }]);
    let short = of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert!(!short.is_long_enough && short.signals.is_empty());
    assert!(of(&[5.0; 20]).signals.is_empty());
    assert_eq!(run_chart(&[], Rules::default()), None);
    assert_eq!(run_chart(&[f64::NAN], Rules::default()), None);
}

#[test]
fn a_p_chart_by_hand() {
    // Mean 30/300 = 0.1; at 100: 3 × √(0.09/100) = 0.09, limits 0.01 and 0.19.
    let chart = p_chart::chart(&[(10, 100), (0, 100), (20, 100), (0, 0)]).unwrap();
    close(chart.centre, 0.1, 1e-12);
    let limits = chart.points[0].limits.unwrap();
    close(limits.low, 0.01, 1e-12);
    close(limits.high, 0.19, 1e-12);
    assert_eq!(chart.points.iter().map(|p| p.is_signal).collect::<Vec<_>>(), [false, true, true, false]);
    assert_eq!(chart.points[3].value, None);
    assert_eq!((p_chart::chart(&[]), p_chart::chart(&[(2, 1)])), (None, None));
}
