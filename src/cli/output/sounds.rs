//! Rows as sounds or music: a file with all of them one after another, or a folder with a file for each.

use std::path::Path;

use wgvae::apply::Run;
use wgvae_data::{Sound, write};

use super::sheet::{Sheet, extension, is_folder, make_folder_of};

/// The text column that holds classes where a sheet names none.
const LABEL: &str = "label";

/// Whether a path asks for files of sounds or music.
pub fn takes(sound: Sound, to: &Path) -> bool {
    is_folder(to) || extension(to) == sound.extension()
}

/// Writes the rows of a sheet; in a folder, by their classes if these are known.
pub fn write_sounds(run: &Run, sound: Sound, to: &Path, sheet: &Sheet) -> anyhow::Result<()> {
    let class = if sheet.class.is_empty() { LABEL } else { &sheet.class };
    let classes = sheet.text.iter().find(|(name, _)| name == class).map(|(_, words)| &words[..]);
    if is_folder(to) {
        let shape = run.data.shape;
        return Ok(write::whole_folder(to, |folder| {
            write::write_sounds(folder, sound, shape, &sheet.numbers, classes)
        })?);
    }
    make_folder_of(to)?;
    Ok(write::write_sound(to, sound, run.data.shape, &sheet.numbers)?)
}
