//! Distils the official R4 package into `crates/fhir/definitions/r4.table`.
//!
//! The table is line-based text so that a change of definitions can be read in a diff. Fields are separated by tabs;
//! the first field names the kind of line. `crates/fhir/src/definitions/table.rs` documents every kind beside its reader.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

const STRUCTURE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Reads `--package FILE` and writes the table to `--out FILE`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut package = None;
    let mut out = PathBuf::from("crates/fhir/definitions/r4.table");
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--package" => package = Some(PathBuf::from(value()?)),
            "--out" => out = PathBuf::from(value()?),
            other => bail!("definitions does not know '{other}'"),
        }
    }
    let package = package.context("definitions needs --package FILE")?;
    let resources = read_package(&package)?;
    let table = table(&resources)?;
    std::fs::create_dir_all(out.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&out, &table).with_context(|| format!("writing {}", out.display()))?;
    println!("{}: {} lines, {} bytes", out.display(), table.lines().count(), table.len());
    Ok(())
}

/// Every JSON resource of a package, by type.
fn read_package(path: &Path) -> Result<BTreeMap<String, Vec<Value>>> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut resources: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if !name.ends_with(".json") || name.contains("/.") || name.ends_with("package.json") {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).with_context(|| format!("reading {name}"))?;
        let value: Value = serde_json::from_str(&text).with_context(|| format!("parsing {name}"))?;
        if let Some(kind) = value["resourceType"].as_str() {
            resources.entry(kind.to_owned()).or_default().push(value);
        }
    }
    for list in resources.values_mut() {
        list.sort_by(|a, b| {
            text(a, "url").cmp(text(b, "url")).then_with(|| text(a, "id").cmp(text(b, "id")))
        });
    }
    Ok(resources)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A field must not carry the table's own separators.
fn field(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn table(resources: &BTreeMap<String, Vec<Value>>) -> Result<String> {
    let none = Vec::new();
    let of = |kind: &str| resources.get(kind).unwrap_or(&none).as_slice();
    let mut out = String::new();
    out.push_str(
        "# FHIR R4 (4.0.1) as one table. Written by `cargo xtask definitions` from the official package\n",
    );
    out.push_str("# hl7.fhir.r4.examples 4.0.1 (CC0). The kinds of lines are documented in src/definitions/table.rs.\n");
    let structures = structures(of("StructureDefinition"), &mut out)?;
    search_parameters(of("SearchParameter"), &structures, &mut out);
    compartments(of("CompartmentDefinition"), &mut out);
    let displays = code_systems(of("CodeSystem"), &mut out);
    value_sets(of("ValueSet"), &displays, &mut out);
    Ok(out)
}

/// The types that are definitions of their own (not profiles), in the order the table lists them; returns their names.
fn structures(all: &[Value], out: &mut String) -> Result<BTreeSet<String>> {
    let mut kept: Vec<&Value> = all
        .iter()
        .filter(|s| text(s, "derivation") != "constraint" && text(s, "kind") != "logical")
        .filter(|s| text(s, "url").strip_prefix(STRUCTURE) == Some(text(s, "type")))
        .collect();
    let rank = |s: &Value| match (text(s, "kind"), s["abstract"].as_bool()) {
        ("primitive-type", _) => 1,
        ("complex-type", Some(true)) => 0,
        ("complex-type", _) => 2,
        (_, Some(true)) => 3,
        _ => 4,
    };
    // A type follows its base: Element before the primitives, Resource before DomainResource, Quantity before Age.
    let by_name: HashMap<&str, &Value> = kept.iter().map(|s| (text(s, "type"), *s)).collect();
    let depth = |s: &Value| {
        let mut depth = 0;
        let mut current = Some(s);
        while let Some(base) = current.and_then(|c| c["baseDefinition"].as_str()) {
            depth += 1;
            current = base.strip_prefix(STRUCTURE).and_then(|name| by_name.get(name).copied());
        }
        depth
    };
    let mut order: Vec<(i32, i32, &Value)> = kept.drain(..).map(|s| (rank(s), depth(s), s)).collect();
    order.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| text(a.2, "type").cmp(text(b.2, "type"))));
    let mut names = BTreeSet::new();
    for (_, _, structure) in order {
        names.insert(text(structure, "type").to_owned());
        structure_lines(structure, &by_name, out)?;
    }
    Ok(names)
}

fn structure_lines(structure: &Value, by_name: &HashMap<&str, &Value>, out: &mut String) -> Result<()> {
    let name = text(structure, "type");
    let base = text(structure, "baseDefinition").strip_prefix(STRUCTURE).unwrap_or("-");
    let kind = match text(structure, "kind") {
        "primitive-type" => "primitive",
        "complex-type" => "complex",
        _ => "resource",
    };
    let is_abstract = if structure["abstract"] == true { "abstract" } else { "-" };
    let elements = array(&structure["snapshot"], "element");
    let inherited: BTreeSet<String> = inherited_paths(base, by_name);
    let regex = elements
        .iter()
        .filter(|e| text(e, "path") == format!("{name}.value"))
        .flat_map(|e| array(e, "type"))
        .flat_map(|t| array(t, "extension"))
        .find(|x| text(x, "url").ends_with("/regex"))
        .map_or("", |x| text(x, "valueString"));
    writeln!(out, "T\t{name}\t{kind}\t{base}\t{is_abstract}\t{}", field(regex))?;
    type_body(name, name, elements, &inherited, out)
}

/// The element names a type takes over from its base, without the type's own name.
fn inherited_paths(base: &str, by_name: &HashMap<&str, &Value>) -> BTreeSet<String> {
    by_name.get(base).map_or_else(BTreeSet::new, |s| {
        array(&s["snapshot"], "element")
            .iter()
            .filter_map(|e| text(e, "path").split_once('.').map(|(_, rest)| rest.to_owned()))
            .filter(|rest| !rest.contains('.'))
            .collect()
    })
}

/// The lines of the type at `path`, then those of its nested types.
fn type_body(
    type_name: &str,
    path: &str,
    elements: &[Value],
    inherited: &BTreeSet<String>,
    out: &mut String,
) -> Result<()> {
    let own = elements.iter().find(|e| text(e, "path") == path).context("a structure lacks its root")?;
    constraint_lines(type_name, own, true, out)?;
    let prefix = format!("{path}.");
    let mut nested = Vec::new();
    for element in elements {
        let Some(name) = text(element, "path").strip_prefix(&prefix) else { continue };
        if name.contains('.') || inherited.contains(name) || element.get("sliceName").is_some() {
            continue;
        }
        let is_primitive_value = array(element, "type")
            .iter()
            .any(|t| text(t, "code").starts_with("http://hl7.org/fhirpath/System."))
            && name == "value";
        if is_primitive_value {
            continue;
        }
        element_line(path, name, element, out)?;
        let children = format!("{prefix}{name}.");
        if elements.iter().any(|e| text(e, "path").starts_with(&children)) {
            let base = array(element, "type").first().map_or("BackboneElement", |t| text(t, "code"));
            nested.push((format!("{prefix}{name}"), base.to_owned()));
        } else {
            constraint_lines(type_name, element, false, out)?;
        }
    }
    for (nested_path, base) in nested {
        writeln!(out, "T\t{nested_path}\tnested\t{base}\t-\t")?;
        let taken: BTreeSet<String> = ["id", "extension", "modifierExtension"]
            .iter()
            .filter(|n| base == "BackboneElement" || **n != "modifierExtension")
            .map(|n| (*n).to_owned())
            .collect();
        type_body(type_name, &nested_path, elements, &taken, out)?;
    }
    Ok(())
}

fn element_line(path: &str, name: &str, element: &Value, out: &mut String) -> Result<()> {
    let max = text(element, "max");
    let min = element["min"].as_u64().unwrap_or(0);
    let types = if let Some(reference) = element["contentReference"].as_str() {
        reference.to_owned()
    } else {
        let own: Vec<String> = array(element, "type").iter().map(|t| element_type(path, name, t)).collect();
        own.join(" ")
    };
    let mut flags = String::new();
    for (flag, letter) in [("isSummary", 's'), ("isModifier", 'm')] {
        if element[flag] == true {
            flags.push(letter);
        }
    }
    let binding = element.get("binding").map_or_else(String::new, |b| {
        let strength = text(b, "strength").chars().next().unwrap_or('-');
        let value_set = text(b, "valueSet").split('|').next().unwrap_or("");
        if value_set.is_empty() { String::new() } else { format!("{strength} {value_set}") }
    });
    writeln!(out, "E\t{name}\t{min}\t{max}\t{types}\t{flags}\t{binding}")?;
    Ok(())
}

/// `code`, `Reference(Patient,Group)`, or `@` where the element has a nested type of its own.
fn element_type(path: &str, name: &str, kind: &Value) -> String {
    let code = text(kind, "code");
    if code.starts_with("http://hl7.org/fhirpath/System.") {
        // The table wants the FHIR type; `Resource.id` is published as a string, its text says id.
        if path == "Resource" && name == "id" {
            return "id".to_owned();
        }
        let declared = array(kind, "extension").iter().find_map(|x| x["valueUrl"].as_str());
        return declared.unwrap_or("string").to_owned();
    }
    if code == "BackboneElement" || (code == "Element" && path != "Element") {
        return "@".to_owned();
    }
    let targets: Vec<&str> = array(kind, "targetProfile")
        .iter()
        .filter_map(Value::as_str)
        .map(|t| t.strip_prefix(STRUCTURE).unwrap_or(t))
        .collect();
    if targets.is_empty() { code.to_owned() } else { format!("{code}({})", targets.join(",")) }
}

/// Constraints this definition itself states; those it takes over name another source.
fn constraint_lines(type_name: &str, element: &Value, is_root: bool, out: &mut String) -> Result<()> {
    for constraint in array(element, "constraint") {
        let source = text(constraint, "source").strip_prefix(STRUCTURE).unwrap_or(text(constraint, "source"));
        let is_own = source.is_empty() || source == type_name;
        let is_stated_elsewhere = matches!(text(constraint, "key"), "ele-1" | "ext-1");
        let repeats_root = is_stated_elsewhere && !(is_root && matches!(type_name, "Element" | "Extension"));
        if !is_own || repeats_root || text(constraint, "expression").is_empty() {
            continue;
        }
        let severity = if text(constraint, "severity") == "warning" { "w" } else { "e" };
        writeln!(
            out,
            "C\t{}\t{severity}\t{}\t{}",
            text(constraint, "key"),
            field(text(constraint, "expression")),
            field(text(constraint, "human"))
        )?;
    }
    Ok(())
}

/// One line a parameter. Where two definitions claim a code of one type, the one in the specification proper stands.
fn search_parameters(all: &[Value], structures: &BTreeSet<String>, out: &mut String) {
    let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
    let mut ordered: Vec<&Value> = all.iter().collect();
    ordered.sort_by_key(|p| (text(p, "id").starts_with("example"), text(p, "url").to_owned()));
    for parameter in ordered {
        let code = text(parameter, "code");
        let bases: Vec<&str> = array(parameter, "base")
            .iter()
            .filter_map(Value::as_str)
            .filter(|b| structures.contains(*b))
            .filter(|b| taken.insert(((*b).to_owned(), code.to_owned())))
            .collect();
        if bases.is_empty() {
            continue;
        }
        let targets: Vec<&str> = array(parameter, "target").iter().filter_map(Value::as_str).collect();
        let _ = writeln!(
            out,
            "S\t{code}\t{}\t{}\t{}\t{}\t{}",
            text(parameter, "type"),
            bases.join(","),
            targets.join(","),
            text(parameter, "url"),
            field(text(parameter, "expression"))
        );
        for component in array(parameter, "component") {
            let _ = writeln!(
                out,
                "P\t{}\t{}",
                text(component, "definition"),
                field(text(component, "expression"))
            );
        }
    }
}

fn compartments(all: &[Value], out: &mut String) {
    for compartment in
        all.iter().filter(|c| text(c, "url").starts_with("http://hl7.org/fhir/CompartmentDefinition/"))
    {
        if text(compartment, "id") == "example" {
            continue;
        }
        let _ = writeln!(out, "K\t{}", text(compartment, "code"));
        for resource in array(compartment, "resource") {
            let parameters: Vec<&str> = array(resource, "param").iter().filter_map(Value::as_str).collect();
            if !parameters.is_empty() {
                let _ = writeln!(out, "M\t{}\t{}", text(resource, "code"), parameters.join(" "));
            }
        }
    }
}

/// The display of every concept, by system and code.
type Displays<'a> = HashMap<(&'a str, &'a str), &'a str>;

fn code_systems<'a>(all: &'a [Value], out: &mut String) -> Displays<'a> {
    let mut displays = Displays::new();
    for system in all {
        let case = match system["caseSensitive"].as_bool() {
            Some(true) => "s",
            Some(false) => "i",
            None => "-",
        };
        let value_set = text(system, "valueSet").split('|').next().unwrap_or("");
        let _ = writeln!(
            out,
            "Y\t{}\t{case}\t{}\t{}\t{value_set}",
            text(system, "url"),
            text(system, "content"),
            field(text(system, "name"))
        );
        concepts(text(system, "url"), array(system, "concept"), 0, &mut displays, out);
    }
    displays
}

fn concepts<'a>(
    url: &'a str,
    list: &'a [Value],
    depth: usize,
    displays: &mut Displays<'a>,
    out: &mut String,
) {
    for concept in list {
        let (code, display) = (text(concept, "code"), text(concept, "display"));
        displays.insert((url, code), display);
        let _ = writeln!(out, "c\t{depth}\t{code}\t{}", field(display));
        concepts(url, array(concept, "concept"), depth + 1, displays, out);
    }
}

/// A value set repeats a display only where it differs from the code system's own.
fn value_sets(all: &[Value], displays: &Displays<'_>, out: &mut String) {
    for set in all {
        let _ = writeln!(out, "V\t{}\t{}", text(set, "url"), field(text(set, "name")));
        for (kind, letter) in [("include", 'i'), ("exclude", 'x')] {
            for part in array(&set["compose"], kind) {
                let sets: Vec<&str> = array(part, "valueSet").iter().filter_map(Value::as_str).collect();
                let _ = writeln!(out, "{letter}\t{}\t{}", text(part, "system"), sets.join(" "));
                for filter in array(part, "filter") {
                    let _ = writeln!(
                        out,
                        "f\t{}\t{}\t{}",
                        text(filter, "property"),
                        text(filter, "op"),
                        field(text(filter, "value"))
                    );
                }
                for concept in array(part, "concept") {
                    let (code, display) = (text(concept, "code"), text(concept, "display"));
                    let is_known = displays.get(&(text(part, "system"), code)) == Some(&display);
                    let _ =
                        writeln!(out, "v\t{code}\t{}", if is_known { String::new() } else { field(display) });
                }
            }
        }
    }
}
