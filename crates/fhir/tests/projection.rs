//! What a projected reading gives is what the whole reading gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

use fhir::json::{ProjectedReader, Projection};
use fhir::{Limits, NodeRef, r4};

/// A node and all below it, as text.
fn described(node: NodeRef<'_>, out: &mut String) {
    let shape = node.node().shape;
    out.push_str(&format!("{}:{}:{shape:?}", node.name(), node.type_name()));
    out.push_str(&format!("={}\n", node.json()));
    node.children().for_each(|child| described(child, out));
}

#[test]
fn every_example_reads_the_same_whole_and_by_its_elements() {
    let Some(shared) = shared::folder("every_example_reads_the_same_whole_and_by_its_elements") else {
        return;
    };
    let files = shared::package(&shared.join("packages/hl7.fhir.r4.examples-4.0.1.tgz")).unwrap();
    let (mut count, mut elements) = (0, 0);
    for (name, json) in files.iter().step_by(3) {
        let Ok(whole) = fhir::json::parse(json, &Limits::default()) else { continue };
        let root = whole.root();
        let mut expected = String::new();
        described(root, &mut expected);
        let mut projection = Projection::default();
        projection.whole(Projection::ROOT);
        let mut reader = ProjectedReader::new(&projection, root.value_type());
        let read = reader.read(whole.text()).unwrap().expect("the type is the same");
        let mut found = String::new();
        described(read.root(), &mut found);
        assert!(found == expected, "{name}");
        // The text as it came, with its white space, leads to the same values.
        let read = reader.read(std::str::from_utf8(json).unwrap()).unwrap().unwrap();
        assert_eq!(read.node_count(), whole.node_count(), "{name}");
        for element in &r4().type_of(root.value_type()).elements {
            let wanted = r4().element(*element).name_id;
            let mut projection = Projection::default();
            let place = projection.child(Projection::ROOT, wanted);
            projection.whole(place);
            let mut reader = ProjectedReader::new(&projection, root.value_type());
            let read = reader.read(whole.text()).unwrap().unwrap();
            let all = |root: NodeRef<'_>, only: bool| {
                let mut out = String::new();
                let children = root.children().filter(|c| !only || c.node().name == wanted);
                children.for_each(|child| described(child, &mut out));
                out
            };
            assert!(all(read.root(), false) == all(root, true), "{name}: {}", r4().element(*element).name);
            elements += read.root().children().count();
        }
        count += 1;
    }
    assert!(count > 700 && elements > 3000, "{count} {elements}");
}

#[test]
fn places_that_are_one_go_on_without_end() {
    let name = |name| r4().name_id(name).unwrap();
    let mut projection = Projection::default();
    let item = projection.child(Projection::ROOT, name("item"));
    let answer = projection.child(item, name("answer"));
    let through_answer = projection.child(answer, name("item"));
    projection.child(through_answer, name("text"));
    projection.join(item, through_answer);
    let below = projection.child(item, name("item"));
    projection.join(below, item);
    projection.child(through_answer, name("linkId"));
    let response = r4().resource_type("QuestionnaireResponse").unwrap();
    let mut reader = ProjectedReader::new(&projection, response);
    let text = r#"{"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"1","definition":"d","item":[{"linkId":"2","answer":[{"valueString":"x","item":[{"linkId":"3","text":"t","item":[{"linkId":"4"}]}]}]}]}]}"#;
    let mut found = String::new();
    for node in reader.read(text).unwrap().unwrap().root().descendants() {
        found.push_str(&format!("{}={} ", node.name(), node.value().unwrap_or_default()));
    }
    let expected = "item= linkId=1 item= linkId=2 answer= item= linkId=3 text=t item= linkId=4 ";
    assert_eq!(found, expected);
}

#[test]
fn no_text_makes_it_panic() {
    let mut projection = Projection::default();
    for name in ["name", "contained", "birthDate"] {
        let place = projection.child(Projection::ROOT, r4().name_id(name).unwrap());
        projection.whole(place);
    }
    let mut reader = ProjectedReader::new(&projection, r4().well_known().patient);
    let good = r#"{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"id":"é"}],"_family":{"id":"x"},"family":"\u0041"}],"_birthDate":{"id":"b"},"contained":[{"id":"c","resourceType":"Group","active":true},{"resourceType":"No"}]}"#;
    let read = reader.read(good).unwrap().unwrap();
    let mut text = String::new();
    described(read.root(), &mut text);
    assert!(text.contains("family:string:Escaped=\"\\u0041\"\nid:string:Plain=\"x\""), "{text}");
    assert!(text.contains("given:string:Absent=null\nid:string:Plain=\"é\""), "{text}");
    assert!(text.contains("contained:Group"), "{text}");
    for at in 0..good.len() {
        for put in [&b"\""[..], b"{", b"}", b"[", b"]", b"\\", b"", b"null", b"1"] {
            let mut bytes = good.as_bytes().to_vec();
            bytes.splice(at..at + 1, put.iter().copied());
            if let Ok(text) = std::str::from_utf8(&bytes)
                && let Ok(Some(resource)) = reader.read(text)
            {
                let mut out = String::new();
                described(resource.root(), &mut out);
            }
        }
    }
    let deep = format!(
        r#"{{"resourceType":"Patient","contained":{}"#,
        r#"[{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","contained":"#
            .repeat(9000)
    );
    assert!(reader.read(&deep).is_err());
    assert!(reader.read("").is_err() && reader.read("[]").is_err());
    assert_eq!(reader.read(r#"{"resourceType":"Group"}"#).unwrap().map(|r| r.node_count()), None);
    assert_eq!(reader.read("{}").unwrap().map(|r| r.node_count()), None);
}
