//! The program through its doors: the command line, HTTP, pages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod access;
mod auth;
mod backup;
mod browser;
mod bulk;
mod cds;
mod configuration;
mod docs;
mod durability;
mod edge;
mod erase;
mod files;
mod formats;
mod full_disk;
mod hub;
mod kills;
mod ledger;
mod log;
mod me;
mod merge;
mod openapi;
mod pages;
mod purge;
mod queries;
mod races;
mod s3;
mod scenarios;
mod sealed;
mod subscriptions;
