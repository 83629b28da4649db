//! The kinds of a table's columns.

use serde::{Deserialize, Serialize};

use crate::described;

described! {
    /// What the values of a column are, which decides how a model sees them and which distribution they have given its output.
    #[derive(Default)]
    pub enum ValueKind {
        #[default]
        Number = "number": "Numbers without a long tail: logistic, with a scale that the decoder says of each",
        Positive = "positive": "Numbers above 0 whose logarithms look normal: their logarithms are logistic",
        Quantile = "quantile": "Other numbers, with values that many rows share, levels, or a long tail that is not log-normal: their normal scores are logistic",
        Count = "count": "Whole numbers from 0 on: negative binomial",
        YesNo = "yes-no": "One of two values: Bernoulli",
        Category = "category": "One of several words: categorical",
    }
}

impl ValueKind {
    /// Whether it is a number that is normal, or whose logarithm or score is.
    pub fn is_normal(self) -> bool {
        matches!(self, ValueKind::Number | ValueKind::Positive | ValueKind::Quantile)
    }

    /// Whether its values are words.
    pub fn is_of_words(self) -> bool {
        matches!(self, ValueKind::YesNo | ValueKind::Category)
    }
}

/// `NAME=KIND`, as `--column` and the configuration have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NamedKind {
    /// The column.
    pub name: String,
    /// Its kind; none of a column that is ignored.
    pub kind: Option<ValueKind>,
}

/// What is written for a column that is not learned from.
const IGNORE: &str = "ignore";

impl std::str::FromStr for NamedKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || format!("{} or {IGNORE}", ValueKind::ALL.map(ValueKind::name).join(", "));
        let Some((name, kind)) = text.rsplit_once('=') else {
            return Err(format!("`{text}` names no kind: write NAME=KIND, with one of {}", known()));
        };
        let (name, kind) = (name.trim().to_string(), kind.trim());
        match ValueKind::ALL.into_iter().find(|known| known.name() == kind) {
            Some(kind) => Ok(Self { name, kind: Some(kind) }),
            None if kind == IGNORE => Ok(Self { name, kind: None }),
            None => Err(format!("there is no kind `{kind}`: write one of {}", known())),
        }
    }
}

impl From<NamedKind> for String {
    fn from(named: NamedKind) -> Self {
        format!("{}={}", named.name, named.kind.map_or(IGNORE, ValueKind::name))
    }
}

impl TryFrom<String> for NamedKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The fewest values from which a kind other than number is concluded.
pub(crate) const ENOUGH: usize = 30;
/// The most different whole numbers that are taken for the words of a category ...
pub(crate) const MAX_CODES: usize = 64;
/// ... if each stands for as many values as this on average.
pub(crate) const MIN_OF_EACH: usize = 20;
/// The most words of a category.
pub(crate) const MAX_WORDS: usize = 256;
/// The largest count: a float holds its logarithm exactly enough for it to be found again.
pub(crate) const LARGEST_COUNT: f64 = 1e5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_kind_are_one_word() {
        let named: NamedKind = "a=b=count".parse().unwrap();
        assert_eq!((named.name.as_str(), named.kind), ("a=b", Some(ValueKind::Count)));
        assert_eq!(String::from(named), "a=b=count");
        assert_eq!("x = ignore".parse::<NamedKind>().unwrap().kind, None);
        for (text, reason) in [("a", "names no kind"), ("a=words", "there is no kind `words`: write one of number, ")] {
            assert!(text.parse::<NamedKind>().unwrap_err().contains(reason));
        }
    }
}
