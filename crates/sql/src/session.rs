//! Tables, and questions about them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::ParamValues;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::{MemTable, TableProvider, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use futures::StreamExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::Answer;
use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::error::{Error, Kind};
use crate::functions;
use crate::limits::{self, Limits};
use crate::watch::Watch;

/// What stays as it is in a path that is written as an address.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// What makes one long value of a short text: no pool of memory counts it.
const UNBOUNDED: &[&str] = &[
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "range",
    "generate_series",
];

/// Values for `$name` in a question.
pub type Parameters = [(&'static str, ScalarValue)];

/// Tables, and questions about them.
pub struct Session {
    engine: Arc<Engine>,
    context: SessionContext,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("tables", &self.tables()).finish_non_exhaustive()
    }
}

impl Session {
    /// A session without tables.
    #[must_use]
    pub fn new(engine: &Arc<Engine>) -> Session {
        let mut config =
            SessionConfig::new().with_target_partitions(engine.threads).with_information_schema(true);
        let options = config.options_mut();
        // One type of text everywhere, in memory and in files.
        options.execution.parquet.schema_force_view_types = false;
        options.execution.parquet.pushdown_filters = true;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.sql_parser.collect_spans = true;
        options.execution.enable_recursive_ctes = false;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&engine.environment))
            .with_default_features()
            .build();
        let context = SessionContext::new_with_state(state);
        for function in functions::all() {
            context.register_udf(function);
        }
        for name in UNBOUNDED {
            context.deregister_udf(name);
        }
        Session { engine: Arc::clone(engine), context }
    }

    /// The names of the tables.
    #[must_use]
    pub fn tables(&self) -> Vec<String> {
        let names: BTreeSet<String> = self
            .context
            .catalog("datafusion")
            .and_then(|catalog| catalog.schema("public"))
            .map(|schema| schema.table_names().into_iter().collect())
            .unwrap_or_default();
        names.into_iter().collect()
    }

    fn register(&self, name: &str, table: Arc<dyn TableProvider>) -> Result<(), Error> {
        if self.context.table_exist(name).unwrap_or(false) {
            return Err(Error::new(Kind::Failed, format!("there are two tables named `{name}`")));
        }
        self.context.register_table(name, table).map(drop).map_err(|e| Error::of(&e))
    }

    /// Gives a table that is in memory.
    ///
    /// # Errors
    /// Batches of another schema; a name that is taken.
    pub fn add(&self, name: &str, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), Error> {
        let share = batches.len().div_ceil(self.engine.threads).max(1);
        let mut shares: Vec<Vec<RecordBatch>> = batches.chunks(share).map(<[_]>::to_vec).collect();
        if shares.is_empty() {
            shares.push(Vec::new());
        }
        let table = MemTable::try_new(Arc::clone(schema), shares).map_err(|e| Error::of(&e))?;
        self.register(name, Arc::new(table))
    }

    /// Gives a table that is Parquet files of one schema; without a file it has no rows.
    ///
    /// # Errors
    /// A file that cannot be read; a name that is taken.
    pub fn add_parquet(&self, name: &str, schema: &SchemaRef, files: &[PathBuf]) -> Result<(), Error> {
        let unreadable = |e: &dyn std::fmt::Display| {
            Error::new(Kind::Failed, format!("the table `{name}` cannot be read: {e}"))
        };
        if files.is_empty() {
            return self.add(name, schema, &[]);
        }
        let mut paths = Vec::with_capacity(files.len());
        for file in files {
            let file = file.canonicalize().map_err(|e| unreadable(&e))?;
            let file = file.to_str().ok_or_else(|| unreadable(&"its path is no UTF-8"))?;
            let address = format!("file://{}", utf8_percent_encode(file, PATH));
            paths.push(ListingTableUrl::parse(address).map_err(|e| unreadable(&e))?);
        }
        let format = ParquetFormat::default().with_enable_pruning(true);
        let options = ListingOptions::new(Arc::new(format));
        let config = ListingTableConfig::new_with_multi_paths(paths)
            .with_listing_options(options)
            .with_schema(Arc::clone(schema));
        let table = ListingTable::try_new(config).map_err(|e| unreadable(&e))?;
        self.register(name, Arc::new(table))
    }

    /// The columns of a table, in order.
    ///
    /// # Errors
    /// No such table.
    pub fn columns(&self, table: &str) -> Result<Vec<String>, Error> {
        let (context, name) = (self.context.clone(), table.to_owned());
        let found = self.engine.wait(async move {
            let provider = context.table_provider(name).await.map_err(|e| Error::of(&e))?;
            Ok(provider.schema().fields().iter().map(|f| f.name().clone()).collect())
        });
        found.map_err(|e| self.explain(e))
    }

    /// Gives a question a name, by which others can use it as a table.
    ///
    /// # Errors
    /// As [`Session::ask`], but for what only running it finds.
    pub fn add_query(&self, name: &str, text: &str, parameters: &Parameters) -> Result<(), Error> {
        let plan = self.plan(text, parameters)?;
        self.register(name, Arc::new(ViewTable::new(plan, None)))
    }

    fn plan(&self, text: &str, parameters: &Parameters) -> Result<LogicalPlan, Error> {
        limits::check(text)?;
        let given: Vec<(&str, ScalarValue)> = parameters.to_vec();
        let (context, owned) = (self.context.clone(), text.to_owned());
        let planned = self.engine.wait(async move {
            let plan = context.state().create_logical_plan(&owned).await;
            let plan = plan.and_then(|plan| {
                readable(&plan)?;
                if given.is_empty() { Ok(plan) } else { plan.with_param_values(ParamValues::from(given)) }
            });
            plan.map_err(|e| Error::of(&e))
        });
        planned.map_err(|e| self.explain(e))
    }

    /// Adds what there is to what is not there.
    fn explain(&self, error: Error) -> Error {
        if error.message == NOT_READING {
            return Error { kind: Kind::NotAllowed, ..error };
        }
        let unknown = error.kind == Kind::Question
            && error.message.starts_with("table '")
            && error.message.ends_with("' not found");
        if unknown {
            let message = format!("{}; there are {}", error.message, self.tables().join(", "));
            return Error { message, ..error };
        }
        error
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What is wrong with the question; what it may not take; see [`Kind`].
    pub fn ask(
        &self,
        text: &str,
        parameters: &Parameters,
        limits: &Limits,
        cancel: &Cancel,
    ) -> Result<Answer, Error> {
        if cancel.is_cancelled() {
            return Err(given_up());
        }
        let plan = self.plan(text, parameters)?;
        let watch = Watch::new(cancel);
        let state = SessionStateBuilder::new_from_existing(self.context.state())
            .with_physical_optimizer_rule(Arc::new(watch.clone()))
            .build();
        let (limits, began) = (*limits, Instant::now());
        let answer = self.engine.wait_while(collect(state, plan, limits), || {
            if cancel.is_cancelled() {
                return Err(given_up());
            }
            if began.elapsed() > limits.time {
                let said = format!(
                    "it took longer than {} s; narrow it by WHERE, or ask for fewer columns or groups",
                    limits.time.as_secs_f64()
                );
                return Err(Error::new(Kind::TooLong, said));
            }
            Ok(())
        });
        watch.end();
        if cancel.is_cancelled() { Err(given_up()) } else { answer }
    }
}

const NOT_READING: &str = "only reading is possible here; ask with SELECT or WITH";

/// Whether a plan only reads, also in what is nested in it.
fn readable(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan).map_err(|_| DataFusionError::Plan(NOT_READING.to_owned()))
}

fn given_up() -> Error {
    Error::new(Kind::Cancelled, "the question was given up")
}

async fn collect(state: SessionState, plan: LogicalPlan, limits: Limits) -> Result<Answer, Error> {
    let said = |e: DataFusionError| Error::of(&e);
    let physical = state.create_physical_plan(&plan).await.map_err(said)?;
    let mut stream = execute_stream(physical, state.task_ctx()).map_err(said)?;
    let schema = stream.schema();
    let (mut batches, mut rows, mut bytes) = (Vec::new(), 0, 0);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(said)?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        if rows > limits.rows {
            let said =
                format!("the answer has more than {} rows; narrow it by WHERE, or add LIMIT", limits.rows);
            return Err(Error::new(Kind::TooMuch, said));
        }
        if bytes > limits.bytes {
            let said =
                format!("the answer has more than {} bytes; ask for fewer columns or rows", limits.bytes);
            return Err(Error::new(Kind::TooMuch, said));
        }
        if batch.num_rows() > 0 {
            batches.push(batch);
        }
    }
    Ok(Answer { schema, batches })
}
