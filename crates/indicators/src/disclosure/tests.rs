use proptest::prelude::*;

use super::attack::possible;
use super::protect::primary;
use super::*;

fn sexes() -> Dimension {
    Dimension::with_total("sex", &["f", "m"])
}

fn areas() -> Dimension {
    Dimension::with_total("area", &["a", "b", "c"])
}

/// The tables with what was published of each.
fn released(tables: &[Table], published: &[Published]) -> Vec<Table> {
    let with = |(table, published): (&Table, &Published)| Table {
        published: Some(published.values()),
        ..table.clone()
    };
    tables.iter().zip(published).map(with).collect()
}

/// Is it true that nothing can be left out any more that would help? Looked at with everything left out.
fn is_exposed(tables: &[Table], rule: &Rule, most: i64, table: &str, labels: &[String]) -> bool {
    let system = System::of(tables, rule).unwrap();
    let mut is_suppressed = primary(&system, tables);
    for (cell, suppressed) in system.cells.iter().zip(&mut is_suppressed) {
        *suppressed |= !cell.is_fixed && cell.value >= rule.least();
    }
    let possible = possible(&system, &is_suppressed, most);
    possible.iter().zip(system.hidden(&is_suppressed)).any(|(values, (_, number, of))| {
        let range = values.last().unwrap() - values.first().unwrap();
        tables[number].name == table && of == labels && range < rule.width as i64
    })
}

/// The same where an earlier release may tell too much already of what a later one shows.
fn check_or_exposed(tables: &[Table], rule: &Rule, most: i64) {
    match protect(tables, rule) {
        Ok(_) => drop(check(tables, rule, most)),
        Err(Error::Exposed { table, labels }) => {
            assert!(is_exposed(tables, rule, most, &table, &labels), "{table} {labels:?}: {tables:?}");
        }
        Err(other) => panic!("{other}"),
    }
}

/// Protects, and has both the auditor and who tries everything look at it.
fn check(tables: &[Table], rule: &Rule, most: i64) -> Vec<Published> {
    let published = protect(tables, rule).unwrap();
    let released = released(tables, &published);
    let audit = audit(&released, rule).unwrap();
    assert!(audit.is_safe(), "{tables:?}\n{published:?}\n{audit:?}");
    let system = System::of(&released, rule).unwrap();
    let is_suppressed = primary(&system, &released);
    for (values, (_, _, labels)) in
        possible(&system, &is_suppressed, most).iter().zip(system.hidden(&is_suppressed))
    {
        let range = values.last().unwrap() - values.first().unwrap();
        assert!(range >= rule.width as i64, "{labels:?}: {values:?}\n{tables:?}\n{published:?}");
    }
    published
}

#[test]
fn a_small_count_takes_three_others_with_it() {
    let tables = [Table::new("t", "p", vec![sexes(), areas()], vec![3, 40, 60, 50, 20, 70])];
    let published = protect(&tables, &Rule::default()).unwrap();
    let t = &published[0];
    assert_eq!(t.value(&["f", "a"]), None);
    let suppressed = t.cells.iter().filter(|c| c.value.is_none()).count();
    assert_eq!(suppressed, 4, "{t:?}");
    assert_eq!(t.value(&["total", "total"]), Some(243));
    assert!(audit(&released(&tables, &published), &Rule::default()).unwrap().is_safe());
}

#[test]
fn the_auditor_sees_what_follows() {
    let table = Table::new("t", "p", vec![sexes(), areas()], vec![3, 40, 60, 50, 20, 70]);
    let cells = |hidden: &[usize]| {
        let all = [3, 40, 60, 103, 50, 20, 70, 140, 53, 60, 130, 243];
        all.iter().enumerate().map(|(at, v)| (!hidden.contains(&at)).then_some(*v)).collect::<Vec<_>>()
    };
    let of = |hidden: &[usize]| {
        audit(&[Table { published: Some(cells(hidden)), ..table.clone() }], &Rule::default()).unwrap()
    };
    // Shown, although it is small.
    assert_eq!(of(&[]).shown.len(), 1);
    // Left out alone: 103 − 40 − 60.
    let alone = of(&[0]);
    assert!(alone.narrow.iter().any(|f| f.labels == ["f", "a"] && f.is_exact() && f.low == 3), "{alone:?}");
    // With one more of its row, the column still tells it.
    assert!(of(&[0, 1]).narrow.iter().all(Finding::is_exact));
    assert!(of(&[0, 1, 4, 5]).is_safe());
    // 3 and 40 can be anything from 1 to 42, but not if another release shows the 40.
    let second = Table { name: "again".into(), published: Some(cells(&[0, 2, 4, 6])), ..table.clone() };
    let both = [Table { published: Some(cells(&[0, 1, 4, 5])), ..table.clone() }, second];
    let found = audit(&both, &Rule::default()).unwrap();
    assert!(found.narrow.iter().any(|f| f.is_exact() && f.low == 3), "{found:?}");
    assert!(audit(&[table], &Rule::default()).is_err());
}

#[test]
fn a_later_release_does_not_tell_what_an_earlier_one_left_out() {
    let rule = Rule::default();
    let by_area = Table::new("t", "p", vec![sexes(), areas()], vec![3, 40, 60, 50, 20, 70]);
    let first = check_large(std::slice::from_ref(&by_area), &rule);
    let earlier = released(std::slice::from_ref(&by_area), &first).remove(0);
    // The same persons again, with coarser areas and without a total: each alone would be safe otherwise.
    let coarse = Dimension::without_total("area", &["a", "b", "c"]).and("a+b", &[0, 1]).and("b+c", &[1, 2]);
    let later = Table::new("coarse", "p", vec![sexes(), coarse], by_area.counts.clone());
    let published = check_large(&[earlier.clone(), later.clone()], &rule);
    assert_eq!(published[0], first[0], "what is out stays");
    assert!(later_tells_when_alone(&earlier, &later, &rule), "the case shows nothing");
}

/// Protects and audits.
fn check_large(tables: &[Table], rule: &Rule) -> Vec<Published> {
    let published = protect(tables, rule).unwrap();
    let found = audit(&released(tables, &published), rule).unwrap();
    assert!(found.is_safe(), "{found:?}");
    published
}

/// Would the later one, protected without the earlier, tell more than it should?
fn later_tells_when_alone(earlier: &Table, later: &Table, rule: &Rule) -> bool {
    let alone = protect(std::slice::from_ref(later), rule).unwrap();
    let later = released(std::slice::from_ref(later), &alone).remove(0);
    !audit(&[earlier.clone(), later], rule).unwrap().is_safe()
}

#[test]
fn what_lies_between_two_strata_is_protected_though_none_shows_it() {
    // Up to 17 and up to 18 are large; the four of 18 follow from both, and so do those above from the total.
    let ages = Dimension {
        name: "age".into(),
        categories: vec!["0-17".into(), "18".into(), "19+".into()],
        groups: vec![],
    };
    let ages = ages.and("0-17", &[0]).and("0-18", &[0, 1]).and("total", &[0, 1, 2]);
    let table = Table::new("t", "p", vec![ages.clone()], vec![200, 4, 900]);
    let published = check_large(std::slice::from_ref(&table), &Rule::default());
    let shown = published[0].cells.iter().filter(|c| c.value.is_some()).count();
    assert_eq!(shown, 2, "{published:?}");
    // In two tables as well.
    let split = |name: &str, groups: &[usize]| {
        let groups = groups.iter().map(|g| ages.groups[*g].clone()).collect();
        Table::new(name, "p", vec![Dimension { groups, ..ages.clone() }], table.counts.clone())
    };
    let tables = [split("one", &[0, 2]), split("other", &[1, 2])];
    check_large(&tables, &Rule::default());
}

#[test]
fn tables_that_share_a_dimension_are_protected_together() {
    let rule = Rule::default();
    let one = Table::new(
        "age",
        "p",
        vec![sexes(), Dimension::with_total("age", &["young", "old"])],
        vec![3, 97, 60, 80],
    );
    let other = Table::new("area", "p", vec![areas(), sexes()], vec![30, 40, 30, 50, 40, 50]);
    check_large(&[one.clone(), other.clone()], &rule);
    let mut wrong = other.clone();
    wrong.counts[0] = 31;
    let why = protect(&[one.clone(), wrong], &rule).unwrap_err().to_string();
    assert!(why.contains("disagree about how many there are of sex f"), "{why}");
    // Another order of dimensions is the same table.
    let turned = Table::new(
        "turned",
        "p",
        vec![Dimension::with_total("age", &["young", "old"]), sexes()],
        vec![3, 60, 97, 80],
    );
    check_large(&[one.clone(), turned], &rule);
    let ring = Table::new(
        "ring",
        "p",
        vec![areas(), Dimension::with_total("age", &["young", "old"])],
        vec![20, 60, 20, 60, 23, 57],
    );
    assert!(matches!(protect(&[one, other, ring], &rule), Err(Error::Ring { .. })));
}

#[test]
fn what_grew_by_few_is_not_told() {
    let rule = Rule::default();
    let then = Table::new("t", "march", vec![areas()], vec![40, 60, 80]);
    let first = check_large(std::slice::from_ref(&then), &rule);
    assert!(first[0].cells.iter().all(|c| c.value.is_some()));
    let earlier = released(std::slice::from_ref(&then), &first).remove(0);
    let now = Table {
        grew_from: Some("march".into()),
        ..Table::new("t", "april", vec![areas()], vec![41, 60, 120])
    };
    let published = check_large(&[earlier.clone(), now.clone()], &rule);
    assert_eq!(published[1].value(&["a"]), None, "{published:?}");
    let alone = protect(&[Table { grew_from: None, ..now.clone() }], &rule).unwrap();
    assert_eq!(alone[0].value(&["a"]), Some(41));
    let shrunk = Table { counts: vec![39, 60, 120], ..now };
    assert!(protect(&[earlier, shrunk], &rule).unwrap_err().to_string().contains("grown"));
}

#[test]
fn what_is_out_already_is_said() {
    let table = Table::new("t", "p", vec![areas()], vec![3, 40, 60]);
    let out = Table { published: Some(vec![None, Some(40), Some(60), Some(103)]), ..table.clone() };
    let why = protect(&[out], &Rule::default()).unwrap_err();
    assert!(matches!(&why, Error::Exposed { table, labels } if table == "t" && labels == &["a"]), "{why}");
    let other = Table { published: Some(vec![None, Some(41), Some(60), Some(103)]), ..table };
    assert!(protect(&[other], &Rule::default()).unwrap_err().to_string().contains("41 is published"));
}

#[test]
fn zeros_are_published_or_not() {
    let table = Table::new("t", "p", vec![sexes(), areas()], vec![0, 40, 60, 50, 20, 70]);
    let publish = check_large(std::slice::from_ref(&table), &Rule::default());
    assert!(publish[0].cells.iter().all(|c| c.value.is_some()));
    let rule = Rule { zeros: Zeros::Suppress, ..Rule::default() };
    assert_eq!(check_large(std::slice::from_ref(&table), &rule)[0].value(&["f", "a"]), None);
    let nothing = Table::new("t", "p", vec![areas()], vec![0, 0, 0]);
    check_large(std::slice::from_ref(&nothing), &rule);
    assert!(check_large(&[nothing], &Rule::default())[0].cells.iter().all(|c| c.value == Some(0)));
}

#[test]
fn few_in_all_show_nothing() {
    let published = check_large(
        &[Table::new("t", "p", vec![sexes(), areas()], vec![1, 1, 0, 0, 2, 0])],
        &Rule::default(),
    );
    assert!(published[0].cells.iter().all(|c| matches!(c.value, None | Some(0))), "{published:?}");
}

#[test]
fn a_proportion_protects_those_who_are_not_in_it() {
    // 97 of 100 in a: 3 are not. 50 of 100 in b and 40 of 90 in c tell of nobody.
    let table = proportion_table(
        "t",
        "p",
        vec![Dimension::with_total("area", &["a", "b", "c"])],
        &[97, 50, 40],
        &[100, 100, 90],
    )
    .unwrap();
    let published = check_large(&[table], &Rule::default());
    let found = proportions(&published[0]);
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].value, None, "{found:?}");
    assert!(found.iter().all(|p| p.value.is_some() == (p.numerator.is_some() && p.denominator.is_some())));
    assert!(found.iter().any(|p| p.value.is_some()), "{found:?}");
    assert!(proportion_table("t", "p", vec![], &[2], &[1]).is_err());
    assert!(proportion_table("t", "p", vec![], &[2], &[]).is_err());
}

#[test]
fn a_hierarchy_of_areas() {
    let areas =
        Dimension::with_total("area", &["a1", "a2", "a3", "b1", "b2"]).and("a", &[0, 1, 2]).and("b", &[3, 4]);
    let counts = vec![12, 4, 30, 44, 51, 25, 33, 18, 9, 40, 61, 17, 22, 35, 48];
    let ages = Dimension::with_total("age", &["0-14", "15-64", "65+"]);
    let published = check_large(&[Table::new("t", "p", vec![ages, areas], counts)], &Rule::default());
    let hidden = published[0].cells.iter().filter(|c| c.value.is_none()).count();
    assert!(hidden <= 10, "{hidden} of {} are left out", published[0].cells.len());
}

#[test]
fn tables_that_are_none() {
    let says = |table: Table, expected: &str| {
        let why = protect(&[table], &Rule::default()).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    };
    says(Table::new("t", "p", vec![areas()], vec![1]), "1 counts, its categories need 3");
    says(Table::new("t", "p", vec![areas().and("x", &[7])], vec![1, 2, 3]), "not of its categories");
    says(Table::new("t", "p", vec![areas(), areas()], vec![0; 9]), "there twice");
    says(Table::new("t", "p", vec![areas()], vec![u64::MAX, 1, 1]), "counts more than");
    let many: Vec<String> = (0..300).map(|i| i.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let wide = |name: &str| Dimension::with_total(name, &many);
    says(Table::new("t", "p", vec![wide("x"), wide("y")], vec![0; 90_000]), "are more than");
    let grown =
        Table { grew_from: Some("nothing".into()), ..Table::new("t", "p", vec![areas()], vec![1, 2, 3]) };
    says(grown, "no table with the same dimensions");
    assert_eq!(protect(&[], &Rule::default()).unwrap(), []);
    for rule in [
        Rule::of(1),
        Rule::of(u64::MAX),
        Rule { width: u64::MAX, ..Rule::default() },
        Rule { width: 0, ..Rule::default() },
    ] {
        assert!(matches!(protect(&[], &rule), Err(Error::Rule(_))), "{rule:?}");
    }
}

#[test]
fn a_table_of_prefectures() {
    let names: Vec<String> = (1..=47).map(|i| format!("{i:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ages = ["0-14", "15-39", "40-64", "65-74", "75+"];
    let mut state = 7u64;
    let counts: Vec<u64> = (0..47 * 5)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = (state >> 33) % 1000;
            draw * draw / 4000
        })
        .collect();
    let dimensions = vec![Dimension::with_total("prefecture", &names), Dimension::with_total("age", &ages)];
    let began = std::time::Instant::now();
    let published = check_large(&[Table::new("t", "p", dimensions, counts.clone())], &Rule::default());
    let hidden = published[0].cells.iter().filter(|c| c.value.is_none()).count();
    let small = counts.iter().filter(|c| (1..10).contains(*c)).count();
    eprintln!("{small} small, {hidden} of {} left out, {:?}", published[0].cells.len(), began.elapsed());
    assert!(hidden < small * 4, "{hidden} for {small}");
}

fn small_rule() -> impl Strategy<Value = Rule> {
    (3u64..6, any::<bool>()).prop_map(|(k, publish)| Rule {
        zeros: if publish { Zeros::Publish } else { Zeros::Suppress },
        ..Rule::of(k)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_who_tries_everything_finds_a_count(
        counts in prop::collection::vec(0u64..8, 6),
        rule in small_rule(),
        has_total in any::<bool>(),
    ) {
        let rows = if has_total { Dimension::with_total("r", &["1", "2"]) } else { Dimension::without_total("r", &["1", "2"]) };
        check(&[Table::new("t", "p", vec![rows, Dimension::with_total("c", &["x", "y", "z"])], counts)], &rule, 14);
    }

    #[test]
    fn nor_from_overlapping_strata(counts in prop::collection::vec(0u64..9, 4), rule in small_rule(), groups in prop::collection::vec(1u8..16, 1..6)) {
        let of = |mask: u8| (0..4usize).filter(|at| mask >> at & 1 == 1).collect::<Vec<_>>();
        let mut dimension = Dimension { name: "d".into(), categories: ["a", "b", "c", "d"].map(str::to_owned).to_vec(), groups: vec![] };
        for (at, mask) in groups.iter().enumerate() {
            dimension = dimension.and(&at.to_string(), &of(*mask));
        }
        check(&[Table::new("t", "p", vec![dimension], counts)], &rule, 24);
    }

    #[test]
    fn nor_from_two_releases_one_after_the_other(
        counts in prop::collection::vec(0u64..8, 6),
        rule in small_rule(),
        groups in prop::collection::vec(1u8..8, 1..4),
    ) {
        let rows = || Dimension::with_total("r", &["1", "2"]);
        let first = Table::new("first", "p", vec![rows(), Dimension::with_total("c", &["x", "y", "z"])], counts.clone());
        let published = protect(std::slice::from_ref(&first), &rule).unwrap();
        let first = released(&[first], &published).remove(0);
        let mut strata = Dimension { name: "c".into(), categories: ["x", "y", "z"].map(str::to_owned).to_vec(), groups: vec![] };
        for (at, mask) in groups.iter().enumerate() {
            let of: Vec<usize> = (0..3usize).filter(|at| mask >> at & 1 == 1).collect();
            strata = strata.and(&at.to_string(), &of);
        }
        let second = Table::new("second", "p", vec![rows(), strata], counts);
        check_or_exposed(&[first, second], &rule, 14);
    }

    #[test]
    fn nor_from_what_grew(counts in prop::collection::vec(0u64..7, 3), more in prop::collection::vec(0u64..7, 3), rule in small_rule()) {
        let first = Table::new("first", "then", vec![areas()], counts.clone());
        let published = protect(std::slice::from_ref(&first), &rule).unwrap();
        let first = released(&[first], &published).remove(0);
        let grown = counts.iter().zip(&more).map(|(a, b)| a + b).collect();
        let second = Table { grew_from: Some("then".into()), ..Table::new("second", "now", vec![areas()], grown) };
        check_or_exposed(&[first, second], &rule, 22);
    }

    #[test]
    fn nor_in_three_dimensions(counts in prop::collection::vec(0u64..6, 8), k in 3u64..5) {
        let dimension = |name: &str| Dimension::with_total(name, &["1", "2"]);
        check(&[Table::new("t", "p", vec![dimension("x"), dimension("y"), dimension("z")], counts)], &Rule::of(k), 9);
    }
}
