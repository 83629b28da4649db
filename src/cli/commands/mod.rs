//! One file a command: it parses its flags, calls the library and prints.
//!
//! A command's file has `Args`, `run` and `EXAMPLES`, and two lines here: the file, and the command in the list.

pub mod anomaly;
pub mod augment;
pub mod compare;
pub mod completions;
pub mod compress;
pub mod config;
pub mod data;
pub mod data_export;
pub mod data_texts;
pub mod decode;
pub mod decompress;
pub mod devices;
pub mod doctor;
pub mod encode;
pub mod eval;
pub mod factors;
pub mod interpolate;
pub mod kernels;
pub mod man;
pub mod plan;
pub mod profile;
pub mod quality;
pub mod reconstruct;
pub mod report;
pub mod restore;
pub mod restore_texts;
pub mod sample;
pub mod train;
pub mod traverse;

/// Defines the commands, in the order of the help. Each has the name of its file, and the help says its comment.
macro_rules! commands {
    ($($(#[$doc:meta])* $variant:ident: $file:ident;)*) => {
        /// A command and its arguments.
        #[derive(Debug, clap::Subcommand)]
        pub enum Command {
            $($(#[$doc])* $variant(Box<$file::Args>),)*
        }

        impl Command {
            /// Does what the command is for.
            pub fn run(self) -> anyhow::Result<()> {
                match self {
                    $(Self::$variant(args) => $file::run(&args),)*
                }
            }
        }

        /// Examples of each command: its name; a command line, and what it does.
        pub const EXAMPLES: &[(&str, &[(&str, &str)])] = &[$((stringify!($file), $file::EXAMPLES),)*];
    };
}

commands! {
    /// Train a model and write a run folder
    Train: train;
    /// Evaluate a trained model: loss, KL, active units
    Eval: eval;
    /// Sample new rows from a trained model
    Sample: sample;
    /// Reconstruct rows with a trained model
    Reconstruct: reconstruct;
    /// Interpolate between two rows in the latent space
    Interpolate: interpolate;
    /// Show what each latent dimension does
    Traverse: traverse;
    /// Turn rows into latent codes
    Encode: encode;
    /// Turn latent codes into rows
    Decode: decode;
    /// Write rows in few bytes, from which they come back bit for bit
    Compress: compress;
    /// Restore the rows of a file that `compress` wrote
    Decompress: decompress;
    /// Rank rows by how anomalous they are to a trained model
    Anomaly: anomaly;
    /// Fill in missing parts of rows, or remove noise
    Restore: restore;
    /// Write new examples similar to existing ones
    Augment: augment;
    /// Compare several runs
    Compare: compare;
    /// Write the HTML page of a run
    Report: report;
    /// Print the training step as a list of ops
    Plan: plan;
    /// Time every op of the training step and show what limits it
    Profile: profile;
    /// List the kernels of the training step, or print one
    Kernels: kernels;
    /// Describe a data source, or write it as files
    Data: data;
    /// Print a configuration file to start from
    Config: config;
    /// Print shell completions
    Completions: completions;
    /// Print a manual page, as roff, or write all of them
    Man: man;
    /// List the adapters
    Devices: devices;
    /// Run every kernel on a device and compare it with the oracle
    Doctor: doctor;
}
