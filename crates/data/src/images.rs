//! Image files, decoded in parallel into one buffer.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::folder::{self, FileType, FolderFile, FolderFiles};
use super::options::LONGEST;
use super::picture::{self, PictureHeader};
use super::problems::Problems;
use super::raw::{Raw, Request};
use super::resize::{ImageSides, fitted, zeros};
use super::{Channels, DataError, Examples, ImageSize, Options, Origins, Shape, Values};

/// Reads the images of a folder. Unreadable files are noted and skipped; they are an error with `strict`, or if no
/// image is left.
pub(super) fn read(source: &Path, files: FolderFiles, request: &Request<'_>) -> Result<Raw, DataError> {
    let options = request.options;
    let FolderFiles { train, test, classes, unread, mut notes } = files;
    if !unread.is_empty() {
        let count = unread.len();
        let about = folder::about_unread(&unread, FileType::Images);
        if options.strict {
            return Err(DataError::unusable(source.display(), about));
        }
        notes.push(format!("{count} image{} skipped: {about}", if count == 1 { " was" } else { "s were" }));
    }
    let trained = train.len();
    let all: Vec<FolderFile> = train.into_iter().chain(test).collect();
    let mut problems = Problems::of(source, options, FileType::Images, all.len());
    let looks: Vec<Result<PictureHeader, String>> = all.par_iter().map(|file| picture::header(&file.path)).collect();
    let mut headers = Vec::with_capacity(all.len());
    let mut kept = Vec::with_capacity(all.len());
    for (place, (look, file)) in looks.into_iter().zip(all).enumerate() {
        match look {
            Ok(header) => {
                headers.push(header);
                kept.push((file, place >= trained));
            }
            Err(reason) => problems.add(file, reason)?,
        }
    }
    let (ImageSize { height, width }, why) = common_size(source, &headers, &kept, options)?;
    let channels = match options.channels {
        Some(Channels::Grey) => 1,
        Some(Channels::Rgb) => 3,
        None if headers.iter().all(|header| header.grey) => 1,
        None => 3,
    };
    let size = (height, width, channels);
    let Decoded { mut levels, failures, mut channels } = decode_all(source, &kept, size, request)?;
    // Colour files may hold only grey pixels.
    if options.channels.is_none() && channels == Found::GreyInColours {
        for pixel in 0..levels.len() / 3 {
            levels[pixel] = levels[3 * pixel];
        }
        levels.truncate(levels.len() / 3);
        levels.shrink_to_fit();
        channels = Found::Grey;
    }
    let channels = if channels == Found::Grey { 1 } else { 3 };
    let numbers: HashMap<&String, u32> = classes.iter().zip(0..).collect();
    let number = |class: &String| numbers.get(class).copied();
    let mut split = Examples {
        labels: kept.iter().map(|(file, _)| file.class.as_ref().and_then(number)).collect(),
        origins: Some(Origins::Files(kept.iter().map(|(file, _)| file.origin.clone()).collect())),
        ..Examples::of(kept.len(), Values::Bytes(levels))
    };
    let is_test: Vec<bool> = kept.iter().map(|(_, is_test)| *is_test).collect();
    let mut whole = vec![true; kept.len()];
    for (place, reason) in failures {
        whole[place] = false;
        problems.add(kept[place].0.clone(), reason)?;
    }
    let is_resized =
        |(header, whole): &(&PictureHeader, &bool)| **whole && (header.height, header.width) != (height, width);
    let resized = headers.iter().zip(&whole).filter(is_resized).count();
    if resized > 0 {
        let why = why.map(|why| format!(", {why}; `data.image_size` chooses another size")).unwrap_or_default();
        notes.push(format!("{resized} of {} images were resized to {height}x{width}{why}", kept.len()));
    }
    let deep = headers.iter().zip(&whole).filter(|(header, whole)| **whole && header.is_deep).count();
    if deep > 0 {
        notes.push(format!("{deep} of {} images have more than 256 levels, of which 256 were kept", kept.len()));
    }
    let own_test = split.take_test(&whole, is_test);
    if split.rows == 0 {
        return Err(DataError::unusable(source.display(), "none of its training images can be read"));
    }
    notes.extend(problems.note());
    let shape = Shape::Image { height, width, channels };
    Ok(Raw { classes, test: own_test, notes, ..Raw::of("", shape, split) })
}

/// The longest side of images that are learned from as large as they are.
const LARGE: usize = 256;
/// The side of images that are made smaller where no size is asked for.
const MODERATE: usize = 64;

/// The size that images are brought to, and why it is another than theirs, if that was not asked for.
fn common_size(
    source: &Path,
    headers: &[PictureHeader],
    kept: &[(FolderFile, bool)],
    options: &Options,
) -> Result<(ImageSize, Option<String>), DataError> {
    let unusable = |reason: String| Err(DataError::unusable(source.display(), reason));
    if let Some(size) = options.image_size {
        return Ok((size, None));
    }
    let Some(first) = headers.first().map(size_of) else {
        return unusable("none of its images can be read".into());
    };
    let other = headers.iter().position(|header| size_of(header) != first);
    if other.is_none() && first.height.max(first.width) <= LARGE {
        return Ok((first, None));
    }
    let suited = suited_size(headers);
    match other {
        Some(other) if options.strict => unusable(format!(
            "the images have different sizes: {} is {first}, {} is {}; resize them to one size with `data.image_size = \"{suited}\"`",
            kept[0].0.origin,
            kept[other].0.origin,
            size_of(&headers[other]),
        )),
        None if first.height.max(first.width) > LONGEST && options.strict => unusable(format!(
            "images of {first} are too large to learn from; resize them with `data.image_size = \"{suited}\"`"
        )),
        None if options.strict => Ok((first, None)),
        Some(_) => Ok((suited, Some("because they have different sizes".into()))),
        None => Ok((suited, Some(format!("because sides above {LARGE} pixels make models large")))),
    }
}

fn size_of(header: &PictureHeader) -> ImageSize {
    ImageSize { height: header.height, width: header.width }
}

/// A square that is no larger than most images, and that convolutions halve three times.
fn suited_size(headers: &[PictureHeader]) -> ImageSize {
    let mut shorter: Vec<usize> = headers.iter().map(|header| header.height.min(header.width)).collect();
    shorter.sort_unstable();
    let side = match shorter[shorter.len() / 2] {
        side @ 0..8 => side,
        side => (side / 8 * 8).min(MODERATE),
    };
    ImageSize { height: side, width: side }
}

/// The colours found in an image.
#[derive(PartialEq)]
enum Found {
    Grey,
    GreyInColours,
    Colours,
}

struct Decoded {
    levels: Vec<u8>,
    /// Indices of files that could not be decoded, with the reasons.
    failures: Vec<(usize, String)>,
    channels: Found,
}

fn decode_all(
    source: &Path,
    kept: &[(FolderFile, bool)],
    size: ImageSides,
    request: &Request<'_>,
) -> Result<Decoded, DataError> {
    let stride = size.0 * size.1 * size.2;
    let mut levels = zeros(kept.len(), stride).ok_or_else(|| {
        let reason = format!("{} images of {}x{} do not fit into memory", kept.len(), size.0, size.1);
        DataError::unusable(source.display(), reason)
    })?;
    let (done, coloured) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failures = levels
        .par_chunks_mut(stride)
        .zip(kept)
        .enumerate()
        .filter_map(|(place, (into, (file, _)))| {
            let outcome = picture::decoded(&file.path, |image| {
                into.copy_from_slice(fitted(image, size, request.options.fit).as_bytes());
                if size.2 == 3 && into.chunks_exact(3).any(|p| p[0] != p[1] || p[1] != p[2]) {
                    coloured.store(true, Ordering::Relaxed);
                }
            });
            (request.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, kept.len());
            outcome.err().map(|reason| (place, reason))
        })
        .collect();
    let channels = match (size.2, coloured.into_inner()) {
        (1, _) => Found::Grey,
        (_, true) => Found::Colours,
        (_, false) => Found::GreyInColours,
    };
    Ok(Decoded { levels, failures, channels })
}
