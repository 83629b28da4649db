//! The tokens of texts, and their numbers.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::words::{each_piece, is_piece};
use crate::described;

/// The number that stands behind the last token of a text, where a row is longer than the text.
pub const NOTHING: f32 = -1.0;

/// The most tokens that a vocabulary has beside the end and the unknown one.
pub const MOST_TOKENS: usize = 1 << 20;

/// How the end of a text and an unknown token are written in a list of tokens.
const FIRST: [&str; 2] = ["<end>", "<unk>"];

described! {
    /// What the tokens of a text are.
    #[derive(Default)]
    pub enum TextUnit {
        #[default]
        Characters = "characters": "Each character is a token",
        Bytes = "bytes": "Each byte is a token; a text may hold any bytes",
        Words = "words": "Each word is a token, and so is each visible character outside of words",
    }
}

impl TextUnit {
    /// Whether the tokens are what they are where nothing else is asked for.
    pub fn is_characters(&self) -> bool {
        *self == TextUnit::Characters
    }

    /// How many tokens a vocabulary keeps where nothing else is asked for.
    pub(crate) fn usual_vocabulary(self) -> usize {
        match self {
            TextUnit::Characters | TextUnit::Bytes => 256,
            TextUnit::Words => 10_000,
        }
    }

    /// How many tokens a text may have where nothing else is asked for.
    pub(crate) fn usual_length(self) -> usize {
        match self {
            TextUnit::Characters | TextUnit::Bytes => 256,
            TextUnit::Words => 64,
        }
    }
}

/// Calls `each` with every token of a text; `bytes` have no tokens that are text.
fn each_token(unit: TextUnit, text: &str, mut each: impl FnMut(&str)) {
    match unit {
        TextUnit::Words => each_piece(text, each),
        _ => text.chars().for_each(|c| each(c.encode_utf8(&mut [0; 4]))),
    }
}

/// How many words or characters a text has.
pub(super) fn count_tokens(unit: TextUnit, text: &str) -> usize {
    let mut count = 0;
    each_token(unit, text, |_| count += 1);
    count
}

/// The tokens of texts: the number of a token is its place in the list.
///
/// ```
/// use wgvae_data::{TextUnit, Vocabulary};
///
/// let tokens = ["a", "b"].map(String::from);
/// let vocabulary = Vocabulary::new(TextUnit::Characters, tokens.to_vec())?;
/// assert_eq!(vocabulary.encode("abc"), [2, 3, Vocabulary::UNKNOWN]);
/// assert_eq!(vocabulary.row("ab", 4).as_deref(), Some(&[2.0, 3.0, 0.0, -1.0][..]));
/// assert_eq!(vocabulary.decode(&[3.0, 2.0, 0.0, -1.0]), "ba");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Vocabulary {
    /// What the tokens are.
    pub unit: TextUnit,
    /// The end of a text, the unknown token, and then the others, the most frequent first. A byte is written as two
    /// hexadecimal digits. A word that has white space before it begins with one space; see [`TextUnit::Words`].
    pub tokens: Vec<String>,
    #[serde(skip)]
    numbers: HashMap<String, u32>,
}

/// A [`Vocabulary`] as it stands in a file.
#[derive(Deserialize)]
#[serde(rename = "Vocabulary")]
struct Unchecked {
    unit: TextUnit,
    tokens: Vec<String>,
}

impl TryFrom<Unchecked> for Vocabulary {
    type Error = String;

    fn try_from(Unchecked { unit, mut tokens }: Unchecked) -> Result<Self, String> {
        let first: Vec<String> = tokens.drain(..FIRST.len().min(tokens.len())).collect();
        match first == FIRST {
            true => Self::new(unit, tokens),
            false => Err(format!("the first tokens of its vocabulary are not {} and {}", FIRST[0], FIRST[1])),
        }
    }
}

impl Vocabulary {
    /// The number of the token that ends each text.
    pub const END: u32 = 0;
    /// The number of every token that is not in the list.
    pub const UNKNOWN: u32 = 1;
    /// The number of the first token that is neither the end nor the unknown one.
    pub(super) const OTHERS: u32 = FIRST.len() as u32;

    /// A vocabulary of the end, the unknown token, and then these tokens.
    pub fn new(unit: TextUnit, tokens: Vec<String>) -> Result<Self, String> {
        let is_token = |token: &String| match unit {
            TextUnit::Characters => token.chars().count() == 1,
            TextUnit::Words => is_piece(token),
            TextUnit::Bytes => true,
        };
        let name = unit.name();
        if tokens.is_empty() || tokens.len() > MOST_TOKENS {
            return Err(format!("a vocabulary of {} {name} is none: it has from 1 to {MOST_TOKENS}", tokens.len()));
        }
        if unit == TextUnit::Bytes && !tokens.iter().eq(all_bytes().iter()) {
            return Err("its vocabulary of bytes does not have each byte once, in order".into());
        }
        if let Some(token) = tokens.iter().find(|token| !is_token(token)) {
            return Err(format!("`{}` in its vocabulary is none of the {name} of a text", crate::shown(token)));
        }
        let count = tokens.len();
        let numbers: HashMap<String, u32> = tokens.iter().cloned().zip(Self::OTHERS..).collect();
        if numbers.len() < count {
            return Err("its vocabulary has a token twice".into());
        }
        let tokens = FIRST.into_iter().map(String::from).chain(tokens).collect();
        Ok(Self { unit, tokens, numbers })
    }

    /// The vocabulary of bytes: it has all of them.
    pub fn bytes() -> Self {
        let tokens = all_bytes();
        let numbers = tokens.iter().cloned().zip(Self::OTHERS..).collect();
        Self { unit: TextUnit::Bytes, tokens: FIRST.into_iter().map(String::from).chain(tokens).collect(), numbers }
    }

    /// How many tokens there are, with the end and the unknown one.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none; a vocabulary always has some.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The number of a token.
    pub(super) fn number(&self, token: &str) -> u32 {
        self.numbers.get(token).copied().unwrap_or(Self::UNKNOWN)
    }

    /// The numbers of a text's tokens, without the end.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        if self.unit == TextUnit::Bytes {
            return text.bytes().map(|byte| Self::OTHERS + u32::from(byte)).collect();
        }
        let mut numbers = Vec::new();
        each_token(self.unit, text, |token| numbers.push(self.number(token)));
        numbers
    }

    /// A row of `length` numbers: the text's tokens, the end, and then [`NOTHING`]; none if the text is longer.
    pub fn row(&self, text: &str, length: usize) -> Option<Vec<f32>> {
        let numbers = self.encode(text);
        (numbers.len() < length).then(|| {
            let mut row = vec![NOTHING; length];
            row.iter_mut().zip(&numbers).for_each(|(value, number)| *value = *number as f32);
            row[numbers.len()] = Self::END as f32;
            row
        })
    }

    /// The text of a row, up to its end. An unknown character or byte is U+FFFD, an unknown word `<unk>`. Bytes that
    /// are not UTF-8 are U+FFFD, too.
    pub fn decode(&self, row: &[f32]) -> String {
        let tokens = row.iter().take_while(|value| **value != NOTHING && **value != Self::END as f32);
        // Numbers that no token has become the unknown one.
        let numbers = tokens.map(|value| if *value >= 0.0 { *value as usize } else { Self::UNKNOWN as usize });
        let known = |number: usize| self.tokens.get(number).filter(|_| number >= Self::OTHERS as usize);
        match self.unit {
            TextUnit::Bytes => {
                let mut bytes = Vec::new();
                for number in numbers {
                    match number.checked_sub(Self::OTHERS as usize).map(u8::try_from) {
                        Some(Ok(byte)) => bytes.push(byte),
                        _ => bytes.extend("\u{fffd}".as_bytes()),
                    }
                }
                String::from_utf8_lossy(&bytes).into_owned()
            }
            TextUnit::Characters => numbers.map(|number| known(number).map_or("\u{fffd}", String::as_str)).collect(),
            TextUnit::Words => {
                let text: String = numbers.map(|number| known(number).map_or(" <unk>", String::as_str)).collect();
                text.strip_prefix(' ').unwrap_or(&text).to_string()
            }
        }
    }

    /// A token as it is shown to a person: `<end>` and `<unk>` for those two, and for a number that no token has.
    pub fn shown(&self, number: u32) -> String {
        match number {
            Self::END => FIRST[0].into(),
            number if number >= Self::OTHERS && (number as usize) < self.len() => self.decode(&[number as f32]),
            _ => FIRST[1].into(),
        }
    }
}

/// All bytes, as they are written in a list of tokens.
fn all_bytes() -> Vec<String> {
    (0..=u8::MAX).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A vocabulary of all tokens of a text.
    fn of(unit: TextUnit, text: &str) -> Option<Vocabulary> {
        if unit == TextUnit::Bytes {
            return Some(Vocabulary::bytes());
        }
        let mut tokens = Vec::new();
        each_token(unit, text, |token| tokens.push(token.to_string()));
        tokens.sort();
        tokens.dedup();
        (!tokens.is_empty()).then(|| Vocabulary::new(unit, tokens).unwrap())
    }

    fn with_single_spaces(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    proptest! {
        /// Each text comes back from its tokens; of words, with one space for each run of white space.
        #[test]
        fn texts_come_back(text in "(\\PC|[ \t\n\r\0'’a-c.]){0,60}") {
            for unit in TextUnit::ALL {
                let Some(vocabulary) = of(unit, &text) else { continue };
                let row = vocabulary.row(&text, vocabulary.encode(&text).len() + 3).unwrap();
                prop_assert_eq!(&row[row.len() - 3..], &[0.0, NOTHING, NOTHING]);
                let expected = if unit == TextUnit::Words { with_single_spaces(&text) } else { text.clone() };
                prop_assert_eq!(vocabulary.decode(&row), expected);
                let json = serde_json::to_string(&vocabulary).unwrap();
                prop_assert_eq!(serde_json::from_str::<Vocabulary>(&json).unwrap(), vocabulary);
            }
        }

        /// A model may give any numbers.
        #[test]
        fn any_numbers_are_a_text(row in prop::collection::vec(prop_oneof![any::<f32>(), -3.0..300.0_f32], 0..20)) {
            for unit in TextUnit::ALL {
                of(unit, "ab c").unwrap().decode(&row);
            }
        }
    }

    #[test]
    fn unknown_tokens_have_a_sign() {
        let characters = of(TextUnit::Characters, "ab").unwrap();
        assert_eq!(characters.decode(&[2.0, 1.0, 3.0, 0.0, 2.0]), "a\u{fffd}b");
        assert_eq!(characters.decode(&[2.0, 900.0, f32::NAN, NOTHING, 2.0]), "a\u{fffd}\u{fffd}");
        let words = of(TextUnit::Words, "the cat, sat").unwrap();
        let row = words.row("the dog, sat!", 9).unwrap();
        assert_eq!(words.decode(&row), "the <unk>, sat <unk>");
        let bytes = Vocabulary::bytes();
        assert_eq!((bytes.len(), bytes.encode("é")), (258, vec![2 + 0xc3, 2 + 0xa9]));
        assert_eq!(bytes.decode(&[2.0 + 97.0, 2.0 + 255.0, 1.0]), "a\u{fffd}\u{fffd}");
        assert_eq!(characters.row("aba", 3), None);
        assert_eq!(characters.row("ab", 3), Some(vec![2.0, 3.0, 0.0]));
    }

    #[test]
    fn a_list_that_is_no_vocabulary_is_refused() {
        for (json, reason) in [
            (r#"{"unit":"characters","tokens":[]}"#, "the first tokens of its vocabulary are not"),
            (r#"{"unit":"characters","tokens":["<unk>","<end>","a"]}"#, "the first tokens"),
            (r#"{"unit":"characters","tokens":["<end>","<unk>"]}"#, "a vocabulary of 0 characters is none"),
            (
                r#"{"unit":"characters","tokens":["<end>","<unk>","ab"]}"#,
                "`ab` in its vocabulary is none of the characters",
            ),
            (r#"{"unit":"characters","tokens":["<end>","<unk>","a","a"]}"#, "a token twice"),
            (r#"{"unit":"words","tokens":["<end>","<unk>","a b"]}"#, "`a b` in its vocabulary is none of the words"),
            (r#"{"unit":"bytes","tokens":["<end>","<unk>","00"]}"#, "does not have each byte once"),
            (r#"{"unit":"letters","tokens":["<end>","<unk>","00"]}"#, "unknown variant `letters`"),
        ] {
            let error = serde_json::from_str::<Vocabulary>(json).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
