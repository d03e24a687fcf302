//! Questions in SQL over named tables, which are Arrow batches in memory or folders of Parquet files.
//!
//! An [`Engine`] has the threads and the memory; a [`Session`] has tables and answers questions. DataFusion plans and
//! runs them, on all processors. What this crate adds is what makes it safe to let somebody ask:
//!
//! * *Nothing but reading.* One statement, `SELECT` or `WITH`; no DDL, DML, `COPY`, `SET`; no file and no address can be
//!   named in SQL, only tables that were given to the session.
//! * *Nothing without end.* [`Limits`] on the text, the rows and the bytes of an answer and on the time; one pool of memory for all
//!   sessions of an engine; [`Cancel`] from outside. What goes beyond a limit is an error, never a shorter answer.
//! * *Nothing written elsewhere.* What does not fit in memory goes to the one folder the engine was given, or is an error.
//! * *Errors say where and what to do*: line and column, what was found, what is there instead.
//!
//! Dates in FHIR are texts of different precision. The functions of [`functions`] are the one way they are compared.

mod answer;
mod cancel;
mod engine;
mod error;
pub mod functions;
mod limits;
mod session;
mod watch;

pub use answer::Answer;
pub use cancel::Cancel;
pub use datafusion::scalar::ScalarValue;
pub use engine::{Engine, Settings};
pub use error::{Error, Kind};
pub use limits::Limits;
pub use session::{Parameters, Session};
