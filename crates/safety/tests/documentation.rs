//! The page in the book says what there is.

use std::path::PathBuf;

use safety::{Kind, Rules};

#[test]
fn the_table_counts_the_rules() {
    // Asked for as the test runs: one build directory may serve several clones.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap();
    let page = std::fs::read_to_string(root.join("../../docs/src/safety.md")).unwrap();
    let list = Rules::shipped().list();
    let rows = ["Allergy", "Duplicate", "Interaction", "Kidneys", "Pregnancy", "Dose and age"];
    for (kind, row) in Kind::ALL.into_iter().zip(rows) {
        let count = list.iter().filter(|rule| rule.kind == kind).count();
        assert!(page.contains(&format!("| {row} | {count} |")), "{row}: {count}");
    }
    let ingredients = Rules::shipped().medicines.count();
    assert!(page.contains(&format!("{ingredients} ingredients")), "{ingredients}");
}
