//! Questions are answered, or refused with the place and the way out; nothing else can be done by SQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use sql::{Cancel, Engine, Error, Kind, Limits, ScalarValue, Session, Settings};

fn batch(from: i64, to: i64) -> RecordBatch {
    let number: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    let date = |n: i64| format!("20{:02}-0{}-1{}T10:00:00+09:00", n % 30, n % 9 + 1, n % 10);
    let text: ArrayRef = Arc::new(StringArray::from_iter_values((from..to).map(date)));
    RecordBatch::try_from_iter([("number", number), ("date", text)]).unwrap()
}

fn session_of(settings: &Settings) -> Session {
    let session = Session::new(&Arc::new(Engine::start(settings).unwrap()));
    let batches: Vec<RecordBatch> = (0..10).map(|n| batch(n * 1000, (n + 1) * 1000)).collect();
    session.add("numbers", &batches[0].schema(), &batches).unwrap();
    session
}

fn session() -> Session {
    session_of(&Settings::default())
}

fn ask(session: &Session, text: &str) -> Result<Vec<serde_json::Value>, Error> {
    let answer = session.ask(text, &[], &Limits::default(), &Cancel::default())?;
    let mut out = Vec::new();
    answer.write_json(&mut out).unwrap();
    Ok(serde_json::from_slice(&out).unwrap())
}

fn refused(session: &Session, text: &str) -> Error {
    match ask(session, text) {
        Err(error) => error,
        Ok(answer) => panic!("{text}: {answer:?}"),
    }
}

#[test]
fn questions_are_answered() {
    let session = session();
    let found = ask(&session, "select count(*) as many, max(number) as most from numbers").unwrap();
    assert_eq!(found, [serde_json::json!({"many": 10_000, "most": 9_999})]);
    let found = ask(
        &session,
        "with late as (select number from numbers where day_of(date) >= date '2029-01-01')
         select count(*) as many from late",
    );
    assert_eq!(found.unwrap(), [serde_json::json!({"many": 333})]);
    assert_eq!(session.tables(), ["numbers"]);
}

#[test]
fn dates_are_compared_by_their_functions() {
    let found = ask(
        &session(),
        "select age_on('1960-05', date '2020-04-30') as age, days_between(date '2020-02-28', date '2020-03-01') as days,
           seconds_between('2020-01-01T09:00:00+09:00', '2020-01-01T00:00:01Z') as seconds,
           seconds_between('2020-01-01', '2020-01-02T00:00:00Z') as unknown, day_of('2020') as day",
    );
    let expected = serde_json::json!({"age": 59, "days": 2, "seconds": 1, "day": "2020-01-01"});
    assert_eq!(found.unwrap(), [expected]);
}

#[test]
fn parameters_are_values_and_never_text() {
    let session = session();
    let from = [("from", ScalarValue::Date32(Some(21_550))), ("words", ScalarValue::from("' or true --"))];
    session.add_query("late", "select * from numbers where day_of(date) >= $from", &from).unwrap();
    let late = ask(&session, "select count(*) as many from late").unwrap();
    assert_eq!(late, [serde_json::json!({"many": 333})]);
    let answer = session
        .ask("select * from numbers where date = $words", &from, &Limits::default(), &Cancel::default())
        .unwrap();
    assert_eq!(answer.rows(), 0);
}

#[test]
fn nothing_but_reading() {
    let session = session();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords.csv");
    std::fs::write(&file, "name,password\nhanako,secret\n").unwrap();
    let file = file.display();
    for text in [
        "create table more as select 1".to_owned(),
        "create view more as select 1".to_owned(),
        format!("create external table more stored as csv location '{file}'"),
        "drop table numbers".to_owned(),
        "insert into numbers values (1, 'x')".to_owned(),
        "update numbers set number = 1".to_owned(),
        "delete from numbers".to_owned(),
        "truncate table numbers".to_owned(),
        format!("copy numbers to '{file}.out'"),
        format!("copy (select 1) to '{file}.out' stored as parquet"),
        "set datafusion.execution.batch_size = 1".to_owned(),
        "begin transaction".to_owned(),
        "prepare p as select 1".to_owned(),
        "explain insert into numbers values (1, 'x')".to_owned(),
    ] {
        let error = refused(&session, &text);
        assert!(matches!(error.kind, Kind::NotAllowed | Kind::Syntax | Kind::Question), "{text}: {error:?}");
    }
    assert_eq!(
        refused(&session, "drop table numbers").message,
        "only reading is possible here; ask with SELECT or WITH"
    );
    for text in [
        format!("select * from '{file}'"),
        format!("select * from read_csv('{file}')"),
        format!("select * from \"file://{file}\""),
    ] {
        let error = refused(&session, &text);
        assert_eq!(error.kind, Kind::Question, "{text}: {error}");
        assert!(!error.to_string().contains("hanako"), "{error}");
    }
    assert_eq!(refused(&session, "select 1; select 2").kind, Kind::Question);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(ask(&session, "select count(*) as many from numbers").unwrap()[0]["many"], 10_000);
}

#[test]
fn errors_say_where_and_what_to_do() {
    let session = session();
    let error = refused(&session, "select number\nfrom numbers\nwhere number in (1,,2)");
    assert_eq!((error.kind, error.place.map(|p| p.0)), (Kind::Syntax, Some(3)), "{error}");
    let error = refused(&session, "select nummer from numbers");
    assert_eq!(error.to_string(), "line 1, column 8: there is no column `nummer`; there are date, number");
    let error = refused(&session, "select *\nfrom patients");
    assert_eq!(error.message, "table 'patients' not found; there are numbers", "{error:?}");
    assert_eq!(error.place.map(|p| p.0), Some(2));
    assert_eq!(refused(&session, "").kind, Kind::Question);
    assert_eq!(refused(&session, "select cast('x' as int)").kind, Kind::Failed);
    assert_eq!(refused(&session, "select no_such(1)").kind, Kind::Question);
    assert_eq!(refused(&session, "select length(repeat('a', 2000000000))").kind, Kind::Question);
    let recursive =
        "with recursive n as (select 1 as x union all select x + 1 from n) select count(*) from n";
    assert_eq!(refused(&session, recursive).kind, Kind::Question);
    assert_eq!(refused(&session, "select $missing").kind, Kind::Failed);
}

#[test]
fn nothing_without_end() {
    let session = session();
    let limits = Limits { rows: 100, ..Limits::default() };
    let ask = |text: &str, limits: &Limits| session.ask(text, &[], limits, &Cancel::default());
    assert_eq!(ask("select * from numbers", &limits).unwrap_err().kind, Kind::TooMuch);
    assert_eq!(ask("select * from numbers limit 100", &limits).unwrap().rows(), 100);
    let bytes = Limits { bytes: 10_000, ..Limits::default() };
    assert_eq!(ask("select * from numbers", &bytes).unwrap_err().kind, Kind::TooMuch);

    let long =
        "select count(*) from numbers a, numbers b, numbers c where a.number * b.number + c.number = 77";
    let short = Limits { time: Duration::from_millis(300), ..Limits::default() };
    let began = Instant::now();
    assert_eq!(ask(long, &short).unwrap_err().kind, Kind::TooLong);
    assert!(began.elapsed() < Duration::from_secs(2));

    let endless =
        "select count(*) from numbers a, numbers b, numbers c where (a.number + b.number + c.number) % 7 = 3";
    let began = Instant::now();
    assert_eq!(ask(endless, &short).unwrap_err().kind, Kind::TooLong);
    assert!(began.elapsed() < Duration::from_secs(10));

    let cancel = Cancel::default();
    let from_outside = cancel.clone();
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| session.ask(endless, &[], &Limits::default(), &cancel));
        std::thread::sleep(Duration::from_millis(200));
        from_outside.cancel();
        asked.join().unwrap()
    });
    assert_eq!(asked.unwrap_err().kind, Kind::Cancelled);
    // The threads are free again.
    assert_eq!(ask("select 1", &limits).unwrap().rows(), 1);
}

#[test]
fn memory_has_a_bound_and_spills_only_where_it_may() {
    let memory = 4 << 20;
    let large = "select a.number, b.date, count(*) as many from numbers a join numbers b on a.number % 100 = b.number % 100
                 group by a.number, b.date order by many desc, a.number limit 5";
    let error = refused(&session_of(&Settings { memory, ..Settings::default() }), large);
    assert_eq!(error.kind, Kind::Memory, "{error}");
    let sorted = "select number, date from numbers order by date desc, number limit 3 offset 9990";
    assert!(ask(&session_of(&Settings { memory, ..Settings::default() }), sorted).is_ok());
}

#[test]
fn a_text_without_end_takes_nothing_down() {
    let session = session();
    let long = format!("select {}", vec!["1"; 2_900].join("+"));
    assert!(session.ask(&long, &[], &Limits::default(), &Cancel::default()).is_ok_and(|a| a.rows() == 1));
    let ors = vec!["number = 1"; 900].join(" or ");
    assert_eq!(ask(&session, &format!("select number from numbers where {ors}")).unwrap().len(), 1);
    let deep = format!("select {}1{}", "(".repeat(2_900), ")".repeat(2_900));
    assert_eq!(refused(&session, &deep).kind, Kind::Syntax);
    let many: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    let one_of = format!("select count(*) as many from numbers where number in ({})", many.join(", "));
    assert_eq!(ask(&session, &one_of).unwrap()[0]["many"], 5_000);
    for chain in ["+1", " or true", " union all select 1", "::int", " is null", " || 'a'", " + -+1"] {
        let error = refused(&session, &format!("select 1{}", chain.repeat(60_000 / chain.len())));
        assert_eq!(error.kind, Kind::TooMuch, "{chain}: {error}");
    }
    let too_long = format!("select {}", vec!["1"; 60_000].join("+"));
    assert_eq!(refused(&session, &too_long).kind, Kind::TooMuch);
}

#[test]
fn answers_in_every_form() {
    let session = session();
    let text = "select number, case when number = 1 then null else date end as date from numbers where number < 3 order by number";
    let answer = session.ask(text, &[], &Limits::default(), &Cancel::default()).unwrap();
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let lines = written(&|out| answer.write_ndjson(out).unwrap());
    assert_eq!(lines.lines().count(), 3);
    assert_eq!(lines.lines().nth(1), Some(r#"{"number":1}"#));
    let csv = written(&|out| answer.write_csv(out).unwrap());
    assert_eq!(csv, "number,date\n0,2000-01-10T10:00:00+09:00\n1,\n2,2002-03-12T10:00:00+09:00\n");
    let none = session
        .ask("select * from numbers where false", &[], &Limits::default(), &Cancel::default())
        .unwrap();
    assert_eq!(written(&|out| none.write_csv(out).unwrap()), "number,date\n");
    assert_eq!(written(&|out| none.write_json(out).unwrap()), "[]");
    let mut out = Vec::new();
    answer.write_arrow(&mut out).unwrap();
    let read = datafusion::arrow::ipc::reader::StreamReader::try_new(out.as_slice(), None).unwrap();
    assert_eq!(read.map(|b| b.unwrap().num_rows()).sum::<usize>(), 3);
}

#[test]
fn files_are_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("num [1] % *");
    std::fs::create_dir(&place).unwrap();
    let files: Vec<_> = (0..3).map(|part| place.join(format!("{part}?.parquet"))).collect();
    for (part, file) in (0..).zip(&files) {
        let file = std::fs::File::create(file).unwrap();
        let rows = batch(part * 1000, part * 1000 + 1000);
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
    }
    let schema = batch(0, 1).schema();
    let session = Session::new(&Arc::new(Engine::start(&Settings::default()).unwrap()));
    session.add_parquet("numbers", &schema, &files).unwrap();
    session.add_parquet("two", &schema, &files[1..]).unwrap();
    session.add_parquet("none", &schema, &[]).unwrap();
    let found = ask(
        &session,
        "select count(*) as many, max(date) as last, (select count(*) from two) as two, (select count(*) from none) as none
         from numbers where day_of(date) > date '2029-01-01'",
    );
    let found = &found.unwrap()[0];
    assert_eq!((&found["many"], &found["two"], &found["none"]), (&100.into(), &2000.into(), &0.into()));
    assert_eq!(session.add_parquet("more", &schema, &[place.join("no")]).unwrap_err().kind, Kind::Failed);
    std::fs::write(&files[0], b"no parquet").unwrap();
    session.add_parquet("broken", &schema, &files[..1]).unwrap();
    assert_eq!(refused(&session, "select * from broken").kind, Kind::Failed);
}

#[tokio::test]
async fn asking_where_futures_run_is_possible() {
    let session = session();
    assert_eq!(ask(&session, "select 1 as one").unwrap().len(), 1);
}
