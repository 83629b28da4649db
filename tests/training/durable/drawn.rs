//! A generator of faults: a seed draws which calls of the disk fail, and how, and whether all behind them do.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use wgvae::config::Config;
use wgvae::run::{self, Error, Finished, Resume, RunOptions};
use wgvae::train::{Identity, TrainError};
use wgvae_data::disk::{Disk, System};

use crate::common::folder::copy;
use crate::durable::disk::{FailingDisk, Faults};
use crate::durable::runs::{config, data, go_on, kills, model, options, random};

/// How a call fails.
const KINDS: [io::ErrorKind; 5] = [
    io::ErrorKind::StorageFull,
    io::ErrorKind::Interrupted,
    io::ErrorKind::PermissionDenied,
    io::ErrorKind::QuotaExceeded,
    io::ErrorKind::Other,
];

/// A call, how it fails, and whether all behind it fail too.
#[derive(Debug, Clone, Copy)]
struct Fault {
    at: usize,
    kind: io::ErrorKind,
    stays: bool,
}

/// Faults that were drawn.
#[derive(Debug)]
struct Drawn(Vec<Fault>);

impl Drawn {
    /// One to three faults among so many calls.
    fn of(seed: u32, calls: usize) -> Self {
        let draw = |place: u32, end: u64| random(40 + place, seed, end);
        let fault = |number: u32| Fault {
            at: draw(4 * number, calls as u64) as usize,
            kind: KINDS[draw(4 * number + 1, KINDS.len() as u64) as usize],
            stays: draw(4 * number + 2, 4) == 0,
        };
        Self((0..=draw(99, 3) as u32).map(fault).collect())
    }
}

impl Faults for Drawn {
    fn fault(&self, call: usize) -> Option<io::Error> {
        let fault = self.0.iter().find(|fault| call == fault.at || fault.stays && call > fault.at)?;
        Some(io::Error::new(fault.kind, "a fault that was drawn"))
    }

    fn written(&self, call: usize, bytes: usize) -> usize {
        random(39, call as u32 + 1, bytes as u64 + 1) as usize
    }
}

/// How a training begins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Begins {
    New,
    Resumed,
    Forked,
    Replacing,
}

/// Small runs in a folder: one to go on with or to replace, and what is made of it.
struct Runs<'a> {
    folder: &'a Path,
}

impl Runs<'_> {
    fn train(&self, begins: Begins, disk: Arc<dyn Disk>) -> Result<Finished, Error> {
        let (path, old) = (self.folder.join("run"), self.folder.join("old"));
        let with = |steps: u64, rate: f64| {
            let mut config: Config = config("");
            (config.train.steps, config.train.lr) = (Some(steps), rate);
            config
        };
        let on = RunOptions { disk: disk.clone(), replace: begins == Begins::Replacing, ..options(&path) };
        match begins {
            Begins::New | Begins::Replacing => run::train(with(14, 0.01), data(), &on, |_| ()),
            Begins::Resumed => {
                let from = Resume::open_on(&path, disk)?.with(with(20, config("").train.lr))?;
                run::resume(from, data(), &on, |_| ())
            }
            Begins::Forked => {
                let from = Resume::open_on(&old, disk)?.fork(&path)?.with(with(20, 0.02))?;
                run::resume(from, data(), &on, |_| ())
            }
        }
    }

    /// The place as it is before a training.
    fn prepare(&self, begins: Begins) {
        let path = self.folder.join("run");
        let _ = std::fs::remove_dir_all(&path);
        if matches!(begins, Begins::Resumed | Begins::Replacing) {
            copy(&self.folder.join("old"), &path);
        }
    }

    /// Goes on with what is there, without faults, or begins again. Whether it was a fork without a checkpoint.
    fn finish(&self, begins: Begins) -> bool {
        let path = self.folder.join("run");
        let again = || drop(self.train(begins, Arc::new(System)).unwrap());
        match begins {
            Begins::New | Begins::Forked if Identity::of(&path).is_some() => {
                match go_on(&path, Arc::new(System), &options(&path)) {
                    Err(Error::Train(TrainError::NotForked { .. })) if begins == Begins::Forked => {
                        again();
                        return true;
                    }
                    finished => drop(finished.unwrap()),
                }
            }
            _ => again(),
        }
        false
    }
}

/// New runs, runs that go on, forks, and runs that replace another.
#[test]
fn a_disk_that_fails_at_random_calls_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs { folder: folder.path() };
    let (old, path) = (folder.path().join("old"), folder.path().join("run"));
    run::train(config("[train]\nsteps = 10"), data(), &options(&old), |_| ()).unwrap();
    let source = model(&old);
    let all = [Begins::New, Begins::Resumed, Begins::Forked, Begins::Replacing];
    let whole = all.map(|begins| {
        runs.prepare(begins);
        let counting = FailingDisk::after(usize::MAX);
        runs.train(begins, counting.clone()).unwrap();
        (model(&path), counting.calls.load(Ordering::Relaxed))
    });
    let (mut failed, mut forked_again) = (0, 0);
    for seed in 0..2 * kills() {
        let (begins, (expected, calls)) = (all[seed as usize % 4], &whole[seed as usize % 4]);
        runs.prepare(begins);
        let disk = FailingDisk::of(Drawn::of(seed, *calls));
        let what = format!("{seed}: {begins:?}, {:?}", disk.faults.0);
        match runs.train(begins, disk) {
            Ok(_) => assert!(model(&path) == *expected, "{what}: another model"),
            Err(error) => {
                failed += 1;
                let said = error.to_string();
                assert!(said.contains("a fault that was drawn") && !said.contains('\n'), "{what}: {said}");
            }
        }
        if begins == Begins::Replacing {
            // One of the two runs is there, and can go on.
            go_on(&path, Arc::new(System), &options(&path)).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!([expected, &source].contains(&&model(&path)), "{what}: neither the old run nor the new one");
        }
        forked_again += u32::from(runs.finish(begins));
        assert!(model(&path) == *expected, "{what}: another model when it went on");
        assert!(model(&old) == source, "{what}: the source of forks has changed");
    }
    assert!(failed > kills() && forked_again > 0, "{failed} failed, {forked_again} forks were made again");
}
