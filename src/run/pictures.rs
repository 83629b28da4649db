//! Pictures of reconstructions and samples, drawn after each epoch.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wgvae_data::disk;
use wgvae_data::{DataError, Shape};

use crate::apply::Run;
use crate::report;
use crate::report::page::Picture;
use crate::train::{Epoch, FolderHandle, TrainError, is_shown};

/// The most bytes of a picture that is put into a page.
const MAX_BYTES: u64 = 256 << 20;
/// Where they are in the folder of a run.
const IMAGES: &str = "images";
/// How many images are reconstructed.
const RECONSTRUCTED: usize = 50;
/// How many images are sampled.
const SAMPLED: usize = 100;
/// How many points are reconstructed or sampled.
const PLOTTED: usize = 2000;

/// The pictures of a run that were drawn after the epoch that is nearest to one; an error where one is there and cannot be read.
pub fn drawn(run: &Run, epoch: usize) -> Result<Vec<Picture>, DataError> {
    let folder = run.files.path(IMAGES);
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| DataError::Read { path, source }
    };
    let names = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(failed(&folder))?.flatten(),
    };
    let names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let of_kind = |kind: &str| {
        let number = |name: &String| name.strip_prefix(kind)?.strip_prefix('-')?.strip_suffix(".png")?.parse().ok();
        names.iter().filter_map(number).min_by_key(|number: &usize| (number.abs_diff(epoch), *number))
    };
    let picture = |(title, kind): (&str, &str)| {
        let number = of_kind(kind)?;
        let path = folder.join(format!("{kind}-{number:03}.png"));
        let png = match disk::read(&path, MAX_BYTES) {
            Err(error) => return Some(Err(failed(&path)(error.into()))),
            Ok(png) => png,
        };
        let (title, caption) = (title.to_string(), format!("after epoch {number}"));
        Some(Ok(Picture { alt: format!("{title} of {}", run.name()), title, caption, png, is_wide: false }))
    };
    [("Reconstructions", "reconstructions"), ("Samples", "samples")].into_iter().filter_map(picture).collect()
}

/// Draws reconstructions, and samples if there is a prior, into a run's folder; returns the files. Only images and 2-D points
/// can be drawn, and not all epochs of many.
pub fn draw(run: &FolderHandle, epoch: &mut Epoch<'_>) -> Result<Vec<PathBuf>, TrainError> {
    let (number, all) = (epoch.report.epoch, epoch.epochs());
    if !is_shown(number, all) {
        return Ok(Vec::new());
    }
    let mut pictures = Vec::new();
    match epoch.shape() {
        Shape::Image { height, width, channels } => {
            let size = (height, width, channels);
            let (x, mean) = epoch.reconstruct(RECONSTRUCTED)?;
            pictures.push(("reconstructions", report::reconstructions(&x, &mean, size)));
            if let Some(drawn) = epoch.sample(SAMPLED)? {
                pictures.push(("samples", report::grid(&drawn, size, report::columns(size))));
            }
        }
        Shape::Point(2) => {
            let (x, mean) = epoch.reconstruct(PLOTTED)?;
            pictures.push(("reconstructions", report::scatter(&x, &mean)));
            if let Some(drawn) = epoch.sample(PLOTTED.min(epoch.test_rows()))? {
                pictures.push(("samples", report::scatter(&x, &drawn)));
            }
        }
        Shape::Point(_) | Shape::Table(_) | Shape::Text { .. } | Shape::Series { .. } => {}
    }
    let save = |(name, picture): (&str, image::DynamicImage)| {
        let file = Path::new(IMAGES).join(format!("{name}-{number:03}.png"));
        let written = super::png(&picture).map_err(|error| error.to_string()).and_then(|png| {
            disk::write_file(&run.way().join(&file), |out| out.write_all(&png)).map_err(|error| error.to_string())
        });
        match written {
            Ok(()) => Ok(run.shown().join(file)),
            Err(reason) => Err(TrainError::Write { path: run.shown().join(file), reason }),
        }
    };
    pictures.into_iter().map(save).collect()
}
