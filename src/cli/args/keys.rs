//! Flags of the configuration's keys, made from their list.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::LazyLock;

use clap::builder::{
    BoolValueParser, PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser, ValueParser,
};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use toml::{Table, Value};
use wgvae::config::keys::{self, Flag, Key, KeyGroup, ValueType};
use wgvae::config::{Config, ConfigError};
use wgvae::model::Layer;
use wgvae_data::{ImageSize, NamedKind, Options};

/// The keys that a command has flags for.
pub trait Keys {
    /// Whether it has those of a group.
    fn has(group: KeyGroup) -> bool;
}

/// Which rows of a source are taken, and as what.
#[derive(Debug, Clone, Copy)]
pub struct OfRows;

/// How a source is read that a model is yet to be trained on, and which of its rows are taken.
#[derive(Debug, Clone, Copy)]
pub struct OfReading;

/// All keys.
#[derive(Debug, Clone, Copy)]
pub struct OfAll;

impl Keys for OfRows {
    fn has(group: KeyGroup) -> bool {
        group == KeyGroup::Rows
    }
}

impl Keys for OfReading {
    fn has(group: KeyGroup) -> bool {
        matches!(group, KeyGroup::Rows | KeyGroup::Reading)
    }
}

impl Keys for OfAll {
    fn has(_: KeyGroup) -> bool {
        true
    }
}

/// How a key is named on the command line.
struct Names {
    /// The flag without its dashes.
    long: String,
    /// The flag's name among a command's arguments.
    id: String,
    /// The name of its value.
    value: String,
}

static NAMES: LazyLock<BTreeMap<&'static str, Names>> = LazyLock::new(|| {
    let named = |key: &'static Key| {
        let long = key.flag_name()?;
        let id = long.replace('-', "_");
        let value = match (key.value_name, key.value_type) {
            (Some(name), _) => name.into(),
            (None, ValueType::Choice(_)) => "NAME".into(),
            (None, _) => id.to_uppercase(),
        };
        Some((key.name, Names { long, id, value }))
    };
    keys::all().filter_map(named).collect()
});

/// The name of a key's flag among a command's arguments.
fn id_of(name: &str) -> Option<&'static str> {
    NAMES.get(name).map(|names| names.id.as_str())
}

/// The key with a flag of this name among a command's arguments.
pub fn of_argument(id: &str) -> Option<&'static Key> {
    keys::all().find(|key| id_of(key.name) == Some(id))
}

/// The subjects of keys with flags.
#[cfg(test)]
pub fn groups() -> impl Iterator<Item = KeyGroup> {
    keys::all().map(|key| key.group)
}

/// Flags of keys, of which some were given.
#[derive(Debug, Clone)]
pub struct KeyFlags<K> {
    given: Vec<(&'static Key, Value)>,
    of: PhantomData<K>,
}

impl<K: Keys> KeyFlags<K> {
    /// Keys with flags, in the order of the help.
    fn keys() -> Vec<(&'static Key, &'static Names)> {
        let mut all: Vec<_> = keys::all().filter(|key| K::has(key.group)).collect();
        all.sort_by_key(|key| key.group);
        all.into_iter().filter_map(|key| Some((key, NAMES.get(key.name)?))).collect()
    }

    /// The value that was given for a key.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.given.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The flags that were given, as a table that overrides the configuration file.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        for (key, value) in &self.given {
            let section = table.entry(key.section.name()).or_insert_with(|| Table::new().into());
            if let Value::Table(section) = section {
                section.insert(key.name.into(), value.clone());
            }
        }
        table
    }

    /// Sets every option whose flag was given.
    pub fn fill(&self, options: &mut Options) -> Result<(), ConfigError> {
        let mut config = Config::default();
        config.data.load_as(options);
        for (key, value) in &self.given {
            key.set(&mut config, Some(value.clone()))?;
        }
        *options = Options { kind: options.kind, ..config.data.options(options.seed) };
        Ok(())
    }
}

impl<K: Keys> clap::Args for KeyFlags<K> {
    fn augment_args(command: Command) -> Command {
        command.args(Self::keys().into_iter().map(|(key, names)| argument(key, names)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<K: Keys> clap::FromArgMatches for KeyFlags<K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Self::keys().into_iter();
        let given = given.filter_map(|(key, names)| Some((key, given_value(key, &names.id, matches)?))).collect();
        Ok(Self { given, of: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Whether each flag adds to a list.
fn is_gathered(key: &Key) -> bool {
    matches!(key.value_type, ValueType::Words | ValueType::Kinds)
}

/// The flag of a key.
fn argument(key: &'static Key, names: &'static Names) -> Arg {
    let mut arg = Arg::new(names.id.as_str()).long(names.long.as_str()).help(key.help_text());
    if matches!(key.flag, Flag::On | Flag::Off(_)) {
        return arg.action(ArgAction::SetTrue);
    }
    arg = match key.value_type {
        ValueType::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
        _ => arg.value_name(names.value.as_str()),
    };
    if is_gathered(key) {
        arg = arg.action(ArgAction::Append);
    }
    if matches!(key.value_type, ValueType::Words) {
        arg = arg.value_delimiter(',').allow_hyphen_values(key.takes_hyphens);
    }
    if let Some(other) = key.excludes.and_then(id_of) {
        arg = arg.conflicts_with(other);
    }
    if let Some(variable) = key.env {
        arg = arg.env(variable);
    }
    arg.value_parser(parser(key))
}

/// Returns the parser of a flag's value.
fn parser(key: &Key) -> ValueParser {
    match key.value_type {
        ValueType::Switch => BoolValueParser::new().map(Value::Boolean).into(),
        // TOML's integers end there.
        ValueType::Whole => value_parser!(u64).range(..=i64::MAX as u64).map(|n| Value::Integer(n as i64)).into(),
        ValueType::Number if key.is_percent => ValueParser::new(share),
        ValueType::Number => ValueParser::new(|text: &str| text.parse().map(Value::Float)),
        ValueType::Text => StringValueParser::new().map(Value::String).into(),
        ValueType::Choice(choices) => names(choices()).map(Value::String).into(),
        ValueType::Size => ValueParser::new(|text: &str| text.parse().map(|size: ImageSize| text_of(size))),
        ValueType::Words => StringValueParser::new().map(|word| text_of(word.trim())).into(),
        ValueType::Widths => ValueParser::new(widths),
        ValueType::Layers => ValueParser::new(layers),
        ValueType::Kinds => {
            ValueParser::new(|text: &str| text.parse().map(|named: NamedKind| Value::String(named.into())))
        }
    }
}

fn text_of(text: impl ToString) -> Value {
    Value::String(text.to_string())
}

/// A parser of one of these names, each with what `--help` says of it.
pub fn names(described: Vec<[&'static str; 2]>) -> PossibleValuesParser {
    described.into_iter().map(|[name, meaning]| PossibleValue::new(name).help(meaning)).collect::<Vec<_>>().into()
}

/// A share, as a number or in percent.
fn share(text: &str) -> Result<Value, String> {
    let (number, scale) = text.trim().strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    let share = number.trim().parse::<f64>().ok().map(|number| number * scale);
    let share = share.filter(|share| (0.0..1.0).contains(share)).map(Value::Float);
    share.ok_or_else(|| "give a share such as 0.005 or 0.5%".into())
}

/// Widths separated by commas, or `none`.
fn widths(text: &str) -> Result<Value, String> {
    if text == "none" {
        return Ok(Value::Array(Vec::new()));
    }
    let width = |part: &str| part.trim().parse().ok().filter(|width| *width > 0).map(Value::Integer);
    let widths = text.split(',').map(width).collect::<Option<_>>().map(Value::Array);
    widths.ok_or_else(|| "widths are whole numbers above 0 separated by commas, or none".into())
}

/// Layers separated by commas.
fn layers(text: &str) -> Result<Value, String> {
    text.split(',')
        .map(|layer| layer.parse().map(|layer: Layer| text_of(layer)))
        .collect::<Result<_, _>>()
        .map(Value::Array)
}

/// The value that was given for a key, if one was.
fn given_value(key: &Key, id: &str, matches: &ArgMatches) -> Option<Value> {
    match key.flag {
        Flag::On => matches.get_flag(id).then_some(Value::Boolean(true)),
        Flag::Off(_) => matches.get_flag(id).then_some(Value::Boolean(false)),
        _ if is_gathered(key) => Some(Value::Array(matches.get_many::<Value>(id)?.cloned().collect())),
        _ => matches.get_one::<Value>(id).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a key's example value as it is typed.
    fn typed(key: &Key) -> String {
        let value: Value = format!("x = {}", key.example_text()).parse::<Table>().unwrap()["x"].clone();
        match value {
            Value::String(text) => text,
            Value::Array(all) => {
                all.iter().map(|v| v.as_str().map_or(v.to_string(), str::to_string)).collect::<Vec<_>>().join(",")
            }
            value => value.to_string(),
        }
    }

    fn given(words: &[String]) -> KeyFlags<OfAll> {
        let command = <KeyFlags<OfAll> as clap::Args>::augment_args(Command::new("wgvae"));
        let matches = command.try_get_matches_from([&["wgvae".to_string()], words].concat()).unwrap();
        clap::FromArgMatches::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn each_flag_sets_its_key() {
        for key in keys::all() {
            let Some(long) = key.flag_name() else { continue };
            let (word, value) = match key.flag {
                Flag::On => (format!("--{long}"), Value::Boolean(true)),
                Flag::Off(_) => (format!("--{long}"), Value::Boolean(false)),
                _ => {
                    let value = format!("x = {}", key.example_text()).parse::<Table>().unwrap()["x"].clone();
                    (format!("--{long}={}", typed(key)), value)
                }
            };
            let given = given(&[word]);
            assert_eq!(given.table()[key.section.name()][key.name], value, "{long}");
            let mut config = Config::default();
            key.set(&mut config, Some(value)).unwrap();
            let only = given.given.iter().all(|(other, _)| other.name == key.name || other.env.is_some());
            assert!(only && given.get(key.name).is_some(), "{long}");
            if OfReading::has(key.group) {
                let mut options = Options::default();
                given.fill(&mut options).unwrap();
                assert_eq!(options, config.data.options(0), "{long}");
            }
        }
    }

    #[test]
    fn flags_without_a_value_turn_their_keys_on() {
        let table = given(&["--tied".into(), "--flip=false".into(), "--rare".into(), "0.5%".into()]).table();
        assert_eq!(table["model"]["tied"], Value::Boolean(true));
        assert_eq!(table["data"]["flip"], Value::Boolean(false));
        assert_eq!(table["data"]["rare"], Value::Float(0.005));
    }
}
