//! Sentences are short enough to be read once.

use libtest_mimic::{Failed, Trial};

use crate::page::Page;

/// Words that a sentence may have.
const WORDS: usize = 30;

/// Long sentences that there may be in a hundred.
const PERCENT: usize = 3;

/// The test of all pages together.
pub fn trials(pages: &[Page]) -> Vec<Trial> {
    let pages = pages.to_vec();
    vec![
        Trial::test("sentences::few_are_long", move || few_are_long(&pages)),
        Trial::test("sentences::are_told_apart", || {
            let found = sentences("One is X. Two are 1.5 and 2.0; three? \"Four.\" five e.g. six\nseven. (Eight.)");
            assert_eq!(
                found,
                ["One is X.", "Two are 1.5 and 2.0; three?", "\"Four.\" five e.g. six\nseven.", "(Eight.)"]
            );
            Ok(())
        }),
    ]
}

fn few_are_long(pages: &[Page]) -> Result<(), Failed> {
    let mut long = Vec::new();
    let mut all = 0;
    for page in pages {
        for (line, paragraph) in &page.paragraphs {
            for sentence in sentences(paragraph) {
                let words = sentence.split_whitespace().count();
                all += 1;
                if words > WORDS {
                    long.push(format!("{}:{line}: {words} words: {sentence}", page.name));
                }
            }
        }
    }
    match long.len() * 100 <= all * PERCENT {
        true => Ok(()),
        false => {
            Err(format!("{} of {all} sentences have more than {WORDS} words:\n{}", long.len(), long.join("\n")).into())
        }
    }
}

/// Sentences of a paragraph. One ends at a full stop, or a mark, behind which a capital, a digit, a quote or a bracket begins another.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut begin = 0;
    for (at, mark) in paragraph.char_indices() {
        let rest = &paragraph[at + mark.len_utf8()..];
        let ends = matches!(mark, '.' | '!' | '?' | ')' | '"')
            && paragraph[..at + mark.len_utf8()].trim_end_matches([')', '"']).ends_with(['.', '!', '?'])
            && rest.starts_with(char::is_whitespace)
            && rest
                .trim_start()
                .starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || matches!(c, '"' | '('));
        if ends {
            found.push(paragraph[begin..at + mark.len_utf8()].trim());
            begin = at + mark.len_utf8();
        }
    }
    let last = paragraph[begin..].trim();
    found.extend((!last.is_empty()).then_some(last));
    found
}
