//! The program through its doors: the command line, HTTP, pages.

mod durability;
mod files;
mod hub;
mod scenarios;
