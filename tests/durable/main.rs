//! Nothing is lost: runs that are cut, killed, interrupted, or cannot write, go on to the same model; a folder has one owner.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/folder.rs"]
mod folder;

mod faults;
mod processes;
mod resuming;
mod runs;
