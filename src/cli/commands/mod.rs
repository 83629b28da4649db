//! One file a command: it parses its flags, calls the library and prints.

pub mod anomaly;
pub mod augment;
pub mod compare;
pub mod compress;
pub mod config;
pub mod data;
pub mod data_export;
pub mod decode;
pub mod decompress;
pub mod devices;
pub mod doctor;
pub mod encode;
pub mod eval;
pub mod factors;
pub mod interpolate;
pub mod kernels;
pub mod plan;
pub mod profile;
pub mod quality;
pub mod reconstruct;
pub mod report;
pub mod restore;
pub mod sample;
pub mod shell;
pub mod train;
pub mod traverse;
