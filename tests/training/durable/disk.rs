//! A disk whose calls fail.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wgvae_data::disk::{Disk, System};

/// Which calls fail, by their number.
pub trait Faults: Debug + Send + Sync {
    /// The error of a call, if it fails.
    fn fault(&self, call: usize) -> Option<io::Error>;

    /// How many of so many bytes are written by a call that fails.
    fn written(&self, call: usize, bytes: usize) -> usize;
}

/// A disk with these faults, which counts its calls.
#[derive(Debug)]
pub struct FailingDisk<F> {
    pub faults: F,
    pub calls: AtomicUsize,
}

impl<F: Faults> FailingDisk<F> {
    pub fn of(faults: F) -> Arc<Self> {
        Arc::new(Self { faults, calls: AtomicUsize::new(0) })
    }

    fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.faults.fault(self.calls.fetch_add(1, Ordering::Relaxed)).map_or_else(call, Err)
    }
}

/// Lets so many calls succeed.
#[derive(Debug)]
pub struct After(usize);

impl FailingDisk<After> {
    pub fn after(calls: usize) -> Arc<Self> {
        Self::of(After(calls))
    }
}

impl Faults for After {
    fn fault(&self, call: usize) -> Option<io::Error> {
        (call >= self.0).then(|| io::Error::other("the disk is full"))
    }

    fn written(&self, _: usize, bytes: usize) -> usize {
        bytes / 2
    }
}

impl<F: Faults> Disk for FailingDisk<F> {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.call(|| System.create(path))
    }

    /// Where it fails, a part of the content is there.
    fn write(&self, file: &mut File, content: &[u8]) -> io::Result<()> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(error) = self.faults.fault(call) else { return System.write(file, content) };
        System.write(file, &content[..self.faults.written(call, content.len())])?;
        Err(error)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.call(|| System.sync(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|| System.rename(from, to))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call(|| System.sync_folder(folder))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(|| System.remove(path))
    }
}
