//! Flags that several commands share, and their help.

pub mod data;
pub mod device;
pub mod help;
pub mod keys;
pub mod model;
pub mod run;
pub mod typed;
