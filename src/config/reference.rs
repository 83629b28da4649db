//! The page `docs/configuration.md`, made from the list of keys and compared with what it is.

use super::keys::{self, Changes, Key, KeyScale, Section, ValueType};
use super::rules::RULES;

const HEAD: &str = "# Configuration

Every key of a configuration: what it is, its flag, its type, its default and its range. `wgvae config --preset NAME` prints a file
to start from, which `--config FILE` reads; every run keeps its own in `config.toml`.

A preset comes first, then sizes that follow from the data, then the file, then flags: each goes over those before it. Where
a choice changes, keys that belong to it are left behind, so that `--objective ae` over a file with a `beta` is no contradiction. A
key that has no effect is refused.

A run that goes on (`--resume`) keeps its keys, but for those that may change with `--resume`; its end can only be later than it
was. A fork (`--resume RUN --fork DIR`) may change others, too, as long as the parameters stay as they are.

This page is made from `src/config/keys`: `INSTA_UPDATE=always cargo test --release --lib reference` writes it.
";

/// A key's sentence with a capital, unless it begins with the name of a choice or a source.
fn sentence(key: &Key) -> String {
    let text = key.described();
    let first = text.split([' ', ',', ':']).next().unwrap_or_default();
    let is_choice = match key.value_type {
        ValueType::Choice(choices) => choices().iter().any(|[name, _]| *name == first),
        _ => key.name == "source",
    };
    if is_choice { text } else { text[..1].to_uppercase() + &text[1..] }
}

/// The flag of a key with its value.
fn flag(key: &Key) -> String {
    let Some(name) = key.flag_name() else { return "no flag".into() };
    let value = match (key.flag, key.value_type) {
        (keys::Flag::On | keys::Flag::Off(_), _) => String::new(),
        (_, ValueType::Switch) => "[=BOOL]".into(),
        (_, ValueType::Choice(_)) => " NAME".into(),
        _ => format!(" {}", key.value_name.unwrap_or("VALUE")),
    };
    let variable = key.env.map(|variable| format!(" or `{variable}`")).unwrap_or_default();
    format!("`--{name}{value}`{variable}")
}

/// Returns the facts about a key in one line.
fn facts(key: &Key) -> String {
    let mut facts = vec![flag(key)];
    let range = key.range.sentence().filter(|sentence| !sentence.contains("number"));
    let kind = match key.value_type {
        ValueType::Choice(_) => "a name of those below",
        ValueType::Number if key.range.sentence().is_some() && range.is_none() => "",
        other => other.name(),
    };
    let range = range.or_else(|| key.range.sentence()).unwrap_or_default();
    facts.push([kind, &range].join(" ").trim().into());
    facts.push(match key.default() {
        Some(value) => format!("default `{value}`"),
        None => format!("no default, for example `{}`", key.example_text()),
    });
    if key.scale == KeyScale::Logarithmic {
        facts.push("best tried by ratios".into());
    }
    if let Some(belongs) = key.belongs {
        facts.push(format!("only with `{}` {}", belongs.to, belongs.choices.names().join(", ")));
    }
    let others: Vec<String> = key.reset_by.iter().map(|name| format!("`{name}`")).collect();
    if !others.is_empty() {
        facts.push(format!("left behind where {} changes", others.join(" or ")));
    }
    match key.changes {
        Changes::Never => facts.push("the parameters depend on it".into()),
        Changes::InFork => {}
        Changes::OnResume | Changes::WhileRunning => facts.push("may change with `--resume`".into()),
    }
    facts.join("; ")
}

/// The part of a key.
fn part(key: &Key) -> String {
    let mut text = format!("\n### {}\n\n{}.\n\n{}.\n", key.name, sentence(key), facts(key));
    if let ValueType::Choice(choices) = key.value_type {
        let lines = choices().into_iter().map(|[name, meaning]| format!("- `{name}`: {meaning}\n"));
        text += &format!("\n{}", lines.collect::<String>());
    }
    text
}

/// The whole page.
fn page() -> String {
    let mut text = HEAD.to_string();
    for section in Section::ALL {
        text += &format!("\n## `[{}]`\n", section.name());
        text.extend(keys::all().filter(|key| key.section == section).map(part));
    }
    text += "\n## What is refused together\n\nBeside keys that are out of range, or that belong to a choice which is not made:\n\n";
    text.extend(RULES.iter().map(|rule| {
        let keys: Vec<String> = rule.keys.iter().map(|name| format!("`{name}`")).collect();
        format!("- {}: {}.\n", keys.join(", "), rule.sentence)
    }));
    text
}

#[test]
fn the_reference_is_what_the_list_of_keys_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, &page).unwrap();
    }
    let is = std::fs::read_to_string(path).unwrap_or_default();
    let differs = page.lines().zip(is.lines().chain(std::iter::repeat(""))).find(|(made, is)| made != is);
    assert!(page == is, "docs/configuration.md is not what the keys say: {differs:?}");
}
