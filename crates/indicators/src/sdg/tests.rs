use super::financial::{Household, Money, PovertyLine, households, interval, protection};
use super::mortality::{AGES, Age, q30_70};
use super::rates::{Error, Formula};
use super::targets::Target;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

/// International dollars a day as they are.
const DOLLARS: Money = Money { days: 1.0, parity: 1.0 };

#[test]
fn both_definitions_of_financial_protection_by_hand() {
    // Per person and day (consumption, oop), weight × size = people:
    //   A  4.00, 0      3 × 1 = 3
    //   B 10.00, 1.10   2 × 2 = 4
    //   C 20.00, 6.00   1 × 2 = 2
    //   D  3.00, 0.15   1 × 1 = 1
    // Ten people. Sorted consumption: D 3 (1), A 4 (4), B 10 (8): the half of 5 is passed at 10: median 10.
    // Line: max(2.15, 1.15 + 5) = 6.15.
    // Old: shares of consumption A 0, B 0.11, C 0.30, D 0.05: over 10 %: B, C = 0.6; over 25 %: C = 0.2.
    // New: budgets A −2.15, B 3.85, C 13.85, D −3.15. B: 1.10 > 1.54? no. C: 6 > 5.54, not > 13.85: large.
    //      D: no budget, spends: impoverishing. A spends nothing. So 0.2 large, 0.1 impoverishing, 0.3 together.
    let table = "household,weight,size,consumption,oop\na,3,1,4,0\nb,2,2,20,2.2\nc,1,2,40,12\nd,1,1,3,0.15\n";
    let households = households(table).unwrap();
    let found = protection(&households, DOLLARS, PovertyLine::default()).unwrap();
    close(found.median, 10.0);
    close(found.poverty_line, 6.15);
    close(found.over_10, 0.6);
    close(found.over_25, 0.2);
    close(found.large, 0.2);
    close(found.impoverishing, 0.1);
    close(found.over_40_discretionary, 0.3);
    // The same in a year's yen at 100 to the dollar.
    let yen: Vec<Household> = households
        .iter()
        .map(|h| Household { consumption: h.consumption * 36_500.0, oop: h.oop * 36_500.0, ..*h })
        .collect();
    let in_yen = protection(&yen, Money { days: 365.0, parity: 100.0 }, PovertyLine::default()).unwrap();
    close(in_yen.over_40_discretionary, 0.3);
    close(in_yen.poverty_line, 6.15);
}

#[test]
fn the_edges_of_financial_protection() {
    let of = |list: &[(f64, f64)]| {
        let list: Vec<Household> = list
            .iter()
            .map(|(c, o)| Household { weight: 1.0, size: 1.0, consumption: *c, oop: *o })
            .collect();
        protection(&list, DOLLARS, PovertyLine::default())
    };
    // The median of one is 1: the floor of 2.15 holds. Exactly 10 % and 25 % are not over.
    let poor = of(&[(1.0, 0.0)]).unwrap();
    close(poor.poverty_line, 2.15);
    let exact = of(&[(10.0, 1.0), (20.0, 5.0)]).unwrap();
    assert_eq!((exact.over_10, exact.over_25), (0.5, 0.0));
    // Median 12, line 7.15. 12.15 − 7.15 = 5: 40 % is 2, which is not over; the whole of 5 is not impoverishing, more is.
    let at = |oop: f64| of(&[(11.85, 0.0), (12.15, oop)]).unwrap();
    assert_eq!(at(1.99).over_40_discretionary, 0.0);
    assert_eq!((at(2.01).large, at(2.01).impoverishing), (0.5, 0.0));
    assert_eq!((at(4.99).large, at(5.01).impoverishing), (0.5, 0.5));
    // Nothing consumed and something spent is over; nothing of both is not.
    assert_eq!(of(&[(0.0, 1.0), (0.0, 0.0)]).unwrap().over_10, 0.5);
    assert!(of(&[]).is_err());
    assert!(protection(&[], Money { days: 0.0, parity: 1.0 }, PovertyLine::default()).is_err());
    let says = |text: &str, expected: &str| {
        let why = households(text).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    };
    says("weight,size,oop\n", "columns consumption are missing");
    says("weight,size,consumption,oop\n1,2,3,-4\n", "line 2: oop '-4'");
    says("weight,size,consumption,oop\n1,2,x,4\n", "line 2: consumption 'x'");
    says("weight,size,consumption,oop\n1,2\n", "line 2");
}

#[test]
fn a_share_has_an_interval_from_a_seed() {
    let list: Vec<Household> = (0..100)
        .map(|i| Household {
            weight: 1.0,
            size: 2.0,
            consumption: 20.0,
            oop: if i % 5 == 0 { 4.0 } else { 0.0 },
        })
        .collect();
    let of = |seed| interval(&list, DOLLARS, PovertyLine::default(), |p| p.over_10, 0.95, 500, seed).unwrap();
    assert_eq!(of(7), of(7));
    assert!(of(7).low > 0.10 && of(7).low < 0.2 && of(7).high > 0.2 && of(7).high < 0.30, "{:?}", of(7));
}

#[test]
fn premature_mortality_by_hand() {
    // 100 deaths of 10,000 at every age: M = 0.01, q = 0.05 / 1.025 = 0.0487804878; 1 − 0.9512195122^8 = 0.32974…
    let ages: Vec<Age> = AGES.iter().map(|x| Age { from: *x, deaths: 100.0, population: 10_000.0 }).collect();
    let by_hand = 1.0 - (1.0 - 0.05 / 1.025f64).powi(8);
    close(q30_70(&ages).unwrap(), by_hand);
    assert!((by_hand - 0.3297).abs() < 0.0001);
    let mut different = ages.clone();
    different[0].deaths = 0.0;
    close(q30_70(&different).unwrap(), 1.0 - (1.0 - 0.05 / 1.025f64).powi(7));
    // Other ages are left out; missing and double ones are said.
    different.push(Age { from: 70, deaths: 999.0, population: 1000.0 });
    assert!(q30_70(&different).is_ok());
    assert!(q30_70(&ages[1..]).unwrap_err().to_string().contains("30–34"));
    assert!(q30_70(&[ages.clone(), ages.clone()].concat()).is_err());
    different[3].population = 0.0;
    assert!(q30_70(&different).unwrap_err().to_string().contains("45–49"));
}

#[test]
fn rates_by_hand() {
    let rate = |id: &str, x: u64, n: u64| Formula::of(id).unwrap().rate(x, n).unwrap();
    close(rate("3.1.1", 3, 60_000).value, 5.0);
    close(rate("3.2.1", 50, 20_000).value, 2.5);
    close(rate("3.2.2", 18, 20_000).value, 0.9);
    close(rate("3.b.1", 930, 1000).value, 93.0);
    close(rate("3.c.1", 275, 100_000).value, 27.5);
    // Three deaths: the exact limits of the count are 0.6187 and 8.7673, per 60,000.
    let maternal = rate("3.1.1", 3, 60_000).interval;
    assert!((maternal.low - 0.6187 / 0.6).abs() < 0.001 && (maternal.high - 8.7673 / 0.6).abs() < 0.001);
    assert_eq!(rate("3.1.1", 0, 1000).interval.low, 0.0);
    let formula = Formula::of("3.b.1").unwrap();
    assert_eq!(formula.rate(1, 0), Err(Error::NoDenominator("target population".to_owned())));
    assert_eq!(formula.rate(2, 1), Err(Error::MoreThanWhole(2, 1)));
    for formula in Formula::all() {
        assert!(formula.per > 0.0 && !formula.source.is_empty() && !formula.ja.is_empty());
    }
    assert!(Formula::all().len() >= 9);
}

#[test]
fn targets_are_levels_or_shares_of_a_year() {
    assert!(Target::all().len() >= 8);
    for target in Target::all() {
        assert!(
            target.level.is_some() != (target.share.is_some() && target.base_year.is_some()),
            "{}",
            target.sdg
        );
    }
    assert_eq!(Target::of("3.1.1").unwrap().level_of(&[]), Some(70.0));
    let premature = Target::of("3.4.1").unwrap();
    close(premature.level_of(&[(2015, 9.0)]).unwrap(), 6.0);
    assert_eq!(premature.level_of(&[(2016, 9.0)]), None);
}
