//! The forms rows are written in, and views that are none.

#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

use std::path::Path;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{DataType, Decimal128Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use views::write::{Format, RowWriter};
use views::{Decimals, Run, ViewDefinition, parallel};

fn observations(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            let mut resource = json!({"resourceType": "Observation", "id": format!("o{n}"), "status": "final",
                "code": {"text": format!("c,\"{}\"\n", n % 3)}, "valueQuantity": {"value": n},
                "category": [{"text": "x"}, {"text": "y"}]});
            if n % 5 == 0 {
                resource.as_object_mut().unwrap().remove("valueQuantity");
                resource.as_object_mut().unwrap().remove("category");
            }
            resource.to_string()
        })
        .collect()
}

fn view() -> ViewDefinition {
    let view = json!({"resource": "Observation", "select": [{"column": [
        {"name": "id", "path": "id"}, {"name": "text", "path": "code.text"},
        {"name": "value", "path": "value.ofType(Quantity).value"},
        {"name": "has", "path": "value.exists()"},
        {"name": "n", "path": "category.count()"},
        {"name": "categories", "path": "category.text", "collection": true}]}]});
    ViewDefinition::read(view.to_string().as_bytes()).unwrap()
}

fn written(view: &ViewDefinition, texts: &[String], format: Format) -> Vec<u8> {
    let mut writer = RowWriter::new(view, format, true, Vec::new()).unwrap();
    for batch in view.batches(texts, 1000, format.decimals()) {
        writer.write(&batch.unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn parquet_holds_what_json_says() {
    let (view, texts) = (view(), observations(2500));
    let folder = std::env::temp_dir().join(format!("views-forms-{}", std::process::id()));
    std::fs::write(&folder, written(&view, &texts, Format::Parquet)).unwrap();
    let file = std::fs::File::open(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&written(&view, &texts, Format::Json)).unwrap();
    assert_eq!(rows.len(), 2500);
    let mut at = 0;
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        assert_eq!(*batch.schema().field(2).data_type(), DataType::Decimal128(38, 12));
        assert_eq!(batch.schema().field(2).metadata()["fhir:type"], "decimal");
        for row in 0..batch.num_rows() {
            let expected = &rows[at];
            let string = |column: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
            assert_eq!(
                (json!(string(0)), json!(string(1))),
                (expected["id"].clone(), expected["text"].clone())
            );
            let decimals = batch.column(2).as_primitive::<Decimal128Type>();
            match expected["value"].as_f64() {
                Some(value) => assert_eq!(decimals.value(row), value as i128 * 1_000_000_000_000),
                None => assert!(decimals.is_null(row)),
            }
            assert_eq!(json!(batch.column(3).as_boolean().value(row)), expected["has"]);
            let list = batch.column(5).as_list::<i32>().value(row);
            let list: Vec<_> = list.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
            assert_eq!(json!(list), expected["categories"]);
            at += 1;
        }
    }
    assert_eq!(at, 2500);
}

#[test]
fn csv_and_lines_say_the_same() {
    let (view, texts) = (view(), observations(11));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&written(&view, &texts, Format::Json)).unwrap();
    let lines = String::from_utf8(written(&view, &texts, Format::Ndjson)).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines, rows);
    let csv = written(&view, &texts, Format::Csv);
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    assert_eq!(reader.headers().unwrap(), vec!["id", "text", "value", "has", "n", "categories"]);
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        assert_eq!((&record[0], &record[1]), (row["id"].as_str().unwrap(), row["text"].as_str().unwrap()));
        let value = if row["value"].is_null() { String::new() } else { row["value"].to_string() };
        assert_eq!((&record[2], &record[5]), (value.as_str(), row["categories"].to_string().as_str()));
    }
    // Nothing at all is still whole.
    assert_eq!(written(&view, &[], Format::Json), b"[]");
    assert_eq!(written(&view, &[], Format::Csv), b"id,text,value,has,n,categories\r\n");
    assert!(written(&view, &[], Format::Parquet).starts_with(b"PAR1"));
}

#[test]
fn threads_and_parsed_resources_give_the_same_rows_in_the_same_order() {
    let (view, texts) = (view(), observations(10_000));
    let one = parallel::batches(&view, &texts, 1, Decimals::Texts).unwrap();
    let many = parallel::batches(&view, &texts, 4, Decimals::Texts).unwrap();
    assert!(one == many && one.len() == 3, "{}", one.len());
    let mut run = Run::new(&view, Decimals::Texts);
    for text in texts.iter().take(4096) {
        run.push(&fhir::json::parse(text.as_bytes(), &fhir::Limits::default()).unwrap()).unwrap();
    }
    assert_eq!(run.batch().unwrap(), one[0]);
    let wrong = parallel::batches(
        &view,
        &["{\"resourceType\":\"Observation\",\"id\":\"x\",\"code\":{"],
        2,
        Decimals::Texts,
    );
    assert!(wrong.unwrap_err().message.contains("cannot be read"));
}

/// Whatever is done to a view, it is read or refused.
#[test]
fn no_view_makes_it_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views");
    let patient = r#"{"resourceType":"Patient","id":"p","name":[{"family":"a","given":["b","c"],"use":"official"}],"address":[{"line":["x"]}]}"#;
    let (mut read, mut refused) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        ViewDefinition::read(text.as_bytes()).unwrap();
        for at in (0..text.len()).step_by(3) {
            for put in ["", "\"", "(", "%", ".", "[0]", "forEach", "1", "é"] {
                let changed = [&text[..at], put, &text[at + 1..]].concat();
                match ViewDefinition::read(changed.as_bytes()) {
                    Ok(view) => {
                        read += 1;
                        let _ = Run::new(&view, Decimals::Numbers).push_text(patient);
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(!error.message.is_empty());
                    }
                }
            }
        }
    }
    assert!(read > 1000 && refused > 1000, "{read} {refused}");
}
