//! Images as PNG files.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;

use super::super::DataError;

/// Height, width and channels.
type Size = (usize, usize, usize);

/// Writes one image of 1 or 3 channels.
pub fn write_png(path: &Path, (height, width, channels): Size, levels: &[u8]) -> Result<(), DataError> {
    let colour = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    super::whole(path, |out| {
        let encoder = PngEncoder::new(out);
        encoder.write_image(levels, width as u32, height as u32, colour).map_err(std::io::Error::other)
    })
}

/// Writes images with consecutive numbers as names, each in the subfolder of its class if labels are known. Read back,
/// they have the same order.
pub fn write_class_folders(
    folder: &Path,
    (height, width, channels): Size,
    levels: &[u8],
    labels: Option<&[u32]>,
    classes: &[String],
) -> Result<(), DataError> {
    let stride = (height * width * channels).max(1);
    let label = |row: usize| labels?.get(row).map(|label| *label as usize);
    class_folders(folder, levels.len() / stride, "png", label, classes, |path, row| {
        write_png(path, (height, width, channels), &levels[row * stride..(row + 1) * stride])
    })
}

/// Writes a file for each row, with consecutive numbers as names, in the subfolder of its class if that is known.
pub(super) fn class_folders(
    folder: &Path,
    rows: usize,
    extension: &str,
    label: impl Fn(usize) -> Option<usize> + Sync,
    classes: &[String],
    write: impl Fn(&Path, usize) -> Result<(), DataError> + Sync,
) -> Result<(), DataError> {
    let digits = rows.saturating_sub(1).to_string().len();
    let names = folder_names(classes);
    let place = |row: usize| match label(row) {
        Some(label) => folder.join(names.get(label).cloned().unwrap_or_else(|| label.to_string())),
        None => folder.to_path_buf(),
    };
    fs::create_dir_all(folder).map_err(DataError::write(folder))?;
    for below in (0..rows).map(place).collect::<HashSet<_>>() {
        fs::create_dir_all(&below).map_err(DataError::write(&below))?;
    }
    (0..rows).into_par_iter().try_for_each(|row| write(&place(row).join(format!("{row:0digits$}.{extension}")), row))
}

/// The folder of each class, another for each: `a/b` and `a:b` are `a_b` and `a_b (2)`, on systems too that take `A` and `a` for one name.
fn folder_names(classes: &[String]) -> Vec<String> {
    // Classes that need no other name keep theirs.
    let plain = |class: &String| as_file_name(class) == *class;
    let mut taken: HashSet<String> = HashSet::new();
    let mut names = vec![String::new(); classes.len()];
    let order =
        (0..classes.len()).filter(|c| plain(&classes[*c])).chain((0..classes.len()).filter(|c| !plain(&classes[*c])));
    for class in order {
        let name = as_file_name(&classes[class]);
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
        names[class] = free.unwrap_or(name);
    }
    names
}

/// A class name as a folder name, without characters that folder names cannot have.
fn as_file_name(class: &str) -> String {
    let allowed = |c: char| if c.is_control() || r#"/\:*?"<>|"#.contains(c) { '_' } else { c };
    let name: String = class.trim().chars().map(allowed).collect();
    // A leading dot would hide the folder, and `..` would be its parent.
    if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, Options, Origins, Values};

    #[test]
    fn no_class_shares_a_folder() {
        let names = |classes: &[&str]| folder_names(&classes.iter().map(|class| class.to_string()).collect::<Vec<_>>());
        assert_eq!(names(&["a/b", "a:b", "a_b", ".", "_."]), ["a_b (2)", "a_b (3)", "a_b", "_. (2)", "_."]);
        assert_eq!(names(&["A", "a", "", " "]), ["A", "a (2)", "_", "_ (2)"]);
    }

    #[test]
    fn what_is_written_is_read_in_the_same_order() {
        let folder = tempfile::tempdir().unwrap();
        let levels: Vec<u8> = (0..20 * 12).map(|i| (i * 7) as u8).collect();
        let labels: Vec<u32> = (0..20).map(|row| row * 3 % 2).collect();
        let classes = ["a/b".to_string(), "..".to_string()];
        write_class_folders(folder.path(), (2, 2, 3), &levels, Some(&labels), &classes).unwrap();
        let data = Dataset::load(Options { test_share: 0.5, ..folder.path().to_str().unwrap().into() }).unwrap();
        assert_eq!(data.classes, ["_..", "a_b"]);
        let (Values::Bytes(train), Values::Bytes(test)) = (&data.train.values, &data.test.values) else { panic!() };
        let mut read: Vec<&[u8]> = train.chunks(12).chain(test.chunks(12)).collect();
        let mut written: Vec<&[u8]> = levels.chunks(12).collect();
        read.sort();
        written.sort();
        assert_eq!(read, written);
        let Some(Origins::Files(files)) = data.train.origins else { panic!() };
        assert!(files.is_sorted_by_key(|file| &file[file.len() - 6..]), "{files:?}");
    }
}
