//! Hostile input: files made to exhaust memory or time, damaged files of every kind, edited runs, an output that cannot be
//! written. All of it ends with a result or one sentence, soon and in little memory.

#[cfg(target_os = "linux")]
mod crafted;
mod damaged;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod failing;
mod harness;
#[cfg(target_os = "linux")]
mod outputs;
mod runs;
#[cfg(target_os = "linux")]
mod special;
#[cfg(target_os = "linux")]
mod targets;
#[cfg(target_os = "linux")]
mod texts;
