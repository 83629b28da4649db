//! Rows as sounds or music: a file with all of them one after another, or a folder with a file for each.

use std::path::Path;

use wgvae::apply::Run;
use wgvae_data::{Sound, write};

use super::place::{extension, is_folder, make_folder_of};

/// Whether a path asks for files of sounds or music.
pub fn takes(sound: Sound, to: &Path) -> bool {
    is_folder(to) || extension(to) == sound.extension()
}

/// Writes rows; in a folder, by their classes if these are known.
pub fn write_sounds(
    run: &Run,
    sound: Sound,
    to: &Path,
    rows: &[f32],
    classes: Option<&[String]>,
) -> anyhow::Result<()> {
    let shape = run.data.shape;
    if is_folder(to) {
        return Ok(write::whole_folder(to, |folder| write::write_sounds(folder, sound, shape, rows, classes))?);
    }
    make_folder_of(to)?;
    Ok(write::write_sound(to, sound, shape, rows)?)
}
