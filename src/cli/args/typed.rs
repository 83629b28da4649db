//! What was typed, before it is parsed: how errors and helps are printed depends on it.

use std::ffi::OsString;

use crate::cli::args::help::{self, Extent};

/// The words of a command line.
pub struct Typed {
    pub(in crate::cli) words: Vec<String>,
}

impl Typed {
    /// Words as they were typed, the program's name first.
    pub fn of(words: impl IntoIterator<Item = OsString>) -> Self {
        Self { words: words.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect() }
    }

    /// Words before `--`, behind which there are no flags.
    pub(in crate::cli) fn flags(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str).take_while(|word| *word != "--")
    }

    /// Whether errors are printed as JSON.
    pub fn is_json(&self) -> bool {
        self.flags().any(|word| word == "--json")
    }

    /// How much of the help is asked for.
    pub fn extent(&self) -> Extent {
        let is_whole =
            self.words.first().is_some_and(|word| word == "help") || self.flags().any(|word| word == "--help-all");
        if is_whole { Extent::Whole } else { Extent::Short }
    }

    /// The command that was meant.
    pub(in crate::cli) fn command(&self) -> Option<clap::Command> {
        let mut words = self.words.iter().filter(|word| !word.starts_with('-'));
        let mut all = help::command(Extent::Whole);
        all.build();
        let command = all.find_subcommand(words.next()?)?;
        Some(words.next().and_then(|name| command.find_subcommand(name)).unwrap_or(command).clone())
    }
}
