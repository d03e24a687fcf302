//! The suite of SQL on FHIR v2, as far as it is there.

#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

#[path = "../../../xtask/src/conformance/sql_on_fhir/suite.rs"]
mod runner;

mod suite {
    use super::runner;

    #[test]
    fn every_test_passes() {
        let Some(shared) = shared::folder("the suite of SQL on FHIR") else { return };
        let mut count = 0;
        let mut failed = Vec::new();
        for entry in std::fs::read_dir(shared.join("suites/sql-on-fhir")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for case in runner::run(&text).unwrap().unwrap() {
                count += 1;
                if let Err(reason) = case.outcome {
                    failed.push(format!("{}: {}: {reason}", path.display(), case.title));
                }
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        assert!(count > 70, "{count}");
    }
}
