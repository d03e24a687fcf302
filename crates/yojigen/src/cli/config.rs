//! What to do with the configuration.

use super::ServeArguments;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with the configuration.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigTask {
    /// Print every setting's value and where it comes from
    #[command(after_help = "\
Examples:
  yojigen config show
  yojigen config show --data hub --open --listen 127.0.0.1:9000     as serve would take these flags
  yojigen config show --config /etc/yojigen.toml --json

Secrets are masked.")]
    Show(Box<ShowArguments>),
    /// Say whether a configuration file can be used, and what is wrong with it (exit code 1)
    #[command(after_help = "\
Examples:
  yojigen config check
  yojigen config check /etc/yojigen.toml

The environment is examined with it.")]
    Check {
        /// The file; without it the one that serve would read
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print every setting there is: what it is, what is allowed, its default
    List {
        /// As a table in Markdown
        #[arg(long)]
        markdown: bool,
    },
}

/// Arguments of `config show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    // All of `serve`, so that the flags of a command line can be shown too.
    #[command(flatten)]
    pub serve: ServeArguments,
    /// Print them as JSON
    #[arg(long)]
    pub json: bool,
}
