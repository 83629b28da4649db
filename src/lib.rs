//! wgvae
pub mod check;
pub mod cli;
pub mod config;
pub mod data;
pub mod executor;
pub mod gpu;
pub mod kernels;
pub mod model;
pub mod oracle;
pub mod plan;
pub mod report;
pub mod train;
