//! IDX files, the format of MNIST: a folder of them, or one file of images with its labels next to it, all plain or
//! gzipped.

use std::path::{Path, PathBuf};

use super::array::{Array, Element, MAX_AXES, checked_size};
use super::bytes::Content;
use super::folder::is_image_extension;
use super::raw::Raw;
use super::{DataError, Examples, natural};

/// Element types by their code.
const TYPES: [(u8, Element); 6] = [
    (0x08, Element::Unsigned(1)),
    (0x09, Element::Signed(1)),
    (0x0b, Element::Signed(2)),
    (0x0c, Element::Signed(4)),
    (0x0d, Element::Float(4)),
    (0x0e, Element::Float(8)),
];

/// Whether a file starts with the magic number of IDX files.
pub fn is_magic(head: &[u8]) -> bool {
    matches!(head, [0, 0, code, rank, ..] if *rank > 0 && TYPES.iter().any(|(c, _)| c == code))
}

/// The IDX files of images in a folder.
pub(super) struct Sets {
    folder: PathBuf,
    /// Without duplicates: a plain file takes precedence over its gzipped copy.
    images: Vec<PathBuf>,
}

impl Sets {
    pub(super) fn find(folder: &Path) -> Result<Self, DataError> {
        let failed = DataError::read(folder);
        let mut images: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(&failed)? {
            let path = entry.map_err(&failed)?.path();
            let name = file_name(&path);
            let is_picture = path.extension().is_some_and(|e| is_image_extension(&e.to_string_lossy()));
            let is_set = name.contains("images") && name.contains("idx") && !name.starts_with('.') && !is_picture;
            if is_set && path.is_file() {
                images.push(path);
            }
        }
        images.sort_by(|a, b| natural::compare(&file_name(a), &file_name(b)));
        let plain = |path: &PathBuf| file_name(path).trim_end_matches(".gz").replace(".idx", "-idx");
        images.dedup_by_key(|path| plain(path));
        Ok(Self { folder: folder.to_path_buf(), images })
    }

    pub(super) fn is_there(&self) -> bool {
        !self.images.is_empty()
    }

    /// Reads the training images and, if there are any, the test images.
    pub(super) fn read(&self) -> Result<Raw, DataError> {
        let is_test = |path: &&PathBuf| ["t10k", "test"].iter().any(|mark| file_name(path).contains(mark));
        let (test, train): (Vec<_>, Vec<_>) = self.images.iter().partition(is_test);
        let (train, test) = match (&train[..], &test[..]) {
            ([train], []) | ([], [train]) => (train, None),
            ([train], [test]) => (train, Some(test)),
            _ => {
                let names: Vec<String> = self.images.iter().map(|path| file_name(path)).collect();
                let reason = format!("it holds several sets of images; name one of the files {}", names.join(", "));
                return Err(DataError::unusable(self.folder.display(), reason));
            }
        };
        let mut raw = file(train)?;
        if let Some(test) = test {
            let other = file(test)?;
            if other.shape != raw.shape {
                let reason = format!("it holds training {}, but test {}", raw.shape, other.shape);
                return Err(DataError::unusable(self.folder.display(), reason));
            }
            if other.classes.len() > raw.classes.len() {
                raw.classes = other.classes;
            }
            raw.test = Some(other.rows);
        }
        Ok(raw)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads the images of a file, with the labels from the file next to it, if there is one.
pub(super) fn file(path: &Path) -> Result<Raw, DataError> {
    let mut notes = Vec::new();
    let (rows, shape, values) = read(path)?.examples(&mut notes).map_err(|reason| invalid(path, reason))?;
    let mut raw = Raw { notes, ..Raw::of("", shape, Examples::of(rows, values)) };
    if let Some(beside) = labels_of(path) {
        let labels = read(&beside)?;
        if labels.extents != [rows] {
            let count = labels.extents.first().copied().unwrap_or(0);
            return Err(invalid(&beside, format!("there are {count} labels for {rows} images")));
        }
        let (classes, labels) = labels.classes().map_err(|reason| invalid(&beside, reason))?;
        raw.classes = classes;
        raw.rows.labels = Some(labels);
    }
    Ok(raw)
}

/// `train-labels-idx1-ubyte` for `train-images-idx3-ubyte`: with a dash or a dot before `idx`, plain or gzipped.
fn labels_of(images: &Path) -> Option<PathBuf> {
    let name = file_name(images);
    let (stem, rest) = name.split_once("images")?;
    let place = rest.find("idx")?;
    let after: String = rest[place + 3..].trim_start_matches(|c: char| c.is_ascii_digit()).into();
    let after = after.trim_end_matches(".gz");
    let middle = rest[..place].trim_end_matches(['-', '.']);
    ["-", "."]
        .iter()
        .flat_map(|dash| ["", ".gz"].map(|gz| format!("{stem}labels{middle}{dash}idx1{after}{gz}")))
        .map(|name| images.with_file_name(name))
        .find(|path| path.is_file())
}

fn invalid(path: &Path, reason: String) -> DataError {
    DataError::Format { path: path.to_path_buf(), kind: "IDX file", reason }
}

/// Extents and bytes of an IDX file.
pub(super) fn read(path: &Path) -> Result<Array, DataError> {
    array(Content::open(path)?).map_err(|reason| invalid(path, reason))
}

fn array(mut content: Content<'_>) -> Result<Array, String> {
    let start = content.next(4)?;
    if start.len() < 4 {
        return Err(format!("it ends within its header: {} bytes", start.len()));
    }
    let known = TYPES.iter().find(|(code, _)| start[..3] == [0, 0, *code]);
    let Some((_, element)) = known.filter(|_| start[3] > 0) else {
        return Err(format!(
            "it starts with {start:02x?} instead of [00, 00], a type such as 08 for bytes, and a rank"
        ));
    };
    let axes = usize::from(start[3]);
    if axes > MAX_AXES {
        return Err(format!("it has {axes} axes, but no more than {MAX_AXES} can be read"));
    }
    let header = content.next(4 * axes)?;
    if header.len() < 4 * axes {
        return Err(format!("it ends within its header: {} of {} bytes", 4 + header.len(), 4 + 4 * axes));
    }
    let extents: Vec<usize> =
        header.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let bytes = content.body(checked_size(&extents, *element)?, &extents)?;
    Ok(Array { extents, element: *element, big_endian: true, bytes })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::{Dataset, Shape, Values};

    fn idx(extents: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, extents.len() as u8];
        file.extend(extents.iter().flat_map(|e| e.to_be_bytes()));
        file.extend(bytes);
        file
    }

    fn folder_with(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn folder(path: &Path) -> Result<Dataset, DataError> {
        Dataset::load(path.to_str().unwrap())
    }

    #[test]
    fn plain_and_gzipped_files_are_read() {
        let images = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let files = folder_with(&[
            ("train-images-idx3-ubyte.gz", gzip(&images)),
            ("train-labels.idx1-ubyte", idx(&[2], &[7, 9])),
            ("t10k-images.idx3-ubyte", images.clone()),
        ]);
        let data = folder(files.path()).unwrap();
        assert_eq!(data.shape, Shape::Image { height: 1, width: 3, channels: 1 });
        assert_eq!(data.train.values, Values::Bytes(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(data.train.labels, Some(vec![7, 9]));
        assert_eq!(data.test.labels, None);
        assert_eq!(data.classes.len(), 10);
    }

    #[test]
    fn damaged_files_are_named_with_the_reason() {
        let good = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let mut wrong_magic = good.clone();
        wrong_magic[2] = 0x07;
        let cut_gzip = gzip(&good)[..20].to_vec();
        for (bytes, reason) in [
            (good[..good.len() - 1].to_vec(), "cut short: the header promises 6 bytes"),
            (good[..10].to_vec(), "ends within its header: 10 of 16 bytes"),
            ([good.clone(), vec![0]].concat(), "too long"),
            (wrong_magic, "it starts with [00, 00, 07, 03]"),
            (idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), "too large for any file"),
            (idx(&[0, 28, 28], &[]), "holds no images"),
            (cut_gzip, "packed stream is damaged"),
        ] {
            let files = folder_with(&[("train-images-idx3-ubyte", bytes), ("t10k-images-idx3-ubyte", good.clone())]);
            let error = folder(files.path()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(error.contains("train-images-idx3-ubyte"), "{error}");
        }
        let few_labels = folder_with(&[
            ("train-images-idx3-ubyte", good.clone()),
            ("train-labels-idx1-ubyte", idx(&[1], &[7])),
            ("t10k-images-idx3-ubyte", good),
        ]);
        let error = folder(few_labels.path()).unwrap_err().to_string();
        assert!(error.contains("1 labels for 2 images"), "{error}");
    }

    #[test]
    fn one_file_is_enough() {
        let files = folder_with(&[
            ("fashion-images-idx3-ubyte", idx(&[4, 1, 2], &[0, 1, 2, 3, 4, 5, 6, 7])),
            ("fashion-labels-idx1-ubyte.gz", gzip(&idx(&[4], &[0, 1, 1, 0]))),
        ]);
        let file = Dataset::load(files.path().join("fashion-images-idx3-ubyte").to_str().unwrap()).unwrap();
        assert_eq!((file.train.rows, file.test.rows), (3, 1));
        assert_eq!(file.classes, ["0", "1"]);
        let of_folder = folder(files.path()).unwrap();
        assert_eq!((&file.train, &file.test), (&of_folder.train, &of_folder.test));
    }

    #[test]
    fn several_sets_need_a_name() {
        let images = idx(&[2, 1, 1], &[1, 2]);
        let files =
            folder_with(&[("a-train-images-idx3-ubyte", images.clone()), ("b-train-images-idx3-ubyte", images)]);
        let error = folder(files.path()).unwrap_err().to_string();
        assert!(error.contains("several sets") && error.contains("b-train-images"), "{error}");
    }
}
