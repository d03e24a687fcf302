//! From a view as it is written to one that runs: paths are parsed and analysed, columns named and typed.

use fhir::issue::nearest;
use fhir::json::{Place, Projection};
use fhir::r4;
use fhirpath::{Expression, SystemType, Types, Value};

use crate::column::{Column, ColumnType};
use crate::constant;
use crate::definition::{ColumnDefinition, Definition, Iteration, Select};
use crate::error::Error;
use crate::plan::{Loop, Path, Source, Unit, ViewDefinition, Where};

struct Compiler {
    constants: Vec<(String, Value)>,
    projection: Projection,
}

/// What a select starts from: its types, and where these stand in the projection.
#[derive(Clone)]
struct Focus {
    types: Types,
    places: Vec<Place>,
}

pub(crate) fn compile(definition: Definition) -> Result<ViewDefinition, Error> {
    let resource = r4().known_resource_type(&definition.resource).map_err(|m| Error::at("resource", m))?;
    let constants = constant::read(&definition.constants)?;
    let mut compiler = Compiler { constants, projection: Projection::default() };
    // What goes wrong is said with the resource.
    compiler.projection.child(Projection::ROOT, r4().well_known().id);
    let root = Focus { types: Types::of(resource), places: vec![Projection::ROOT] };
    let wheres = definition
        .wheres
        .iter()
        .map(|(place, path)| compiler.condition(place, path, &root))
        .collect::<Result<Vec<_>, _>>()?;
    let mut columns = Vec::new();
    let units = compiler.units(&definition.selects, &root, &mut columns, 0)?;
    for (at, column) in columns.iter().enumerate() {
        if let Some(first) = columns.iter().take(at).find(|c| c.name == column.name) {
            let message = format!("there is a column called {} already ({})", column.name, first.place);
            return Err(Error::at(format!("{}.name", column.place), message));
        }
    }
    Ok(ViewDefinition {
        name: definition.name,
        title: definition.title,
        url: definition.url,
        resource,
        columns,
        wheres,
        units,
        projection: compiler.projection,
    })
}

impl Compiler {
    fn parse(&self, place: &str, path: &str) -> Result<Expression, Error> {
        Expression::parse_view_path(path, &self.constants)
            .map_err(|e| Error::at(place, format!("'{path}': {e}")))
    }

    fn analyse(expression: &Expression, place: &str, focus: &Focus) -> Result<Types, Error> {
        expression
            .analyse_on(&focus.types)
            .map_err(|e| Error::at(place, format!("'{}': {e}", expression.text())))
    }

    fn condition(&mut self, place: &str, path: &str, root: &Focus) -> Result<Where, Error> {
        let expression = self.parse(place, path)?;
        let types = Self::analyse(&expression, place, root)?;
        let is_boolean = found_boolean(&types);
        if !(is_boolean || types == Types::default()) {
            let (_, name) = ColumnType::found(&types);
            let message = format!(
                "'{path}' is {}, not a boolean: compare it, or ask whether it exists()",
                name.map_or("of several types".to_owned(), |n| format!("a {n}"))
            );
            return Err(Error::at(place, message));
        }
        expression.looks_at(&mut self.projection, &root.places);
        let condition = expression.condition().filter(|_| is_boolean);
        Ok(Where { place: place.to_owned(), expression, condition })
    }

    /// The selects; their columns are added from the column numbered `base` plus those there are.
    fn units(
        &mut self,
        selects: &[Select],
        focus: &Focus,
        columns: &mut Vec<Column>,
        base: usize,
    ) -> Result<Vec<Unit>, Error> {
        selects.iter().map(|select| self.unit(select, focus, columns, base)).collect()
    }

    fn unit(
        &mut self,
        select: &Select,
        focus: &Focus,
        columns: &mut Vec<Column>,
        base: usize,
    ) -> Result<Unit, Error> {
        let (iteration, focus) = self.iteration(select, focus)?;
        let mut sources = Vec::new();
        for definition in &select.columns {
            let (column, path) = self.column(definition, &focus)?;
            let condition =
                if path.walk.is_none() && column.column_type == ColumnType::Boolean && !column.collection {
                    path.expression.condition()
                } else {
                    None
                };
            sources.push(Source {
                column: base + columns.len(),
                collection: column.collection,
                path,
                condition,
            });
            columns.push(column);
        }
        let selects = self.units(&select.selects, &focus, columns, base)?;
        let mut union_all: Vec<Unit> = Vec::new();
        let start = columns.len();
        let mut first: Option<(&str, Vec<Column>)> = None;
        for branch in &select.union_all {
            let mut own = Vec::new();
            union_all.push(self.unit(branch, &focus, &mut own, base + start)?);
            match &first {
                None => first = Some((&branch.place, own)),
                Some((place, expected)) => same_columns(place, expected, &branch.place, &own)?,
            }
        }
        columns.extend(first.map(|(_, own)| own).unwrap_or_default());
        Ok(Unit { place: select.place.clone(), iteration, columns: sources, selects, union_all })
    }

    fn iteration(&mut self, select: &Select, focus: &Focus) -> Result<(Loop, Focus), Error> {
        let (path, name, or_null) = match &select.iteration {
            Iteration::Once => return Ok((Loop::Once, focus.clone())),
            Iteration::ForEach(path) => (path, "forEach", false),
            Iteration::ForEachOrNull(path) => (path, "forEachOrNull", true),
            Iteration::Repeat(paths) => return self.repeat(select, paths, focus),
        };
        let place = format!("{}.{name}", select.place);
        let expression = self.parse(&place, path)?;
        let types = Self::analyse(&expression, &place, focus)?;
        let places = expression.looks_at(&mut self.projection, &focus.places);
        let path = Path { walk: nodes_only(&expression), expression };
        Ok((Loop::Each { path, or_null }, Focus { types, places }))
    }

    /// A repeated path may lead from one type to others, some of which have no such element; only what none of them
    /// has yields nothing.
    fn repeat(&mut self, select: &Select, paths: &[String], focus: &Focus) -> Result<(Loop, Focus), Error> {
        let mut expressions = Vec::new();
        for (n, path) in paths.iter().enumerate() {
            expressions.push(self.parse(&format!("{}.repeat[{n}]", select.place), path)?);
        }
        let mut types = Types::default();
        let mut from = focus.types.clone();
        // Types come from the definitions, so that soon no step leads to a new one.
        for _ in 0..32 {
            let before = types.clone();
            for expression in &expressions {
                if let Ok(found) = expression.analyse_on(&from) {
                    types.add(found);
                }
            }
            if types == before {
                break;
            }
            from = types.clone();
        }
        // Whatever a step leads to, the same is looked at there.
        let mut places: Vec<Place> = Vec::new();
        let mut from = focus.places.clone();
        for _ in 0..2 {
            for expression in &expressions {
                for place in expression.looks_at(&mut self.projection, &from) {
                    match places.first() {
                        Some(first) => self.projection.join(*first, place),
                        None => places.push(place),
                    }
                }
            }
            from = places.clone();
        }
        let paths = expressions
            .into_iter()
            .map(|expression| Path { walk: nodes_only(&expression), expression })
            .collect();
        Ok((Loop::Repeat(paths), Focus { types, places }))
    }

    fn column(&mut self, definition: &ColumnDefinition, focus: &Focus) -> Result<(Column, Path), Error> {
        let place = format!("{}.path", definition.place);
        let expression = self.parse(&place, &definition.path)?;
        let types = Self::analyse(&expression, &place, focus)?;
        let (found, found_name) = ColumnType::found(&types);
        let column_type = match &definition.fhir_type {
            None => found,
            Some(name) => {
                let declared = declared(name, &definition.place)?;
                let is_known = types != Types::default();
                if is_known && found_name.is_some() && !fits(found, declared) {
                    let message = format!(
                        "declares {name}, but '{}' is a {}",
                        definition.path,
                        found_name.unwrap_or_default()
                    );
                    return Err(Error::at(format!("{}.type", definition.place), message));
                }
                declared
            }
        };
        for place in expression.looks_at(&mut self.projection, &focus.places) {
            self.projection.whole(place);
        }
        let column = Column {
            name: definition.name.clone(),
            fhir_type: definition.fhir_type.clone().or(found_name),
            column_type,
            collection: definition.collection,
            description: definition.description.clone(),
            place: definition.place.clone(),
        };
        Ok((column, Path { walk: expression.walk(), expression }))
    }
}

/// What leads from nodes to nodes as a walk.
fn nodes_only(expression: &Expression) -> Option<fhirpath::Walk> {
    expression.walk().filter(|w| *w.ending() == fhirpath::Ending::Nodes)
}

fn found_boolean(types: &Types) -> bool {
    let is_fhir_boolean = types.fhir.iter().all(|id| r4().type_name(*id) == "boolean");
    let is_system_boolean = types.system.iter().all(|t| *t == SystemType::Boolean);
    is_fhir_boolean && is_system_boolean && *types != Types::default()
}

fn declared(name: &str, place: &str) -> Result<ColumnType, Error> {
    ColumnType::named(name).ok_or_else(|| {
        let near = nearest(name, r4().types.iter().map(|t| t.name));
        let hint =
            if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) };
        let shown: String = name.chars().take(60).collect();
        Error::at(format!("{place}.type"), format!("no type is called '{shown}'{hint}"))
    })
}

/// Whether values of a type can stand in a column declared as another.
fn fits(found: ColumnType, declared: ColumnType) -> bool {
    use ColumnType as T;
    match (found, declared) {
        (T::Json, T::Json) => true,
        (T::Json, _) | (_, T::Json) => false,
        (_, T::Text) => true,
        (T::Integer | T::Integer64 | T::Decimal, T::Integer | T::Integer64 | T::Decimal) => true,
        (found, declared) => found == declared,
    }
}

/// Branches of a union give the same columns in the same order.
fn same_columns(first: &str, expected: &[Column], place: &str, found: &[Column]) -> Result<(), Error> {
    let names = |columns: &[Column]| columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
    let have_same_names = expected.iter().map(|c| &c.name).eq(found.iter().map(|c| &c.name));
    if !have_same_names {
        let message = format!(
            "has the columns {}, but {first} has {}: the branches of a union need the same columns in the same order",
            names(found),
            names(expected)
        );
        return Err(Error::at(place, message));
    }
    for (a, b) in expected.iter().zip(found) {
        if a.column_type != b.column_type || a.collection != b.collection {
            let of = |c: &Column| {
                let kind = c.fhir_type.clone().unwrap_or_else(|| c.column_type.word().to_owned());
                if c.collection { format!("a collection of {kind}") } else { kind }
            };
            let message = format!("column {} is {} here and {} in {}", b.name, of(b), of(a), a.place);
            return Err(Error::at(&b.place, message));
        }
    }
    Ok(())
}
