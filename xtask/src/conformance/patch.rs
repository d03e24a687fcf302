//! HL7's patch suite: FHIRPath Patch, JSON Patch and XML Patch, a file each.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use fhir::xml::dom::{Element, Part};
use fhir::{Limits, Resource};
use hub::patch;

use super::Tally;

pub(super) fn run(dir: &Path, tally: &mut Tally) -> Result<()> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .with_context(|| dir.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    let mut found = 0;
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = || std::fs::read_to_string(&file).with_context(|| name.clone());
        match name.as_str() {
            n if n.starts_with("fhir-patch") && n.ends_with(".xml") => fhirpath(&name, &text()?, tally)?,
            n if n.starts_with("xml-patch") && n.ends_with(".xml") => xml(&name, &text()?, tally)?,
            n if n.starts_with("json-patch") && n.ends_with(".json") => json(&name, &text()?, tally)?,
            _ => continue,
        }
        found += 1;
    }
    if found == 0 {
        return Err(anyhow!(
            "{} has no files fhir-patch*.xml, json-patch*.json, xml-patch*.xml",
            dir.display()
        ));
    }
    Ok(())
}

fn cases(text: &str) -> Result<Vec<Element>> {
    let root = Element::parse(text).map_err(|e| anyhow!(e))?;
    Ok(root.elements().filter(|e| e.local_name() == "case").cloned().collect())
}

/// The one element in the case's part with this name.
fn part<'c>(case: &'c Element, name: &str) -> Option<&'c Element> {
    case.elements().find(|e| e.local_name() == name)
}

fn inner<'c>(case: &'c Element, name: &str) -> Option<&'c Element> {
    part(case, name)?.elements().next()
}

fn resource(element: &Element) -> Result<Resource, String> {
    fhir::xml::parse(element.to_xml().as_bytes(), &Limits::default())
        .map_err(|issues| issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn same_json(expected: &str, found: &str) -> Result<(), String> {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).map_err(|e| e.to_string());
    if value(expected)? == value(found)? {
        Ok(())
    } else {
        Err(format!("expected {expected}\nfound    {found}"))
    }
}

fn fhirpath(file: &str, text: &str, tally: &mut Tally) -> Result<()> {
    for case in cases(text)? {
        let name = format!("{file}: {}", case.attribute("name").unwrap_or_default());
        let run = || -> Result<(), String> {
            let input = resource(inner(&case, "input").ok_or("the case has no input")?)?;
            let parameters = resource(inner(&case, "diff").ok_or("the case has no diff")?)?;
            let outcome = patch::fhirpath::apply(&input, parameters.root(), &Limits::default());
            let outcome =
                outcome.map_err(|f| f.issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            match (part(&case, "error"), outcome) {
                (Some(_), Err(_)) => Ok(()),
                (Some(error), Ok(found)) => Err(format!(
                    "expected an error ({})\nfound {}",
                    error.attribute("message").unwrap_or_default(),
                    found.text()
                )),
                (None, Err(message)) => Err(format!("expected to apply\nfound {message}")),
                (None, Ok(found)) => {
                    let expected = resource(inner(&case, "output").ok_or("the case has no output")?)?;
                    same_json(expected.text(), found.text())
                }
            }
        };
        tally.count(&name, run());
    }
    Ok(())
}

fn json(file: &str, text: &str, tally: &mut Tally) -> Result<()> {
    let cases: Vec<serde_json::Value> = serde_json::from_str(text)?;
    for (at, case) in cases.iter().enumerate() {
        let comment = case["comment"].as_str().map_or_else(|| format!("case {}", at + 1), str::to_owned);
        let name = format!("{file}: {comment}");
        if case["disabled"] == serde_json::Value::Bool(true) {
            continue;
        }
        let outcome = serde_json::from_value::<json_patch::Patch>(case["patch"].clone())
            .map_err(|e| e.to_string())
            .and_then(|p| {
                patch::json::apply(&case["doc"].to_string(), &p, &Limits::default())
                    .map_err(|f| f.issues[0].to_string())
            });
        let result = match (case.get("error"), outcome) {
            (Some(_), Err(_)) => Ok(()),
            (Some(error), Ok(found)) => Err(format!("expected an error ({error})\nfound {found}")),
            (None, Err(message)) => Err(format!("expected to apply\nfound {message}")),
            (None, Ok(found)) => match case.get("expected") {
                Some(expected) => same_json(&expected.to_string(), &found),
                None => Ok(()),
            },
        };
        tally.count(&name, result);
    }
    Ok(())
}

/// White space between elements, and around text, says nothing; nor does the order of attributes.
fn plain(element: &Element) -> Element {
    let mut out = Element { children: Vec::new(), ..element.clone() };
    out.attributes.sort();
    for part in &element.children {
        match part {
            Part::Element(inner) => out.push(Part::Element(plain(inner))),
            Part::Text(text) if text.trim().is_empty() => {}
            Part::Text(text) => out.push(Part::Text(text.trim().to_owned())),
            Part::Comment(text) => out.push(Part::Comment(text.trim().to_owned())),
            Part::Instruction(text) => out.push(Part::Instruction(text.clone())),
        }
    }
    out
}

fn xml(file: &str, text: &str, tally: &mut Tally) -> Result<()> {
    for case in cases(text)? {
        let name = format!("{file}: {}", case.attribute("name").unwrap_or_default());
        let Some(change) = part(&case, "patch") else { continue };
        let outcome = match inner(&case, "target") {
            None => Err("there is no document to patch".to_owned()),
            Some(target) => {
                let mut document = target.clone();
                patch::xml::apply(&mut document, change)
                    .map(|()| document)
                    .map_err(|f| f.issues[0].to_string())
            }
        };
        let result = match (part(&case, "error"), outcome) {
            (Some(_), Err(_)) => Ok(()),
            (Some(error), Ok(found)) => Err(format!(
                "expected an error ({})\nfound {}",
                error.attribute("message").unwrap_or_default(),
                found.to_xml()
            )),
            (None, Err(message)) => Err(format!("expected to apply\nfound {message}")),
            (None, Ok(found)) => match inner(&case, "patched") {
                None => Err("the case says neither error nor patched".to_owned()),
                Some(expected) => {
                    let (expected, found) = (plain(expected).to_xml(), plain(&found).to_xml());
                    if expected == found {
                        Ok(())
                    } else {
                        Err(format!("expected {expected}\nfound    {found}"))
                    }
                }
            },
        };
        tally.count(&name, result);
    }
    Ok(())
}
