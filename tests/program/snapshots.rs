//! Texts that nobody changes without seeing it: plans, shaders, both helps, and the files of runs. After a change that is meant to alter
//! them, `INSTA_UPDATE=always cargo test --release --test program snapshots` writes them anew, to be read in the diff.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::common::variants::ops;
use wgvae_engine::plan::{Kernel, Op, Reduce};
use wgvae_engine::wgsl::{self, GemmVariant, Target, TuningTable};

/// What a command prints on stdout.
fn wgvae(folder: &Path, arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    command.args(shlex::split(arguments).expect("the quotes match")).current_dir(folder);
    // Help shows what the environment sets.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WGVAE_")) {
        command.env_remove(name);
    }
    let output = command.env("COLUMNS", "80").output().expect("the program starts");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Compares a text with `tests/snapshots/<name>.snap`.
fn unchanged(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The texts of several commands, each under its command.
fn of_commands(folder: &Path, commands: &[String]) -> String {
    commands.iter().map(|command| format!("$ wgvae {command}\n{}\n", wgvae(folder, command))).collect()
}

#[test]
fn plans_of_all_presets() {
    for (preset, _) in wgvae::config::PRESETS {
        // An autoencoder has no prior to sample from, and texts are sampled token by token, by no single plan.
        let has_none = ["autoencoder", "text", "words"].contains(preset);
        let last = if has_none { "reconstruct" } else { "sample" };
        let plans = ["train", last].map(|which| format!("plan --preset {preset} --which {which}"));
        unchanged(&format!("plan-{preset}"), &of_commands(Path::new("."), &plans));
    }
}

#[test]
fn plans_of_objectives() {
    let objectives = [
        "ae",
        "iwae --samples 4",
        "beta-tc",
        "dip-i",
        "dip-ii",
        "info",
        "elbo --capacity 20",
        "elbo --free-bits 0.1",
        "elbo --kl-at-most 10",
        "elbo --prior vamp",
    ];
    for objective in objectives {
        let command = format!("plan --hidden 32 --latent 4 --objective {objective}");
        let name: String = objective.chars().filter(|c| c.is_ascii_alphanumeric() || "- ".contains(*c)).collect();
        let name = name.replace("--", "").replace(' ', "-");
        unchanged(&format!("objective-{name}"), &of_commands(Path::new("."), &[command]));
    }
}

/// The shaders of an op, by what they are rendered from: of a product, one for each kind of variant.
fn shaders(op: &Op, target: Target) -> Vec<(String, Vec<wgsl::Source>)> {
    let Some(gemm) = op.kernel.gemm() else {
        let family = match &op.kernel {
            Kernel::Map(_) => "map".to_string(),
            Kernel::Reduce(Reduce::Columns | Reduce::Rows(_)) => op.kernel.name(),
            other => other.name().split('.').next().unwrap_or_default().to_string(),
        };
        return vec![(family, wgsl::sources(op, target, &TuningTable::default()))];
    };
    let under = if gemm.windows.is_some() { "windows-" } else { "" };
    let variants = GemmVariant::ALL.iter().filter(|(_, variant)| variant.runs_on(target));
    let kind = |name: &str| {
        let split = if name.contains("split") { "-split" } else { "" };
        format!("gemm-{under}{}{split}", name.split('-').next().unwrap_or(name))
    };
    variants
        .map(|(name, variant)| (kind(name), wgsl::sources(op, target, &TuningTable::all_of([op], *variant))))
        .collect()
}

#[test]
fn shaders_of_all_templates() {
    // By kind: the target and text of the first op that has it there.
    let mut found: BTreeMap<String, Vec<(Target, String)>> = BTreeMap::new();
    for target in Target::ALL {
        for (op, _) in ops() {
            for (kind, sources) in shaders(&op, target) {
                let texts = found.entry(kind).or_default();
                if texts.iter().all(|(other, _)| *other != target) {
                    let text =
                        sources.iter().map(|source| format!("// {}\n{}\n", source.variant, source.text)).collect();
                    texts.push((target, text));
                }
            }
        }
    }
    for (kind, texts) in found {
        let mut whole = String::new();
        for (number, (target, text)) in texts.iter().enumerate() {
            match texts[..number].iter().find(|(_, other)| other == text) {
                Some((other, _)) => whole += &format!("// == {target:?}: as {other:?}\n"),
                None => whole += &format!("// == {target:?}\n{text}"),
            }
        }
        unchanged(&format!("shader-{kind}"), &whole);
    }
}

#[test]
fn help_of_all_commands() {
    let folder = Path::new(".");
    let all = wgvae(folder, "--help");
    let listed = all.split_once("Commands:\n").and_then(|(_, rest)| rest.split_once("\n\n")).expect("commands").0;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(names.contains(&"train") && names.len() > 20, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help").chain(["", "data export"]) {
        let of = format!("help-{name}").trim_end_matches('-').replace(' ', "-");
        unchanged(&of, &wgvae(folder, &format!("{name} --help")));
        unchanged(&of.replacen("help", "help-all", 1), &wgvae(folder, &format!("{name} --help-all")));
    }
}

/// The files of a run, without what differs from run to run and from machine to machine.
#[cfg(unix)]
fn files_of_run(all: &Path, kind: &str) -> String {
    let read = |name: &str| std::fs::read_to_string(all.join("run").join(kind).join(name)).expect("the run has it");
    let mut run: serde_json::Value = serde_json::from_str(&read("run.json")).expect("JSON");
    for key in ["run", "date", "command", "device", "config"] {
        assert!(run.get(key).is_some(), "run.json has no {key}");
        run[key] = "...".into();
    }
    let run = serde_json::to_string_pretty(&run).expect("JSON");
    let files =
        format!("== run.json\n{run}\n== config.toml\n{}\n== data.json\n{}\n", read("config.toml"), read("data.json"));
    files.replace(all.to_str().expect("UTF-8"), "...")
}

// Paths are written in another way on Windows.
#[cfg(unix)]
#[test]
fn files_of_a_run_of_each_kind_of_data() {
    let folder = tempfile::tempdir().expect("a folder");
    // On macOS a temporary folder is behind a link, which the program follows.
    let all = folder.path().canonicalize().expect("a path");
    let table = "id,when,amount,kind,ok\n".to_string()
        + &(0..60)
            .map(|i| {
                let amount = if i % 7 == 3 { String::new() } else { format!("${}.50", 3 + i * i % 41) };
                format!("C-{i},2024-03-{:02},{amount},{},{}\n", 1 + i % 28, ["red", "blue"][i % 2], i % 3 == 0)
            })
            .collect::<String>();
    std::fs::write(all.join("rows.csv"), &table).expect("written");
    for class in ["cat", "dog"] {
        let folder = all.join("pictures").join(class);
        std::fs::create_dir_all(&folder).expect("a folder");
        for i in 0..20 {
            let picture = image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8 * 30, y as u8 * 30, i * 9]));
            picture.save(folder.join(format!("{i}.png"))).expect("written");
        }
    }
    wgvae(&all, "data export points:count=60 --to exported --format npy");
    wgvae(&all, "data export strokes:count=40 --to digits --format idx");
    for (kind, data) in [
        ("points", "points:count=60"),
        ("strokes", "strokes:count=40"),
        ("sprites", "sprites:count=40"),
        ("table", "rows.csv"),
        ("array", "exported/train.npy"),
        ("idx", "digits"),
        ("pictures", "pictures"),
    ] {
        let command = format!("train --data {data} --steps 2 --device cpu --tune off --out run/{kind} --quiet");
        wgvae(&all, &command);
        unchanged(&format!("run-{kind}"), &files_of_run(&all, kind));
    }
}
