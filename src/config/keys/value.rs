//! The types that the values of keys have.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;
use wgvae_data::{Channels, Fit, ImageSize, Missing, NamedKind, RowFormat, TextUnit};
use wgvae_engine::kernels::Activation;
use wgvae_engine::kernels::batch::Binarise;

use super::super::{BetaSchedule, Optimizer, PriorKind, Schedule};
use crate::model::{Condition, InitScheme, Layer, Likelihood, Objective};

/// The type of a key's value, for programs that read a value from a text or draw one at random.
#[derive(Debug, Clone, Copy)]
pub enum ValueType {
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// One of these names, each with its meaning.
    Choice(fn() -> Vec<[&'static str; 2]>),
    /// The size of an image, such as `64x48`.
    Size,
    /// A list of texts.
    Words,
    /// A list of whole numbers: widths of layers.
    Widths,
    /// A list of layers, as they are written.
    Layers,
    /// A list of columns with their kinds, such as `visits=count`.
    Kinds,
}

impl ValueType {
    /// Names the type in a few words.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::Switch => "true or false",
            ValueType::Whole => "a whole number",
            ValueType::Number => "a number",
            ValueType::Text => "a text",
            ValueType::Choice(_) => "the name of a choice",
            ValueType::Size => "a size, such as 64x64",
            ValueType::Words => "a list of texts",
            ValueType::Widths => "a list of whole numbers",
            ValueType::Layers => "a list of layers",
            ValueType::Kinds => "a list of columns with their kinds",
        }
    }
}

/// A type that a key may have.
pub trait KeyValue: Serialize + DeserializeOwned {
    /// The type that the list of keys has for this type of Rust.
    const TYPE: ValueType;

    /// Returns the value that stands for none, if the type has one.
    fn unset() -> Option<Self> {
        None
    }

    /// Returns the value as it is written in a file; none where it stands for no value.
    fn write(&self) -> Option<Value> {
        Value::try_from(self).ok()
    }

    /// Reads what [`KeyValue::write`] gives.
    fn read(value: Option<Value>) -> Result<Self, String> {
        match value {
            Some(value) => value.try_into().map_err(|error: toml::de::Error| error.message().replace('\n', ", ")),
            None => Self::unset().ok_or_else(|| "it needs a value".into()),
        }
    }
}

macro_rules! plain {
    ($($type:ty: $variant:ident),* $(,)?) => {
        $(impl KeyValue for $type { const TYPE: ValueType = ValueType::$variant; })*
    };
}

plain! {
    bool: Switch, u32: Whole, u64: Whole, usize: Whole, f64: Number, String: Text, ImageSize: Size,
    Vec<usize>: Widths, Vec<Layer>: Layers,
}

macro_rules! choices {
    ($($type:ty: $described:expr),* $(,)?) => {
        $(impl KeyValue for $type {
            const TYPE: ValueType = ValueType::Choice(|| Self::ALL.map($described).to_vec());
        })*
    };
}

choices! {
    Activation: |activation| [activation.name(), activation.formula()],
    BetaSchedule: Self::described,
    Binarise: Self::described,
    Channels: Self::described,
    Condition: Self::described,
    Fit: Self::described,
    InitScheme: Self::described,
    Likelihood: Self::described,
    Missing: Self::described,
    Objective: Self::described,
    Optimizer: Self::described,
    PriorKind: Self::described,
    RowFormat: Self::described,
    Schedule: Self::described,
    TextUnit: Self::described,
}

impl KeyValue for f32 {
    const TYPE: ValueType = ValueType::Number;

    /// The shortest number that is read as this one: 0.1, not 0.10000000149.
    fn write(&self) -> Option<Value> {
        Some(Value::Float(self.to_string().parse().unwrap_or(f64::from(*self))))
    }
}

impl<T: KeyValue> KeyValue for Option<T> {
    const TYPE: ValueType = T::TYPE;

    fn unset() -> Option<Self> {
        Some(None)
    }

    fn write(&self) -> Option<Value> {
        self.as_ref().and_then(T::write)
    }

    fn read(value: Option<Value>) -> Result<Self, String> {
        value.map(|value| T::read(Some(value))).transpose()
    }
}

/// Lists in which an empty list stands for no value.
macro_rules! lists {
    ($($type:ty: $variant:ident),* $(,)?) => {
        $(impl KeyValue for $type {
            const TYPE: ValueType = ValueType::$variant;

            fn unset() -> Option<Self> {
                Some(Vec::new())
            }

            fn write(&self) -> Option<Value> {
                (!self.is_empty()).then(|| Value::try_from(self).ok()).flatten()
            }
        })*
    };
}

lists! { Vec<String>: Words, Vec<NamedKind>: Kinds }
