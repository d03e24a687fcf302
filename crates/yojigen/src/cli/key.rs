//! The key of a sealed data directory.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What opens a sealed data directory. It is taken off the command line in one place for all tasks (`crate::key`).
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct KeyArguments {
    /// The file with the key that opens a sealed data directory, and makes a new one a sealed one (yojigen key new)
    #[arg(long, value_name = "FILE", help_heading = "Encryption at rest")]
    pub key_file: Option<PathBuf>,
    /// A command that prints that key instead, where a KMS, a TPM or a password store keeps it
    #[arg(long, value_name = "COMMAND", help_heading = "Encryption at rest", hide_short_help = true)]
    pub key_command: Option<String>,
}

/// What to do with keys.
#[derive(Subcommand, Debug)]
pub(crate) enum KeyTask {
    /// Make a key, in a new file that only its owner can read
    #[command(after_help = "\
Example:
  yojigen key new /etc/yojigen/hub.key

Keep a copy where the data is not: without the key nobody reads the data, nor its backups.")]
    New {
        /// The file; outside any data directory
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Change the key of a data directory, or of a backup, at once; the hub may be serving
    #[command(after_help = "\
Examples:
  yojigen key rotate --data hub --key-file old.key --new-key-file new.key
  yojigen key rotate --backup s3://bucket/hub --key-file old.key --new-key-file new.key
  yojigen key rotate --data hub --key-file hub.key --next-data-key      what is written after the next start has a key of its own
  yojigen key rotate --data hub --key-file hub.key --data-keys          all is sealed anew; the hub must not be running

The key wraps the keys the data is sealed with: changing it writes one small file. A hub that is running goes on, and takes the
new key at its next start. --data-keys folds the log anew beside the old data, and needs as much room again while it runs.")]
    Rotate(KeyRotateArguments),
    /// Encrypt a data directory that is not
    #[command(after_help = "\
Example:
  yojigen key seal --data hub --key-file hub.key

The hub must not be running. The log is folded anew beside the old data, which stays, readable, as DIR.before-sealing.")]
    Seal(KeySealArguments),
    /// Make a data directory one that is not encrypted
    #[command(after_help = "\
Example:
  yojigen key unseal --data hub --key-file hub.key")]
    Unseal(KeySealArguments),
}

/// Arguments of `key rotate`.
#[derive(Args, Debug)]
pub(crate) struct KeyRotateArguments {
    /// The data directory
    #[arg(long, value_name = "DIR", required_unless_present = "backup")]
    pub data: Option<PathBuf>,
    /// A backup instead: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["data", "data_keys", "next_data_key"])]
    pub backup: Option<String>,
    #[command(flatten)]
    pub key: KeyArguments,
    /// The file with the new key
    #[arg(long, value_name = "FILE", required_unless_present_any = ["new_key_command", "data_keys", "next_data_key"])]
    pub new_key_file: Option<PathBuf>,
    /// A command that prints the new key
    #[arg(long, value_name = "COMMAND", conflicts_with = "new_key_file")]
    pub new_key_command: Option<String>,
    /// Seal all the data anew, with data keys made now
    #[arg(long)]
    pub data_keys: bool,
    /// Add a data key: what is written after the hub's next start is sealed with it
    #[arg(long, conflicts_with_all = ["data_keys", "new_key_file", "new_key_command"])]
    pub next_data_key: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `key seal` and `key unseal`.
#[derive(Args, Debug)]
pub(crate) struct KeySealArguments {
    /// The data directory; the hub must not be running
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}
