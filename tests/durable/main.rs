//! Nothing is lost: runs that are cut, killed, interrupted, or cannot write, go on to the same model; a folder has one owner.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/folder.rs"]
mod folder;
#[cfg(target_os = "linux")]
#[path = "../common/full.rs"]
mod full;

mod faults;
mod identity;
mod moved;
mod processes;
mod resuming;
mod runs;
