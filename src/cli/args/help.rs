//! The help: a short one that fits a screen (`--help`), and one with every flag (`--help-all`).
//!
//! The short help has flags that most people need: those of keys that are marked so in their list, and those of other
//! options without `hide_short_help`. An option's first paragraph stands there, and all of them in the whole help.

use std::sync::LazyLock;

use clap::{Arg, ArgAction, Command, CommandFactory};
use toml::{Table, Value};
use wgvae::config::Config;
use wgvae::config::keys::Key;

use crate::cli::Cli;
use crate::cli::args::keys;
use crate::cli::commands::EXAMPLES;

/// The headings of options that are no keys. A key's option has the key's heading, and all others belong to the
/// command itself.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Data", &["data"]),
    ("Model", &["preset", "config"]),
    ("Run", &["out", "replace", "resume", "fork", "checkpoint_every", "keep"]),
    ("Device", &["device", "checked", "resident", "tune", "no_fuse"]),
    ("Output", &["to", "json", "csv_safe", "quiet", "preview", "no_preview"]),
];

/// The order of headings in the short help, which does not show them. Options of the command itself come first.
const ORDER: [&str; 7] = ["Data", "Model", "Loss", "Training", "Run", "Output", "Device"];

/// Commands whose options are those of `train`, but for those that change nothing of a step.
pub const LIKE_TRAINING: [&str; 3] = ["plan", "profile", "kernels"];

/// The width of a screen.
const COLUMNS: usize = 80;

/// How many examples the short help has.
const FEW: usize = 3;

/// What `[dense: X]` means, briefly and at length.
const OF_PRESETS: [&str; 2] = [
    "[dense: X] is what the preset `dense` sets.",
    "[dense: X] is what the preset `dense` sets; `wgvae config --preset NAME` prints what another one does.",
];

/// How much of the help is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What most people need: `--help`.
    Short,
    /// Every flag, with all that is known of it: `--help-all`, manual pages and completions.
    Whole,
}

/// What the preset `dense` sets.
static SET: LazyLock<Table> = LazyLock::new(|| {
    let text = Config::preset("dense").ok().and_then(|config| config.to_toml().ok());
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
});

/// The command line with its help.
pub fn command(extent: Extent) -> Command {
    let mut all = with_help_flags(Cli::command(), extent);
    if extent == Extent::Short {
        all = all.after_help(BRIEFLY);
    }
    for (name, examples) in EXAMPLES {
        all = all.mut_subcommand(name, |command| explained(command, name, examples, extent));
    }
    all
}

/// What follows the options in the short help of the program.
const BRIEFLY: &str = "Examples:
  wgvae train                                    built-in handwritten digits
  wgvae train --data photos/ --image-size 64x64  a folder of images
  wgvae train --data rows.csv --label class      a table
  wgvae sample runs/dense-strokes                new digits
  wgvae doctor                                   check this adapter

`wgvae COMMAND --help` explains a command. `wgvae --help-all` has more examples, and the exit codes.";

/// A command, and commands below it, with headings, defaults, examples and the flags that ask for help. `name` is
/// what is typed behind `wgvae`.
fn explained(command: Command, name: &str, examples: &[(&str, &str)], extent: Extent) -> Command {
    let of_step = LIKE_TRAINING.contains(&name);
    let has_presets = of_step || name == "train";
    let mut place = 0;
    let command = with_help_flags(command, extent).mut_args(|arg| {
        place += 1;
        let is_hidden = of_step && keys::of_argument(arg.get_id().as_str()).is_some_and(|key| !key.is_of_step);
        let arg = match extent {
            Extent::Short => brief(arg, place),
            Extent::Whole => grouped(arg),
        };
        let arg = if has_presets { with_default(arg) } else { arg };
        if is_hidden { arg.hide(true) } else { arg }
    });
    let typed = format!("wgvae {name}");
    let of_command: Vec<_> = examples.iter().filter(|(line, _)| line.starts_with(&typed)).copied().collect();
    let note = |text: &str| (name == "train").then(|| text.to_string());
    let after = match extent {
        Extent::Short => {
            [Some(listed(&of_command[..of_command.len().min(FEW)])), note(OF_PRESETS[0]), all_flags(&command, name)]
        }
        // The command's own explanation stays, in front of its examples.
        Extent::Whole => {
            [command.get_after_help().map(ToString::to_string), Some(listed(&of_command)), note(OF_PRESETS[1])]
        }
    };
    let after = after.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    command.after_help(after).mut_subcommands(|below| {
        let name = format!("{name} {}", below.get_name());
        explained(below, &name, examples, extent)
    })
}

/// A command whose `--help` is short, with `--help-all`.
fn with_help_flags(command: Command, extent: Extent) -> Command {
    let is_whole = extent == Extent::Whole;
    let action = if is_whole { ArgAction::HelpLong } else { ArgAction::HelpShort };
    let help = Arg::new("help").short('h').long("help").help("Print help").action(action);
    let whole = Arg::new("help_all").long("help-all").help("Print help with every flag").action(ArgAction::HelpLong);
    command.disable_help_flag(true).arg(help).arg(whole.hide(!is_whole))
}

/// The line that says how many flags there are, where the short help leaves some out.
fn all_flags(command: &Command, name: &str) -> Option<String> {
    let is_flag = |arg: &&Arg| arg.get_long().is_some_and(|long| !long.starts_with("help")) && !arg.is_hide_set();
    let flags = || command.get_arguments().filter(is_flag);
    let is_short = flags().all(|arg| !arg.is_hide_short_help_set());
    (!is_short).then(|| format!("`wgvae {name} --help-all` shows all {} flags.", flags().count()))
}

/// The key that an option sets. A command may have an option of its own with the name of a key.
fn key_of(arg: &Arg) -> Option<&'static Key> {
    let is_its_help = |key: &&Key| arg.get_help().is_some_and(|help| help.to_string() == key.help_text());
    keys::of_argument(arg.get_id().as_str()).filter(is_its_help)
}

/// The heading of an option in the whole help.
fn heading(arg: &Arg) -> Option<&'static str> {
    let id = arg.get_id().as_str();
    let of_key = || key_of(arg).map(|key| key.group.heading());
    let found = GROUPS.iter().find(|(_, ids)| ids.contains(&id)).map(|(heading, _)| *heading);
    found.or_else(of_key).filter(|_| !arg.is_positional())
}

fn grouped(arg: Arg) -> Arg {
    match heading(&arg) {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    }
}

/// An option as the short help has it, which was `place`th among all.
fn brief(arg: Arg, place: usize) -> Arg {
    let rank = match heading(&arg) {
        _ if arg.get_long().is_some_and(|long| long.starts_with("help")) => ORDER.len() + 1,
        Some(heading) => 1 + ORDER.iter().position(|known| *known == heading).unwrap_or(ORDER.len()),
        None => 0,
    };
    let arg = match key_of(&arg) {
        Some(key) => arg.help(key.brief_text()).hide_short_help(!key.is_common),
        None => arg,
    };
    // The whole help names variables of the environment.
    let arg = arg.hide_env(true);
    if arg.is_positional() { arg } else { arg.display_order(rank * 1000 + place) }
}

/// An option that says what the preset `dense` sets, where it has no other default.
fn with_default(arg: Arg) -> Arg {
    let id = arg.get_id().as_str().to_string();
    let found = ["data", "model", "train"].iter().find_map(|section| SET.get(*section)?.get(&id));
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    match found.and_then(written) {
        Some(value) if !is_flag && !help.contains("[default") => arg.help(format!("{help} [dense: {value}]")),
        _ => arg,
    }
}

fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(value.to_string()),
        Value::Array(all) if !all.is_empty() => {
            all.iter().map(written).collect::<Option<Vec<_>>>().map(|all| all.join(","))
        }
        _ => None,
    }
}

fn listed(examples: &[(&str, &str)]) -> String {
    let longest = |text: fn(&(&str, &str)) -> usize| examples.iter().map(text).max().unwrap_or(0);
    let widest = longest(|(line, _)| line.len());
    let fits = widest + longest(|(_, what)| what.len()) + 4 <= COLUMNS;
    let line = |(line, what): &(&str, &str)| match fits {
        true => format!("  {line:widest$}  {what}"),
        false => format!("  {line}\n      {what}"),
    };
    format!("Examples:\n{}", examples.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command, with the words that are typed for it.
    fn all(extent: Extent) -> Vec<(String, Command)> {
        fn below(name: &str, command: &Command) -> Vec<(String, Command)> {
            let of = |sub: &Command| {
                let name = format!("{name} {}", sub.get_name());
                [vec![(name.clone(), sub.clone())], below(&name, sub)].concat()
            };
            command.get_subcommands().filter(|sub| sub.get_name() != "help").flat_map(of).collect()
        }
        below("wgvae", &command(extent))
    }

    #[test]
    fn every_command_has_examples_that_it_takes() {
        for (name, examples) in EXAMPLES {
            assert!(!examples.is_empty());
            for (line, _) in *examples {
                let words = shlex::split(line).unwrap();
                assert_eq!(words[1], *name, "{line}");
                let parsed = command(Extent::Whole).try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
        let listed: Vec<String> = EXAMPLES.iter().map(|(name, _)| format!("wgvae {name}")).collect();
        let commands =
            all(Extent::Whole).into_iter().map(|(name, _)| name).filter(|name| !name.starts_with("wgvae data "));
        assert_eq!(commands.collect::<Vec<_>>(), listed, "each command is named as its file");
    }

    #[test]
    fn groups_name_options_that_there_are() {
        let ids: Vec<String> = all(Extent::Whole)
            .iter()
            .flat_map(|(_, sub)| sub.get_arguments().map(|arg| arg.get_id().to_string()).collect::<Vec<_>>())
            .collect();
        for id in GROUPS.iter().flat_map(|(_, ids)| *ids) {
            assert!(ids.iter().any(|known| known == id), "{id}");
        }
        assert!(keys::groups().all(|group| ORDER.contains(&group.heading())));
    }

    #[test]
    fn the_short_help_fits_a_screen() {
        for (name, command) in all(Extent::Short) {
            let short = command.clone().term_width(80).render_help().to_string();
            let lines: Vec<&str> = short.lines().collect();
            assert!(lines.len() <= 45, "{name} has {} lines:\n{short}", lines.len());
            let widest = lines.iter().map(|line| line.len()).max().unwrap_or(0);
            assert!(widest <= 80, "{name} has {widest} columns:\n{short}");
        }
    }

    #[test]
    fn the_whole_help_has_as_many_flags_as_the_short_one_says() {
        let whole = all(Extent::Whole);
        for ((name, short), (_, whole)) in all(Extent::Short).into_iter().zip(whole) {
            let says = short.get_after_help().map(ToString::to_string).unwrap_or_default();
            let Some((_, count)) = says.split_once("--help-all` shows all ") else { continue };
            let count: usize = count.split(' ').next().unwrap().parse().unwrap();
            let text = whole.clone().render_long_help().to_string();
            // Texts are indented further.
            let flags = text.lines().filter(|line| line.starts_with("      --") || line.starts_with("  -q, --"));
            assert_eq!(flags.filter(|line| !line.contains("--help-all")).count(), count, "{name}: {text}");
        }
    }

    #[test]
    fn the_help_of_training_says_what_the_preset_sets() {
        for extent in [Extent::Short, Extent::Whole] {
            let mut train = command(extent).find_subcommand("train").unwrap().clone().term_width(1000);
            let help = train.render_help().to_string();
            for says in ["[dense: 400]", "[dense: 0.001]", "[dense: bernoulli]", "[dense: 128]", "Examples:"] {
                assert!(help.contains(says), "{says}: {help}");
            }
        }
    }
}
