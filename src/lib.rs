//! wgvae
pub mod check;
pub mod executor;
pub mod gpu;
pub mod kernels;
pub mod oracle;
pub mod plan;
