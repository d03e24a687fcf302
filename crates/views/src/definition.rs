//! A ViewDefinition as it is written: every member is known and of the right kind, or refused with its place.

use fhir::issue::nearest;
use serde_json::{Map, Value};

use crate::error::Error;

/// A view's JSON has at most so many bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// Selects are nested at most so deep.
pub const MAX_DEPTH: usize = 16;
/// A view has at most so many columns, those of each branch of a union counted.
pub const MAX_COLUMNS: usize = 1000;
/// It has at most so many selects.
const MAX_SELECTS: usize = 500;

/// What metadata a ViewDefinition may carry beside what it is made of.
const METADATA: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "modifierExtension",
    "url",
    "identifier",
    "version",
    "versionAlgorithmString",
    "versionAlgorithmCoding",
    "name",
    "title",
    "status",
    "experimental",
    "date",
    "publisher",
    "contact",
    "description",
    "useContext",
    "jurisdiction",
    "purpose",
    "copyright",
    "copyrightLabel",
    "approvalDate",
    "lastReviewDate",
    "effectivePeriod",
    "topic",
    "author",
    "editor",
    "reviewer",
    "endorser",
    "relatedArtifact",
    "fhirVersion",
    "profile",
];

/// A view as it is written.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) resource: String,
    pub(crate) constants: Vec<(String, Map<String, Value>)>,
    pub(crate) wheres: Vec<(String, String)>,
    pub(crate) selects: Vec<Select>,
}

/// How a select goes through elements.
#[derive(Debug)]
pub(crate) enum Iteration {
    /// It does not.
    Once,
    ForEach(String),
    ForEachOrNull(String),
    Repeat(Vec<String>),
}

#[derive(Debug)]
pub(crate) struct Select {
    pub(crate) place: String,
    pub(crate) iteration: Iteration,
    pub(crate) columns: Vec<ColumnDefinition>,
    pub(crate) selects: Vec<Select>,
    pub(crate) union_all: Vec<Select>,
}

#[derive(Debug)]
pub(crate) struct ColumnDefinition {
    pub(crate) place: String,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) fhir_type: Option<String>,
    pub(crate) collection: bool,
    pub(crate) description: Option<String>,
}

/// What is being counted while reading.
#[derive(Default)]
struct Counts {
    selects: usize,
    columns: usize,
}

/// An object of the view, with its place.
struct Object<'v> {
    place: String,
    members: &'v Map<String, Value>,
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl<'v> Object<'v> {
    fn read(value: &'v Value, place: &str) -> Result<Object<'v>, Error> {
        match value {
            Value::Object(members) => Ok(Object { place: place.to_owned(), members }),
            other => Err(Error::at(place, format!("expected an object, found {}", kind(other)))),
        }
    }

    fn at(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    /// Refuses members nobody knows: one that is misspelt would otherwise be left out without a word.
    fn knows(&self, known: &[&[&str]]) -> Result<(), Error> {
        for name in self.members.keys() {
            let plain = name.strip_prefix('_').unwrap_or(name);
            let all = || known.iter().flat_map(|k| k.iter().copied()).chain(["id", "extension"]);
            if !all().any(|k| k == plain) {
                let near = nearest(name, all());
                let hint = if near.is_empty() {
                    String::new()
                } else {
                    format!(" (did you mean {}?)", near.join(" or "))
                };
                let what = if self.place.is_empty() { "a ViewDefinition" } else { "this" };
                return Err(Error::at(self.at(name), format!("{what} has no element '{name}'{hint}")));
            }
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(Value::String(_)) => Err(Error::at(self.at(name), "must not be empty; leave it out")),
            Some(other) => Err(Error::at(self.at(name), format!("expected a text, found {}", kind(other)))),
        }
    }

    fn required(&self, name: &str, why: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| Error::at(self.at(name), format!("is missing: {why}")))
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => {
                Err(Error::at(self.at(name), format!("expected true or false, found {}", kind(other))))
            }
        }
    }

    /// The items of an array, each with its place.
    fn list(&self, name: &str) -> Result<Vec<(String, &'v Value)>, Error> {
        match self.members.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let place = self.at(name);
                Ok(items.iter().enumerate().map(|(n, item)| (format!("{place}[{n}]"), item)).collect())
            }
            Some(other) => Err(Error::at(self.at(name), format!("expected an array, found {}", kind(other)))),
        }
    }
}

/// Reads a view's JSON.
pub(crate) fn read(json: &[u8]) -> Result<Definition, Error> {
    if json.len() > MAX_BYTES {
        let message = format!("the view has {} bytes; at most {MAX_BYTES} are accepted", json.len());
        return Err(Error::at("", message));
    }
    let value: Value =
        serde_json::from_slice(json).map_err(|e| Error::at("", format!("the view is not JSON: {e}")))?;
    let view = Object::read(&value, "")?;
    view.knows(&[METADATA, &["resource", "constant", "where", "select"]])?;
    if let Some(found) = view.text("resourceType")?
        && found != "ViewDefinition"
    {
        return Err(Error::at("resourceType", format!("expected ViewDefinition, found {found}")));
    }
    let resource =
        view.required("resource", "it names the resource type the view is made of, as in Patient")?;
    let mut constants = Vec::new();
    for (place, item) in view.list("constant")? {
        constants.push((place.clone(), Object::read(item, &place)?.members.clone()));
    }
    let mut wheres = Vec::new();
    for (place, item) in view.list("where")? {
        let condition = Object::read(item, &place)?;
        condition.knows(&[&["path", "description"]])?;
        wheres.push((condition.at("path"), condition.required("path", "it is the condition, in FHIRPath")?));
    }
    let mut counts = Counts::default();
    let selects = selects(&view, "select", 1, &mut counts)?;
    if selects.is_empty() {
        return Err(Error::at("select", "is missing: a view needs at least one select with columns"));
    }
    Ok(Definition {
        name: view.text("name")?,
        title: view.text("title")?,
        url: view.text("url")?,
        resource,
        constants,
        wheres,
        selects,
    })
}

fn selects(owner: &Object<'_>, name: &str, depth: usize, counts: &mut Counts) -> Result<Vec<Select>, Error> {
    owner.list(name)?.into_iter().map(|(place, item)| select(item, &place, depth, counts)).collect()
}

fn select(value: &Value, place: &str, depth: usize, counts: &mut Counts) -> Result<Select, Error> {
    let object = Object::read(value, place)?;
    object.knows(&[&[
        "column",
        "select",
        "forEach",
        "forEachOrNull",
        "repeat",
        "unionAll",
        "modifierExtension",
    ]])?;
    if depth > MAX_DEPTH {
        return Err(Error::at(place, format!("selects are nested more than {MAX_DEPTH} deep")));
    }
    counts.selects += 1;
    if counts.selects > MAX_SELECTS {
        return Err(Error::at(place, format!("the view has more than {MAX_SELECTS} selects")));
    }
    let iteration = iteration(&object)?;
    let columns = object
        .list("column")?
        .into_iter()
        .map(|(place, item)| column(item, &place))
        .collect::<Result<Vec<_>, _>>()?;
    counts.columns += columns.len();
    if counts.columns > MAX_COLUMNS {
        return Err(Error::at(place, format!("the view has more than {MAX_COLUMNS} columns")));
    }
    let select = Select {
        place: place.to_owned(),
        iteration,
        columns,
        selects: selects(&object, "select", depth + 1, counts)?,
        union_all: selects(&object, "unionAll", depth + 1, counts)?,
    };
    if select.columns.is_empty() && select.selects.is_empty() && select.union_all.is_empty() {
        return Err(Error::at(place, "has neither column, select nor unionAll, so it makes no columns"));
    }
    Ok(select)
}

fn iteration(object: &Object<'_>) -> Result<Iteration, Error> {
    let given: Vec<&str> = ["forEach", "forEachOrNull", "repeat"]
        .into_iter()
        .filter(|n| object.members.contains_key(*n))
        .collect();
    match given.as_slice() {
        [] => Ok(Iteration::Once),
        ["forEach"] => Ok(object.text("forEach")?.map_or(Iteration::Once, Iteration::ForEach)),
        ["forEachOrNull"] => {
            Ok(object.text("forEachOrNull")?.map_or(Iteration::Once, Iteration::ForEachOrNull))
        }
        ["repeat"] => {
            let mut paths = Vec::new();
            for (place, item) in object.list("repeat")? {
                match item {
                    Value::String(path) => paths.push(path.clone()),
                    other => return Err(Error::at(place, format!("expected a path, found {}", kind(other)))),
                }
            }
            if paths.is_empty() {
                return Err(Error::at(object.at("repeat"), "must name at least one path; or leave it out"));
            }
            Ok(Iteration::Repeat(paths))
        }
        several => Err(Error::at(
            &object.place,
            format!(
                "has {}; a select goes through elements in one way (nest a second select)",
                several.join(" and ")
            ),
        )),
    }
}

fn column(value: &Value, place: &str) -> Result<ColumnDefinition, Error> {
    let object = Object::read(value, place)?;
    object.knows(&[&["path", "name", "description", "collection", "type", "tag", "modifierExtension"]])?;
    let name = object.required("name", "it is the column's name in SQL")?;
    if !is_sql_name(&name) {
        let shown: String = name.chars().take(60).collect();
        return Err(Error::at(
            object.at("name"),
            format!("'{shown}' is not a name SQL can use: a letter, then letters, digits and _, at most 255"),
        ));
    }
    for (place, tag) in object.list("tag")? {
        Object::read(tag, &place)?.knows(&[&["name", "value"]])?;
    }
    // A canonical type, as StructureDefinitions write it, says the same as its name.
    let named = object.text("type")?;
    let fhir_type = named
        .map(|t| t.strip_prefix("http://hl7.org/fhir/StructureDefinition/").map_or(t.clone(), str::to_owned));
    Ok(ColumnDefinition {
        path: object.required("path", "it says, in FHIRPath, what stands in the column")?,
        name,
        fhir_type,
        collection: object.boolean("collection")?.unwrap_or(false),
        description: object.text("description")?,
        place: place.to_owned(),
    })
}

/// A letter, then letters, digits and `_` (the rule `sql-name` of SQL on FHIR).
pub(crate) fn is_sql_name(name: &str) -> bool {
    name.len() <= 255
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
