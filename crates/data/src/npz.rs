//! NPZ files: several named NPY arrays in a ZIP archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;

use super::array::{Array, Classes, Element};
use super::bytes::{self, Content};
use super::error::{list, on_one_line};
use super::raw::Raw;
use super::{DataError, Factors, RowFormat, npy, series};

/// Common names of examples and labels, without the parts that mark training or test rows.
const EXAMPLES: [&str; 8] = ["x", "data", "images", "imgs", "image", "features", "arr_0", "inputs"];
const LABELS: [&str; 6] = ["y", "labels", "label", "targets", "target", "classes"];
/// Whole numbers (N): the steps of each series.
const LENGTHS: [&str; 2] = ["lengths", "x_lengths"];
/// Whole numbers (N, factors), and what the factors are called; dSprites has the second name.
const FACTORS: [&str; 2] = ["factors", "latents_classes"];
const FACTOR_NAMES: [&str; 2] = ["factor_names", "latents_names"];
/// The most factors of a row.
const MAX_FACTORS: usize = 64;
/// A factor of at most so many values is taken for one without an order.
const UNORDERED: usize = 4;
const TRAIN: [&str; 2] = ["train", "training"];
/// Names that mark test rows; the first one present is used.
const TEST: [&str; 4] = ["test", "testing", "val", "valid"];

/// Splits an array's name: `x_train` into `x` and `train`.
fn parts(name: &str) -> (String, String) {
    let name = name.to_lowercase();
    for part in TRAIN.iter().chain(&TEST) {
        if let Some(rest) = name.strip_prefix(part).and_then(|rest| rest.strip_prefix('_')) {
            return (rest.into(), (*part).into());
        }
        if let Some(rest) = name.strip_suffix(part).and_then(|rest| rest.strip_suffix('_')) {
            return (rest.into(), (*part).into());
        }
    }
    (name, String::new())
}

struct Archive<'a> {
    path: &'a Path,
    /// Its size in bytes.
    length: u64,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

/// Reads the examples of an archive, and its labels if it has any.
pub(super) fn file(path: &Path, format: RowFormat) -> Result<Raw, DataError> {
    let mut archive = Archive::open(path)?;
    let mut notes = Vec::new();
    let train = archive.named(&EXAMPLES, &TRAIN);
    let test = archive.named(&EXAMPLES, &TEST);
    if let (Some(train), Some(test)) = (train, test) {
        let labels = (archive.named(&LABELS, &TRAIN), archive.named(&LABELS, &[&parts(&test).1]));
        let mut raw = archive.examples(&train, format, &mut notes)?;
        let mut own_test = archive.examples(&test, format, &mut notes)?;
        series::same_length(&mut raw, &mut own_test);
        if raw.shape != own_test.shape {
            let reason = format!("`{train}` has {}, but `{test}` {}", raw.shape, own_test.shape);
            return Err(DataError::unusable(path.display(), reason));
        }
        let (rows, test_rows) = (raw.rows.rows, own_test.rows.rows);
        raw.test = Some(own_test.rows);
        if let (Some(train_labels), Some(test_labels)) = &labels {
            let one = archive.labels(train_labels, rows)?;
            let two = archive.labels(test_labels, test_rows)?;
            let (classes, numbers) = together(one, two);
            raw.classes = classes;
            raw.rows.labels = Some(numbers[..rows].to_vec());
            if let Some(test) = &mut raw.test {
                test.labels = Some(numbers[rows..].to_vec());
            }
        }
        if let (Some(only), None) | (None, Some(only)) = &labels {
            notes.push(format!(
                "the labels `{only}` were left out, since only some of the rows have labels: add those of the others"
            ));
        }
        let factors = (archive.named(&FACTORS, &TRAIN), archive.named(&FACTORS, &[&parts(&test).1]));
        if let (Some(of_train), Some(of_test)) = factors {
            let all = [archive.factors(&of_train, rows)?, archive.factors(&of_test, test_rows)?];
            let [of_train, of_test] = alike(all).map_err(|reason| DataError::unusable(path.display(), reason))?;
            raw.rows.factors = Some(of_train);
            if let Some(test) = &mut raw.test {
                test.factors = Some(of_test);
            }
        }
        raw.notes = notes;
        return Ok(raw);
    }
    let examples = match archive.named(&EXAMPLES, &["", "train", "training", "test"]) {
        Some(name) => name,
        None => archive.only_examples()?,
    };
    let mut raw = archive.examples(&examples, format, &mut notes)?;
    if let Some(labels) = archive.named(&LABELS, &[&parts(&examples).1]) {
        let (classes, numbers) = archive.labels(&labels, raw.rows.rows)?;
        raw.classes = classes;
        raw.rows.labels = Some(numbers);
    }
    if let Some(name) = archive.named(&FACTORS, &[&parts(&examples).1]) {
        raw.rows.factors = Some(archive.factors(&name, raw.rows.rows)?);
    }
    raw.notes = notes;
    Ok(raw)
}

/// Reads the array of an archive that holds rows.
pub(super) fn numbers(path: &Path) -> Result<Array, DataError> {
    let mut archive = Archive::open(path)?;
    let name = match archive.named(&["z", "mu", "codes"], &[""]).or_else(|| archive.named(&EXAMPLES, &[""])) {
        Some(name) => name,
        None => archive.only_examples()?,
    };
    archive.array(&name)
}

/// Gives the factors of training and test rows the same numbers of values.
fn alike(mut all: [Factors; 2]) -> Result<[Factors; 2], String> {
    let [first, second] = &all;
    if first.names != second.names {
        return Err(format!(
            "the training rows have {} factors, the test rows {}",
            first.names.len(),
            second.names.len()
        ));
    }
    let counts: Vec<usize> = first.counts.iter().zip(&second.counts).map(|(one, two)| *one.max(two)).collect();
    for factors in &mut all {
        factors.ordered = counts.iter().map(|count| *count > UNORDERED).collect();
        factors.counts.clone_from(&counts);
    }
    Ok(all)
}

/// Numbers the labels of training and test rows by common classes.
fn together((names, mut labels): Classes, (other_names, other): Classes) -> Classes {
    let mut all = names;
    let mut known: HashMap<String, u32> = all.iter().cloned().zip(0..).collect();
    let places: Vec<u32> = other_names
        .into_iter()
        .map(|name| {
            *known.entry(name).or_insert_with_key(|name| {
                all.push(name.clone());
                all.len() as u32 - 1
            })
        })
        .collect();
    labels.extend(other.iter().map(|label| places[*label as usize]));
    (all, labels)
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let (file, length) = bytes::open(path)?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| DataError::Format {
            path: path.to_path_buf(),
            kind: "NPZ file",
            reason: on_one_line(error),
        })?;
        let array = |name: &str| name.strip_suffix(".npy").map(String::from);
        let names = zip.file_names().filter_map(|name| array(&name.ok()?)).collect();
        Ok(Self { path, length, zip, names })
    }

    fn invalid(&self, name: &str, reason: impl std::fmt::Display) -> DataError {
        let reason = format!("array `{name}`: {}", on_one_line(reason));
        DataError::Format { path: self.path.to_path_buf(), kind: "NPZ file", reason }
    }

    /// The first array with one of these names that belongs to one of these parts.
    fn named(&self, wanted: &[&str], of: &[&str]) -> Option<String> {
        let is = |name: &&String, what: &str, part: &str| parts(name) == (what.to_string(), part.to_string());
        let pairs = of.iter().flat_map(|part| wanted.iter().map(move |what| (what, part)));
        pairs.filter_map(|(what, part)| self.names.iter().find(|name| is(name, what, part)).cloned()).next()
    }

    /// The only array whose rows have several numbers.
    fn only_examples(&mut self) -> Result<String, DataError> {
        let mut found = Vec::new();
        for name in self.names.clone().into_iter().filter(|name| !FACTORS.contains(&parts(name).0.as_str())) {
            // The archive may hold arrays of other kinds too.
            if self.entry(&name, |mut content| npy::header(&mut content)).is_ok_and(|header| header.extents.len() >= 2)
            {
                found.push(name);
            }
        }
        match found.as_slice() {
            [one] => Ok(one.clone()),
            _ => {
                let reason = format!(
                    "it is not clear which array holds the examples among {}: name it `x`, and the labels `y`",
                    list(&self.names)
                );
                Err(DataError::unusable(self.path.display(), reason))
            }
        }
    }

    fn array(&mut self, name: &str) -> Result<Array, DataError> {
        self.entry(name, npy::parse)
    }

    /// Reads an entry, no further than its header promises.
    fn entry<T>(&mut self, name: &str, read: impl FnOnce(Content<'_>) -> Result<T, String>) -> Result<T, DataError> {
        let length = self.length;
        let outcome = self.zip.by_name(&format!("{name}.npy")).map_err(on_one_line).and_then(|entry| {
            // An entry may claim any packed size, but it cannot be more than the file's.
            let packed = entry.compressed_size().min(length);
            read(Content::packed(entry, packed))
        });
        outcome.map_err(|reason| self.invalid(name, reason))
    }

    fn examples(&mut self, name: &str, format: RowFormat, notes: &mut Vec<String>) -> Result<Raw, DataError> {
        let array = self.array(name)?;
        let lengths = match self.named(&LENGTHS, &[&parts(name).1]) {
            Some(lengths) => Some(self.lengths(&lengths)?),
            None => None,
        };
        array.rows(format, lengths.as_deref(), notes).map_err(|reason| self.invalid(name, reason))
    }

    /// The steps of each series.
    fn lengths(&mut self, name: &str) -> Result<Vec<usize>, DataError> {
        let array = self.array(name)?;
        let lengths = array.places().filter(|_| array.extents.len() == 1);
        let lengths = lengths.ok_or_else(|| self.invalid(name, "lengths are a whole number for each series"))?;
        Ok(lengths.into_iter().map(usize::from).collect())
    }

    /// One label per row; a second axis of length 1 is allowed.
    fn labels(&mut self, name: &str, rows: usize) -> Result<Classes, DataError> {
        let array = self.array(name)?;
        let one_a_row = matches!(array.extents[..], [_] | [_, 1]);
        let count = array.extents.first().copied().unwrap_or(0);
        if !one_a_row || count != rows {
            let what = if one_a_row || matches!(array.element, Element::Text(_)) { "labels" } else { "rows of labels" };
            return Err(self.invalid(name, format!("there are {count} {what} for {rows} rows")));
        }
        array.classes().map_err(|reason| self.invalid(name, reason))
    }

    /// The factors of each row.
    fn factors(&mut self, name: &str, rows: usize) -> Result<Factors, DataError> {
        let array = self.array(name)?;
        let width = match array.extents[..] {
            [count, width] if count == rows && (1..=MAX_FACTORS).contains(&width) => width,
            _ => {
                let reason =
                    format!("its extents are {:?}, but {rows} rows have a whole number for each factor", array.extents);
                return Err(self.invalid(name, reason));
            }
        };
        let Some(values) = array.places() else {
            return Err(self.invalid(name, format!("factors are whole numbers from 0 to {}", u16::MAX - 1)));
        };
        let called = match self.named(&FACTOR_NAMES, &[""]) {
            Some(names) => Some(self.array(&names)?).filter(|names| names.extents == [width]),
            None => None,
        };
        let called = called.and_then(|names| names.words());
        let most =
            |factor: usize| values.iter().skip(factor).step_by(width).max().map_or(0, |most| usize::from(*most) + 1);
        let counts: Vec<usize> = (0..width).map(most).collect();
        Ok(Factors {
            names: called.unwrap_or_else(|| (0..width).map(|factor| format!("factor_{factor}")).collect()),
            ordered: counts.iter().map(|count| *count > UNORDERED).collect(),
            counts,
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::npy::tests::npy;
    use crate::{Dataset, Shape};

    fn load(arrays: &[(&str, Vec<u8>)]) -> Result<Dataset, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.npz");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in arrays {
            writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap();
        Dataset::load(path.to_str().unwrap())
    }

    fn images(rows: usize) -> Vec<u8> {
        npy("|u1", "False", &format!("({rows}, 2, 2)"), &vec![7; rows * 4])
    }

    fn labels(labels: &[u8]) -> Vec<u8> {
        npy("|u1", "False", &format!("({}, 1)", labels.len()), labels)
    }

    #[test]
    fn arrays_are_found_by_name() {
        let data = load(&[("y", labels(&[0, 2, 1, 0])), ("x", images(4)), ("z", images(9))]).unwrap();
        assert_eq!((data.train.rows, data.test.rows, data.classes.len()), (4 - data.test.rows, 1, 3));
        let data = load(&[
            ("x_train", images(4)),
            ("x_test", images(2)),
            ("y_train", labels(&[0; 4])),
            ("y_test", labels(&[1, 0])),
        ]);
        let data = data.unwrap();
        assert_eq!((data.train.rows, data.test.rows), (4, 2));
        assert_eq!((data.classes, data.test.labels), (vec!["0".into(), "1".into()], Some(vec![1, 0])));
        let data = load(&[("train_images", images(4)), ("val_images", images(3)), ("test_images", images(2))]).unwrap();
        assert_eq!((data.train.rows, data.test.rows), (4, 2));
        let data = load(&[("pixels", images(5)), ("ids", labels(&[1]).clone())]);
        assert!(data.unwrap_err().to_string().contains("name it `x`"));
        let data = load(&[("pixels", images(5))]).unwrap();
        assert_eq!(data.shape, Shape::Image { height: 2, width: 2, channels: 1 });
    }

    #[test]
    fn factors_stay_with_their_rows() {
        // The first pixel of each image says which row it was.
        let pixels: Vec<u8> = (0..20).flat_map(|row| [row, 0, 0, 200]).collect();
        let of_rows: Vec<u8> = (0..20).flat_map(|row| [row % 3, row]).collect();
        let data = load(&[
            ("imgs", npy("|u1", "False", "(20, 2, 2)", &pixels)),
            ("latents_classes", npy("|u1", "False", "(20, 2)", &of_rows)),
        ]);
        let data = data.unwrap();
        for split in [&data.train, &data.test] {
            let factors = split.factors.as_ref().unwrap();
            assert_eq!((&factors.counts[..], &factors.ordered[..]), (&[3, 20][..], &[false, true][..]));
            assert_eq!(factors.names, ["factor_0", "factor_1"]);
            for (row, values) in factors.values.chunks(2).enumerate() {
                let first = (split.numbers(row..row + 1, 4)[0] * 255.0).round() as u16;
                assert_eq!(values, [first % 3, first]);
            }
        }
        let data = load(&[
            ("pixels_train", npy("|u1", "False", "(4, 2, 2)", &[9; 16])),
            ("factors", npy("|u1", "False", "(4, 1)", &[0, 1, 2, 3])),
        ]);
        assert!(data.unwrap().train.factors.is_none());
        let data = load(&[
            ("x_train", images(4)),
            ("x_test", images(2)),
            ("factors_train", npy("|u1", "False", "(4, 1)", &[0, 1, 2, 3])),
            ("factors_test", npy("|u1", "False", "(2, 1)", &[7, 1])),
        ]);
        let data = data.unwrap();
        let [train, test] = [data.train.factors.unwrap(), data.test.factors.unwrap()];
        assert_eq!((train.counts, test.counts, test.values), (vec![8], vec![8], vec![7, 1]));
        for (extents, content, reason) in [
            ("(4, 1)", vec![1; 4], "its extents are [4, 1], but 5 rows"),
            ("(5,)", vec![1; 5], "its extents are [5]"),
            ("(5, 0)", vec![], "its extents are [5, 0]"),
        ] {
            let error = load(&[("x", images(5)), ("factors", npy("|u1", "False", extents, &content))]).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
        let negative = npy("|i1", "False", "(5, 1)", &[1, 2, 255, 1, 1]);
        let error = load(&[("x", images(5)), ("factors", negative)]).unwrap_err().to_string();
        assert!(error.contains("factors are whole numbers from 0 to 65534"), "{error}");
    }

    #[test]
    fn damaged_archives_are_named() {
        let error = load(&[("x", images(4)), ("y", labels(&[1, 2]))]).unwrap_err().to_string();
        assert!(error.contains("rows.npz") && error.contains("2 labels for 4 rows"), "{error}");
        let error = load(&[("x", b"text".to_vec())]).unwrap_err().to_string();
        assert!(error.contains("array `x`"), "{error}");
    }
}
