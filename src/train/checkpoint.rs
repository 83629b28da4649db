//! Checkpoints: a state as safetensors, and beside it a manifest that is written last.
//!
//! A checkpoint is good if its manifest is there and whole, and the tensors have the length and the checksum that it names.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wgvae_data::disk::{self, Disk, NotRead};
use wgvae_data::{Dataset, Examples, Values, shown};
use wgvae_engine::exec::Device;
use wgvae_engine::plan::ParamTable;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

use super::state::{Progress, State};
use super::weights;
use crate::config::Config;

/// The most bytes of weights and moments that are read.
pub const MAX_WEIGHTS: u64 = 16 << 30;
/// The most bytes of a manifest.
const MAX_MANIFEST: u64 = 8 << 20;

/// Version of what is written.
pub const FORMAT: u32 = 1;

/// Length and checksum of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The length of the file in bytes.
    pub bytes: u64,
    /// XXH3 of its content, 64 bits in hexadecimal.
    pub checksum: String,
}

impl FileRecord {
    /// The record of this content.
    pub fn of(content: &[u8]) -> Self {
        Self { bytes: content.len() as u64, checksum: format!("{:016x}", xxh3_64(content)) }
    }

    /// The record of a file with weights, which is read part by part.
    pub fn of_file(path: &Path) -> Result<Self, NotRead> {
        let (file, length) = disk::open(path)?;
        if length > MAX_WEIGHTS {
            return Err(NotRead::TooLong(MAX_WEIGHTS));
        }
        let (mut file, mut hash) = (file.take(length), Xxh3::new());
        let mut part = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            match file.read(&mut part) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
                Ok(0) => return Ok(Self { bytes, checksum: format!("{:016x}", hash.digest()) }),
                Ok(count) => {
                    hash.update(&part[..count]);
                    bytes += count as u64;
                }
            }
        }
    }
}

/// Why a checkpoint is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not what it should be, or a part of it is not there or on a bad part of the disk.
    #[error("{0}")]
    Damaged(String),
    /// The system did not let it be read, for a reason that says nothing of it: it may be good.
    #[error("{part}: {error}")]
    Unread {
        /// The part of the checkpoint.
        part: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl Unusable {
    fn of(part: &'static str) -> impl Fn(NotRead) -> Self {
        move |error| match error {
            NotRead::Io(error) if is_temporary(&error) => Self::Unread { part, error },
            error => Self::Damaged(format!("{part}: {error}")),
        }
    }
}

impl From<String> for Unusable {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

/// Whether an error says that there is no such file.
pub(super) fn is_absence(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

/// Whether a file that could not be read may be good all the same: permissions, open files and memory can change.
pub(super) fn is_temporary(error: &io::Error) -> bool {
    /// What Unix calls EIO.
    const INPUT_OUTPUT: i32 = 5;
    let is_gone = [io::ErrorKind::NotFound, io::ErrorKind::UnexpectedEof].contains(&error.kind());
    let is_of_disk = cfg!(unix) && error.raw_os_error() == Some(INPUT_OUTPUT);
    error.raw_os_error().is_some() && !is_gone && !is_of_disk
}

/// A fingerprint of the rows that a run learns from and is tested on.
pub fn fingerprint(data: &Dataset, with_classes: bool) -> String {
    let split = |values: &Values| match values {
        Values::Bytes(levels) => xxh3_128(levels),
        Values::Floats(numbers) => xxh3_128(bytemuck::cast_slice(numbers)),
    };
    let mut words = format!("{:?} {:032x} {:032x}", data.shape, split(&data.train.values), split(&data.test.values));
    if with_classes {
        let of_labels = |split: &Examples| xxh3_128(bytemuck::cast_slice(split.labels.as_deref().unwrap_or_default()));
        words += &format!(" {:?} {:032x} {:032x}", data.classes, of_labels(&data.train), of_labels(&data.test));
    }
    format!("{:032x}", xxh3_128(words.as_bytes()))
}

/// The facts that are the same for all checkpoints of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The program's version.
    pub wgvae: String,
    /// [`FORMAT`].
    pub format: u32,
    /// The run's number, drawn when it was made: a folder can hold what is left of a run that was replaced.
    pub run: String,
    /// The whole configuration, with the chosen kernels.
    pub config: Config,
    /// [`fingerprint`] of the data.
    pub data: String,
    /// Where it was trained.
    pub device: Device,
    /// Whether with runtime checks.
    pub checked: bool,
}

/// The manifest of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The run.
    pub origin: Origin,
    /// How far it was.
    pub progress: Progress,
    /// The file with the tensors.
    pub tensors: FileRecord,
}

/// The manifest's file: the text of the manifest, and its checksum.
#[derive(Serialize, Deserialize)]
struct Sealed {
    checksum: String,
    manifest: Box<RawValue>,
}

/// A checkpoint that is there, good or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkpoint {
    /// Steps done.
    pub step: u64,
    /// The path of the checkpoint's manifest.
    pub path: PathBuf,
}

fn tensors_of(manifest: &Path) -> PathBuf {
    manifest.with_extension("safetensors")
}

fn file_name(run: &str, step: u64) -> String {
    format!("step-{step:012}-{run}.json")
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

impl Checkpoint {
    /// The checkpoints of a run in a folder, the newest first; none where the folder cannot be read.
    pub fn all(folder: &Path, run: &str) -> Vec<Self> {
        Self::list(folder, run).unwrap_or_default()
    }

    /// The checkpoints of a run in a folder, the newest first; none where there is no folder.
    pub fn list(folder: &Path, run: &str) -> io::Result<Vec<Self>> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if is_absence(&error) => return Ok(Vec::new()),
            entries => entries?,
        };
        let of_run = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let step = name.strip_suffix(&format!("-{run}.json"))?.strip_prefix("step-")?.parse().ok()?;
            Some(Self { step, path: entry.path() })
        };
        let mut all: Vec<Self> = entries.flatten().filter_map(of_run).collect();
        all.sort_by(|a, b| b.cmp(a));
        Ok(all)
    }

    /// Writes a checkpoint: first the tensors, then the manifest.
    pub fn write(
        disk: &dyn Disk,
        folder: &Path,
        origin: &Origin,
        params: &ParamTable,
        state: &State,
    ) -> io::Result<Self> {
        let step = state.progress.step;
        let path = folder.join(file_name(&origin.run, step));
        let tensors = weights::serialized(params, &state.arenas()).map_err(other)?;
        let manifest =
            Manifest { origin: origin.clone(), progress: state.progress.clone(), tensors: FileRecord::of(&tensors) };
        let manifest = RawValue::from_string(serde_json::to_string(&manifest)?)?;
        let sealed = Sealed { checksum: FileRecord::of(manifest.get().as_bytes()).checksum, manifest };
        disk::replace(disk, &tensors_of(&path), &tensors)?;
        disk::replace(disk, &path, serde_json::to_string(&sealed)?.as_bytes())?;
        Ok(Self { step, path })
    }

    /// Reads the manifest alone, which must be of the run and the step that its name says.
    pub fn manifest(&self) -> Result<Manifest, Unusable> {
        let manifest = self.any_manifest()?;
        match self
            .path
            .file_name()
            .is_some_and(|name| *name == *file_name(&manifest.origin.run, manifest.progress.step))
        {
            true => Ok(manifest),
            false => Err(Unusable::Damaged(format!(
                "its name is not that of what it holds, which is step {} of the run {}",
                manifest.progress.step,
                shown(&manifest.origin.run)
            ))),
        }
    }

    /// Whether it is whole, and yet of another run or step than its name says.
    pub fn is_renamed(&self) -> bool {
        self.manifest().is_err() && self.any_manifest().is_ok()
    }

    fn any_manifest(&self) -> Result<Manifest, Unusable> {
        let text = disk::read_text(&self.path, MAX_MANIFEST).map_err(Unusable::of("its manifest"))?;
        let sealed: Sealed = serde_json::from_str(&text).map_err(|e| format!("it is damaged ({e})"))?;
        if FileRecord::of(sealed.manifest.get().as_bytes()).checksum != sealed.checksum {
            return Err(Unusable::Damaged("it is damaged: its content does not have its checksum".into()));
        }
        let manifest: Manifest = serde_json::from_str(sealed.manifest.get()).map_err(|e| e.to_string())?;
        if manifest.origin.format != FORMAT {
            let format = manifest.origin.format;
            return Err(Unusable::Damaged(format!("it has format {format}, and this program knows {FORMAT}")));
        }
        Ok(manifest)
    }

    /// Whether the tensors are as the manifest says.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Unusable> {
        let path = tensors_of(&self.path);
        let other = || "its tensors do not have the length and the checksum that it names".to_string();
        let (_, length) = disk::open(&path).map_err(Unusable::of("its tensors"))?;
        if length != manifest.tensors.bytes {
            return Err(other().into());
        }
        let found = FileRecord::of_file(&path).map_err(Unusable::of("its tensors"))?;
        if found == manifest.tensors { Ok(()) } else { Err(other().into()) }
    }

    /// Reads the state of a checkpoint.
    pub fn state(&self, manifest: &Manifest, params: &ParamTable, moments: usize) -> Result<State, Unusable> {
        self.check(manifest)?;
        let limit = weights::most_of_file(params, 1 + moments);
        let bytes = disk::read(&tensors_of(&self.path), limit).map_err(Unusable::of("its tensors"))?;
        let mut arenas = State::PREFIXES[..=moments].iter().map(|prefix| weights::arena(&bytes, params, prefix));
        Ok(State {
            weights: arenas.next().unwrap_or_else(|| Ok(Vec::new()))?,
            moments: arenas.collect::<Result<_, _>>()?,
            progress: manifest.progress.clone(),
        })
    }

    /// Removes a checkpoint, the manifest first: what is left of it then is not taken for one.
    pub fn remove(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.remove(&self.path)?;
        match disk.remove(&tensors_of(&self.path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
