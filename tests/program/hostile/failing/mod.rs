//! System calls that fail: random calls of the program on files, with random errors, alone and from one on. What was there stays, what
//! is new appears whole or not at all, the command ends with one sentence, and once the fault is gone it does what it always does.

mod commands;
mod faults;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use self::commands::{COMMANDS, TRAININGS, Training};
use self::faults::{Call, drawn, run_with};
use super::harness::{Draws, Ended, path, wgvae};
use crate::common::folder::copy;

/// Commands that are run with faults, of each kind; `WGVAE_FAULTS` asks for more.
fn faults() -> u64 {
    std::env::var("WGVAE_FAULTS").ok().and_then(|number| number.parse().ok()).unwrap_or(60)
}

/// All files below a folder; of folders without files, their names.
type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

fn tree(folder: &Path) -> Tree {
    let mut all = Tree::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            let name = entry.path().strip_prefix(folder).unwrap().to_path_buf();
            match entry.file_type().unwrap().is_dir() {
                true => {
                    left.push(entry.path());
                    all.insert(name, None);
                }
                false => drop(all.insert(name, Some(fs::read(entry.path()).unwrap()))),
            }
        }
    }
    all
}

/// A place with two runs and files to give to commands, which is made anew for every command, under the same name.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let given = place.folder.path().join("given");
        commands::prepare(&given);
        place
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("place")
    }

    fn given(&self) -> PathBuf {
        self.folder.path().join("given")
    }

    /// As it was in the beginning.
    fn anew(&self) {
        if self.path().exists() {
            fs::remove_dir_all(self.path()).unwrap();
        }
        copy(&self.given(), &self.path());
    }

    /// Words of a command, in which `@` is the place.
    fn words(&self, line: &str) -> Vec<String> {
        line.split(' ').map(|word| word.replace('@', &path(&self.path()))).collect()
    }

    fn run(&self, line: &str, faults: &str) -> (Ended, Vec<Call>) {
        let words = self.words(line);
        run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), &self.path(), faults)
    }

    fn without_faults(&self, line: &str) -> Ended {
        let words = self.words(line);
        let ended = wgvae(&words.iter().map(String::as_str).collect::<Vec<_>>());
        ended.expect(0, "");
        ended
    }
}

/// The faults that a command met.
fn met(calls: &[Call]) -> String {
    let met = calls.iter().filter_map(|call| Some((call, call.fault.as_ref()?)));
    let met = met.map(|(call, fault)| format!("{} {} {}: {fault}", call.number, call.name, call.file));
    met.take(5).collect::<Vec<_>>().join("; ")
}

/// Whether it is said that a result could not be written, or that a file which met a fault was left out of it.
fn is_said(ended: &Ended, calls: &[Call], result: &str) -> bool {
    let is_named = |line: &str| {
        let mut failed = calls.iter().filter(|call| call.fault.is_some() && !call.file.is_empty());
        line.contains(result) || failed.any(|call| line.contains(&call.file))
    };
    ended.stderr.lines().any(|line| line.contains("could not be") && is_named(line))
}

/// The command ended in order: with its result, or with one sentence that says what the system said.
fn expect_in_order(ended: &Ended, calls: &[Call], what: &str) {
    let said = &ended.stderr;
    assert!(!said.contains("panicked"), "{what}: {said}");
    let sentences = said.lines().filter(|line| line.starts_with("wgvae: ")).count();
    match ended.code {
        Some(0) => assert_eq!(sentences, 0, "{what}: {said}"),
        Some(1 | 3 | 6) => {
            assert!(sentences == 1 && said.lines().last().unwrap().starts_with("wgvae: "), "{what}: {said}");
            assert!(calls.iter().any(|call| !call.can_be_repeated()), "{what}: {said}");
        }
        code => panic!("{what}: {code:?} {said}"),
    }
}

/// What may be left of a file that was being written: nothing, but where removing it failed as well.
fn may_be_left(name: &Path, calls: &[Call]) -> bool {
    let is_partial = name.iter().any(|part| part.to_string_lossy().starts_with(".wgvae-"));
    let removes = |call: &Call| ["unlink", "rmdir", "unlinkat", "opendir", "statx"].contains(&call.name.as_str());
    is_partial && calls.iter().any(|call| removes(call) && call.fault.is_some())
}

/// Every file is as it was before, or as it is after the command without a fault.
fn expect_old_or_new(
    (now, old, new): (&Tree, &Tree, &Tree),
    outputs: &[&str],
    (ended, calls): (&Ended, &[Call]),
    what: &str,
) {
    for (name, content) in now {
        // A result may lack what could not be read, where that is said.
        let is_result = outputs.iter().any(|output| Path::new(output) == name && is_said(ended, calls, output));
        let is_whole = old.get(name) == Some(content) || new.get(name) == Some(content) || is_result;
        assert!(is_whole || may_be_left(name, calls), "{what}: {} is neither the old nor the new", name.display());
    }
    for name in old.keys().filter(|name| !now.contains_key(*name)) {
        assert!(!new.contains_key(name), "{what}: {} is gone", name.display());
    }
    // A folder that is new appears with all that is in it.
    for name in now.keys().filter(|name| !old.contains_key(*name) && new.get(*name) == Some(&None)) {
        let below = |tree: &Tree| tree.keys().filter(|other| other.starts_with(name)).count();
        assert_eq!(below(now), below(new), "{what}: {} is a half-written folder", name.display());
    }
}

/// Every command that writes a result.
#[test]
fn results_are_whole_whatever_fails() {
    let place = Place::new();
    let mut draws = Draws(17);
    let mut whole: BTreeMap<(usize, bool), (Tree, Tree, Vec<Call>)> = BTreeMap::new();
    let (mut fired, mut refused) = (0, 0);
    for number in 0..faults() {
        let (line, outputs) = COMMANDS[number as usize % COMMANDS.len()];
        // Half of the commands replace an older result.
        let replaces = draws.below(2) == 0;
        place.anew();
        let replaced = outputs.iter().filter(|name| replaces && Path::new(name).extension().is_some());
        for name in replaced {
            fs::write(place.path().join(name), "an older result").unwrap();
        }
        let key = (number as usize % COMMANDS.len(), replaces);
        let (old, new, calls) = whole.entry(key).or_insert_with(|| {
            let old = tree(&place.path());
            let (ended, calls) = place.run(line, "");
            ended.expect(0, "");
            let new = tree(&place.path());
            assert!(outputs.iter().all(|name| new.get(Path::new(name)) != old.get(Path::new(name))), "{line}");
            place.anew();
            for name in old.iter().filter(|(_, content)| content.as_deref() == Some(b"an older result")) {
                fs::write(place.path().join(name.0), "an older result").unwrap();
            }
            (old, new, calls)
        });
        let planted = drawn(&mut draws, calls);
        let what = format!("{number}: {line}, faults {planted}");
        let (ended, calls) = place.run(line, &planted);
        let what = format!("{what}: {}", met(&calls));
        expect_in_order(&ended, &calls, &what);
        let now = tree(&place.path());
        expect_old_or_new((&now, old, new), outputs, (&ended, &calls), &what);
        fired += usize::from(calls.iter().any(|call| call.fault.is_some()));
        if ended.code == Some(0) {
            for name in outputs {
                let is_result = now.get(Path::new(name)) == new.get(Path::new(name));
                // Figures are printed in any case, and it is said that they were not kept.
                let is_claimed = ended.stdout.contains(&format!("written  {}", path(&place.path().join(name))));
                let is_left_out = is_said(&ended, &calls, name) && (is_claimed || name.starts_with("table"));
                assert!(is_result || is_left_out, "{what}: {name} is not the result: {}", ended.stderr);
            }
            continue;
        }
        refused += 1;
        place.without_faults(line);
        let after = tree(&place.path());
        let is_left = |name: &PathBuf| now.contains_key(name) && may_be_left(name, &calls);
        for (name, content) in after.iter().filter(|(name, _)| !is_left(name)) {
            assert!(new.get(name) == Some(content), "{what}: {} differs when it is done again", name.display());
        }
    }
    let all = faults() as usize;
    assert!(fired > all / 2 && refused > all / 4, "{fired} of {all} met a fault, {refused} were refused");
}

/// What `metrics.jsonl` says, without what depends on the clock.
fn measured(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .map(|mut line| {
            for key in ["seconds", "steps_per_second", "run"] {
                line.as_object_mut().unwrap().remove(key);
            }
            line
        })
        .collect()
}

/// A finished training, as far as it does not depend on the clock.
fn result(run: &Path) -> (Vec<u8>, Vec<serde_json::Value>) {
    (fs::read(run.join("model.safetensors")).unwrap(), measured(run))
}

/// Goes on with a training that failed, or begins it again where nothing of it is there.
fn finish(place: &Place, training: &Training, what: &str) {
    let run = place.path().join(training.run);
    if training.begins && run.join("run.json").exists() {
        let words = place.words(&format!("train --device cpu --resume @/{}", training.run));
        let ended = wgvae(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let is_fork = training.line.contains("--fork");
        match ended.code {
            Some(3) if is_fork && ended.stderr.contains("is a fork that ended before its first checkpoint") => {}
            Some(0) => return,
            code => panic!("{what}: {code:?} {}", ended.stderr),
        }
    }
    place.without_faults(training.line);
}

/// Training, going on, forking and replacing.
#[test]
fn runs_are_whole_whatever_fails() {
    let place = Place::new();
    let mut draws = Draws(19);
    let mut whole = BTreeMap::new();
    let mut fired = 0;
    for number in 0..faults() {
        let training = &TRAININGS[number as usize % TRAININGS.len()];
        place.anew();
        let (expected, calls) = whole.entry(number as usize % TRAININGS.len()).or_insert_with(|| {
            let (ended, calls) = place.run(training.line, "");
            ended.expect(0, "");
            let expected = result(&place.path().join(training.run));
            place.anew();
            (expected, calls)
        });
        let old = tree(&place.path());
        let planted = drawn(&mut draws, calls);
        let what = format!("{number}: {}, faults {planted}", training.line);
        let (ended, calls) = place.run(training.line, &planted);
        let what = format!("{what}: {}", met(&calls));
        expect_in_order(&ended, &calls, &what);
        fired += usize::from(calls.iter().any(|call| call.fault.is_some()));
        let run = place.path().join(training.run);
        if ended.code == Some(0) {
            // A checkpoint that is on a bad part of the disk is left out, and said.
            let is_other = ended.stderr.contains("the checkpoint ") && training.line.contains("--fork");
            assert!(result(&run) == *expected || is_other, "{what}: another result: {}", ended.stderr);
            if is_other {
                continue;
            }
        }
        // A run that was there before can be gone on with, as it was or as it is to be.
        if !training.begins {
            let there = format!("{}-there", path(&run));
            copy(&run, Path::new(&there));
            place.without_faults(&format!("train --device cpu --resume @/{}-there", training.run));
            let model = fs::read(Path::new(&there).join("model.safetensors")).unwrap();
            let old = &old[&Path::new(training.run).join("model.safetensors")];
            assert!(Some(&model) == old.as_ref() || model == expected.0, "{what}: a model is lost");
            fs::remove_dir_all(there).unwrap();
        }
        finish(&place, training, &what);
        assert!(fs::read(run.join("model.safetensors")).unwrap() == expected.0, "{what}: another model");
        assert_eq!(measured(&run), expected.1, "{what}: other measurements");
        let now = tree(&place.path());
        for (name, content) in old.iter().filter(|(name, _)| !name.starts_with(training.run)) {
            assert!(now.get(name) == Some(content), "{what}: {} has changed", name.display());
        }
        let of_run = |name: &Path| name.starts_with(training.run) || Path::new(training.run).starts_with(name);
        let left = now.keys().find(|name| !old.contains_key(*name) && !of_run(name));
        assert!(left.is_none(), "{what}: {} is left", left.unwrap().display());
        let left = now.keys().filter(|name| name.to_string_lossy().contains(".wgvae-")).count();
        assert_eq!(left, 0, "{what}: parts of files are left");
    }
    let all = faults() as usize;
    assert!(fired > all / 2, "{fired} of {all} met a fault");
}
