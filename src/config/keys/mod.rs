//! The list of all keys: an entry for each, from which everything else that knows keys follows.
//!
//! An entry defines the field of its section, with its type and default, and says what a person or another program must
//! know of it. Flags and their help, `wgvae config`, what a file may hold, refusals and the page
//! `docs/configuration.md` are made from it.
//!
//! ```
//! use wgvae::config::{Config, keys};
//!
//! let mut config = Config::default();
//! let latent = keys::find("latent").expect("a key of this name");
//! latent.set(&mut config, Some(8.into()))?;
//! assert_eq!((config.model.latent, latent.get(&config)), (8, Some(8.into())));
//! # Ok::<(), wgvae::ConfigError>(())
//! ```

mod data;
mod entry;
mod model;
mod range;
mod train;
mod value;

pub use data::DataConfig;
pub use entry::{Belongs, Changes, Choices, Flag, Key, KeyGroup, KeyScale, Section};
pub use model::ModelConfig;
pub use range::Range;
pub use train::TrainConfig;
pub use value::{KeyValue, ValueType};

/// Defines the keys of a section: `name: type = default => "what it is"`, and what else is to be said of it, as methods
/// of [`Key`].
macro_rules! section {
    (
        $(#[$doc:meta])*
        $config:ident, $section:ident, $field:ident;
        $(
            $(#[$attribute:meta])*
            $name:ident: $type:ty = $default:expr => $sentence:literal $(.$method:ident($($argument:expr),* $(,)?))*;
        )*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $config {
            $(
                #[doc = concat!("`", stringify!($name), "`: ", $sentence, ".")]
                $(#[$attribute])*
                pub $name: $type,
            )*
        }

        impl Default for $config {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// The keys of the section, in the order of the file.
        pub(super) static KEYS: &[Key] = &[$(
            Key::new(
                Section::$section,
                stringify!($name),
                <$type as KeyValue>::TYPE,
                $sentence,
                |config| config.$field.$name.write(),
                |config, value| {
                    config.$field.$name = KeyValue::read(value)?;
                    Ok(())
                },
            )
            $(.$method($($argument),*))*,
        )*];
    };
}
use section;

/// All keys, in the order of the file.
pub fn all() -> impl Iterator<Item = &'static Key> + Clone {
    [data::KEYS, model::KEYS, train::KEYS].into_iter().flatten()
}

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::{Table, Value};

    use super::super::merge::parse;
    use super::super::{Config, ConfigError};
    use super::*;

    /// A value as it is written in a file.
    fn written(key: &Key, text: &str) -> Value {
        let table = parse("example", &format!("[{}]\n{} = {text}", key.section.name(), key.name)).unwrap();
        table[key.section.name()][key.name].clone()
    }

    #[test]
    fn names_are_unique_and_those_of_the_file() {
        let whole = serde_json::to_value(Config::default()).unwrap();
        for key in all() {
            assert_eq!(all().filter(|other| other.name == key.name).count(), 1, "{}", key.name);
            written(key, &key.example_text());
        }
        for section in Section::ALL {
            let unknown = parse("example", &format!("[{}]\nx = 1", section.name())).unwrap_err().to_string();
            let known = unknown.matches('`').count() / 2 - 1;
            assert_eq!(known, all().filter(|key| key.section == section).count(), "{unknown}");
            // A key without a value is left out of files.
            for (name, value) in whole[section.name()].as_object().unwrap() {
                assert!(!value.is_null() && *value != serde_json::json!([]), "{name} lacks skip_serializing_if");
            }
        }
    }

    #[test]
    fn each_key_has_a_default_in_its_range_and_an_example_that_is_taken() {
        for key in all() {
            let name = key.name;
            key.check_range(&Config::default()).unwrap();
            key.check_belongs(&Config::default()).unwrap();
            let example = written(key, &key.example_text());
            assert!(key.range.contains(&example), "{name} = {example}");
            let mut config = Config::default();
            key.set(&mut config, Some(example.clone())).unwrap();
            assert_eq!(key.get(&config), Some(example), "{name}");
            key.set(&mut config, key.default()).unwrap();
            assert_eq!(config, Config::default(), "{name}");
            let wrong = key.set(&mut config, Some(Value::Table(Table::new()))).unwrap_err().to_string();
            assert!(wrong.starts_with(name) && !wrong.contains('\n'), "{wrong}");
        }
    }

    #[test]
    fn each_key_is_explained() {
        for key in all() {
            let (comment, help) = (key.comment(), key.help_text());
            for text in [&comment, &help] {
                assert!(!text.is_empty() && !text.ends_with('.') && !text.contains(['`', '\n']), "{text}");
            }
            for name in key.sentence.split('`').skip(1).step_by(2) {
                assert!(find(name).is_some_and(|key| key.flag_name().is_some()), "{name}");
            }
        }
        let text = |name: &str| (find(name).unwrap().comment(), find(name).unwrap().help_text());
        assert_eq!(
            text("columns"),
            (
                "columns of a table to learn from; all but the label if left out".into(),
                "Columns of a table to learn from, separated by commas [default: all but the label]".into()
            )
        );
        assert_eq!(text("elbo_share").0, "share of the ELBO in objective iwae");
        assert_eq!(text("elbo_share").1, "Share of the ELBO in --objective iwae");
    }

    #[test]
    fn keys_name_other_keys_of_their_section_and_choices_that_there_are() {
        for key in all() {
            for other in key.is_reset_by().chain(key.excludes) {
                assert!(find(other).is_some_and(|other| other.section == key.section), "{}: {other}", key.name);
            }
            let Some(belongs) = key.belongs else { continue };
            let ValueType::Choice(known) = find(belongs.to).unwrap().value_type else {
                panic!("{} is no choice", belongs.to);
            };
            let names = belongs.choices.names();
            assert!(!names.is_empty() && names.iter().all(|name| known().iter().any(|known| known[0] == *name)));
        }
    }

    /// Any value that a key takes: by its type, and within its range.
    fn value_of(key: &'static Key) -> BoxedStrategy<Value> {
        let [least, most] = key.range.bounds();
        let whole = move || {
            let most = (most as u64).min(i64::MAX as u64);
            // Small numbers are as likely as large ones.
            (0..63_u32, any::<u64>()).prop_map(move |(bits, number)| {
                Value::Integer((number >> (63 - bits)).clamp(least.max(0.0) as u64, most) as i64)
            })
        };
        let text = || "\\PC{0,12}".prop_map(Value::String);
        match key.value_type {
            ValueType::Switch => any::<bool>().prop_map(Value::Boolean).boxed(),
            ValueType::Whole => whole().boxed(),
            ValueType::Number => {
                let shares = (1..1000).prop_map(|part| f64::from(part) / 1000.0);
                let numbers = (-15.0..15.0_f64).prop_map(|x| 10.0_f64.powf(x));
                let numbers = if most == 1.0 { shares.boxed() } else { numbers.boxed() };
                prop_oneof![4 => numbers, 1 => Just(if key.range.contains(&Value::Float(0.0)) { 0.0 } else { 0.5 })]
                    .prop_map(|x| Value::Float(x as f32 as f64))
                    .boxed()
            }
            ValueType::Text => text().boxed(),
            ValueType::Choice(choices) => {
                prop::sample::select(choices()).prop_map(|[name, _]| Value::String(name.into())).boxed()
            }
            ValueType::Size => {
                (1..=4096, 1..=4096).prop_map(|(height, width)| format!("{height}x{width}").into()).boxed()
            }
            ValueType::Words => prop::collection::vec(text(), 0..4).prop_map(Value::Array).boxed(),
            ValueType::Widths => prop::collection::vec(whole(), 0..4).prop_map(Value::Array).boxed(),
            ValueType::Layers => {
                let layers = ["dense 9", "dense 4x4x3", "conv 8 k3 s2", "conv-t 8 k4 s2", "res 8", "conv 8 k1 s1 tanh"];
                let layer = prop::sample::select(layers.to_vec()).prop_map(|layer| Value::String(layer.into()));
                prop::collection::vec(layer, 0..4).prop_map(Value::Array).boxed()
            }
            ValueType::Kinds => {
                let kind = prop::sample::select(vec!["count", "number", "yes-no", "category", "ignore"]);
                let named = ("[a-z=, ]{0,6}", kind).prop_map(|(name, kind)| format!("{}={kind}", name.trim()).into());
                prop::collection::vec(named, 0..4).prop_map(Value::Array).boxed()
            }
        }
    }

    /// A configuration in which each key has a random value, or its default.
    fn any_config() -> impl Strategy<Value = Config> {
        let values: Vec<_> = all().map(|key| prop::option::weighted(0.3, value_of(key))).collect();
        values.prop_map(|values| {
            let mut config = Config::default();
            for (key, value) in all().zip(values) {
                if let Some(value) = value {
                    key.set(&mut config, Some(value)).unwrap();
                }
            }
            config
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn any_configuration_of_all_keys_is_refused_in_a_sentence_or_read_back(mut config in any_config()) {
            // Keys that are refused get their defaults, one after the other, until the rest is taken.
            for _ in 0..2 * all().count() {
                let Err(error) = config.validate() else { break };
                let sentence = error.to_string();
                let is_one = !sentence.is_empty() && !sentence.contains('\n') && !sentence.ends_with('.');
                prop_assert!(is_one, "{}", sentence);
                let ConfigError::Refused { keys, .. } = error else { panic!("{sentence}") };
                let key = keys.into_iter().filter_map(find).find(|key| key.get(&config) != key.default()).unwrap();
                key.set(&mut config, key.default()).unwrap();
            }
            config.validate().unwrap();
            let text = config.to_toml().unwrap();
            prop_assert_eq!(&Config::resolve_text("random", &text).unwrap(), &config);
            let text = config.to_commented_toml("random").unwrap();
            prop_assert_eq!(&Config::resolve_text("random", &text).unwrap(), &config);
            prop_assert_eq!(&config.with_flags(Table::new()).unwrap(), &config);
            let mut copy = Config::default();
            all().try_for_each(|key| key.set(&mut copy, key.get(&config))).unwrap();
            prop_assert_eq!(copy, config);
        }
    }
}
