//! Resource → index entries.

use std::borrow::Cow;

use fhir::definitions::{SearchParameterType as Kind, TypeKind};
use fhir::primitive::Primitive;
use fhir::{DateTime, Decimal, ElementId, NodeRef, Reference, r4};
use fhirpath::{Context, Expression, Item, Value};
use rustc_hash::FxHashMap;

use crate::entry::{Entry, KeyWriter, LinkTarget};
use crate::key::date::Interval;
use crate::key::number::Extent;
use crate::key::{date, number, quantity, reference, string, token, uri};
use crate::parameters::{Component, Parameter, Storage, parameters};
use crate::zone::Zone;

/// More combinations than this of a composite's parts are not listed; the resource is refused with the place named.
const MAX_COMBINATIONS: usize = 10_000;

/// The parameter number of references that no search parameter yields. Nothing searches by it; it is how those who refer to a
/// resource are found.
pub const OTHER_REFERENCES: u8 = 254;

/// What a resource says to the index.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Its entries, without repetition, ordered by parameter and key.
    pub entries: Vec<Entry>,
    /// The id of the Patient whose record it belongs to, if it belongs to one: its own if it is a Patient, else the
    /// first one it refers to through a parameter of the Patient compartment.
    pub person: Option<String>,
    /// References that are searches (`Patient?identifier=…`), to be resolved when it is committed; each once.
    pub conditional: Vec<String>,
}

/// The index entries of the resource at `resource`, whose references are resolved and whose id is `id`.
///
/// # Errors
/// A sentence naming the parameter whose values cannot be listed.
pub fn extract(resource: NodeRef<'_>, id: &str, zone: &Zone) -> Result<Extracted, String> {
    let set = parameters().of(resource.value_type());
    let context = Context::new(resource);
    let mut extraction = Extraction { zone, resource, context: &context, entries: Vec::with_capacity(32) };
    for parameter in set.parameters.iter().filter(|p| p.storage == Storage::Own) {
        extraction.parameter(parameter)?;
    }
    let mut entries = extraction.entries;
    let conditional = other_references(resource, &mut entries);
    entries.sort_by(|a, b| {
        (a.parameter, &a.key, &a.extra).cmp(&(b.parameter, &b.key, &b.extra)).then_with(|| order_links(a, b))
    });
    entries.dedup();
    let person = if resource.value_type() == r4().well_known().patient {
        Some(id.to_owned())
    } else {
        person(
            &entries,
            set.patient_parameters.iter().flat_map(|n| set.parameters[usize::from(*n)].numbers()),
        )
    };
    Ok(Extracted { entries, person, conditional })
}

/// Adds entries for the references to resources of this hub that no parameter yields; returns those that are searches.
fn other_references(resource: NodeRef<'_>, entries: &mut Vec<Entry>) -> Vec<String> {
    let set = parameters().of(resource.value_type());
    // What stands in a Bundle or in Parameters refers to what stands beside it.
    let is_envelope = matches!(resource.type_name(), "Bundle" | "Parameters");
    let reference_type = r4().well_known().reference;
    let is_reference =
        |e: &Entry| set.parameters.get(usize::from(e.parameter)).is_some_and(|p| p.kind == Kind::Reference);
    // Sorted: a list may have hundreds of thousands of members.
    let mut known: Vec<(fhir::TypeId, String)> = Vec::new();
    for entry in entries.iter().filter(|e| is_reference(e)) {
        known.extend(entry.links.iter().filter_map(|link| match &link.target {
            LinkTarget::Resource(resource_type, id) => Some((*resource_type, id.clone())),
            LinkTarget::System(_) => None,
        }));
    }
    known.sort_unstable();
    let mut conditional = Vec::new();
    for node in resource.descendants().filter(|n| n.value_type() == reference_type) {
        let Some(text) = text_of(node, "reference") else { continue };
        match Reference::parse(&text) {
            Reference::Conditional { .. } => conditional.push(text.into_owned()),
            Reference::Rest { base: "", resource_type, id, .. } if !is_envelope => {
                let order =
                    |(t, known): &(fhir::TypeId, String)| (*t, known.as_str()).cmp(&(resource_type, id));
                if known.binary_search_by(order).is_err() {
                    let key = with(|k| k.key = reference::by_id(resource_type, id));
                    entries.push(key.entry(OTHER_REFERENCES));
                }
            }
            _ => {}
        }
    }
    conditional.sort_unstable();
    conditional.dedup();
    conditional
}

/// Links are part of what an entry says, so they are part of its order.
fn order_links(a: &Entry, b: &Entry) -> std::cmp::Ordering {
    let texts = |e: &Entry| -> Vec<(u16, String)> {
        e.links.iter().map(|l| (l.at, format!("{:?}", l.target))).collect()
    };
    texts(a).cmp(&texts(b))
}

/// The first Patient referred to, by the order of the compartment's parameters.
fn person(entries: &[Entry], numbers: impl Iterator<Item = u8>) -> Option<String> {
    let patient = r4().well_known().patient;
    let mut numbers = numbers;
    numbers.find_map(|number| {
        entries.iter().filter(|e| e.parameter == number).flat_map(|e| &e.links).find_map(|link| {
            match &link.target {
                LinkTarget::Resource(resource_type, id) if *resource_type == patient => Some(id.clone()),
                _ => None,
            }
        })
    })
}

struct Extraction<'a, 'c> {
    zone: &'c Zone,
    resource: NodeRef<'a>,
    context: &'c Context<'a, 'c>,
    entries: Vec<Entry>,
}

impl<'a> Extraction<'a, '_> {
    fn parameter(&mut self, parameter: &Parameter) -> Result<(), String> {
        for expression in &parameter.expressions {
            for item in self.items(expression, None) {
                if parameter.kind == Kind::Composite {
                    self.composite(parameter, &item)?;
                } else {
                    let keys = self.keys(parameter.kind, &item);
                    self.entries.extend(keys.into_iter().map(|k| k.entry(parameter.number)));
                }
            }
        }
        Ok(())
    }

    /// What an expression yields; one that fails on this resource yields nothing.
    fn items(&self, expression: &Expression, focus: Option<NodeRef<'a>>) -> Vec<Item<'a>> {
        let context = Context { focus: focus.unwrap_or(self.resource), ..*self.context };
        expression.evaluate(&context).unwrap_or_default()
    }

    /// Every combination of the parts' values at one place of the resource.
    fn composite(&mut self, parameter: &Parameter, item: &Item<'a>) -> Result<(), String> {
        let Some(node) = item.node() else { return Ok(()) };
        let part_keys = |component: &Component| -> Vec<KeyWriter> {
            let items = self.items(&component.expression, Some(node));
            items.iter().flat_map(|i| self.keys(component.kind, i)).collect()
        };
        let parts: Vec<Vec<KeyWriter>> = parameter.components.iter().map(part_keys).collect();
        let combinations = parts.iter().map(Vec::len).fold(1usize, usize::saturating_mul);
        if combinations > MAX_COMBINATIONS {
            return Err(format!(
                "{} has {combinations} combinations of values in one element; at most {MAX_COMBINATIONS} can be searched",
                parameter.code
            ));
        }
        for combination in 0..combinations {
            let mut rest = combination;
            let mut whole = KeyWriter::default();
            for part in &parts {
                append(&mut whole, &part[rest % part.len()]);
                rest /= part.len();
            }
            self.entries.push(whole.entry(parameter.number));
        }
        Ok(())
    }

    /// The keys of one value (<https://hl7.org/fhir/R4/search.html#table>).
    fn keys(&self, kind: Kind, item: &Item<'a>) -> Vec<KeyWriter> {
        match kind {
            Kind::Token => tokens(item),
            Kind::String => strings(item),
            Kind::Date => self.dates(item),
            Kind::Number => {
                extent(item).map(|e| with(|k| number::write(&mut k.key, &e))).into_iter().collect()
            }
            Kind::Quantity => quantities(item),
            Kind::Reference => references(item),
            Kind::Uri => item
                .node()
                .and_then(NodeRef::value)
                .map(|v| with(|k| uri::write(k, &v)))
                .into_iter()
                .collect(),
            Kind::Composite | Kind::Special => Vec::new(),
        }
    }

    fn dates(&self, item: &Item<'a>) -> Vec<KeyWriter> {
        let Some(node) = item.node() else { return Vec::new() };
        let interval = match node.type_name() {
            "date" | "dateTime" | "instant" => self.moment(Some(node)),
            "Period" => self.period(node),
            "Timing" => self.timing(node),
            _ => None,
        };
        interval.map(|i| with(|k| date::write(&mut k.key, &i))).into_iter().collect()
    }

    fn moment(&self, node: Option<NodeRef<'a>>) -> Option<Interval> {
        let (start, end) = DateTime::parse(&node?.value()?)?.interval(self.zone);
        Some(Interval { start: start.max(Interval::BEGINNING), end: end.min(Interval::END) })
    }

    /// A period without start or end is open there.
    fn period(&self, node: NodeRef<'a>) -> Option<Interval> {
        let (start, end) = (self.moment(node.child("start")), self.moment(node.child("end")));
        if start.is_none() && end.is_none() {
            return None;
        }
        let start = start.map_or(Interval::BEGINNING, |i| i.start);
        // A period that ends before it begins still has a place: its beginning.
        let end = end.map_or(Interval::END, |i| i.end).max(start.saturating_add(1));
        Some(Interval { start, end })
    }

    /// The outer limits of a schedule (`search.html#date`: "only the outer limits matter").
    fn timing(&self, node: NodeRef<'a>) -> Option<Interval> {
        let events = node.all("event").filter_map(|e| self.moment(Some(e)));
        let bounds =
            node.path("repeat.bounds").filter(|b| b.type_name() == "Period").and_then(|b| self.period(b));
        events.chain(bounds).reduce(|a, b| Interval { start: a.start.min(b.start), end: a.end.max(b.end) })
    }
}

fn with(fill: impl FnOnce(&mut KeyWriter)) -> KeyWriter {
    let mut writer = KeyWriter::default();
    fill(&mut writer);
    writer
}

/// Appends a part of a composite. Extras are joined with their lengths, so that each part finds its own.
fn append(whole: &mut KeyWriter, part: &KeyWriter) {
    let base = u16::try_from(whole.key.len()).unwrap_or(u16::MAX);
    whole.key.extend_from_slice(&part.key);
    whole.links.extend(part.links.iter().cloned().map(|mut link| {
        link.at += base;
        link
    }));
    let length = u32::try_from(part.extra.len()).unwrap_or(u32::MAX);
    whole.extra.extend_from_slice(&length.to_be_bytes());
    whole.extra.extend_from_slice(&part.extra);
}

/// The extra of a composite's part.
#[must_use]
pub(crate) fn part_extra(extra: &[u8], part: usize) -> &[u8] {
    let mut rest = extra;
    for at in 0..=part {
        let Some((length, tail)) = rest.split_first_chunk::<4>() else { return &[] };
        let length = u32::from_be_bytes(*length) as usize;
        let Some((own, tail)) = tail.split_at_checked(length) else { return &[] };
        if at == part {
            return own;
        }
        rest = tail;
    }
    &[]
}

fn text_of<'a>(node: NodeRef<'a>, name: &str) -> Option<Cow<'a, str>> {
    node.child(name)?.value()
}

fn token_key(system: Option<&str>, code: &str) -> KeyWriter {
    with(|k| token::write(k, system, code))
}

fn tokens(item: &Item<'_>) -> Vec<KeyWriter> {
    const BOOLEANS: &str = "http://hl7.org/fhir/special-values";
    let Some(node) = item.node() else {
        return match item.value().as_deref() {
            Some(Value::Boolean(b)) => vec![token_key(Some(BOOLEANS), if *b { "true" } else { "false" })],
            Some(Value::String(text)) => vec![token_key(None, text)],
            _ => Vec::new(),
        };
    };
    match node.type_name() {
        "CodeableConcept" => node.all("coding").filter_map(coding).collect(),
        "Coding" => coding(node).into_iter().collect(),
        "Identifier" => {
            let value = text_of(node, "value");
            value.map(|v| token_key(text_of(node, "system").as_deref(), &v)).into_iter().collect()
        }
        "ContactPoint" => text_of(node, "value").map(|v| token_key(None, &v)).into_iter().collect(),
        "boolean" => node.value().map(|v| token_key(Some(BOOLEANS), &v)).into_iter().collect(),
        "code" => {
            node.value().map(|v| token_key(implied_system(node.node().element), &v)).into_iter().collect()
        }
        _ if node.type_definition().kind == TypeKind::Primitive => {
            node.value().map(|v| token_key(None, &v)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn coding(node: NodeRef<'_>) -> Option<KeyWriter> {
    let (system, code) = (text_of(node, "system"), text_of(node, "code"));
    if system.is_none() && code.is_none() {
        return None;
    }
    Some(token_key(system.as_deref(), code.as_deref().unwrap_or("")))
}

/// The system of an element of type `code`: the one its value set draws from, if that is one.
fn implied_system(element: ElementId) -> Option<&'static str> {
    static SYSTEMS: std::sync::OnceLock<FxHashMap<ElementId, &'static str>> = std::sync::OnceLock::new();
    let systems = SYSTEMS.get_or_init(|| {
        let elements = (0u16..).zip(&r4().elements);
        elements
            .filter_map(|(at, e)| {
                Some((ElementId(at), r4().terminology().only_system(e.binding?.value_set)?))
            })
            .collect()
    });
    systems.get(&element).copied()
}

fn string_key(text: &str) -> Option<KeyWriter> {
    let mut writer = KeyWriter::default();
    string::write(&mut writer, text).then_some(writer)
}

fn strings(item: &Item<'_>) -> Vec<KeyWriter> {
    let Some(node) = item.node() else {
        return item.string().and_then(|t| string_key(&t)).into_iter().collect();
    };
    let parts: &[&str] = match node.type_name() {
        "HumanName" => &["family", "given", "prefix", "suffix", "text"],
        "Address" => &["line", "city", "district", "state", "country", "postalCode", "text"],
        "CodeableConcept" => &["text"],
        "Coding" => &["display"],
        "Annotation" => &["text"],
        "ContactPoint" | "Identifier" => &["value"],
        _ => return node.value().and_then(|t| string_key(&t)).into_iter().collect(),
    };
    let texts = parts.iter().flat_map(|name| node.all(name)).filter_map(NodeRef::value);
    texts.filter_map(|t| string_key(&t)).collect()
}

fn decimal(node: Option<NodeRef<'_>>) -> Option<Decimal> {
    Decimal::parse(&node?.value()?)
}

/// A value as a number or a range of numbers.
fn extent(item: &Item<'_>) -> Option<Extent> {
    let node = item.node()?;
    match node.type_name() {
        "Range" => {
            let end = |name| decimal(node.child(name).and_then(|q| q.child("value")));
            range(end("low"), end("high"))
        }
        "SampledData" => sampled(node),
        _ if r4().is_a(node.value_type(), r4().well_known().quantity) => {
            let value = decimal(node.child("value"))?;
            Some(match text_of(node, "comparator").as_deref() {
                Some("<" | "<=") => Extent::Range(None, Some(value)),
                Some(">" | ">=") => Extent::Range(Some(value), None),
                _ => Extent::Point(value),
            })
        }
        "Money" => decimal(node.child("value")).map(Extent::Point),
        _ => match node.type_definition().primitive? {
            Primitive::Decimal | Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => {
                decimal(Some(node)).map(Extent::Point)
            }
            _ => None,
        },
    }
}

fn range(low: Option<Decimal>, high: Option<Decimal>) -> Option<Extent> {
    (low.is_some() || high.is_some()).then_some(Extent::Range(low, high))
}

/// Sampled data covers the range of its samples: `origin + factor × sample`.
fn sampled(node: NodeRef<'_>) -> Option<Extent> {
    let origin: f64 = node.text_at("origin.value")?.parse().ok()?;
    let factor: f64 = text_of(node, "factor").map_or(Some(1.0), |f| f.parse().ok())?;
    let data = text_of(node, "data")?;
    let samples =
        data.split_ascii_whitespace().filter_map(|s| s.parse::<f64>().ok()).map(|s| origin + factor * s);
    let (low, high) =
        samples.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), s| (low.min(s), high.max(s)));
    range(Decimal::parse(&low.to_string()), Decimal::parse(&high.to_string()))
}

fn quantities(item: &Item<'_>) -> Vec<KeyWriter> {
    let (Some(extent), Some(node)) = (extent(item), item.node()) else { return Vec::new() };
    let mut keys = Vec::new();
    match node.type_name() {
        "Money" => {
            let currency = text_of(node, "currency").unwrap_or_default();
            keys.push(with(|k| quantity::write(k, Some("urn:iso:std:iso:4217"), &currency, &extent)));
        }
        "Range" | "SampledData" => {
            let carrier = ["low", "high", "origin"].iter().find_map(|name| node.child(name));
            unit_keys(carrier.unwrap_or(node), &extent, &mut keys);
        }
        _ => unit_keys(node, &extent, &mut keys),
    }
    keys
}

/// By code, and by the unit's text where it differs.
fn unit_keys(node: NodeRef<'_>, extent: &Extent, keys: &mut Vec<KeyWriter>) {
    let (system, code, unit) = (text_of(node, "system"), text_of(node, "code"), text_of(node, "unit"));
    match (&code, &unit) {
        (Some(code), _) => keys.push(with(|k| quantity::write(k, system.as_deref(), code, extent))),
        (None, unit) => {
            keys.push(with(|k| quantity::write(k, system.as_deref(), unit.as_deref().unwrap_or(""), extent)))
        }
    }
    if let (Some(code), Some(unit)) = (&code, &unit)
        && code != unit
    {
        keys.push(with(|k| quantity::write_by_text(k, unit, extent)));
    }
}

fn references(item: &Item<'_>) -> Vec<KeyWriter> {
    let Some(node) = item.node() else { return Vec::new() };
    if node.is_resource() {
        // Bundle.composition and Bundle.message point at an entry of the Bundle itself.
        let own = node.id().map(|id| with(|k| reference::write_local(k, node.value_type(), &id, None)));
        return own.into_iter().collect();
    }
    let mut keys = Vec::new();
    let is_reference = r4().is_a(node.value_type(), r4().well_known().reference);
    let literal = if is_reference { text_of(node, "reference") } else { node.value() };
    if let Some(text) = literal.filter(|t| !t.is_empty()) {
        match Reference::parse(&text) {
            Reference::Contained(_) => {}
            Reference::Rest { base: "", resource_type, id, version } => {
                keys.push(with(|k| reference::write_local(k, resource_type, id, version)));
            }
            _ => keys.push(with(|k| reference::write_uri(k, &text))),
        }
    }
    if is_reference
        && let Some(identifier) = node.child("identifier")
        && let Some(value) = text_of(identifier, "value")
    {
        keys.push(with(|k| reference::write_identifier(k, text_of(identifier, "system").as_deref(), &value)));
    }
    keys
}
