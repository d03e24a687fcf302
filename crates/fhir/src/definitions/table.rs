//! Reads `definitions/r4.table`.
//!
//! One line a fact, fields separated by tabs, the first field names the kind:
//!
//! | kind | fields | meaning |
//! |---|---|---|
//! | `T` | name, kind, base, `abstract` or `-`, pattern | a type; the lines up to the next `T` belong to it |
//! | `E` | name, min, max, types, flags, binding | an element; types are separated by spaces, `@` is the nested type of the same path, `#Bundle.link` the type at that path, `Reference(Patient,Group)` lists targets; flags `s` summary, `m` modifier; binding is `r`, `e`, `p` or `x` and a value set |
//! | `C` | key, `e` or `w`, expression, words | a constraint on the element or type just above |
//! | `S` | code, type, bases, targets, URL, expression | a search parameter |
//! | `P` | definition, expression | a part of the composite just above |
//! | `K` | name | a compartment |
//! | `M` | type, parameters | a member type of the compartment just above |
//! | `Y` | URL, `s` `i` `-`, content, name, value set | a code system, with its case sensitivity |
//! | `c` | depth, code, display | a concept of the code system just above |
//! | `V` | URL, name | a value set |
//! | `i` `x` | system, value sets | an include or exclude of the value set just above |
//! | `f` | property, operator, value | a filter of the part just above |
//! | `v` | code, display | a concept of the part just above; an empty display is the code system's own |
//!
//! The table is written by our own `xtask` and compiled in, so a line that does not parse is skipped, not reported;
//! the tests of this crate count what must be there.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::{
    Binding, BindingStrength, Compartment, Constraint, Definitions, ElementDefinition, ElementId,
    ElementType, NameId, Property, SearchComponent, SearchParameter, SearchParameterType, TypeDefinition,
    TypeId, TypeKind, WellKnown,
};
use crate::primitive::Primitive;

/// An element as its line says it, before the types it names are known.
struct RawElement {
    element: ElementId,
    types: &'static str,
}

#[derive(Default)]
struct Reading {
    types: Vec<TypeDefinition>,
    bases: Vec<&'static str>,
    own_elements: Vec<Vec<RawElement>>,
    elements: Vec<ElementDefinition>,
    names: Vec<&'static str>,
    name_ids: FxHashMap<&'static str, NameId>,
    search_parameters: Vec<SearchParameter>,
    compartments: Vec<Compartment>,
    by_name: FxHashMap<&'static str, TypeId>,
    last_was_element: bool,
}

pub(super) fn read(text: &'static str) -> Definitions {
    let terminology_at = text.find("\nY\t").map_or(text.len(), |at| at + 1);
    let (structure, terminology_text) = text.split_at(terminology_at);
    let mut reading = Reading::default();
    // Types first: search parameters and compartments name them.
    for line in structure.lines().filter(|l| l.starts_with("T\t")) {
        reading.type_line(line);
    }
    let mut current = 0;
    for line in structure.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or("");
        match kind {
            "T" => {
                current = reading.by_name.get(fields.next().unwrap_or("")).map_or(0, |id| usize::from(id.0));
                reading.last_was_element = false;
            }
            "E" => reading.element_line(current, fields),
            "C" => reading.constraint_line(current, fields),
            "S" => reading.search_parameter_line(fields),
            "P" => reading.component_line(fields),
            "K" => {
                let name = fields.next().unwrap_or("");
                reading.compartments.push(Compartment { name, members: Vec::new() });
            }
            "M" => reading.member_line(fields),
            _ => {}
        }
    }
    reading.finish(terminology_text)
}

impl Reading {
    fn type_line(&mut self, line: &'static str) {
        let mut fields = line.split('\t').skip(1);
        let mut next = || fields.next().unwrap_or("");
        let (name, kind, base, is_abstract, pattern) = (next(), next(), next(), next(), next());
        let kind = match kind {
            "primitive" => TypeKind::Primitive,
            "complex" => TypeKind::Complex,
            "resource" => TypeKind::Resource,
            _ => TypeKind::Nested,
        };
        let id = TypeId(u16::try_from(self.types.len()).unwrap_or(u16::MAX));
        self.by_name.insert(name, id);
        self.bases.push(base);
        self.own_elements.push(Vec::new());
        self.types.push(TypeDefinition {
            name,
            kind,
            base: None,
            is_abstract: is_abstract == "abstract",
            pattern,
            elements: Vec::new(),
            constraints: Vec::new(),
            properties: FxHashMap::default(),
            required: Vec::new(),
            primitive: (kind == TypeKind::Primitive).then(|| Primitive::from_name(name)).flatten(),
            is_resource: kind == TypeKind::Resource,
        });
    }

    fn name_id(&mut self, name: &'static str) -> NameId {
        let next = NameId(u16::try_from(self.names.len()).unwrap_or(u16::MAX));
        let names = &mut self.names;
        *self.name_ids.entry(name).or_insert_with(|| {
            names.push(name);
            next
        })
    }

    fn element_line(&mut self, owner: usize, mut fields: std::str::Split<'static, char>) {
        let mut next = || fields.next().unwrap_or("");
        let (published_name, min, max, types, flags, binding) =
            (next(), next(), next(), next(), next(), next());
        let name = published_name.strip_suffix("[x]").unwrap_or(published_name);
        let name_id = self.name_id(name);
        let binding = binding.split_once(' ').map(|(strength, value_set)| Binding {
            strength: match strength {
                "r" => BindingStrength::Required,
                "e" => BindingStrength::Extensible,
                "p" => BindingStrength::Preferred,
                _ => BindingStrength::Example,
            },
            value_set,
        });
        let element = ElementId(u16::try_from(self.elements.len()).unwrap_or(u16::MAX));
        self.elements.push(ElementDefinition {
            published_name,
            name,
            name_id,
            min: min.parse().unwrap_or(0),
            max: max.parse().ok(),
            types: Vec::new(),
            is_choice: name.len() != published_name.len(),
            is_summary: flags.contains('s'),
            is_modifier: flags.contains('m'),
            binding,
            constraints: Vec::new(),
        });
        self.own_elements[owner].push(RawElement { element, types });
        self.last_was_element = true;
    }

    fn constraint_line(&mut self, owner: usize, mut fields: std::str::Split<'static, char>) {
        let mut next = || fields.next().unwrap_or("");
        let (key, severity, expression, human) = (next(), next(), next(), next());
        let constraint = Constraint { key, is_error: severity == "e", expression, human };
        match self.elements.last_mut() {
            Some(element) if self.last_was_element => element.constraints.push(constraint),
            _ => self.types[owner].constraints.push(constraint),
        }
    }

    fn types_named(&self, list: &'static str) -> Vec<TypeId> {
        list.split(',').filter_map(|name| self.by_name.get(name).copied()).collect()
    }

    fn search_parameter_line(&mut self, mut fields: std::str::Split<'static, char>) {
        let mut next = || fields.next().unwrap_or("");
        let (code, kind, bases, targets, url, expression) = (next(), next(), next(), next(), next(), next());
        let Some(kind) = SearchParameterType::from_code(kind) else { return };
        self.search_parameters.push(SearchParameter {
            code,
            kind,
            bases: self.types_named(bases),
            targets: self.types_named(targets),
            url,
            expression,
            components: Vec::new(),
        });
    }

    fn component_line(&mut self, mut fields: std::str::Split<'static, char>) {
        let definition = fields.next().unwrap_or("");
        let expression = fields.next().unwrap_or("");
        if let Some(parameter) = self.search_parameters.last_mut() {
            parameter.components.push(SearchComponent { definition, expression });
        }
    }

    fn member_line(&mut self, mut fields: std::str::Split<'static, char>) {
        let member = fields.next().and_then(|name| self.by_name.get(name).copied());
        let parameters = fields.next().unwrap_or("").split(' ').collect();
        if let (Some(member), Some(compartment)) = (member, self.compartments.last_mut()) {
            compartment.members.push((member, parameters));
        }
    }

    fn finish(mut self, terminology_text: &'static str) -> Definitions {
        for at in 0..self.types.len() {
            self.types[at].base = self.by_name.get(self.bases[at]).copied();
        }
        for at in 0..self.types.len() {
            let name = self.types[at].name;
            for raw in &self.own_elements[at] {
                let element = &mut self.elements[usize::from(raw.element.0)];
                element.types = element_types(raw.types, name, element.name, &self.by_name);
            }
        }
        // A type follows its base in the table, so the base's elements are complete when its turn comes.
        for at in 0..self.types.len() {
            let inherited =
                self.types[at].base.map_or_else(Vec::new, |b| self.types[usize::from(b.0)].elements.clone());
            let own = self.own_elements[at].iter().map(|raw| raw.element);
            self.types[at].elements = inherited.into_iter().chain(own).collect();
        }
        self.types.iter_mut().for_each(|t| fill_properties(t, &self.elements, &self.by_name));
        let primitives: Vec<bool> = self.types.iter().map(|t| t.kind == TypeKind::Primitive).collect();
        for t in &mut self.types {
            add_companions(t, &primitives);
        }
        let mut resource_types: Vec<TypeId> = self
            .by_name
            .values()
            .copied()
            .filter(|id| {
                let t = &self.types[usize::from(id.0)];
                t.kind == TypeKind::Resource && !t.is_abstract
            })
            .collect();
        resource_types.sort_by_key(|id| self.types[usize::from(id.0)].name);
        let mut resource_numbers = vec![None; self.types.len()];
        for (number, id) in resource_types.iter().enumerate() {
            resource_numbers[usize::from(id.0)] = u8::try_from(number).ok();
        }
        self.search_parameters.sort_by_key(|p| (p.code, p.url));
        let search_parameters_of = self.parameters_by_type();
        let well_known = self.well_known();
        Definitions {
            types: self.types,
            elements: self.elements,
            names: self.names,
            resource_types,
            compartments: {
                let mut compartments = self.compartments;
                compartments.sort_by_key(|c| c.name);
                compartments
            },
            by_name: self.by_name,
            name_ids: self.name_ids,
            search_parameters: self.search_parameters,
            search_parameters_of,
            resource_numbers,
            well_known,
            terminology_text,
            terminology: OnceLock::new(),
        }
    }

    fn parameters_by_type(&self) -> Vec<Vec<u16>> {
        let mut of = vec![Vec::new(); self.types.len()];
        for (at, t) in self.types.iter().enumerate() {
            if t.kind != TypeKind::Resource {
                continue;
            }
            let mut lineage = vec![TypeId(u16::try_from(at).unwrap_or(u16::MAX))];
            while let Some(base) = lineage.last().and_then(|id| self.types[usize::from(id.0)].base) {
                lineage.push(base);
            }
            for (parameter_at, parameter) in self.search_parameters.iter().enumerate() {
                if parameter.bases.iter().any(|b| lineage.contains(b)) {
                    of[at].push(u16::try_from(parameter_at).unwrap_or(u16::MAX));
                }
            }
        }
        of
    }

    fn well_known(&self) -> WellKnown {
        let id = |name: &str| self.by_name.get(name).copied().unwrap_or(TypeId(0));
        let name = |name: &str| self.name_ids.get(name).copied().unwrap_or(NameId(0));
        WellKnown {
            element: id("Element"),
            extension: id("Extension"),
            resource: id("Resource"),
            reference: id("Reference"),
            coding: id("Coding"),
            codeable_concept: id("CodeableConcept"),
            identifier: id("Identifier"),
            quantity: id("Quantity"),
            xhtml: id("xhtml"),
            bundle: id("Bundle"),
            patient: id("Patient"),
            consent: id("Consent"),
            id: name("id"),
            meta: name("meta"),
        }
    }
}

fn element_types(
    list: &'static str,
    owner: &str,
    name: &str,
    by_name: &FxHashMap<&'static str, TypeId>,
) -> Vec<ElementType> {
    if let Some(path) = list.strip_prefix('#') {
        return by_name
            .get(path)
            .map(|id| ElementType { id: *id, targets: Vec::new() })
            .into_iter()
            .collect();
    }
    list.split(' ')
        .filter_map(|one| {
            let (code, targets) = one.split_once('(').unwrap_or((one, ""));
            let id =
                if code == "@" { by_name.get(format!("{owner}.{name}").as_str()) } else { by_name.get(code) };
            let targets = targets.trim_end_matches(')').split(',').filter(|t| !t.is_empty()).collect();
            Some(ElementType { id: *id?, targets })
        })
        .collect()
}

/// JSON property names: `status`, and one a type for a choice (`valueQuantity`).
fn fill_properties(
    owner: &mut TypeDefinition,
    elements: &[ElementDefinition],
    by_name: &FxHashMap<&'static str, TypeId>,
) {
    let type_names: FxHashMap<TypeId, &'static str> = by_name.iter().map(|(n, id)| (*id, *n)).collect();
    for (slot, id) in owner.elements.iter().enumerate() {
        let element = &elements[usize::from(id.0)];
        let slot = u16::try_from(slot).unwrap_or(u16::MAX);
        if element.min > 0 {
            owner.required.push(slot);
        }
        for kind in &element.types {
            let property = Property { slot, element: *id, value_type: kind.id, is_companion: false };
            let name = if element.is_choice {
                choice_name(element.name, type_names.get(&kind.id).copied().unwrap_or(""))
            } else {
                element.name
            };
            owner.properties.insert(name, property);
        }
    }
}

/// `value` and `dateTime` make `valueDateTime`. There are some hundreds of them, made once.
fn choice_name(name: &str, type_name: &str) -> &'static str {
    let mut whole = String::with_capacity(name.len() + type_name.len());
    whole.push_str(name);
    let mut letters = type_name.chars();
    whole.extend(letters.next().map(|c| c.to_ascii_uppercase()));
    whole.push_str(letters.as_str());
    Box::leak(whole.into_boxed_str())
}

/// `_birthDate` beside `birthDate`: where a primitive's id and extensions stand.
fn add_companions(owner: &mut TypeDefinition, primitives: &[bool]) {
    let companions: Vec<(&'static str, Property)> = owner
        .properties
        .iter()
        .filter(|(_, p)| primitives[usize::from(p.value_type.0)])
        .map(|(name, p)| {
            let name: &'static str = Box::leak(format!("_{name}").into_boxed_str());
            (name, Property { is_companion: true, ..*p })
        })
        .collect();
    owner.properties.extend(companions);
}
