//! Running a view: rows of one resource after the other, appended to columns as they are found.

use std::cell::Cell as Counter;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use fhir::json::ProjectedReader;
use fhir::{NodeRef, Resource};
use fhirpath::{Context, Ending, Expression, Item, Value, Walk};

use crate::cells::{Builder, Cell};
use crate::column::Decimals;
use crate::error::Error;
use crate::plan::{Loop, Path, Source, Unit, ViewDefinition, Where};

/// One resource gives at most so many rows: selects side by side multiply.
const MAX_ROWS: usize = 1_000_000;
/// Going through one resource takes at most so many steps, with or without rows: a column costs more the longer the
/// text is that it is taken from.
const MAX_STEPS: usize = 100_000_000;
/// Its paths that do more than walk look at so many items at most, all together.
const MAX_ITEMS: usize = 10_000_000;
/// A repeated path is followed at most so deep.
const MAX_REPEATS: usize = 128;

/// A view being run.
#[derive(Debug)]
pub struct Run<'v> {
    view: &'v ViewDefinition,
    reader: ProjectedReader,
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
    now: Option<i64>,
}

impl<'v> Run<'v> {
    /// A run without rows so far.
    #[must_use]
    pub fn new(view: &'v ViewDefinition, decimals: Decimals) -> Run<'v> {
        Run {
            view,
            reader: ProjectedReader::new(&view.projection, view.resource),
            schema: view.schema(decimals),
            builders: view.columns.iter().map(|c| Builder::new(c, decimals)).collect(),
            rows: 0,
            now: None,
        }
    }

    /// The instant `now()` means, in microseconds since 1970; without one, paths that ask for it fail.
    #[must_use]
    pub fn at(mut self, now: i64) -> Run<'v> {
        self.now = Some(now);
        self
    }

    /// How many rows there are since the last batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds the rows of a resource, from the text it is kept as; none if it is of another type.
    ///
    /// # Errors
    /// A text that is no resource; values that do not fit their columns. The run is then of no further use.
    pub fn push_text(&mut self, text: &str) -> Result<(), Error> {
        let read =
            self.reader.read(text).map_err(|e| Error::at("", format!("a resource cannot be read: {e}")))?;
        match read {
            Some(resource) => {
                self.rows += rows(self.view, resource.root(), &mut self.builders, self.now)
                    .map_err(|e| in_resource(*e, resource.root()))?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Adds the rows of a resource; none if it is of another type.
    ///
    /// # Errors
    /// As [`Run::push_text`].
    pub fn push(&mut self, resource: &Resource) -> Result<(), Error> {
        let root = resource.root();
        if root.value_type() == self.view.resource {
            self.rows +=
                rows(self.view, root, &mut self.builders, self.now).map_err(|e| in_resource(*e, root))?;
        }
        Ok(())
    }

    /// The rows since the last batch.
    ///
    /// # Errors
    /// Columns that Arrow refuses.
    pub fn batch(&mut self) -> Result<RecordBatch, Error> {
        self.rows = 0;
        self.builders
            .iter_mut()
            .map(Builder::finish)
            .collect::<Result<Vec<_>, _>>()
            .and_then(|columns| RecordBatch::try_new(self.schema.clone(), columns))
            .map_err(|e| Error::at("", e.to_string()))
    }
}

fn in_resource(error: Error, root: NodeRef<'_>) -> Error {
    let id = root.id().unwrap_or_default();
    Error { resource: Some(format!("{}/{id}", root.type_name())), ..error }
}

/// The batches of a stream of texts.
#[derive(Debug)]
pub struct Batches<'v, I> {
    run: Run<'v>,
    texts: Option<I>,
    size: usize,
}

impl<'v, I> Batches<'v, I> {
    pub(crate) fn new(run: Run<'v>, texts: I, size: usize) -> Batches<'v, I> {
        Batches { run, texts: Some(texts), size: size.max(1) }
    }
}

impl<I> Iterator for Batches<'_, I>
where
    I: Iterator,
    I::Item: AsRef<str>,
{
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let texts = self.texts.as_mut()?;
        for text in texts {
            if let Err(error) = self.run.push_text(text.as_ref()) {
                self.texts = None;
                return Some(Err(error));
            }
            if self.run.rows >= self.size {
                return Some(self.run.batch());
            }
        }
        self.texts = None;
        (self.run.rows > 0).then(|| self.run.batch())
    }
}

/// Errors are boxed on the way: what comes back from every cell is small.
type Fallible<T> = Result<T, Box<Error>>;

fn wrong(place: impl Into<String>, message: impl Into<String>) -> Box<Error> {
    Box::new(Error::at(place, message))
}

/// What a path starts from.
#[derive(Clone, Copy)]
enum Focus<'i, 'a> {
    Node(NodeRef<'a>),
    Item(&'i Item<'a>),
    Nothing,
}

/// What is still to be gone through before a row is whole.
#[derive(Clone, Copy)]
enum Todo<'t, 'p, 'a> {
    Row,
    /// Selects side by side: a row of each.
    Selects {
        units: &'p [Unit],
        focus: Focus<'t, 'a>,
        index: u32,
        next: &'t Todo<'t, 'p, 'a>,
    },
    /// Branches of a union: the rows of all.
    Union {
        units: &'p [Unit],
        focus: Focus<'t, 'a>,
        index: u32,
        next: &'t Todo<'t, 'p, 'a>,
    },
}

struct Walking<'p, 'a, 'b> {
    view: &'p ViewDefinition,
    context: Context<'a, 'b>,
    cells: Vec<Cell<'a>>,
    builders: &'b mut [Builder],
    rows: usize,
    steps: usize,
}

/// Appends a resource's rows; how many there were.
fn rows<'a>(
    view: &ViewDefinition,
    root: NodeRef<'a>,
    builders: &mut [Builder],
    now: Option<i64>,
) -> Fallible<usize> {
    let budget = Counter::new(MAX_ITEMS);
    let context = Context { now, budget: MAX_ITEMS, shared_budget: Some(&budget), ..Context::new(root) };
    for condition in &view.wheres {
        if !holds(condition, &context)? {
            return Ok(0);
        }
    }
    let cells = std::iter::repeat_with(|| Cell::Null).take(builders.len()).collect();
    let mut walking = Walking { view, context, cells, builders, rows: 0, steps: 0 };
    walking.go(&Todo::Selects {
        units: &view.units,
        focus: Focus::Node(root),
        index: 0,
        next: &Todo::Row,
    })?;
    Ok(walking.rows)
}

fn holds(condition: &Where, context: &Context<'_, '_>) -> Fallible<bool> {
    let told = |e: fhirpath::Error| wrong(&condition.place, e.to_string());
    if let Some(condition) = &condition.condition {
        return Ok(condition.holds(context.focus).map_err(told)? == Some(true));
    }
    let found = condition.expression.evaluate(context).map_err(told)?;
    match found.as_slice() {
        [] => Ok(false),
        [item] => match item.value().as_deref() {
            Some(Value::Boolean(value)) => Ok(*value),
            _ => Err(wrong(&condition.place, "the condition's value is not a boolean")),
        },
        several => {
            Err(wrong(&condition.place, format!("the condition has {} values, not one", several.len())))
        }
    }
}

impl<'p, 'a> Walking<'p, 'a, '_> {
    fn go(&mut self, todo: &Todo<'_, 'p, 'a>) -> Fallible<()> {
        match *todo {
            Todo::Row => self.row(),
            Todo::Selects { units: [], next, .. } | Todo::Union { units: [], next, .. } => self.go(next),
            Todo::Selects { units: [unit, rest @ ..], focus, index, next } => {
                if rest.is_empty() {
                    return self.unit(unit, focus, index, next);
                }
                self.unit(unit, focus, index, &Todo::Selects { units: rest, focus, index, next })
            }
            Todo::Union { units, focus, index, next } => {
                units.iter().try_for_each(|unit| self.unit(unit, focus, index, next))
            }
        }
    }

    /// Goes through the elements of a select; for each, through what is below it, and then on.
    fn unit(
        &mut self,
        unit: &'p Unit,
        focus: Focus<'_, 'a>,
        index: u32,
        next: &Todo<'_, 'p, 'a>,
    ) -> Fallible<()> {
        match &unit.iteration {
            Loop::Once => self.element(unit, focus, index, next),
            Loop::Each { path, or_null } => {
                let mut count = 0;
                self.each(path, unit, focus, index, &mut |walking, focus| {
                    let at = count;
                    count += 1;
                    walking.element(unit, focus, at, next)
                })?;
                if count == 0 && *or_null { self.element(unit, Focus::Nothing, 0, next) } else { Ok(()) }
            }
            Loop::Repeat(paths) => {
                let mut count = 0;
                self.repeat(paths, unit, focus, index, &mut count, next, 0)
            }
        }
    }

    /// Shows every item a path leads to.
    fn each(
        &mut self,
        path: &Path,
        unit: &Unit,
        focus: Focus<'_, 'a>,
        index: u32,
        visit: &mut dyn FnMut(&mut Self, Focus<'_, 'a>) -> Fallible<()>,
    ) -> Fallible<()> {
        if let (Some(walk), Focus::Node(node)) = (&path.walk, focus) {
            let mut failed = None;
            let walked = walk.each(node, &mut |found| match visit(self, Focus::Node(found)) {
                Ok(()) => true,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            });
            walked.map_err(|e| wrong(&unit.place, e.to_string()))?;
            return failed.map_or(Ok(()), Err);
        }
        let found =
            self.evaluate(&path.expression, focus, index).map_err(|e| wrong(&unit.place, e.to_string()))?;
        for item in &found {
            let focus = item.node().map_or(Focus::Item(item), Focus::Node);
            visit(self, focus)?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn repeat(
        &mut self,
        paths: &'p [Path],
        unit: &'p Unit,
        focus: Focus<'_, 'a>,
        index: u32,
        count: &mut u32,
        next: &Todo<'_, 'p, 'a>,
        depth: usize,
    ) -> Fallible<()> {
        if depth > MAX_REPEATS {
            let message =
                format!("leads deeper than {MAX_REPEATS} elements; a repeated path must come to an end");
            return Err(wrong(format!("{}.repeat", unit.place), message));
        }
        for path in paths {
            self.each(path, unit, focus, index, &mut |walking, focus| {
                let at = *count;
                *count = count.saturating_add(1);
                walking.element(unit, focus, at, next)?;
                walking.repeat(paths, unit, focus, at, count, next, depth + 1)
            })?;
        }
        Ok(())
    }

    fn element(
        &mut self,
        unit: &'p Unit,
        focus: Focus<'_, 'a>,
        index: u32,
        next: &Todo<'_, 'p, 'a>,
    ) -> Fallible<()> {
        let length = match focus {
            Focus::Node(node) => (node.node().end - node.node().start) as usize,
            Focus::Item(_) | Focus::Nothing => 0,
        };
        self.steps += 1 + unit.columns.len() * (1 + length / 64);
        if self.steps > MAX_STEPS {
            return Err(wrong(
                &unit.place,
                "one resource takes too many steps; make the view's paths narrower",
            ));
        }
        for source in &unit.columns {
            let cell = self.cell(source, focus, index)?;
            if let Some(slot) = self.cells.get_mut(source.column) {
                *slot = cell;
            }
        }
        match (unit.selects.is_empty(), unit.union_all.is_empty()) {
            (true, true) => self.go(next),
            (false, true) => self.go(&Todo::Selects { units: &unit.selects, focus, index, next }),
            (is_empty, false) => {
                let union = Todo::Union { units: &unit.union_all, focus, index, next };
                if is_empty {
                    self.go(&union)
                } else {
                    self.go(&Todo::Selects { units: &unit.selects, focus, index, next: &union })
                }
            }
        }
    }

    fn evaluate(
        &self,
        expression: &Expression,
        focus: Focus<'_, 'a>,
        index: u32,
    ) -> Result<Vec<Item<'a>>, fhirpath::Error> {
        let mut context = Context { row_index: index, ..self.context };
        match focus {
            Focus::Node(node) => {
                context.focus = node;
                expression.evaluate(&context)
            }
            Focus::Item(item) => expression.evaluate_on(&context, Some(item)),
            Focus::Nothing => expression.evaluate_on(&context, None),
        }
    }

    fn cell(&self, source: &Source, focus: Focus<'_, 'a>, index: u32) -> Fallible<Cell<'a>> {
        let told = |e: fhirpath::Error| {
            let place = self.view.columns.get(source.column).map_or("", |c| c.place.as_str());
            wrong(format!("{place}.path"), e.to_string())
        };
        if let Focus::Node(node) = focus {
            if let Some(walk) = &source.path.walk
                && let Some(cell) = self.walked(source, walk, node).map_err(told)?
            {
                return Ok(cell);
            }
            if let Some(condition) = &source.condition {
                return Ok(condition.holds(node).map_err(told)?.map_or(Cell::Null, Cell::Boolean));
            }
        }
        let mut found = self.evaluate(&source.path.expression, focus, index).map_err(told)?;
        if source.collection {
            return Ok(Cell::List(found));
        }
        let one = found.pop();
        if !found.is_empty() {
            return Err(self.several(source));
        }
        Ok(match one {
            None => Cell::Null,
            Some(Item::Node(node)) => Cell::Node(node),
            Some(Item::Value(value)) => Cell::Value(Box::new(value)),
            Some(stub @ Item::Stub(_)) => Cell::List(vec![stub]),
        })
    }

    /// What a walk comes to; `None` where the expression has to say it.
    fn walked(
        &self,
        source: &Source,
        walk: &Walk,
        node: NodeRef<'a>,
    ) -> Result<Option<Cell<'a>>, fhirpath::Error> {
        if source.collection {
            if *walk.ending() != Ending::Nodes {
                return Ok(None);
            }
            let mut found = Vec::new();
            walk.each(node, &mut |item| {
                found.push(Item::Node(item));
                true
            })?;
            return Ok(Some(Cell::List(found)));
        }
        if let Ending::Join(separator) = walk.ending() {
            return walk.joined(node, separator).map(|text| Some(Cell::Text(text)));
        }
        let Some((found, more)) = walk.first(node)? else { return Ok(Some(Cell::Null)) };
        // The expression says it again, with its own words.
        if more {
            return Ok(None);
        }
        Ok(match walk.ending() {
            Ending::Nodes => Some(Cell::Node(found)),
            Ending::ResourceKey if found.is_resource() => Some(Cell::Key(found)),
            Ending::ReferenceKey(wanted) if found.value_type() == fhir::r4().well_known().reference => {
                Some(Walk::reference_key(found, *wanted).map_or(Cell::Null, Cell::Text))
            }
            _ => None,
        })
    }

    fn several(&self, source: &Source) -> Box<Error> {
        let place = self.view.columns.get(source.column).map_or("", |c| c.place.as_str());
        let message = format!(
            "'{}' has several values; take one (first()), make a row of each (forEach), or set collection to true",
            source.path.expression.text()
        );
        wrong(format!("{place}.path"), message)
    }

    fn row(&mut self) -> Fallible<()> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(wrong("select", format!("one resource gives more than {MAX_ROWS} rows")));
        }
        for (at, (builder, cell)) in self.builders.iter_mut().zip(&self.cells).enumerate() {
            if let Err(message) = builder.append(cell) {
                let place = self.view.columns.get(at).map_or("", |c| c.place.as_str());
                return Err(wrong(place, message));
            }
        }
        Ok(())
    }
}
