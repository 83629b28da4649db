//! Folders of IDX files, as MNIST comes: plain or gzipped.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{DataError, Dataset, Shape, Split, Values};

/// Loads `train-images-idx3-ubyte` and `t10k-images-idx3-ubyte`, and their labels where they are there.
pub fn folder(path: &Path) -> Result<Dataset, DataError> {
    if !path.is_dir() {
        return Err(DataError::Missing(path.to_path_buf()));
    }
    let (train_shape, train) = split(path, "train")?;
    let (test_shape, test) = split(path, "t10k")?;
    if train_shape != test_shape {
        return Err(DataError::Format {
            path: path.to_path_buf(),
            reason: format!("training images are {train_shape:?}, test images {test_shape:?}"),
        });
    }
    let name = path
        .canonicalize()
        .ok()
        .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "data".into());
    let most = [&train, &test].into_iter().flat_map(|s| s.labels.iter().flatten()).max();
    let classes = most.map_or(Vec::new(), |most| (0..=*most).map(|class| class.to_string()).collect());
    Ok(Dataset { name, shape: train_shape, classes, columns: None, train, test })
}

/// The file of this stem: with a dash or a dot before `idx`, plain or gzipped.
fn find(folder: &Path, prefix: &str, what: &str, rank: usize) -> Option<PathBuf> {
    ["-", "."]
        .iter()
        .flat_map(|dash| ["", ".gz"].map(|gz| format!("{prefix}-{what}{dash}idx{rank}-ubyte{gz}")))
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn split(folder: &Path, prefix: &str) -> Result<(Shape, Split), DataError> {
    let Some(images) = find(folder, prefix, "images", 3) else {
        return Err(DataError::Format {
            path: folder.to_path_buf(),
            reason: format!("the folder has no {prefix}-images-idx3-ubyte, plain or with .gz"),
        });
    };
    let (extents, bytes) = read(&images, 3)?;
    let shape = Shape::Image { height: extents[1], width: extents[2], channels: 1 };
    if bytes.is_empty() {
        return Err(DataError::Format { path: images, reason: "it holds no images".into() });
    }
    let labels = match find(folder, prefix, "labels", 1) {
        Some(path) => {
            let (count, labels) = read(&path, 1)?;
            if count[0] != extents[0] {
                return Err(DataError::Format {
                    path,
                    reason: format!("there are {} labels for {} images", count[0], extents[0]),
                });
            }
            Some(labels.into_iter().map(u32::from).collect())
        }
        None => None,
    };
    let split = Split { rows: extents[0], values: Values::Bytes(bytes), labels, origins: None };
    Ok((shape, split))
}

/// Extents and bytes of an IDX file of unsigned bytes.
fn read(path: &Path, rank: usize) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let unreadable = |source| DataError::Read { path: path.to_path_buf(), source };
    let invalid = |reason: String| DataError::Format { path: path.to_path_buf(), reason };
    let raw = std::fs::read(path).map_err(unreadable)?;
    let content = if raw.starts_with(&[0x1f, 0x8b]) {
        let mut content = Vec::new();
        flate2::read::MultiGzDecoder::new(raw.as_slice())
            .read_to_end(&mut content)
            .map_err(|e| invalid(format!("the gzip stream is damaged or cut short ({e})")))?;
        content
    } else {
        raw
    };
    let header = 4 + 4 * rank;
    if content.len() < header {
        return Err(invalid(format!("it ends within its header: {} of {header} bytes", content.len())));
    }
    if content[..4] != [0, 0, 8, rank as u8] {
        return Err(invalid(format!(
            "it starts with {:02x?}, not with [00, 00, 08, {rank:02x}] for unsigned bytes of rank {rank}",
            &content[..4]
        )));
    }
    let extents: Vec<usize> =
        content[4..header].chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let promised = extents
        .iter()
        .try_fold(1_usize, |product, extent| product.checked_mul(*extent))
        .ok_or_else(|| invalid(format!("its extents {extents:?} are absurd")))?;
    let found = content.len() - header;
    if found != promised {
        let how = if found < promised { "cut short" } else { "too long" };
        return Err(invalid(format!(
            "it is {how}: the header promises {promised} bytes for {extents:?}, {found} follow"
        )));
    }
    let mut content = content;
    content.drain(..header);
    Ok((extents, content))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

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
        // Each row starts on a word.
        assert_eq!(data.train.words(3), [0x0003_0201, 0x0006_0504]);
    }

    #[test]
    fn damaged_files_are_named_with_the_reason() {
        let good = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let mut wrong_magic = good.clone();
        wrong_magic[2] = 0x0d;
        let cut_gzip = gzip(&good)[..20].to_vec();
        for (bytes, reason) in [
            (good[..good.len() - 1].to_vec(), "cut short: the header promises 6 bytes"),
            (good[..10].to_vec(), "ends within its header: 10 of 16 bytes"),
            ([good.clone(), vec![0]].concat(), "too long"),
            (wrong_magic, "it starts with [00, 00, 0d, 03]"),
            (idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), "absurd"),
            (idx(&[0, 28, 28], &[]), "holds no images"),
            (cut_gzip, "gzip stream is damaged"),
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
}
