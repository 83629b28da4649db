//! The program from outside: commands, data, pages, files and hostile input.

#[path = "../common/mod.rs"]
mod common;

mod apply;
mod cli;
mod data;
mod hostile;
mod report;
mod robust;
mod snapshots;
mod tuning;
