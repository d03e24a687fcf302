//! Public figures through the command line: fetched from a server, kept by release, computed, projected.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::hub::{import, run, run_well};

const UHC: [&str; 5] =
    ["UHC_INDEX_REPORTED", "UHC_SCI_RMNCH", "UHC_SCI_INFECT", "UHC_SCI_NCD", "UHC_SCI_CAPACITY"];

/// An answer: status, further headers, body.
type Answer = (u16, String, Vec<u8>);

/// A publisher: answers by path and query, and remembers what it was asked.
struct Publisher {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Publisher {
    fn start(answers: impl Fn(&str) -> BTreeMap<String, Answer>) -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (answers, asked) = (answers(&base), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
                let path = first.split(' ').nth(1).unwrap().to_owned();
                noted.lock().unwrap().push(path.clone());
                if path == "/slow" {
                    std::thread::sleep(std::time::Duration::from_secs(4));
                }
                let (status, headers, body) = answers.get(&path).cloned().unwrap_or((
                    404,
                    String::new(),
                    b"<html>not found</html>".to_vec(),
                ));
                let head = format!(
                    "HTTP/1.1 {status} x\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        Publisher { base, asked }
    }
}

fn hub(folder: &Path) -> String {
    let patient = folder.join("patient.json");
    std::fs::write(&patient, r#"{"resourceType":"Patient","id":"a"}"#).unwrap();
    let data = folder.join("hub");
    import(&data, &[&patient]);
    data.to_str().unwrap().to_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn fetch(data: &str, source: &str, code: &str, url: &str, more: &[&str]) -> Output {
    run(&[&["indicator", "fetch", source, code, "--data", data, "--url", url], more].concat())
}

#[test]
fn the_index_of_every_country_is_the_published_one() {
    let Some(shared) = shared::folder("indicator uhc") else { return };
    let folder = shared.join("data/who-gho");
    let gho = folder.to_str().unwrap();
    let table = run_well(&["indicator", "uhc", "--gho", gho, "--year", "2015"]);
    assert!(table.contains("183 of 183 agree"), "{table}");
    let japan = table.lines().find(|line| line.starts_with("JPN")).unwrap();
    assert!(japan.split_whitespace().eq(["JPN", "2015", "unnamed", "79.88", "80", "80", "0"]), "{japan}");
    let json: Value =
        serde_json::from_str(&run_well(&["indicator", "uhc", "--gho", gho, "--format", "json"])).unwrap();
    assert_eq!((&json["compared"], &json["agreeing"]), (&183.into(), &183.into()));
    let csv = run_well(&["indicator", "uhc", "--gho", gho, "--format", "csv"]);
    assert_eq!(csv.lines().count(), 184);
    let other = run(&["indicator", "uhc", "--gho", gho, "--year", "1999"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(said(&other).contains("there are 2015"), "{}", said(&other));
    // One country that disagrees is said, and the exit code says so.
    let changed = tempfile::tempdir().unwrap();
    for code in UHC {
        let bytes = std::fs::read(folder.join(format!("{code}.csv.gz"))).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
        let text = text.replace("\"JPN\",\"80\",\"80.00000\"", "\"JPN\",\"81\",\"81.00000\"");
        std::fs::write(changed.path().join(format!("{code}.csv")), text).unwrap();
    }
    let output = run(&["indicator", "uhc", "--gho", changed.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("182 of 183 agree"), "{}", said(&output));
}

#[test]
fn what_is_fetched_stays_by_release_and_is_computed_from() {
    let Some(shared) = shared::folder("indicator fetch") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = hub(folder.path());
    let publisher = Publisher::start(|_| {
        let file = |code: &str| {
            let bytes = std::fs::read(shared.join(format!("data/who-gho/{code}.csv.gz"))).unwrap();
            (format!("/{code}"), (200, String::new(), bytes))
        };
        UHC.iter().map(|code| file(code)).collect()
    });
    for code in UHC {
        let output =
            fetch(&data, "who-gho", code, &format!("{}/{code}", publisher.base), &["--vintage", "2020-10"]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let list = run_well(&["indicator", "list", "--data", &data]);
    assert_eq!(list.lines().count(), 5);
    assert!(list.contains("2020-10") && list.contains("UHC service coverage index"), "{list}");
    let kept = Path::new(&data).join("public/who-gho/UHC_INDEX_REPORTED/2020-10.csv.gz");
    assert_eq!(
        std::fs::read(&kept).unwrap(),
        std::fs::read(shared.join("data/who-gho/UHC_INDEX_REPORTED.csv.gz")).unwrap()
    );
    assert!(run_well(&["indicator", "uhc", "--data", &data]).contains("183 of 183 agree"));
    // The same again changes nothing; other bytes under the same release are refused.
    let url = format!("{}/UHC_SCI_NCD", publisher.base);
    assert!(fetch(&data, "who-gho", "UHC_SCI_NCD", &url, &["--vintage", "2020-10"]).status.success());
    std::fs::write(&kept, "GHO,YEAR,Numeric\n").unwrap();
    let again = fetch(
        &data,
        "who-gho",
        "UHC_INDEX_REPORTED",
        &format!("{}/UHC_INDEX_REPORTED", publisher.base),
        &["--vintage", "2020-10"],
    );
    assert!(said(&again).contains("the release 2020-10 is there already"), "{}", said(&again));
    // The hub is still one.
    assert!(run_well(&["doctor", "--data", &data]).len() > 1);
}

#[test]
fn answers_that_go_on_are_followed_to_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let data = hub(folder.path());
    let row = |year: i32, value: f64| {
        format!(
            r#"{{"IndicatorCode":"MDG_0000000026","SpatialDimType":"COUNTRY","SpatialDim":"JPN","TimeDim":{year},"Value":"{value}","NumericValue":{value}}}"#
        )
    };
    let bank = |page: i32, rows: &[(i32, f64)]| {
        let rows: Vec<String> = rows
            .iter()
            .map(|(year, value)| {
                format!(
                    r#"{{"indicator":{{"id":"SH.DYN.MORT","value":"x"}},"country":{{"id":"JP","value":"Japan"}},"countryiso3code":"JPN","date":"{year}","value":{value},"unit":"","decimal":1}}"#
                )
            })
            .collect();
        let text = format!(
            r#"[{{"page":{page},"pages":2,"total":12,"lastupdated":"2026-07-01"}},[{}]]"#,
            rows.join(",")
        );
        (200, String::new(), text.into_bytes())
    };
    let publisher = Publisher::start(|base| {
        let first: Vec<String> = (2000..2008).map(|y| row(y, f64::from(y - 1990))).collect();
        let second: Vec<String> = (2008..2016).map(|y| row(y, f64::from(2030 - y))).collect();
        let next = format!(r#"{{"value":[{}],"@odata.nextLink":"{base}/m?$skip=8"}}"#, first.join(","));
        let last = format!(r#"{{"value":[{}]}}"#, second.join(","));
        let elsewhere =
            format!(r#"{{"value":[{}],"@odata.nextLink":"http://127.0.0.1:9/m"}}"#, row(2001, 3.0));
        BTreeMap::from([
            ("/m".to_owned(), (200, String::new(), next.into_bytes())),
            ("/m?$skip=8".to_owned(), (200, String::new(), last.into_bytes())),
            ("/elsewhere".to_owned(), (200, String::new(), elsewhere.into_bytes())),
            ("/wb?format=json".to_owned(), bank(1, &[(2001, 4.0), (2000, 4.1)])),
            ("/wb?format=json&page=2".to_owned(), bank(2, &[(1999, 4.3)])),
        ])
    });
    let output = fetch(&data, "who-gho", "MDG_0000000026", &format!("{}/m", publisher.base), &[]);
    assert!(output.status.success() && said(&output).contains("16 figures"), "{}", said(&output));
    let output =
        fetch(&data, "world-bank", "SH.DYN.MORT", &format!("{}/wb?format=json", publisher.base), &[]);
    assert!(said(&output).contains("release 2026-07-01: 3 figures"), "{}", said(&output));
    assert_eq!(
        *publisher.asked.lock().unwrap(),
        ["/m", "/m?$skip=8", "/wb?format=json", "/wb?format=json&page=2"]
    );
    let list: Value =
        serde_json::from_str(&run_well(&["indicator", "list", "--data", &data, "--json"])).unwrap();
    assert_eq!(list[1]["files"].as_array().unwrap().len(), 2, "{list}");
    let output = run(&[
        "indicator",
        "project",
        "--data",
        &data,
        "--code",
        "MDG_0000000026",
        "--place",
        "JPN",
        "--format",
        "json",
    ]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["history"].as_array().unwrap().len(), 16, "{told}");
    assert_eq!(told["scenario"]["is_met"], true);
    let output = fetch(
        &data,
        "who-gho",
        "MDG_0000000026",
        &format!("{}/elsewhere", publisher.base),
        &["--vintage", "x"],
    );
    assert!(said(&output).contains("goes on elsewhere; it is not followed"), "{}", said(&output));
}

#[test]
fn what_is_no_data_is_not_kept() {
    let Some(shared) = shared::folder("indicator fetch of broken files") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = hub(folder.path());
    let whole = std::fs::read(shared.join("data/who-gho/UHC_INDEX_REPORTED.csv.gz")).unwrap();
    let publisher = Publisher::start(|base| {
        let body = |text: &str| (200, String::new(), text.as_bytes().to_vec());
        BTreeMap::from([
            ("/page".to_owned(), body("<!DOCTYPE html><title>Sorry</title>")),
            ("/short".to_owned(), (200, String::new(), whole[..whole.len() / 2].to_vec())),
            ("/other".to_owned(), body("GHO,YEAR,COUNTRY,Numeric\nWHOSIS_000001,2015,JPN,83\n")),
            ("/nothing".to_owned(), body("GHO,YEAR,COUNTRY,Numeric\nUHC_INDEX_REPORTED,2015,JPN,\n")),
            ("/large".to_owned(), (200, String::new(), vec![b'x'; (1 << 20) + 1])),
            ("/slow".to_owned(), body("late")),
            ("/moved".to_owned(), (302, format!("location: {base}/page\r\n"), Vec::new())),
            ("/error".to_owned(), (503, String::new(), Vec::new())),
        ])
    });
    let cases = [
        ("page", "HTML or XML"),
        ("short", "damaged or ends early"),
        ("other", "line 2: the row is of 'WHOSIS_000001'"),
        ("nothing", "without one value"),
        ("large", "raise --most"),
        ("slow", "did not answer in time"),
        ("moved", "redirections are not followed"),
        ("error", "answered 503"),
        ("missing", "answered 404"),
    ];
    for (path, expected) in cases {
        let output = fetch(
            &data,
            "who-gho",
            "UHC_INDEX_REPORTED",
            &format!("{}/{path}", publisher.base),
            &["--most", "1", "--patience", "2"],
        );
        assert_eq!(output.status.code(), Some(2), "{path}: {}", said(&output));
        assert!(said(&output).contains(expected), "{path}: {}", said(&output));
    }
    for (url, expected) in [
        ("http://example.org/x", "name it by https"),
        ("https://me:secret@example.org/x", "no name or password"),
        ("/x", "no whole address"),
    ] {
        let output = fetch(&data, "who-gho", "UHC_INDEX_REPORTED", url, &[]);
        assert!(said(&output).contains(expected) && !said(&output).contains("secret"), "{}", said(&output));
    }
    assert!(!Path::new(&data).join("public").exists());
    assert!(run_well(&["indicator", "list", "--data", &data]).contains("nothing was fetched yet"));
    // Not into what is no data directory.
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let output = fetch(empty.to_str().unwrap(), "who-gho", "X", &publisher.base, &[]);
    assert!(said(&output).contains("not a data directory"), "{}", said(&output));
}

#[test]
fn series_are_projected_or_it_is_said_why_not() {
    let Some(shared) = shared::folder("indicator project") else { return };
    let folder = shared.join("data/who-gho");
    let gho = folder.to_str().unwrap();
    let of = |more: &[&str]| run(&[&["indicator", "project", "--gho", gho], more].concat());
    let table = of(&["--code", "MDG_0000000020", "--place", "JPN", "--years", "11"]);
    assert_eq!(table.status.code(), Some(0), "{}", said(&table));
    for expected in [
        "Incidence of tuberculosis",
        "naive",
        "ETS",
        "MASE",
        "2030",
        "target: Incidence of tuberculosis down by 80 %",
        "a year, or -",
    ] {
        assert!(said(&table).contains(expected), "no '{expected}' in\n{}", said(&table));
    }
    let json = of(&["--code", "MDG_0000000020", "--place", "JPN", "--format", "json"]);
    let told: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told["outcome"], "forecast", "{told}");
    let tried = told["backtest"]["tried"].as_array().unwrap();
    let mase = |name: &str| tried.iter().find(|t| t["method"] == name).unwrap()["mase"].as_f64().unwrap();
    let chosen = told["method"].as_str().unwrap();
    assert!(mase(chosen) < mase("naive"));
    // Few values, and two places that are none.
    let few = of(&["--code", "NCDMORT3070", "--place", "JPN"]);
    assert_eq!(few.status.code(), Some(1));
    assert!(
        said(&few).contains("no forecast: ") && said(&few).contains("target: Premature mortality"),
        "{}",
        said(&few)
    );
    assert!(
        said(&of(&["--code", "MDG_0000000020", "--place", "XXX"])).contains("there is no figure of 'XXX'")
    );
    assert!(said(&of(&["--code", "NO_SUCH", "--place", "JPN"])).contains("there is no NO_SUCH.csv"));
    assert!(said(&of(&["--code", "../x", "--place", "JPN"])).contains("no code"));
    let women = of(&["--code", "WHOSIS_000001", "--place", "JPN", "--dimension", "SEX=FMLE"]);
    assert!(said(&women).contains("SEX=FMLE"), "{}", said(&women));
    // A file of one's own.
    let own = tempfile::tempdir().unwrap();
    let file = own.path().join("own.csv");
    let rows: Vec<String> =
        (2005..2025).map(|y| format!("{y},{}", 40.0 + 1.5 * f64::from(y - 2005))).collect();
    std::fs::write(&file, format!("year,value\n{}\n", rows.join("\n"))).unwrap();
    let file = file.to_str().unwrap();
    let output = run(&["indicator", "project", file, "--kind", "percent", "--target", "90@2030"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("+3.5833 a year"), "{}", said(&output));
    let csv = run_well(&["indicator", "project", file, "--kind", "percent", "--format", "csv"]);
    assert_eq!(csv.lines().count(), 31);
    for line in csv.lines().skip(21) {
        assert!(
            line.split(',').skip(2).all(|v| (0.0..=100.0).contains(&v.parse::<f64>().unwrap())),
            "{line}"
        );
    }
    let broken = own.path().join("broken.csv");
    std::fs::write(&broken, "year,value\n2001,many\n").unwrap();
    let output = run(&["indicator", "project", broken.to_str().unwrap()]);
    assert!(said(&output).contains("line 2: 'many' is no number"), "{}", said(&output));
    assert!(said(&run(&["indicator", "project", file, "--target", "soon"])).contains("write LEVEL@YEAR"));
}
