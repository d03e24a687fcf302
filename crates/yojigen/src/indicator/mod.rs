//! `yojigen indicator`: public figures, what is computed from them and from the record itself, what may become of them.

mod evaluate;
mod fetch;
mod figures;
mod list;
mod project;
mod release;
mod uhc;

use std::process::ExitCode;

use anyhow::Result;
use indicators::public::Source;

use crate::cli::{IndicatorTask, SourceArgument};

/// Fetches, lists, computes, projects.
pub(crate) fn run(task: &IndicatorTask) -> Result<ExitCode> {
    match task {
        IndicatorTask::Fetch(arguments) => fetch::run(arguments),
        IndicatorTask::List { data, json } => list::run(data, *json),
        IndicatorTask::Uhc(arguments) => uhc::run(arguments),
        IndicatorTask::Evaluate(arguments) => evaluate::evaluate(arguments),
        IndicatorTask::Verify(arguments) => evaluate::verify(arguments),
        IndicatorTask::Release(arguments) => release::release(arguments),
        IndicatorTask::Releases { data } => release::releases(data),
        IndicatorTask::Withdraw { number, reason, data } => release::withdraw(*number, reason, data),
        IndicatorTask::Project(arguments) => project::run(arguments),
    }
}

impl From<SourceArgument> for Source {
    fn from(argument: SourceArgument) -> Source {
        match argument {
            SourceArgument::WhoGho => Source::WhoGho,
            SourceArgument::WorldBank => Source::WorldBank,
        }
    }
}
