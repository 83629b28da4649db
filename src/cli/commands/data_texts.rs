//! What `wgvae data` shows of texts: lengths, tokens and examples.

use std::borrow::Cow;
use std::io::Write;

use serde::Serialize;
use wgvae_data::{Dataset, Examples, NOTHING, TextUnit, Vocabulary, spread};

/// Texts that are shown.
const EXAMPLES: usize = 5;

/// The most characters that are shown of a text.
const SHOWN: usize = 100;

/// Tokens that are listed for a person to read.
const LISTED: usize = 16;

#[derive(Serialize)]
pub struct TextReport<'a> {
    unit: TextUnit,
    /// Tokens of the vocabulary, with the end and the unknown one.
    vocabulary: usize,
    /// In tokens, without the end.
    lengths: Lengths,
    unknown: Unknown,
    /// By their number in the training rows.
    tokens: Vec<Token<'a>>,
    examples: Vec<String>,
}

/// How long sequences are.
#[derive(Serialize)]
pub struct Lengths {
    shortest: usize,
    quarter: usize,
    median: usize,
    three_quarters: usize,
    longest: usize,
    mean: f64,
}

/// How many tokens are not in the vocabulary.
#[derive(Serialize)]
struct Unknown {
    train: u64,
    test: u64,
}

#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
    count: u64,
    share: f64,
}

impl<'a> TextReport<'a> {
    /// The report on a data set of texts; none on another one.
    pub fn of(data: &'a Dataset) -> Option<Self> {
        let vocabulary = data.vocabulary.as_ref()?;
        let width = data.shape.len();
        let [train, test] = [&data.train, &data.test].map(|split| counts(split, width, vocabulary.len()));
        let all: u64 = train[1..].iter().sum();
        let tokens = vocabulary.tokens.iter().zip(&train).skip(2).map(|(token, count)| Token {
            token,
            count: *count,
            share: *count as f64 / all.max(1) as f64,
        });
        let examples = spread(data.train.rows, EXAMPLES).into_iter();
        let examples = examples.map(|row| vocabulary.decode(&data.train.numbers(row..row + 1, width))).collect();
        let unknown = Vocabulary::UNKNOWN as usize;
        Some(Self {
            unit: vocabulary.unit,
            vocabulary: vocabulary.len(),
            lengths: Lengths::of(data),
            unknown: Unknown { train: train[unknown], test: test[unknown] },
            tokens: tokens.filter(|token| token.count > 0).collect(),
            examples,
        })
    }

    /// Prints it.
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { unknown, .. } = self;
        let unit = self.unit.name();
        writeln!(
            out,
            "tokens   {unit}, {} in the vocabulary with the end and the unknown one; unknown: {} in training and {} in test texts",
            self.vocabulary, unknown.train, unknown.test
        )?;
        self.lengths.print(out)?;
        let mut tokens: Vec<&Token<'_>> = self.tokens.iter().collect();
        tokens.sort_by_key(|token| std::cmp::Reverse(token.count));
        let named = |token: &&Token<'_>| format!("{} {:.1} %", in_quotes(token.token), 100.0 * token.share);
        let listed: Vec<String> = tokens.iter().take(LISTED).map(named).collect();
        let more = if tokens.len() > LISTED { ", ..." } else { "" };
        writeln!(out, "frequent {}{more}", listed.join(", "))?;
        for (place, text) in self.examples.iter().enumerate() {
            writeln!(out, "{:8} {}", if place == 0 { "examples" } else { "" }, on_one_line(text))?;
        }
        Ok(())
    }
}

/// How often each token stands in some rows.
fn counts(split: &Examples, width: usize, tokens: usize) -> Vec<u64> {
    let mut counts = vec![0; tokens];
    for row in 0..split.rows {
        for value in split.numbers(row..row + 1, width).into_iter().filter(|value| *value != NOTHING) {
            if let Some(count) = counts.get_mut(value as usize) {
                *count += 1;
            }
        }
    }
    counts
}

impl Lengths {
    fn of(data: &Dataset) -> Self {
        let width = data.shape.len();
        let of_row = |split: &Examples, row: usize| {
            let row = split.numbers(row..row + 1, width);
            row.iter().position(|value| *value == Vocabulary::END as f32).unwrap_or(width)
        };
        let of_split = |split: &Examples| (0..split.rows).map(|row| of_row(split, row)).collect::<Vec<usize>>();
        Self::of_all([of_split(&data.train), of_split(&data.test)].concat())
    }

    /// What is said of some lengths.
    pub fn of_all(mut all: Vec<usize>) -> Self {
        all.sort_unstable();
        let at = |part: usize| all.get(part * all.len().saturating_sub(1) / 4).copied().unwrap_or(0);
        Self {
            shortest: at(0),
            quarter: at(1),
            median: at(2),
            three_quarters: at(3),
            longest: at(4),
            mean: all.iter().sum::<usize>() as f64 / all.len().max(1) as f64,
        }
    }

    /// Prints it.
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { shortest, quarter, median, three_quarters, longest, mean } = self;
        let heads = ["shortest", "25 %", "median", "75 %", "longest", "mean"].map(|head| format!("{head:>9}"));
        writeln!(out, "lengths  {}", heads.join(" "))?;
        writeln!(out, "         {shortest:>9} {quarter:>9} {median:>9} {three_quarters:>9} {longest:>9} {mean:>9.1}")
    }
}

/// A token between quotes, so that a space is seen.
fn in_quotes(token: &str) -> Cow<'_, str> {
    serde_json::to_string(token).map_or(Cow::Borrowed(token), Cow::Owned)
}

/// The beginning of a text, on one line.
fn on_one_line(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).collect();
    let more = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("{}{more}", start.replace('\n', "\\n").replace('\t', "\\t"))
}
