//! The program through its doors: the command line, HTTP, pages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on has failed

mod access;
mod auth;
mod backup;
mod browser;
mod bulk;
mod cds;
mod clinic;
mod configuration;
mod docs;
mod durability;
mod edge;
mod erase;
mod every_page;
mod figures;
mod files;
mod formats;
mod full_disk;
mod hub;
mod indicators;
mod inform;
mod journeys;
mod kills;
mod ledger;
mod log;
mod me;
mod merge;
mod npm;
mod openapi;
mod operator;
mod pages;
mod purge;
mod queries;
mod races;
mod releases;
mod s3;
mod scenarios;
mod sealed;
mod subscriptions;
mod views;
