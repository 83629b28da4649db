//! The engine and the models in it: kernels, gradients, plans and shaders, on the oracle, the processor and the adapter.

#[path = "../common/mod.rs"]
mod common;

mod faults;
mod graph;
#[path = "../common/isa.rs"]
mod isa;
mod isa_limits;
mod kernels;
mod layers;
mod model;
mod processor;
mod reference;
mod shaders;
mod tint;
