//! The numbers of tokens while texts are read, and the vocabulary that is made of them.

use std::collections::HashMap;

use super::super::error::shown;
use super::super::{DataError, Examples, Options, Values};
use super::vocabulary::{MOST_TOKENS, TextUnit, Vocabulary};
use super::words::each_piece;

/// A float holds whole numbers up to this one.
const MOST_NUMBERS: usize = 1 << 24;

/// Tokens of which a note names the first.
const NAMED: usize = 8;

/// What the numbers in rows stand for, before these are split.
#[derive(Debug, PartialEq)]
pub enum RawTokens {
    /// The vocabulary of a model, or all bytes: the numbers stay.
    Known(Vocabulary),
    /// Those that were met, in that order: the training rows decide which are kept.
    Found(TextUnit, Vec<String>),
}

impl RawTokens {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            RawTokens::Known(vocabulary) => vocabulary.len(),
            RawTokens::Found(_, tokens) => tokens.len() + Vocabulary::OTHERS as usize,
        }
    }

    /// Counts the tokens of the training rows, keeps the most frequent ones, and numbers all rows anew.
    pub fn finish(
        self,
        options: &Options,
        train: &mut Examples,
        test: &mut Examples,
        notes: &mut Vec<String>,
    ) -> Result<Vocabulary, DataError> {
        let (unit, tokens) = match self {
            RawTokens::Known(vocabulary) => return Ok(vocabulary),
            RawTokens::Found(unit, tokens) => (unit, tokens),
        };
        let most = options.vocabulary.unwrap_or(unit.usual_vocabulary()).min(MOST_TOKENS);
        let counts = counts(train, tokens.len());
        let mut order: Vec<usize> = (0..tokens.len()).filter(|place| counts[*place] > 0).collect();
        order.sort_unstable_by(|a, b| counts[*b].cmp(&counts[*a]).then_with(|| tokens[*a].cmp(&tokens[*b])));
        if order.is_empty() {
            return Err(DataError::unusable(&options.source, "no training text has any token"));
        }
        let left_out = order.split_off(most.min(order.len()));
        if !left_out.is_empty() {
            let names: Vec<&str> = left_out.iter().map(|place| tokens[*place].as_str()).collect();
            let count: u64 = left_out.iter().map(|place| counts[*place]).sum();
            let all: u64 = counts.iter().sum();
            notes.push(format!(
                "the {} most frequent {} are the vocabulary; {} others make up {} of the training rows, and stand as unknown: {}; \
                 `data.vocabulary` keeps more",
                order.len(),
                unit.name(),
                left_out.len(),
                share(count, all),
                named(&names)
            ));
        }
        let mut numbers = vec![Vocabulary::UNKNOWN; tokens.len()];
        order.iter().zip(Vocabulary::OTHERS..).for_each(|(place, number)| numbers[*place] = number);
        for split in [&mut *train, &mut *test] {
            renumber(split, &numbers);
        }
        notes.extend(unknown_of_test(test, unit));
        let kept = order.into_iter().map(|place| tokens[place].clone()).collect();
        Vocabulary::new(unit, kept).map_err(|reason| DataError::unusable(&options.source, reason))
    }
}

/// Some tokens, as a note can show them.
fn named(tokens: &[&str]) -> String {
    // A word that has a space before it shows that.
    let space = |token: &str| if token.starts_with(' ') { " " } else { "" };
    let name = |token: &&str| format!("`{}{}`", space(token), shown(token));
    let first: Vec<String> = tokens.iter().take(NAMED).map(name).collect();
    let more = if tokens.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", first.join(", "))
}

/// A part of a whole in percent.
fn share(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    if percent < 0.01 { format!("{part} of {whole} tokens") } else { format!("{percent:.2} %") }
}

/// How often each token stands in some rows.
fn counts(split: &Examples, tokens: usize) -> Vec<u64> {
    let mut counts = vec![0; tokens];
    let Values::Floats(values) = &split.values else { return counts };
    for value in values.iter().filter(|value| **value >= Vocabulary::OTHERS as f32) {
        if let Some(count) = counts.get_mut(*value as usize - Vocabulary::OTHERS as usize) {
            *count += 1;
        }
    }
    counts
}

/// Gives tokens their final numbers; the end, and what is behind it, stay.
fn renumber(split: &mut Examples, numbers: &[u32]) {
    let Values::Floats(values) = &mut split.values else { return };
    for value in values.iter_mut().filter(|value| **value >= Vocabulary::OTHERS as f32) {
        let number = numbers.get(*value as usize - Vocabulary::OTHERS as usize);
        *value = number.copied().unwrap_or(Vocabulary::UNKNOWN) as f32;
    }
}

/// What to say of test rows with unknown tokens.
fn unknown_of_test(test: &Examples, unit: TextUnit) -> Option<String> {
    let Values::Floats(values) = &test.values else { return None };
    let unknown = values.iter().filter(|value| **value == Vocabulary::UNKNOWN as f32).count();
    let all = values.iter().filter(|value| **value > 0.0).count();
    (unknown > 0).then(|| format!("{unknown} of {all} {} of the test rows are not in the vocabulary", unit.name()))
}

/// Numbers for tokens, in the order in which they are met or as a vocabulary has them.
pub struct Numbering {
    unit: TextUnit,
    kind: Kind,
    /// Numbers of ASCII characters, which are looked up without a table of tokens.
    ascii: [Option<u32>; 128],
    /// How often each token was met that a vocabulary does not have.
    unknown: HashMap<String, u64>,
    /// How many tokens were numbered.
    all: u64,
}

enum Kind {
    Known(Vocabulary),
    Found(HashMap<String, u32>, Vec<String>),
}

impl Numbering {
    /// Numbers as a model knows them, or of what is met; bytes are always known.
    pub fn new(unit: TextUnit, known: Option<&Vocabulary>) -> Self {
        let kind = match (known, unit) {
            (Some(vocabulary), _) => Kind::Known(vocabulary.clone()),
            (None, TextUnit::Bytes) => Kind::Known(Vocabulary::bytes()),
            (None, _) => Kind::Found(HashMap::new(), Vec::new()),
        };
        Self { unit, kind, ascii: [None; 128], unknown: HashMap::new(), all: 0 }
    }

    /// What the tokens are.
    pub fn unit(&self) -> TextUnit {
        self.unit
    }

    /// The number of a token.
    fn number(&mut self, token: &str) -> u32 {
        match &mut self.kind {
            Kind::Known(vocabulary) => {
                let number = vocabulary.number(token);
                if number == Vocabulary::UNKNOWN {
                    *self.unknown.entry(token.to_string()).or_default() += 1;
                }
                number
            }
            Kind::Found(numbers, tokens) => match numbers.get(token) {
                Some(number) => *number,
                None => {
                    let number = tokens.len() as u32 + Vocabulary::OTHERS;
                    numbers.insert(token.to_string(), number);
                    tokens.push(token.to_string());
                    number
                }
            },
        }
    }

    /// Adds the numbers of a text's tokens, which are words or characters: see [`Self::add_bytes`].
    pub fn add(&mut self, text: &str, into: &mut Vec<u32>) -> Result<(), String> {
        let before = into.len();
        match self.unit {
            TextUnit::Words => each_piece(text, |word| into.push(self.number(word))),
            _ => {
                for c in text.chars() {
                    into.push(self.number_of_character(c));
                }
            }
        }
        self.all += (into.len() - before) as u64;
        match &self.kind {
            Kind::Found(_, tokens) if tokens.len() + Vocabulary::OTHERS as usize > MOST_NUMBERS => {
                Err(format!("it has more than {MOST_NUMBERS} different {}, which are too many", self.unit.name()))
            }
            _ => Ok(()),
        }
    }

    /// Adds the numbers of bytes.
    pub fn add_bytes(&mut self, bytes: &[u8], into: &mut Vec<u32>) {
        into.extend(bytes.iter().map(|byte| Vocabulary::OTHERS + u32::from(*byte)));
    }

    fn number_of_character(&mut self, c: char) -> u32 {
        let token = &mut [0; 4];
        let place = c as usize;
        match self.ascii.get(place).copied().flatten() {
            Some(number) => number,
            None => {
                let number = self.number(c.encode_utf8(token));
                if let Some(ascii) = self.ascii.get_mut(place).filter(|_| number != Vocabulary::UNKNOWN) {
                    *ascii = Some(number);
                }
                number
            }
        }
    }

    /// What to say of tokens that a model does not know.
    pub fn said_of_unknown(&self) -> Option<String> {
        let count: u64 = self.unknown.values().sum();
        let mut names: Vec<(&String, &u64)> = self.unknown.iter().collect();
        names.sort_unstable_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let names: Vec<&str> = names.into_iter().map(|(name, _)| name.as_str()).collect();
        (count > 0).then(|| {
            let unit = self.unit.name();
            format!(
                "{count} of {} {unit} are not in the model's vocabulary, and stand as unknown: {}",
                self.all,
                named(&names)
            )
        })
    }

    /// The tokens that rows now hold numbers of.
    pub fn finish(self) -> RawTokens {
        match self.kind {
            Kind::Known(vocabulary) => RawTokens::Known(vocabulary),
            Kind::Found(_, tokens) => RawTokens::Found(self.unit, tokens),
        }
    }
}
