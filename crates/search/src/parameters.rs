//! The search parameters of each resource type, numbered and compiled.
//!
//! A parameter's number is its place among its type's parameters in alphabetical order; it is one byte of every index
//! key. A change of the definitions may renumber them: [`Parameters::fingerprint`] stands in the log, and a hub whose
//! parameters differ from its log's indexes anew.
//!
//! *Covered parameters.* R4 defines many parameters twice: `patient` is `subject` where it is a Patient, `combo-code`
//! is `code` and `component-code`. Where a parameter's values are exactly those of others, it has no entries; queries
//! on it read theirs. That is a quarter of an Observation's index.

use std::sync::OnceLock;

use fhir::definitions::{SearchParameter, SearchParameterType};
use fhir::{TypeId, r4};
use fhirpath::Expression;
use rustc_hash::FxHashMap;

/// Where a parameter's entries are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Storage {
    /// Under its own number.
    Own,
    /// Under those of others of the same type: it is their union.
    Union(Vec<u8>),
    /// Under another's number, only references to this type.
    OnlyType(u8, TypeId),
    /// Nowhere: the store answers it from what it knows anyway (`_id`, `_lastUpdated`).
    Store,
    /// Nowhere: it cannot be searched here yet.
    Unsupported,
}

/// A part of a composite parameter, compiled.
#[derive(Clone, Debug)]
pub struct Component {
    /// The type of its value.
    pub kind: SearchParameterType,
    /// Its own parameter's code.
    pub code: &'static str,
    /// For references: the types that may be referred to.
    pub targets: Vec<TypeId>,
    /// From each value of the composite's own expression.
    pub expression: Expression,
}

/// A search parameter of one resource type.
#[derive(Debug)]
pub struct Parameter {
    /// Its number within the resource type.
    pub number: u8,
    /// The name in a query.
    pub code: &'static str,
    /// The type of its value.
    pub kind: SearchParameterType,
    /// Its definition.
    pub definition: &'static SearchParameter,
    /// For references: the types that may be referred to, concrete ones; empty means any.
    pub targets: Vec<TypeId>,
    /// What yields its values on this resource type.
    pub expressions: Vec<Expression>,
    /// The parts of a composite.
    pub components: Vec<Component>,
    /// Where its entries are.
    pub storage: Storage,
    /// The texts of `expressions`, to recognise the same ones elsewhere.
    parts: Vec<String>,
}

impl Parameter {
    /// The numbers its entries stand under.
    #[must_use]
    pub fn numbers(&self) -> Vec<u8> {
        match &self.storage {
            Storage::Own => vec![self.number],
            Storage::Union(numbers) => numbers.clone(),
            Storage::OnlyType(number, _) => vec![*number],
            Storage::Store | Storage::Unsupported => Vec::new(),
        }
    }
}

/// The search parameters of one resource type.
#[derive(Debug)]
pub struct ParameterSet {
    /// By number.
    pub parameters: Vec<Parameter>,
    by_code: FxHashMap<&'static str, u8>,
    /// The parameters that make a resource a member of the Patient compartment.
    pub patient_parameters: Vec<u8>,
}

impl ParameterSet {
    /// The parameter with this code.
    #[must_use]
    pub fn named(&self, code: &str) -> Option<&Parameter> {
        self.by_code.get(code).map(|number| &self.parameters[usize::from(*number)])
    }
}

/// The search parameters of all resource types.
#[derive(Debug)]
pub struct Parameters {
    sets: Vec<ParameterSet>,
    fingerprint: u64,
}

impl Parameters {
    /// Those of one resource type.
    #[must_use]
    pub fn of(&self, resource_type: TypeId) -> &ParameterSet {
        let number = r4().resource_number(resource_type).unwrap_or(0);
        &self.sets[usize::from(number)]
    }

    /// A number that changes when what is indexed under which number changes.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// R4's search parameters.
#[must_use]
pub fn parameters() -> &'static Parameters {
    static PARAMETERS: OnceLock<Parameters> = OnceLock::new();
    PARAMETERS.get_or_init(|| {
        let sets: Vec<ParameterSet> = r4().resource_types.iter().map(|t| parameter_set(*t)).collect();
        let fingerprint = fingerprint(&sets);
        Parameters { sets, fingerprint }
    })
}

/// FNV-1a over what decides the keys.
fn fingerprint(sets: &[ParameterSet]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    add(&crate::EXTRACTOR_VERSION.to_string());
    for set in sets {
        for parameter in &set.parameters {
            add(parameter.code);
            add(parameter.kind.code());
            add(&format!("{:?}", parameter.storage));
            parameter.parts.iter().for_each(|p| add(p));
            parameter.components.iter().for_each(|c| add(c.expression.text()));
        }
    }
    hash
}

fn parameter_set(resource_type: TypeId) -> ParameterSet {
    let mut parameters: Vec<Parameter> = r4()
        .search_parameters(resource_type)
        .enumerate()
        .map(|(number, definition)| {
            compile(resource_type, u8::try_from(number).unwrap_or(u8::MAX), definition)
        })
        .collect();
    for at in 0..parameters.len() {
        if parameters[at].storage == Storage::Own {
            parameters[at].storage = covered(&parameters, at).unwrap_or(Storage::Own);
            if let Storage::OnlyType(_, only) = parameters[at].storage {
                parameters[at].targets = vec![only];
            }
        }
    }
    let by_code: FxHashMap<&'static str, u8> = parameters.iter().map(|p| (p.code, p.number)).collect();
    let patient_parameters = r4().compartment("Patient").map_or(&[][..], |c| c.parameters(resource_type));
    let patient_parameters =
        patient_parameters.iter().filter_map(|code| by_code.get(code).copied()).collect();
    ParameterSet { parameters, by_code, patient_parameters }
}

fn compile(resource_type: TypeId, number: u8, definition: &'static SearchParameter) -> Parameter {
    let parts: Vec<String> = union_parts(definition.expression)
        .into_iter()
        .filter(|part| applies(resource_type, part))
        .map(|part| mend(strip_parentheses(part)))
        .collect();
    let expressions: Vec<Expression> = parts.iter().filter_map(|p| Expression::parse(p).ok()).collect();
    let components: Vec<Component> = definition
        .components
        .iter()
        .filter_map(|component| {
            let own = r4().search_parameter_at(component.definition)?;
            let expression = Expression::parse(&mend(component.expression)).ok()?;
            let targets = concrete(&own.targets);
            Some(Component { kind: own.kind, code: own.code, targets, expression })
        })
        .collect();
    let is_whole = expressions.len() == parts.len() && components.len() == definition.components.len();
    let storage = match (definition.code, definition.kind) {
        ("_id" | "_lastUpdated", _) => Storage::Store,
        (_, SearchParameterType::Special) => Storage::Unsupported,
        (_, SearchParameterType::Composite) if components.len() < 2 => Storage::Unsupported,
        _ if expressions.is_empty() || !is_whole => Storage::Unsupported,
        _ => Storage::Own,
    };
    Parameter {
        number,
        code: definition.code,
        kind: definition.kind,
        definition,
        targets: concrete(&definition.targets),
        expressions,
        components,
        storage,
        parts,
    }
}

/// Any resource type at all is written as an empty list.
fn concrete(targets: &[TypeId]) -> Vec<TypeId> {
    if targets.len() >= r4().resource_types.len() { Vec::new() } else { targets.to_vec() }
}

/// R4 writes `value.as(DateTime)` where it means the FHIR type `dateTime`.
fn mend(expression: &str) -> String {
    expression.replace(".as(DateTime)", ".as(dateTime)")
}

/// The parts of a union at its top level.
fn union_parts(expression: &str) -> Vec<&str> {
    let (mut depth, mut start, mut is_text) = (0usize, 0, false);
    let mut parts = Vec::new();
    for (at, byte) in expression.bytes().enumerate() {
        match byte {
            b'\'' => is_text = !is_text,
            b'(' if !is_text => depth += 1,
            b')' if !is_text => depth = depth.saturating_sub(1),
            b'|' if !is_text && depth == 0 => {
                parts.push(expression[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(expression[start..].trim());
    parts.retain(|p| !p.is_empty());
    parts
}

/// `(a as b)` → `a as b`.
fn strip_parentheses(part: &str) -> &str {
    let Some(inner) = part.strip_prefix('(').and_then(|p| p.strip_suffix(')')) else { return part };
    // `(a).b(c)` begins and ends with parentheses that are not a pair.
    let mut depth = 0i32;
    let is_pair = inner.bytes().all(|b| {
        depth += i32::from(b == b'(') - i32::from(b == b')');
        depth >= 0
    });
    if is_pair { inner } else { part }
}

/// Whether a part speaks of this resource type: it begins with its name or that of a base type.
fn applies(resource_type: TypeId, part: &str) -> bool {
    let root: String =
        part.chars().skip_while(|c| *c == '(').take_while(char::is_ascii_alphanumeric).collect();
    r4().type_named(&root).is_none_or(|t| r4().is_a(resource_type, t))
}

/// The parameters whose entries are exactly this one's, if there are such.
fn covered(parameters: &[Parameter], at: usize) -> Option<Storage> {
    let wanted = &parameters[at];
    if wanted.kind == SearchParameterType::Reference {
        let suffix = |part: &str| {
            let (path, rest) = part.split_once(".where(resolve() is ")?;
            let target = r4().resource_type(rest.strip_suffix(')')?)?;
            Some((path.to_owned(), target))
        };
        if let [part] = wanted.parts.as_slice()
            && let Some((path, target)) = suffix(part)
        {
            let other = parameters.iter().find(|p| p.kind == wanted.kind && p.parts == [path.as_str()])?;
            return Some(Storage::OnlyType(other.number, target));
        }
    }
    // The same values under an earlier name.
    let same =
        |p: &Parameter| p.kind == wanted.kind && components_agree(p, wanted) && p.storage == Storage::Own;
    let covers = |p: &&Parameter| same(p) && p.parts.iter().all(|part| wanted.parts.contains(part));
    if let Some(twin) = parameters[..at].iter().find(|p| same(p) && p.parts == wanted.parts) {
        return Some(Storage::Union(vec![twin.number]));
    }
    let smaller: Vec<&Parameter> = parameters
        .iter()
        .filter(|p| p.number != wanted.number && p.parts.len() < wanted.parts.len())
        .filter(covers)
        .collect();
    let is_complete = wanted.parts.iter().all(|part| smaller.iter().any(|p| p.parts.contains(part)));
    (is_complete && smaller.len() > 1 && smaller.len() < 4)
        .then(|| Storage::Union(smaller.iter().map(|p| p.number).collect()))
}

fn components_agree(a: &Parameter, b: &Parameter) -> bool {
    a.components.len() == b.components.len()
        && a.components
            .iter()
            .zip(&b.components)
            .all(|(x, y)| x.kind == y.kind && x.expression.text() == y.expression.text())
        && a.targets == b.targets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(resource: &str, code: &str) -> String {
        let set = parameters().of(r4().resource_type(resource).unwrap());
        let name = |number: &u8| set.parameters[usize::from(*number)].code;
        match &set.named(code).unwrap().storage {
            Storage::Own => "own".to_owned(),
            Storage::Union(numbers) => numbers.iter().map(name).collect::<Vec<_>>().join("+"),
            Storage::OnlyType(number, target) => format!("{}:{}", name(number), r4().type_name(*target)),
            Storage::Store => "store".to_owned(),
            Storage::Unsupported => "unsupported".to_owned(),
        }
    }

    #[test]
    fn what_others_hold_is_not_held_twice() {
        assert_eq!(storage("Observation", "patient"), "subject:Patient");
        assert_eq!(storage("Observation", "combo-code"), "code+component-code");
        assert_eq!(
            storage("Observation", "combo-code-value-quantity"),
            "code-value-quantity+component-code-value-quantity"
        );
        assert_eq!(storage("Observation", "combo-value-quantity"), "component-value-quantity+value-quantity");
        assert_eq!(storage("Observation", "code"), "own");
        assert_eq!(storage("Patient", "name"), "own");
        assert_eq!(storage("Patient", "phonetic"), "name");
        assert_eq!(storage("Patient", "_id"), "store");
        assert_eq!(storage("Location", "near"), "unsupported");
    }

    #[test]
    fn nothing_covers_itself_in_a_circle() {
        for resource_type in &r4().resource_types {
            let set = parameters().of(*resource_type);
            for parameter in &set.parameters {
                if matches!(parameter.storage, Storage::Union(_) | Storage::OnlyType(..)) {
                    for number in parameter.numbers() {
                        assert_eq!(
                            set.parameters[usize::from(number)].storage,
                            Storage::Own,
                            "{}",
                            parameter.code
                        );
                    }
                }
            }
            assert!(set.parameters.len() < 200);
        }
    }

    #[test]
    fn what_is_not_searchable_is_known_by_name() {
        let mut found: Vec<String> = Vec::new();
        for resource_type in &r4().resource_types {
            for parameter in &parameters().of(*resource_type).parameters {
                let code = parameter.code;
                if parameter.storage == Storage::Unsupported
                    && !matches!(code, "_content" | "_text" | "_query" | "_filter")
                {
                    found.push(format!("{}.{code}", r4().type_name(*resource_type)));
                }
            }
        }
        assert_eq!(
            found,
            ["Location.near", "Patient.age", "Patient.birthOrderBoolean", "Patient.part-agree"]
        );
    }
}
