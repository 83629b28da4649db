//! Going on with a run from its newest good checkpoint, in its folder or in another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wgvae_data::disk::{Disk, System};
use wgvae_engine::exec::Device;
use wgvae_engine::plan::ParamTable;

use super::Error;
use crate::apply::RunError;
use crate::apply::record::Record;
use crate::config::Config;
use crate::config::keys::{self, Changes};
use crate::train::{
    Checkpoint, ForkOf, Identity, Manifest, RunFolder, State, Store, TrainError, Unusable, lines_until,
};

/// A run to go on with. Its folder belongs to this process from here on.
pub struct Resume {
    pub(super) store: Box<dyn Store>,
    disk: Arc<dyn Disk>,
    /// The run's checkpoints that are good, the newest first.
    pub(super) good: Vec<(Checkpoint, Manifest)>,
    /// The configuration to go on with.
    pub(super) config: Config,
    /// Whether the configuration, or the data, may be another one.
    pub(super) forked: Option<PathBuf>,
    /// Whether losses from here on are not those from before: what is minimised, or what it is of, is another.
    pub(super) other_losses: bool,
    /// The device that it was last trained on.
    pub(super) device: Option<Device>,
    /// Checkpoints that cannot be read, and why.
    pub damaged: Vec<(PathBuf, String)>,
}

impl Resume {
    /// A run that has not begun.
    pub(super) fn new(store: Box<dyn Store>, config: Config) -> Self {
        let (good, damaged, disk) = (Vec::new(), Vec::new(), Arc::new(System));
        Self { store, disk, good, config, forked: None, other_losses: false, device: None, damaged }
    }

    /// Takes the folder of a run and finds its newest good checkpoint. A run that was ended before its first checkpoint
    /// starts again.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_on(path, Arc::new(System))
    }

    #[doc(hidden)]
    pub fn open_on(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        let folder = RunFolder::reopen(path, disk.clone())?;
        let (mut good, mut damaged) = (Vec::new(), Vec::new());
        for checkpoint in folder.list()? {
            match checkpoint.manifest().and_then(|manifest| checkpoint.check(&manifest).map(|()| manifest)) {
                Ok(manifest) => good.push((checkpoint, manifest)),
                Err(Unusable::Damaged(reason)) => damaged.push((checkpoint.path, reason)),
                Err(error) => return Err(unread(checkpoint.path, &error)),
            }
        }
        let identity = Identity::find(path)?;
        if let (true, Some(of)) = (good.is_empty(), identity.as_ref().and_then(|identity| identity.forked.clone())) {
            return Err(TrainError::NotForked { path: path.to_path_buf(), of }.into());
        }
        let of_checkpoint = good.first().map(|(_, manifest): &(Checkpoint, Manifest)| manifest.origin.config.clone());
        let of_record = || identity.map(|identity| identity.configuration);
        let config = of_checkpoint.or_else(of_record).ok_or_else(|| TrainError::NoRun(path.to_path_buf()))?;
        let of_checkpoint = good.first().map(|(_, manifest)| manifest.origin.device.clone());
        let device = of_checkpoint.or_else(|| Record::in_folder(path).ok().map(|record| record.device));
        let store = Box::new(folder);
        Ok(Self { store, disk, good, config, forked: None, other_losses: false, device, damaged })
    }

    /// The run's folder.
    pub(super) fn path(&self) -> PathBuf {
        self.store.folder().unwrap_or_default()
    }

    /// The configuration to go on with: the run's.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.good.first().map_or(0, |(_, manifest)| manifest.progress.step)
    }

    /// Goes on in another folder, as another run: everything about it may be changed that leaves the parameters as they are.
    pub fn fork(mut self, to: &Path) -> Result<Self, Error> {
        // Where it is now, if it was moved since it was opened.
        let source = self.store.folder();
        self.store = Box::new(RunFolder::claim(to, false, self.disk.clone())?);
        self.forked = source;
        Ok(self)
    }

    /// Goes on with another configuration. The same run can be made longer, and wait longer for a better epoch; with other
    /// changes it would be another run.
    pub fn with(mut self, config: Config) -> Result<Self, Error> {
        let changes = match self.forked {
            Some(_) => Vec::new(),
            None => differences(&self.config, &config),
        };
        if !changes.is_empty() {
            return Err(Error::Changed { path: self.path(), changes: changes.join("; ") });
        }
        self.other_losses = self.config.model != config.model || self.config.data != config.data;
        self.config = config;
        Ok(self)
    }

    /// The measurements up to a step, and of so many epochs at most.
    pub(super) fn lines(&self, step: u64, epochs: usize) -> Result<Vec<u8>, TrainError> {
        match self.forked.clone().or_else(|| self.store.folder()) {
            Some(source) if step > 0 => lines_until(&source, step, epochs),
            _ => Ok(Vec::new()),
        }
    }

    /// Where a fork begins.
    pub(super) fn fork_of(&self) -> Option<ForkOf> {
        let folder = self.forked.clone().filter(|_| self.step() > 0)?;
        Some(ForkOf { folder, step: self.step() })
    }

    /// The newest state, and the best one if it is another.
    pub(super) fn states(&self, params: &ParamTable, moments: usize) -> Result<Option<(State, Option<State>)>, Error> {
        let read = |(checkpoint, manifest): &(Checkpoint, Manifest)| {
            checkpoint.state(manifest, params, moments).map_err(|error| match (error, &self.forked) {
                (Unusable::Damaged(reason), Some(path)) => Error::OtherParameters { path: path.clone(), reason },
                (Unusable::Damaged(reason), None) => RunError::Damaged { path: checkpoint.path.clone(), reason }.into(),
                (error, _) => unread(checkpoint.path.clone(), &error),
            })
        };
        let Some(newest) = self.good.first() else { return Ok(None) };
        let state = read(newest)?;
        let best = state.progress.best.map(|best| best.step).filter(|step| *step != state.progress.step);
        let best = best.and_then(|step| self.good.iter().find(|(checkpoint, _)| checkpoint.step == step));
        Ok(Some((state, best.map(read).transpose()?)))
    }
}

/// The error of a checkpoint that may be good, and cannot be read now.
fn unread(path: PathBuf, error: &Unusable) -> Error {
    TrainError::Read { path, reason: error.to_string() }.into()
}

/// What would make a run another one, as `train.lr 0.001 -> 0.01`.
fn differences(old: &Config, new: &Config) -> Vec<String> {
    let flat = |config: &Config| -> Vec<(String, String)> {
        let table = toml::Table::try_from(config).unwrap_or_default();
        let sections = table.iter().filter_map(|(name, section)| Some((name, section.as_table()?)));
        sections
            .flat_map(|(name, section)| {
                section.iter().map(move |(key, value)| (format!("{name}.{key}"), value.to_string()))
            })
            .collect()
    };
    let (before, after) = (flat(old), flat(new));
    let mut names: Vec<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let longer = match (old.train.steps, new.train.steps) {
        (Some(old), Some(new)) => new >= old,
        (None, None) => new.train.epochs >= old.train.epochs,
        _ => false,
    };
    // Kernels depend on the adapter. Where the data lies does not matter: what is in it is compared by its fingerprint.
    let may_differ = |name: &str| match name {
        "train.epochs" | "train.steps" => longer,
        "kernels.adapter" | "kernels.variants" => true,
        _ => {
            let key = name.split_once('.').and_then(|(_, key)| keys::find(key));
            key.is_some_and(|key| key.changes >= Changes::OnResume)
        }
    };
    let value = |all: &[(String, String)], name: &String| {
        all.iter().find(|(known, _)| known == name).map_or("none".to_string(), |(_, value)| value.clone())
    };
    names
        .into_iter()
        .map(|name| (name, value(&before, name), value(&after, name)))
        .filter(|(name, before, after)| before != after && !may_differ(name))
        .map(|(name, before, after)| format!("{name} {before} -> {after}"))
        .collect()
}
