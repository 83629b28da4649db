//! The pages `docs/reference/commands.md` and `docs/reference/exit-codes.md`, made from what the program has and compared with
//! what they are.

use clap::{Arg, ArgAction, Command};

use super::Exit;
use super::args::help::{self, Extent};
use super::args::keys;

const REWRITTEN: &str = "`INSTA_UPDATE=always cargo test --release --bin wgvae reference` writes it";

const COMMANDS: &str = "# Commands

Every command with its arguments and flags. `wgvae COMMAND --help-all` prints the same in a terminal, with examples;
`--help` prints what most people need. Words in `<...>` stand for what you write; what stands in `[...]` may be left
out.

Most flags of `wgvae train` set a key of the configuration. [Configuration](../configuration.md) says of each key what
it is, its type, its range and what it is refused with.
";

const EXIT_CODES: &str = "# Exit codes

The exit code says how a command ended, so that a script can decide what to do. With `--json`, an error is an object on
stderr: `{\"error\": \"...\", \"exit_code\": 2}`.

| code | name | meaning |
|---:|---|---|
";

/// A text for a cell of a table, where paragraphs become sentences.
fn cell(text: &str) -> String {
    let line = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentences: Vec<String> = text.split("\n\n").map(|part| line(part).trim_end_matches('.').to_string()).collect();
    sentences.join(". ").replace('|', "\\|").replace('<', "&lt;")
}

/// What an argument means, with its choices, its default and its variable.
fn meaning(arg: &Arg) -> String {
    let mut text = cell(&arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default());
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let choices: Vec<String> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if takes_value && !choices.is_empty() && choices != ["`true`", "`false`"] {
        text += &format!("; one of {}", choices.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        text += &format!(" [default: {}]", defaults.join(","));
    }
    if let Some(variable) = arg.get_env() {
        text += &format!(" [variable: `{}`]", variable.to_string_lossy());
    }
    text
}

fn table<'a>(title: &str, args: impl Iterator<Item = &'a Arg>) -> String {
    let rows: String =
        args.map(|arg| format!("| `{}` | {} |\n", arg.to_string().replace('|', "\\|"), meaning(arg))).collect();
    match rows.is_empty() {
        true => String::new(),
        false => format!("\n| {title} | |\n|---|---|\n{rows}"),
    }
}

/// Headings of a command's flags, in their order.
fn headings<'a>(args: &[&'a Arg]) -> Vec<Option<&'a str>> {
    let mut found = Vec::new();
    for heading in args.iter().map(|arg| arg.get_help_heading()) {
        if !found.contains(&heading) {
            found.push(heading);
        }
    }
    found.sort_by_key(Option::is_some);
    found
}

/// The part of a command, and of the commands in it.
fn part(command: &Command, before: &str) -> String {
    let name = format!("{before} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let mut text = format!("\n## {name}\n\n{about}.\n\n```text\n{usage}\n```\n");
    let like_training = help::LIKE_TRAINING.contains(&command.get_name());
    let is_own = |arg: &&Arg| !matches!(arg.get_id().as_str(), "help" | "help_all" | "version");
    let is_shown = |arg: &&Arg| is_own(arg) && !(like_training && keys::of_argument(arg.get_id().as_str()).is_some());
    text += &table("argument", command.get_positionals());
    let flags: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_positional()).filter(is_shown).collect();
    for heading in headings(&flags) {
        text +=
            &table(heading.unwrap_or("flag"), flags.iter().copied().filter(|arg| arg.get_help_heading() == heading));
    }
    if like_training {
        text += "\nThe flags of `wgvae train` that change a training step are flags of this command, too.\n";
    }
    let name = name.as_str();
    text.extend(command.get_subcommands().filter(|sub| sub.get_name() != "help").map(|sub| part(sub, name)));
    text
}

/// Compares a page with what it should be, or writes it.
fn expect(name: &str, page: &str) {
    let path = format!("{}/docs/reference/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, page).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(is.lines().chain(std::iter::repeat(""))).find(|(made, is)| made != is);
    assert!(page == is, "docs/reference/{name} is not what the program says; {REWRITTEN}: {differs:?}");
}

#[test]
fn the_reference_of_commands_is_what_the_program_takes() {
    let mut page = format!("{COMMANDS}\nThis page is made from the program: {REWRITTEN}.\n");
    let mut all = help::command(Extent::Whole);
    all.build();
    page.extend(all.get_subcommands().filter(|sub| sub.get_name() != "help").map(|sub| part(sub, "wgvae")));
    expect("commands.md", &page);
}

#[test]
fn the_reference_of_exit_codes_is_what_the_program_has() {
    let rows = Exit::ALL.map(|(exit, name, meaning)| format!("| {} | {name} | {meaning} |\n", exit.code()));
    expect(
        "exit-codes.md",
        &format!("{EXIT_CODES}{}\nThis page is made from the program: {REWRITTEN}.\n", rows.concat()),
    );
}

#[test]
fn the_help_names_every_exit_code() {
    let help: Vec<&str> = super::EXAMPLES.split_whitespace().collect();
    let help = help.join(" ");
    for (exit, name, _) in Exit::ALL {
        assert!(help.contains(&format!("{} {name}", exit.code())), "{exit:?}");
    }
}
