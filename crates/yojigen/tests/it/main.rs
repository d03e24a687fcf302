//! The program through its doors: the command line, HTTP, pages.

mod hub;
mod scenarios;
