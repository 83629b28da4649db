//! The exit codes, and which error ends with which.

use wgvae::apply::RunError;
use wgvae::config::ConfigError;
use wgvae::run::Error;
use wgvae::train::TrainError;
use wgvae_data::DataError;
use wgvae_engine::exec::DeviceError;
use wgvae_engine::exec::gpu::GpuError;
use wgvae_engine::plan::PlanError;

use crate::cli::commands::train::Interrupted;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked to.
    Done = 0,
    /// Anything that has no code of its own.
    Other = 1,
    /// The command line or the configuration is refused.
    Usage = 2,
    /// A file or a row cannot be used.
    BadInput = 3,
    /// No adapter can be used.
    NoAdapter = 4,
    /// The training diverged.
    Diverged = 5,
    /// The device is lost or has too little memory.
    DeviceLost = 6,
    /// A signal ended it.
    Interrupted = 130,
}

impl Exit {
    /// All codes, with a few words for the help and a sentence for the reference.
    #[cfg(test)]
    pub const ALL: [(Self, &str, &str); 8] = [
        (Self::Done, "done", "The command did what it was asked to do."),
        (
            Self::Other,
            "anything else",
            "Something without a code of its own failed: for example, a result could not be written, or `doctor` found a wrong kernel.",
        ),
        (
            Self::Usage,
            "usage",
            "The command line or the configuration is refused, or it does not fit the run or the data.",
        ),
        (Self::BadInput, "bad input", "A file is missing, damaged or not what it should be."),
        (Self::NoAdapter, "no usable adapter", "There is no adapter that the command could use."),
        (
            Self::Diverged,
            "diverged",
            "The loss was not finite, and going back to the last checkpoint with a smaller learning rate did not help.",
        ),
        (
            Self::DeviceLost,
            "device lost or out of memory",
            "The device was lost, or it or the machine has too little memory.",
        ),
        (
            Self::Interrupted,
            "interrupted",
            "A signal ended the command. `wgvae train --resume RUN` goes on with a training.",
        ),
    ];

    /// The exit code.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The exit code that belongs to an error.
pub fn exit_code(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| {
            None.or_else(|| cause.downcast_ref::<Interrupted>().map(|_| Exit::Interrupted))
                .or_else(|| cause.downcast_ref().map(of_run))
                .or_else(|| cause.downcast_ref().map(of_error))
                .or_else(|| cause.downcast_ref().map(of_train))
                .or_else(|| cause.downcast_ref().map(of_device))
                .or_else(|| cause.downcast_ref().map(of_gpu))
                .or_else(|| cause.downcast_ref().map(of_data))
                .or_else(|| cause.downcast_ref().map(of_config))
                .or_else(|| cause.downcast_ref::<PlanError>().map(|_| Exit::Usage))
        })
        .unwrap_or(Exit::Other)
}

fn of_run(error: &RunError) -> Exit {
    match error {
        RunError::Missing { .. }
        | RunError::Damaged { .. }
        | RunError::Edited { .. }
        | RunError::Content(_)
        | RunError::Load(_) => Exit::BadInput,
        RunError::Unfit(_) | RunError::NoClasses { .. } | RunError::Plan(_) => Exit::Usage,
        RunError::Write { .. } | RunError::Session(_) => Exit::Other,
        RunError::Config(e) => of_config(e),
        RunError::Data(e) => of_data(e),
        RunError::Device(e) => of_device(e),
    }
}

fn of_error(error: &Error) -> Exit {
    match error {
        Error::Config(e) => of_config(e),
        Error::Data(e) => of_data(e),
        Error::Plan(_) => Exit::Usage,
        Error::Device(error) | Error::TooLarge { error, .. } => of_device(error),
        Error::Train(e) => of_train(e),
        Error::Run(e) => of_run(e),
        Error::Changed { .. } | Error::OtherData(_) | Error::OtherParameters { .. } => Exit::Usage,
    }
}

fn of_train(error: &TrainError) -> Exit {
    match error {
        TrainError::Device(error) | TrainError::Failed { error, .. } => of_device(error),
        TrainError::Occupied(_) | TrainError::Exists(_) | TrainError::Busy(_) | TrainError::Link(_) => Exit::Usage,
        TrainError::NoRun(_)
        | TrainError::AnotherFormat { .. }
        | TrainError::NotForked { .. }
        | TrainError::Read { .. } => Exit::BadInput,
        TrainError::Write { .. } | TrainError::Watch | TrainError::Gone(_) => Exit::Other,
        TrainError::Diverged { .. } => Exit::Diverged,
    }
}

fn of_device(error: &DeviceError) -> Exit {
    match error {
        DeviceError::None { .. } => Exit::NoAdapter,
        DeviceError::Gpu(e) => of_gpu(e),
    }
}

fn of_gpu(error: &GpuError) -> Exit {
    match error {
        GpuError::Device { .. } => Exit::NoAdapter,
        GpuError::Lost(_) | GpuError::OutOfMemory(_) | GpuError::Limit { .. } => Exit::DeviceLost,
        _ => Exit::Other,
    }
}

fn of_data(error: &DataError) -> Exit {
    match error {
        DataError::Spec { .. } | DataError::Option { .. } | DataError::Occupied(_) => Exit::Usage,
        DataError::Write { .. } => Exit::Other,
        _ => Exit::BadInput,
    }
}

fn of_config(error: &ConfigError) -> Exit {
    match error {
        ConfigError::Read { .. } => Exit::BadInput,
        _ => Exit::Usage,
    }
}
