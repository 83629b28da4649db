//! Training as it goes: what is learned, and runs that are stopped, killed, resumed and moved.

#[path = "../common/mod.rs"]
mod common;

mod durable;
mod training;
