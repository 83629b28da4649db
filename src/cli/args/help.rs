//! The help: options in groups, what the default preset sets, options that do not matter to a command left out,
//! examples.

use clap::{Arg, ArgAction, Command, CommandFactory};
use toml::{Table, Value};
use wgvae::config::Config;

use crate::cli::Cli;
use crate::cli::args::keys;

/// The headings of options that are no keys. An option with a key's name has the key's heading, and all others belong
/// to the command itself.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Model", &["preset", "config"]),
    ("Run", &["out", "replace", "resume", "fork", "checkpoint_every", "keep"]),
    ("Device", &["device", "checked", "resident", "tune", "no_fuse"]),
    ("Output", &["to", "json", "csv_safe", "quiet", "preview", "no_preview"]),
];

/// Commands whose options are those of `train`, but for those that change nothing of a step.
pub const LIKE_TRAINING: [&str; 3] = ["plan", "profile", "kernels"];

const OF_PRESETS: &str =
    "[dense: X] is what the preset `dense` sets; `wgvae config --preset NAME` prints what another one does.";

/// Examples of each command: a line, and what it does.
pub const EXAMPLES: [(&str, &[(&str, &str)]); 24] = [
    (
        "train",
        &[
            ("wgvae train", "handwritten digits from the built-in strokes"),
            ("wgvae train --data photos/ --image-size 64x64", "a folder of images"),
            ("wgvae train --data rows.csv --label class", "a table, and where its classes are"),
            ("wgvae train --hidden 512,256 --latent 8 --beta 0.1", "another network"),
            ("wgvae train --encoder 'conv 16 k3 s2, dense 64' --latent 8", "convolutions"),
            ("wgvae train --resume runs/dense-strokes --epochs 20", "make a run longer"),
        ],
    ),
    (
        "eval",
        &[
            ("wgvae eval runs/dense-strokes", "of the test rows"),
            ("wgvae eval runs/dense-strokes --data strokes:count=500 --draws 16", "of other rows, with more draws"),
            ("wgvae eval runs/dense-strokes --nll 100 --limit 100", "with the likelihood, by importance sampling"),
            ("wgvae eval runs/burgess-sprites --factors", "how far dimensions stand for known factors"),
            ("wgvae eval runs/dense-strokes --quality --device cpu", "with precision and recall of samples"),
        ],
    ),
    (
        "sample",
        &[
            ("wgvae sample runs/dense-strokes", "a picture of 100 images"),
            ("wgvae sample runs/dense-strokes --around-class 3 --to threes.npy", "around a class, as numbers"),
            ("wgvae sample runs/table-rows --count 1000 --to new.csv", "rows of a table"),
        ],
    ),
    (
        "reconstruct",
        &[("wgvae reconstruct runs/dense-strokes", "test images, and below them what the model makes of them")],
    ),
    (
        "interpolate",
        &[("wgvae interpolate runs/dense-strokes --between 3,17 --way spherical", "between two test rows")],
    ),
    (
        "traverse",
        &[
            ("wgvae traverse runs/dense-strokes", "each dimension from -3 to 3"),
            ("wgvae traverse runs/burgess-sprites --factors", "each known factor through its values"),
        ],
    ),
    ("encode", &[("wgvae encode runs/dense-strokes --to codes.csv", "means and variances of the test rows")]),
    ("decode", &[("wgvae decode runs/dense-strokes codes.csv --to decoded.npy", "codes that `encode` wrote")]),
    (
        "compress",
        &[
            ("wgvae compress runs/dense-sprites --to sprites.wgz", "the test rows, with a model of zeros and ones"),
            ("wgvae compress runs/conv-photos photos/ --to photos.wgz", "images of a folder, level by level"),
        ],
    ),
    ("decompress", &[("wgvae decompress runs/conv-photos photos.wgz --to restored", "as a folder of PNG files")]),
    (
        "anomaly",
        &[
            ("wgvae anomaly runs/table-rows --data rows.csv", "scores of the rows of a table"),
            ("wgvae anomaly runs/table-rows --quantile 0.99", "and which are above 99 % of the training rows"),
        ],
    ),
    (
        "restore",
        &[
            ("wgvae restore runs/table-rows --data rows.csv --to filled.csv", "fill in empty cells"),
            ("wgvae restore runs/dense-strokes --noise 0.2 --damage", "how well noise is removed"),
            ("wgvae restore runs/dense-strokes --hole 8,8,10,10 --damage", "how well a hole is filled in"),
        ],
    ),
    ("augment", &[("wgvae augment runs/dense-strokes --count 200 --balance", "more rows of the rarer classes")]),
    ("compare", &[("wgvae compare runs/dense-strokes runs/table-rows", "losses side by side, and a page")]),
    ("report", &[("wgvae report runs/dense-strokes --to page.html", "the page of a run")]),
    ("plan", &[("wgvae plan --preset conv", "the step of a preset, op by op")]),
    ("profile", &[("wgvae profile --batch 512", "where the time of a step goes")]),
    ("kernels", &[("wgvae kernels --show update", "the WGSL of the optimiser")]),
    (
        "data",
        &[
            ("wgvae data rows.csv --label class", "columns, classes, ranges"),
            ("wgvae data export strokes:count=100 --to images --format png", "as files"),
        ],
    ),
    ("config", &[("wgvae config --preset conv", "a file that explains every key")]),
    ("completions", &[("wgvae completions bash", "for the shell's folder of completions")]),
    ("man", &[("wgvae man train", "the page of a command")]),
    ("devices", &[("wgvae devices", "what --device can choose from")]),
    ("doctor", &[("wgvae doctor --device software", "check the software adapter where there is a GPU, too")]),
];

/// The command line with its help.
pub fn command() -> Command {
    let set = Config::preset("dense").ok().and_then(|config| config.to_toml().ok()).and_then(|text| text.parse().ok());
    let set: Table = set.unwrap_or_default();
    let mut all = Cli::command();
    for (name, examples) in EXAMPLES {
        all = all.mut_subcommand(name, |command| {
            // The command's own explanation stays, in front of its examples.
            let own = command.get_after_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
            let command = command.after_help(own + &listed(examples)).mut_args(grouped);
            match name {
                "train" => {
                    let after = format!("{}\n\n{OF_PRESETS}", listed(examples));
                    command.after_help(after).mut_args(|arg| with_default(arg, &set))
                }
                _ if LIKE_TRAINING.contains(&name) => command.mut_args(|arg| {
                    let is_shown = keys::of_argument(arg.get_id().as_str()).is_none_or(|key| key.is_of_step);
                    with_default(arg, &set).hide(!is_shown)
                }),
                _ => command,
            }
        });
    }
    all
}

fn grouped(arg: Arg) -> Arg {
    let id = arg.get_id().as_str();
    let of_key = || keys::of_argument(id).map(|key| key.group.heading());
    let heading = GROUPS.iter().find(|(_, ids)| ids.contains(&id)).map(|(heading, _)| *heading).or_else(of_key);
    match heading {
        Some(heading) if !arg.is_positional() => arg.help_heading(heading),
        _ => arg,
    }
}

/// An option that says what the preset `dense` sets, where it has no other default.
fn with_default(arg: Arg, set: &Table) -> Arg {
    let id = arg.get_id().as_str().to_string();
    let found = ["data", "model", "train"].iter().find_map(|section| set.get(*section)?.get(&id));
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
    let widest = examples.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let line = |(line, what): &(&str, &str)| format!("  {line:widest$}  {what}");
    format!("Examples:\n{}", examples.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_examples_that_it_takes() {
        let all = command();
        for sub in all.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let (_, examples) = EXAMPLES.iter().find(|(name, _)| *name == sub.get_name()).unwrap();
            assert!(!examples.is_empty());
            for (line, _) in *examples {
                let words = shlex::split(line).unwrap();
                assert_eq!(words[1], sub.get_name(), "{line}");
                let parsed = all.clone().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn groups_name_options_that_there_are() {
        let all = command();
        let ids: Vec<String> = all
            .get_subcommands()
            .flat_map(|sub| sub.get_arguments().map(|arg| arg.get_id().to_string()).collect::<Vec<_>>())
            .collect();
        for id in GROUPS.iter().flat_map(|(_, ids)| *ids) {
            assert!(ids.iter().any(|known| known == id), "{id}");
        }
    }

    #[test]
    fn the_help_of_training_says_what_the_preset_sets() {
        let mut train = command().find_subcommand("train").unwrap().clone().term_width(1000);
        let help = train.render_help().to_string();
        for says in ["[dense: 400]", "[dense: 0.001]", "[dense: bernoulli]", "[dense: 128]", "Loss:", "Examples:"] {
            assert!(help.contains(says), "{says}: {help}");
        }
    }
}
