//! Errors as they are printed: of the command line in the words of its flags, and with `--json` as an object.

use std::io::Write;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::Serialize;
use wgvae::config::{ConfigError, keys};
use wgvae::train::TrainError;
use wgvae::{Error, RunError};
use wgvae_data::quote::shell_quote;
use wgvae_engine::exec::DeviceError;
use wgvae_engine::exec::gpu::GpuError;

use crate::cli::args::typed::Typed;
use crate::cli::output::terminal;
use crate::cli::output::terminal::visible;
use crate::cli::{exit_code, sentence};

/// An error in `--json`, on stderr.
#[derive(Serialize)]
struct ErrorObject<'a> {
    error: &'a str,
    exit_code: u8,
}

impl Typed {
    /// Says more of an error where more is known than the parser knows: what it should have been.
    pub fn explained(&self, error: clap::Error) -> clap::Error {
        let text = |kind: ContextKind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            _ => None,
        };
        let Some(argument) = text(ContextKind::InvalidArg) else { return error };
        let Some(mut command) = self.command() else { return error };
        match error.kind() {
            ErrorKind::ValueValidation => {
                let value = text(ContextKind::InvalidValue).unwrap_or_default();
                let flag = argument.split([' ', '=', '[']).next().unwrap_or(&argument).trim_start_matches('-');
                let of_numbers = std::error::Error::source(&error).is_some_and(|cause| {
                    cause.is::<std::num::ParseIntError>() || cause.is::<std::num::ParseFloatError>()
                });
                match of_numbers && is_list(&value) {
                    true => {
                        let why = format!("{flag}: one number, and `{value}` is a list");
                        clap::Error::raw(ErrorKind::ValueValidation, why).format(&mut command)
                    }
                    false => error,
                }
            }
            ErrorKind::UnknownArgument if !argument.starts_with('-') => {
                let takes_data = command.get_arguments().any(|known| known.get_long() == Some("data"));
                let has_data = self.flags().any(|word| word == "--data" || word.starts_with("--data="));
                match takes_data && !has_data {
                    true => {
                        let quoted = wgvae_data::quote::shell_quote(&argument);
                        let why = format!("unexpected argument '{argument}': data is named by a flag: --data {quoted}");
                        clap::Error::raw(ErrorKind::UnknownArgument, why).format(&mut command)
                    }
                    false => error,
                }
            }
            _ => error,
        }
    }

    /// Prints that the command line was not understood, or prints the help that was asked for.
    pub fn print_usage(&self, error: &clap::Error) -> std::io::Result<()> {
        // Names of files may come from a pattern.
        if error.use_stderr() && !self.is_json() && self.words.iter().any(|word| *visible(word) != **word) {
            return write!(terminal::err(), "{error}");
        }
        if !error.use_stderr() || !self.is_json() {
            return error.print().and_then(|()| std::io::stdout().flush());
        }
        let text = error.to_string();
        let lines = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more "));
        let said: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = said.join(" ");
        self.print_json(said.strip_prefix("error: ").unwrap_or(&said), error.exit_code() as u8)
    }

    /// Prints why a command has failed.
    pub fn print(&self, error: &anyhow::Error) -> std::io::Result<()> {
        match self.is_json() {
            true => self.print_json(&self.with_flags(error), exit_code(error).code()),
            false => writeln!(terminal::err(), "wgvae: {}", self.with_flags(error)),
        }
    }

    /// What an error says, with the flags of the command that set the keys which it names.
    fn with_flags(&self, error: &anyhow::Error) -> String {
        let flags = self.command_flags();
        let said = flags.in_place_of_keys(&sentence(error));
        let Some(ConfigError::Refused { keys, .. }) = of_config(error) else { return said };
        let flags = keys.iter().filter_map(|name| flags.of_key(keys::find(name)?));
        match flags.map(|flag| format!("--{flag}")).collect::<Vec<_>>() {
            flags if flags.is_empty() => said,
            flags => format!("{said} ({})", flags.join(", ")),
        }
    }

    fn print_json(&self, error: &str, exit_code: u8) -> std::io::Result<()> {
        let line = serde_json::to_string(&ErrorObject { error, exit_code })?;
        writeln!(terminal::err(), "{line}")
    }
}

/// What an error says, with the flags that set what is no key.
pub fn said(error: &(dyn std::error::Error + 'static)) -> String {
    None.or_else(|| error.downcast_ref().map(said_of_error))
        .or_else(|| error.downcast_ref().map(said_of_training))
        .or_else(|| error.downcast_ref().map(said_of_run))
        .or_else(|| error.downcast_ref().map(said_of_device))
        .or_else(|| error.downcast_ref().map(said_of_gpu))
        .unwrap_or_else(|| error.to_string())
}

fn said_of_error(error: &Error) -> String {
    match error {
        Error::Device(error) => said_of_device(error),
        Error::TooLarge { error, advice } => format!("{}; {advice}", said_of_device(error)),
        Error::Train(error) => said_of_training(error),
        Error::Run(error) => said_of_run(error),
        Error::Changed { .. } | Error::OtherData(_) => format!("{error} (--fork DIR)"),
        error => error.to_string(),
    }
}

fn said_of_training(error: &TrainError) -> String {
    match error {
        TrainError::Device(error) => said_of_device(error),
        TrainError::Failed { error, folder } => {
            format!("{}; go on with: wgvae train --resume {}", said_of_device(error), shell_quote(folder))
        }
        TrainError::NotForked { path, of } => {
            let [from, to] = [&of.folder, path].map(|folder| shell_quote(folder.display().to_string()));
            format!("{error} (wgvae train --resume {from} --fork {to})")
        }
        TrainError::Exists(folder) => format!(
            "{0} already holds a run: go on with it (--resume), start from it in another folder (--resume {0} --fork DIR), \
             replace it (--replace), or choose another folder",
            folder.display()
        ),
        error => error.to_string(),
    }
}

fn said_of_run(error: &RunError) -> String {
    match error {
        RunError::Device(error) => said_of_device(error),
        RunError::Edited { .. } => format!("{error} (wgvae train --resume RUN)"),
        RunError::NoClasses { .. } => format!("{error} with --class"),
        error => error.to_string(),
    }
}

fn said_of_device(error: &DeviceError) -> String {
    match error {
        DeviceError::Gpu(error) => said_of_gpu(error),
        error => error.to_string(),
    }
}

fn said_of_gpu(error: &GpuError) -> String {
    match error {
        GpuError::Device { .. } => format!("{error} with --device; `wgvae devices` lists them"),
        GpuError::Limit { .. } | GpuError::OutOfMemory(_) => format!("{error} (--device cpu)"),
        error => error.to_string(),
    }
}

/// The error of a configuration that another one is about.
fn of_config(error: &anyhow::Error) -> Option<&ConfigError> {
    fn of_run(error: &RunError) -> Option<&ConfigError> {
        match error {
            RunError::Config(error) => Some(error),
            _ => None,
        }
    }
    error.chain().find_map(|cause| {
        let of_training = || match cause.downcast_ref()? {
            Error::Config(error) => Some(error),
            Error::Run(error) => of_run(error),
            _ => None,
        };
        cause.downcast_ref().or_else(of_training).or_else(|| cause.downcast_ref().and_then(of_run))
    })
}

/// Whether the reader of a pipe has left, which is no error: `head` has seen enough.
pub fn is_reader_gone(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_gone))
}

fn is_gone(error: &std::io::Error) -> bool {
    // The writer of CSV puts it into an error of its own, and that into another.
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<csv::Error>());
    error.kind() == std::io::ErrorKind::BrokenPipe
        || inner.is_some_and(|error| matches!(error.kind(), csv::ErrorKind::Io(error) if is_gone(error)))
}

/// Several numbers in one word: `8,16`, `[8, 16]`, `8 16`.
fn is_list(value: &str) -> bool {
    let parts: Vec<&str> = value
        .trim_matches(|c: char| "[]()".contains(c) || c.is_whitespace())
        .split(|c: char| ",;".contains(c) || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .collect();
    parts.len() > 1 && parts.iter().all(|part| part.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn refused(line: &str) -> String {
        let words: Vec<String> = shlex::split(line).unwrap();
        let typed = Typed::of(words.iter().map(OsString::from));
        typed.explained(Cli::try_parse_from(&words).unwrap_err()).to_string()
    }

    #[test]
    fn one_number_is_not_a_list() {
        for (line, said) in [
            ("wgvae train --latent 8,16", "error: latent: one number, and `8,16` is a list"),
            ("wgvae train --beta 0.5,1", "error: beta: one number, and `0.5,1` is a list"),
            ("wgvae train --seed '[1, 2]'", "error: seed: one number, and `[1, 2]` is a list"),
            ("wgvae sample RUN --count '1 2'", "error: count: one number, and `1 2` is a list"),
        ] {
            let error = refused(line);
            assert!(error.starts_with(said) && error.contains("Usage: wgvae"), "{line}: {error}");
        }
        let error = refused("wgvae train --beta much");
        assert!(error.contains("invalid value 'much' for '--beta <X>'"), "{error}");
    }

    #[test]
    fn data_without_its_flag_names_the_flag() {
        assert!(refused("wgvae train mnist/").contains("--data mnist/"));
        assert!(refused("wgvae train 'my rows.csv' --epochs 3").contains("--data 'my rows.csv'"));
        assert!(refused("wgvae eval RUN rows.csv").contains("--data rows.csv"));
        for line in ["wgvae train --data mnist/ more", "wgvae devices mnist/", "wgvae train --dta mnist/"] {
            assert!(!refused(line).contains("is named by a flag"), "{line}");
        }
    }

    #[test]
    fn refused_keys_come_with_the_flags_that_the_command_has() {
        let told = |line: &str, keys: &[&'static str]| {
            let reason = "sigma is refused".to_string();
            let typed = Typed::of(shlex::split(line).unwrap().iter().map(OsString::from));
            let refused = || ConfigError::Refused { keys: keys.to_vec(), reason: reason.clone() };
            let told = typed.with_flags(&refused().into());
            assert_eq!(typed.with_flags(&Error::Config(refused()).into()), told);
            assert_eq!(typed.with_flags(&RunError::Config(refused()).into()), told);
            told
        };
        let keys = ["sigma", "lr_step_epochs", "source", "beta1", "relations"];
        assert_eq!(
            told("wgvae train --sigma 2", &keys),
            "sigma is refused (--sigma, --lr-step-epochs, --data, --no-relations)"
        );
        assert_eq!(told("wgvae eval RUN", &["sigma", "label"]), "sigma is refused (--label)");
        assert_eq!(told("wgvae train", &[]), "sigma is refused");
        assert_eq!(told("wgvae", &["sigma"]), "sigma is refused");
    }

    #[test]
    fn what_is_no_key_comes_with_the_flag_that_sets_it() {
        let lost = || DeviceError::Gpu(GpuError::OutOfMemory("full".into()));
        let told = |error: Error| sentence(&error.into());
        let memory = told(Error::Device(lost()));
        assert!(memory.ends_with("a smaller batch or model, or the processor (--device cpu)"), "{memory}");
        assert_eq!(sentence(&lost().into()), memory);
        assert_eq!(sentence(&RunError::Device(lost()).into()), memory);
        assert_eq!(told(Error::TooLarge { error: lost(), advice: "less".into() }), format!("{memory}; less"));
        let failed = TrainError::Failed { error: lost(), folder: "runs/a b".into() };
        assert_eq!(told(failed.into()), format!("{memory}; go on with: wgvae train --resume 'runs/a b'"));
        assert!(
            told(TrainError::Exists("run".into()).into()).contains("(--resume run --fork DIR), replace it (--replace)")
        );
        assert!(told(Error::OtherData("run".into())).ends_with("make it another run by a fork (--fork DIR)"));
        let refused = GpuError::Device { adapter: "a".into(), reason: "b".into() };
        assert!(told(refused.into()).ends_with("choose another with --device; `wgvae devices` lists them"));
        let classless = RunError::NoClasses { classes: "a, b".into() };
        let typed = Typed::of(["wgvae", "eval", "RUN"].map(OsString::from));
        assert!(
            typed.with_flags(&classless.into()).ends_with("says which, --label, or the class of all rows with --class")
        );
    }

    #[test]
    fn lists_are_of_numbers() {
        assert!(["1,2", "[1, 2]", "1;2", "-1 2.5"].iter().all(|list| is_list(list)));
        assert!(!["1", "1,", "a,b", "1,x", "", "1e3"].iter().any(|word| is_list(word)));
    }

    #[test]
    fn a_reader_that_has_left_is_known_through_a_wrapper() {
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let wrapped = std::io::Error::from(csv::Error::from(gone()));
        assert_ne!(wrapped.kind(), std::io::ErrorKind::BrokenPipe);
        assert!(is_reader_gone(&anyhow::Error::from(gone()).context("a result")));
        assert!(is_reader_gone(&anyhow::Error::from(wrapped)));
        assert!(!is_reader_gone(&std::io::Error::other("full").into()));
    }
}
