//! How the file of a table is written.

use serde::{Deserialize, Serialize};

/// How the file of a table is written, so that results can be written likewise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// What separates fields; of several spaces, one is.
    pub separator: char,
    /// The encoding of its characters.
    pub encoding: Encoding,
    /// Whether a mark of the encoding precedes them.
    pub mark: bool,
    /// Whether the first row has names.
    pub header: bool,
    /// Whether numbers have decimal commas.
    pub comma: bool,
    /// Whether lines end in a carriage return and a line feed.
    pub returns: bool,
}

/// The dialect of what is made here: commas, points, a header.
impl Default for Dialect {
    fn default() -> Self {
        let encoding = Encoding::Utf8;
        Self { separator: ',', encoding, mark: false, header: true, comma: false, returns: false }
    }
}

/// An encoding of characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-16, the low byte first.
    Utf16Little,
    /// UTF-16, the high byte first.
    Utf16Big,
    /// Latin-1.
    Latin1,
}

impl Encoding {
    /// A text in this encoding; in UTF-8, if it cannot be.
    pub fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Utf8 => text.into(),
            Encoding::Utf16Little => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Big => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Encoding::Latin1 => {
                let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                bytes.unwrap_or_else(|| text.into())
            }
        }
    }
}
