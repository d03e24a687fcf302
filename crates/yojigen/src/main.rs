//! `yojigen`: the hub as one program.

/// Prints a line on standard output; that nobody reads it any more is not an error.
macro_rules! say {
    ($($arguments:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($arguments)*);
    }};
}

mod access;
mod accounts;
mod backup;
mod cli;
mod client;
mod config;
mod control;
mod demo;
mod doctor;
mod edge;
mod erase;
mod export;
mod hub_at;
mod import;
mod indicator;
mod key;
mod ledger;
mod log;
mod progress;
mod serve;
mod sql;
mod user;
mod vault;
mod view;

use std::process::ExitCode;

use clap::CommandFactory as _;

use cli::{Cli, Task};

/// Gives memory back after merges and large requests, which the system's allocator keeps; it is the engine's too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let (cli, configuration) = match config::read() {
        Ok(read) => read,
        Err(findings) => {
            for finding in findings {
                eprintln!("yojigen: {finding}");
            }
            return ExitCode::from(2);
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("YOJIGEN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(!is_plain)
        .with_writer(std::io::stderr)
        .init();
    let outcome = match cli.task {
        Task::Serve(arguments) => serve::run(&arguments),
        Task::Import(arguments) => import::run(&arguments),
        Task::Backup(arguments) => backup::backup(&arguments),
        Task::Restore(arguments) => backup::restore(&arguments),
        Task::Export(arguments) => export::run(&arguments),
        Task::Erase(arguments) => erase::run(&arguments),
        Task::Doctor(arguments) => doctor::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::User(task) => user::run(&task),
        Task::Client(task) => client::run(&task),
        Task::Access(task) => access::run(&task),
        Task::Ledger(task) => ledger::run(&task),
        Task::Log(task) => log::run(&task),
        Task::View(task) => view::run(&task),
        Task::Sql(arguments) => sql::run(&arguments),
        Task::Indicator(task) => indicator::run(&task),
        Task::Key(task) => key::run(&task),
        Task::Config(task) => config::run(&task, cli.config.as_deref(), &configuration),
        Task::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "yojigen", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("yojigen: {error:#}");
        ExitCode::from(2)
    })
}
