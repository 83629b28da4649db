//! Texts: rows of tokens as a column of text, and the files they go to.

use std::path::Path;

use wgvae::apply::Run;
use wgvae_data::write::{Block, TEXT, TextFormat, decoded, texts_to, write_texts};

use super::sheet::{FileFormat, Sheet, make_folder_of};
use super::terminal;

impl Sheet {
    /// Rows of tokens as texts; none where the run is not on texts.
    pub fn of_texts(run: &Run, rows: &[f32]) -> Option<Self> {
        let vocabulary = run.data.vocabulary.as_ref()?;
        let texts = decoded(rows, run.data.shape.len(), vocabulary);
        Some(Self { is_text: true, numbers: rows.to_vec(), ..Self::like(run) }.with(TEXT, texts))
    }

    /// The extension of a file of texts where nobody names one: lines, unless there is something beside each.
    pub fn extension_of_texts(&self) -> &'static str {
        if self.text.len() == 1 { "txt" } else { "csv" }
    }

    /// The texts, and what stands beside them.
    fn texts(&self) -> (&[String], Vec<Block<'_>>) {
        let texts = self.text.iter().find(|(name, _)| name == TEXT).map_or(&[][..], |(_, texts)| texts);
        let beside = self.text.iter().filter(|(name, _)| name != TEXT);
        (texts, beside.map(|(name, words)| Block::Words { name, words }).collect())
    }

    /// Writes texts in the format that the name says: lines, JSON lines, or one of those of numbers; `-` is stdout, lines where there
    /// is nothing beside the texts.
    pub(super) fn write_texts(&self, to: &Path) -> anyhow::Result<()> {
        let (texts, beside) = self.texts();
        if to == Path::new("-") && beside.is_empty() {
            return Ok(texts_to(terminal::results(), TextFormat::Lines, texts, &beside, &self.dialect)?);
        }
        match TextFormat::of(to) {
            Some(format @ (TextFormat::Lines | TextFormat::JsonLines)) => {
                make_folder_of(to)?;
                Ok(write_texts(to, format, texts, &beside, &self.dialect)?)
            }
            _ => match FileFormat::of(to) {
                Some(format) => self.write_as(format, to),
                None => Err(FileFormat::unknown(to).into()),
            },
        }
    }
}
