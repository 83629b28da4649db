//! Nothing is lost: runs that are cut, killed, interrupted, or cannot write, go on to the same model; a folder has one owner.

#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod drawn;
#[cfg(target_os = "linux")]
mod faults;
mod identity;
mod moved;
mod processes;
mod resuming;
mod runs;
