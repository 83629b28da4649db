//! Keys of the configuration that the library names in what it says, as the flags of a command that set them.
//!
//! The library knows no flags. It names a key between backticks as it stands in a configuration: `data.missing = "drop"`,
//! or `data.columns` where no value is meant.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use clap::Command;
use toml::{Table, Value};
use wgvae::config::keys::{self, Flag, Key, Section, ValueType};
use wgvae_data::quote::shell_quote;

use crate::cli::args::typed::Typed;

static RUNNING: LazyLock<CommandFlags> = LazyLock::new(|| Typed::of(std::env::args_os()).command_flags());

/// What the library says, with flags of the command that runs in place of the keys that it names.
pub fn with_flags(said: &str) -> Cow<'_, str> {
    match names_keys(said) {
        true => RUNNING.in_place_of_keys(said).into(),
        false => said.into(),
    }
}

impl Typed {
    /// The flags of the command that was meant.
    pub fn command_flags(&self) -> CommandFlags {
        CommandFlags::of(self.command().as_ref())
    }
}

/// Whether a text may name a key.
fn names_keys(said: &str) -> bool {
    Section::ALL.iter().any(|section| said.contains(&format!("`{}.", section.name())))
}

/// The flags of a command, by their names without dashes.
pub struct CommandFlags {
    names: HashSet<String>,
}

impl CommandFlags {
    /// The flags of a command. Without a command there are none.
    pub fn of(command: Option<&Command>) -> Self {
        let all = command.into_iter().flat_map(Command::get_arguments);
        Self { names: all.filter_map(|known| known.get_long().map(str::to_string)).collect() }
    }

    /// The name of the flag that sets a key, if the command has it.
    pub fn of_key(&self, key: &Key) -> Option<String> {
        key.flag_name().filter(|name| self.names.contains(name))
    }

    /// A text with flags in place of the keys that it names. A key that the command has no flag for stays.
    pub fn in_place_of_keys(&self, said: &str) -> String {
        let mut text = String::with_capacity(said.len());
        let mut rest = said;
        while let Some((before, named)) = rest.split_once('`') {
            text += before;
            match named.split_once('`').and_then(|(named, after)| Some((self.flag(named)?, after))) {
                Some((flag, after)) => {
                    text += &flag;
                    rest = after;
                }
                // What is between backticks may be anything, and the next one may begin a key.
                None => {
                    text.push('`');
                    rest = named;
                }
            }
        }
        text + rest
    }

    /// The flag for what stands between backticks.
    fn flag(&self, named: &str) -> Option<String> {
        let (path, value) = named.split_once('=').map_or((named, None), |(path, value)| (path.trim_end(), Some(value)));
        let (section, name) = path.split_once('.')?;
        let key = keys::find(name).filter(|key| key.section.name() == section)?;
        let flag = self.of_key(key)?;
        match (value, key.flag) {
            (Some(value), _) => with_value(key, &flag, &read(value)?),
            // Whoever names such a key does not mean to turn it off.
            (None, Flag::Off(_)) => None,
            (None, _) => Some(format!("--{flag}")),
        }
    }
}

/// A value as TOML has it.
fn read(value: &str) -> Option<Value> {
    let mut table: Table = format!("x ={value}").parse().ok()?;
    table.remove("x").filter(|_| table.is_empty())
}

/// The flag that gives a key this value; none if the command line has no such flag.
fn with_value(key: &Key, flag: &str, value: &Value) -> Option<String> {
    let word = match (key.flag, key.value_type, value) {
        (Flag::On, _, Value::Boolean(true)) | (Flag::Off(_), _, Value::Boolean(false)) => None,
        (Flag::On | Flag::Off(_), ..) => return None,
        (_, _, Value::Boolean(true)) => None,
        (_, _, Value::Boolean(false)) => return Some(format!("--{flag}=false")),
        (_, ValueType::Kinds, Value::Array(kinds)) if !kinds.is_empty() => {
            let all: Option<Vec<String>> = kinds.iter().map(|kind| Some(typed(flag, kind.as_str()?))).collect();
            return Some(all?.join(" "));
        }
        (_, value_type, Value::Array(all)) => Some(joined(value_type, all)?),
        (_, _, Value::String(text)) => Some(text.clone()),
        (_, _, value @ Value::Integer(_)) => Some(value.to_string()),
        (_, _, Value::Float(number)) => Some(number.to_string()),
        _ => return None,
    };
    Some(word.map_or_else(|| format!("--{flag}"), |word| typed(flag, &word)))
}

/// A list in one word.
fn joined(value_type: ValueType, all: &[Value]) -> Option<String> {
    let words = || all.iter().map(Value::as_str).collect::<Option<Vec<&str>>>();
    match value_type {
        ValueType::Widths if all.is_empty() => Some("none".into()),
        ValueType::Widths => Some(all.iter().map(Value::to_string).collect::<Vec<_>>().join(",")),
        _ if all.is_empty() => None,
        ValueType::Layers => Some(words()?.join(", ")),
        // Commas are between words, and spaces around them do not count.
        _ => words().filter(|words| words.iter().all(|w| !w.contains(',') && w.trim() == *w)).map(|w| w.join(",")),
    }
}

/// A flag with its value, as a shell reads it.
fn typed(flag: &str, value: &str) -> String {
    // `NAME=KIND` stands for what somebody types in its place.
    let is_placeholder = value.starts_with(|c: char| c.is_ascii_uppercase());
    let is_number = |c: char| c.is_ascii_digit() || c == ',';
    let is_plain =
        value.chars().all(|c| if is_placeholder { c.is_ascii_uppercase() || c == '=' } else { is_number(c) });
    let quoted = if is_plain && !value.is_empty() { value.to_string() } else { shell_quote(value) };
    // What begins with a dash would be another flag.
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("--{flag}{between}{quoted}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;
    use proptest::prelude::*;
    use wgvae_data::quote::toml_text;

    use super::*;
    use crate::cli::Cli;
    use crate::cli::args::keys::{KeyFlags, OfAll};

    fn flags_of(command: &str) -> CommandFlags {
        CommandFlags::of(Cli::command().find_subcommand(command))
    }

    /// A key with its value, as the library names it.
    fn named(key: &Key, value: &Value) -> String {
        fn written(value: &Value) -> String {
            match value {
                Value::String(text) => toml_text(text),
                Value::Array(all) => format!("[{}]", all.iter().map(written).collect::<Vec<_>>().join(", ")),
                value => value.to_string(),
            }
        }
        format!("`{}.{} = {}`", key.section.name(), key.name, written(value))
    }

    #[test]
    fn keys_are_flags_of_the_command_that_has_them() {
        let (train, eval) = (flags_of("train"), flags_of("eval"));
        for (said, shown) in [
            (
                "learned from; `data.missing = \"drop\"` leaves such rows out",
                "learned from; --missing drop leaves such rows out",
            ),
            ("`data.kinds = [\"zip=category\"]` learns", "--column 'zip=category' learns"),
            ("`data.kinds = [\"NAME=KIND\"]` changes one", "--column NAME=KIND changes one"),
            ("`data.kinds = [\"a=count\", \"b c=ignore\"]`", "--column 'a=count' --column 'b c=ignore'"),
            ("choose `data.columns`, or a smaller `model.beta`", "choose --columns, or a smaller --beta"),
            ("`data.columns = [\"a\", \"b c\"]`", "--columns 'a,b c'"),
            ("`data.relations = false` leaves that", "--no-relations leaves that"),
            ("`data.strict = true` and `model.tied = true`", "--strict and --tied"),
            ("`model.hidden = []` or `model.hidden = [400, 200]`", "--hidden none or --hidden 400,200"),
            ("`model.encoder = [\"conv 4 s2\", \"dense 9\"]`", "--encoder 'conv 4 s2, dense 9'"),
            ("`model.beta_warmup_epochs = 10`, `train.clip = 0.5`", "--beta-warmup-epochs 10, --clip 0.5"),
            ("`data.label = \"-x\"`", "--label=-x"),
            ("`column` `data.label` `", "`column` --label `"),
        ] {
            assert_eq!(train.in_place_of_keys(said), shown);
        }
        for said in [
            // No flag has such a value.
            "`data.relations = true` `data.strict = false` `data.columns = [\"a,b\"]` `data.columns = []` `data.relations`",
            // No key.
            "`train.beta1 = 0.5` `data.epochs` `data.label = ` `data.label = \"a\"\ny = 1` `label` `x.y` ` data.label ` data.label",
            "`data.label = \"a",
        ] {
            assert_eq!(train.in_place_of_keys(said), said);
        }
        // Only some commands train.
        let said = "the column `data.label`; train with `model.condition = \"class\"`";
        assert_eq!(eval.in_place_of_keys(said), "the column --label; train with `model.condition = \"class\"`");
        assert_eq!(CommandFlags::of(None).in_place_of_keys(said), said);
        assert!(names_keys(said) && !names_keys("`a` `models.b` train.lr"));
    }

    /// A value of a key's type; it may be out of range.
    fn value_of(key: &'static Key) -> BoxedStrategy<Value> {
        let text = || prop_oneof!["[ -~]{0,9}", "\\PC{0,9}", "[A-Z=]{1,5}"];
        let word = || text().prop_map(|text| Value::String(text.replace(',', "").trim().into()));
        let list = |of: BoxedStrategy<Value>, least| prop::collection::vec(of, least..4).prop_map(Value::Array).boxed();
        match key.value_type {
            ValueType::Switch => match key.flag {
                Flag::On => Just(Value::Boolean(true)).boxed(),
                Flag::Off(_) => Just(Value::Boolean(false)).boxed(),
                _ => any::<bool>().prop_map(Value::Boolean).boxed(),
            },
            ValueType::Whole => (0..i64::MAX).prop_map(Value::Integer).boxed(),
            ValueType::Number if key.is_percent => (0.0..1.0_f64).prop_map(Value::Float).boxed(),
            ValueType::Number => (-15.0..15.0_f64).prop_map(|x| Value::Float(10.0_f64.powf(x))).boxed(),
            ValueType::Text => text().prop_map(Value::String).boxed(),
            ValueType::Choice(choices) => {
                prop::sample::select(choices()).prop_map(|[name, _]| Value::String(name.into())).boxed()
            }
            ValueType::Size => (1..=4096, 1..=4096).prop_map(|(h, w)| Value::String(format!("{h}x{w}"))).boxed(),
            ValueType::Words => list(word().boxed(), 1),
            ValueType::Widths => list((1..=4096_i64).prop_map(Value::Integer).boxed(), 0),
            ValueType::Layers => {
                let layers = ["dense 9", "dense 4x4x3", "conv 8 k3 s2", "conv-t 8 k4 s2", "conv 8 k1 s1 tanh"];
                list(prop::sample::select(layers.to_vec()).prop_map(|layer| Value::String(layer.into())).boxed(), 1)
            }
            ValueType::Kinds => {
                let kind = prop::sample::select(vec!["count", "number", "yes-no", "category", "ignore"]);
                list(
                    (word(), kind)
                        .prop_map(|(name, kind)| Value::String(format!("{}={kind}", name.as_str().unwrap_or_default())))
                        .boxed(),
                    1,
                )
            }
        }
    }

    /// Each key that has a flag, with a value.
    fn values() -> impl Strategy<Value = Vec<(&'static Key, Value)>> {
        let with_flags = keys::all().filter(|key| key.flag_name().is_some());
        with_flags.map(|key| value_of(key).prop_map(move |value| (key, value))).collect::<Vec<_>>()
    }

    /// The texts in quotes of a Rust file, each on one line, without those of its tests.
    fn texts(source: &str) -> Vec<String> {
        let source: Vec<char> = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().chars().collect();
        let at = |place: usize| source.get(place).copied().unwrap_or_default();
        let past = |from: usize, end: &str| {
            let end: Vec<char> = end.chars().collect();
            (from..source.len())
                .find(|place| source[*place..].starts_with(&end))
                .map_or(source.len(), |p| p + end.len())
        };
        let (mut all, mut place) = (Vec::new(), 0);
        while place < source.len() {
            let is_in_word = place > 0 && (at(place - 1).is_alphanumeric() || at(place - 1) == '_');
            place = match at(place) {
                '/' if at(place + 1) == '/' => past(place, "\n"),
                '/' if at(place + 1) == '*' => past(place, "*/"),
                '\'' if at(place + 1) == '\\' => past(place + 3, "'"),
                '\'' if at(place + 2) == '\'' => place + 3,
                'r' if !is_in_word
                    && (at(place + 1) == '"' || at(place + 1) == '#' && "#\"".contains(at(place + 2))) =>
                {
                    let hashes = (place + 1..).take_while(|p| at(*p) == '#').count();
                    let end = past(place + hashes + 2, &format!("\"{}", "#".repeat(hashes)));
                    all.push(source[place..end].iter().collect());
                    end
                }
                '"' => {
                    let (mut text, mut next) = (String::new(), place + 1);
                    while next < source.len() && at(next) != '"' {
                        match (at(next), at(next + 1)) {
                            ('\\', '\n') => next = (next + 1..).find(|p| !at(*p).is_whitespace()).unwrap_or(next + 2),
                            ('\\', escaped) => {
                                text.push(escaped);
                                next += 2;
                            }
                            (c, _) => {
                                text.push(c);
                                next += 1;
                            }
                        }
                    }
                    all.push(text);
                    next + 1
                }
                _ => place + 1,
            };
        }
        all
    }

    /// Whether a text names a flag.
    fn names_flag(text: &str) -> bool {
        text.match_indices("--").any(|(place, _)| {
            let before = text[..place].chars().next_back();
            let is_start = before.is_none_or(|c| !c.is_alphanumeric() && c != '-');
            is_start && text[place + 2..].starts_with(|c: char| c.is_ascii_lowercase())
        })
    }

    #[test]
    fn texts_of_a_file_are_found() {
        let source = "fn f<'a>() { g('\"', '\\'', \"a \\\n   --b\", r#\"c\"d\"#); } // \"e\"\n/* \"f\" */ \"g\\\"h\"\n\
                      #[cfg(test)]\nmod tests { \"i\" }";
        assert_eq!(texts(source), ["a --b", "r#\"c\"d\"#", "g\"h"]);
        assert!(["a --b", "--b", "(--b)", "`--b`"].iter().all(|text| names_flag(text)));
        assert!(["a -- b", "a---b", "a--b", "var(--)"].iter().all(|text| !names_flag(text)));
    }

    /// Others than the command line read what the library says, and have no flags.
    #[test]
    fn the_library_names_no_flags() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Texts for the help, the command line itself, and files of tests.
        let left_out =
            ["src/cli", "src/main.rs", "src/config/keys", "src/config/reference.rs"].map(|path| root.join(path));
        // Lines for a shell, on the pages of runs.
        let with_commands = ["src/run/page.rs", "src/report/compare.rs"].map(|path| root.join(path));
        let mut folders = vec![root.join("src"), root.join("crates/data/src"), root.join("crates/engine/src")];
        let mut looked_at = 0;
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let is_source = path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs");
                match path.is_dir() {
                    _ if left_out.contains(&path) => {}
                    true => folders.push(path),
                    false if !is_source => {}
                    false => {
                        let all = texts(&std::fs::read_to_string(&path).unwrap());
                        looked_at += all.len();
                        let is_command = |text: &String| with_commands.contains(&path) && text.contains("wgvae ");
                        let wrong: Vec<_> = all.iter().filter(|text| names_flag(text) && !is_command(text)).collect();
                        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
                    }
                }
            }
        }
        assert!(looked_at > 3000, "{looked_at} texts");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn each_key_that_the_library_names_is_a_flag_that_sets_it(values in values()) {
            let train = flags_of("train");
            for (key, value) in values {
                let said = named(key, &value);
                let typed = train.in_place_of_keys(&said);
                prop_assert!(typed.starts_with("--"), "{}", said);
                let words = shlex::split(&typed);
                prop_assert!(words.is_some(), "{}", typed);
                let command = <KeyFlags<OfAll> as clap::Args>::augment_args(Command::new("wgvae"));
                let words = std::iter::once("wgvae".to_string()).chain(words.into_iter().flatten());
                let matches = command.try_get_matches_from(words);
                prop_assert!(matches.is_ok(), "{}: {:?}", typed, matches);
                let given = matches.map(|matches| <KeyFlags<OfAll> as clap::FromArgMatches>::from_arg_matches(&matches));
                let table = given.unwrap().unwrap().table();
                prop_assert_eq!(&table[key.section.name()][key.name], &value, "{}", typed);
            }
        }
    }
}
