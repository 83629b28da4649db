//! Commands that train nothing: plans, devices, help.

use std::process::{Command, Output};

use wgvae::config::PRESETS;
use wgvae::model::Likelihood;
use wgvae_engine::plan::{Activation, Family, FuseRule};

use super::{json, path, text, tiny, wgvae};

#[test]
fn the_plan_is_printed_as_a_table_and_as_json() {
    let output = wgvae(&["plan", "--preset", "dense", "--json"]);
    let plan = &json(&output)[0];
    assert!(plan["dispatches"].as_u64().unwrap() <= 16);
    assert!(plan["stages"].as_u64().unwrap() <= 10);
    assert_eq!(plan["parameters"], 652_824);
    assert!(plan["flops_per_step"].as_u64().unwrap() > 400_000_000);
    let ops = plan["ops"].as_array().unwrap();
    assert_eq!(ops.len() as u64, plan["dispatches"].as_u64().unwrap());
    assert_eq!(ops[1]["tensors"][1]["shape"], serde_json::json!([400, 784]));

    let output = wgvae(&["plan", "--preset", "autoencoder", "--which", "evaluate"]);
    let table = text(&output.stdout);
    assert!(output.status.success() && table.contains("code forward"), "{table}");
    let output = wgvae(&["plan", "--preset", "autoencoder", "--which", "sample"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("has no plan `sample`"));
}

#[test]
fn devices_and_doctor_answer() {
    let output = wgvae(&["devices"]);
    assert!(output.status.success() && text(&output.stdout).contains("cpu"));
    let output = wgvae(&["doctor", "--device", "cpu", "--json"]);
    let report = &json(&output)[0];
    assert_eq!(report["healthy"], true);
    // Every kernel family, and every preset's model, lowered and fused.
    assert_eq!(report["families"].as_object().unwrap().len(), Family::ALL.len() + 1);
    assert_eq!(report["families"]["models"]["cases"], 2 * PRESETS.len());
    assert_eq!(report["models"][1], "model dense, fused");
    let report = &json(&wgvae(&["doctor", "--device", "cpu", "--json", "--no-fuse"]))[0];
    assert_eq!(report["families"]["models"]["cases"], PRESETS.len());
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("man");
    assert!(wgvae(&["man", "--to", &path(&to)]).status.success());
    for (command, page) in
        [(&["man"][..], "wgvae.1"), (&["man", "train"], "wgvae-train.1"), (&["man", "eval"], "wgvae-eval.1")]
    {
        let output = wgvae(command);
        assert!(output.status.success() && text(&output.stdout).contains(".SH SYNOPSIS"), "{command:?}");
        assert_eq!(output.stdout, std::fs::read(to.join(page)).unwrap(), "{command:?}");
        assert_eq!(text(&output.stdout).matches(".SH NAME").count(), 1);
    }
    let output = wgvae(&["man", "--to", &path(&to.join("wgvae.1/within"))]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("within could not be written"), "{}", text(&output.stderr));
    let output = wgvae(&["man", "nothing"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no command `nothing`"));
}

/// The plan without fusing is longer and trains to the same loss, and the run records that it was not fused.
#[test]
fn plans_can_be_run_without_fusing() {
    let plan = |flags: &[&str]| json(&wgvae(&[&["plan", "--json", "--preset", "dense"], flags].concat()))[0].clone();
    let (fused, lowered) = (plan(&[]), plan(&["--no-fuse"]));
    assert_eq!((fused["dispatches"].as_u64(), fused["stages"].as_u64()), (Some(15), Some(10)));
    assert!(lowered["dispatches"].as_u64() > Some(30), "{lowered}");
    let ops = |plan: &serde_json::Value| plan["ops"].as_array().unwrap().clone();
    assert!(ops(&lowered).iter().all(|op| op["fused"].as_array().unwrap().is_empty()));
    // Only a decoder of texts has rows that it would copy.
    let of_texts = json(&wgvae(&["plan", "--json", "--preset", "text"]))[0].clone();
    let rules: Vec<String> = [ops(&fused), ops(&of_texts)]
        .concat()
        .iter()
        .flat_map(|op| ["fused", "begins"].map(|list| op[list].as_array().unwrap().clone()).concat())
        .map(|taken| taken["rule"].as_str().unwrap().to_string())
        .collect();
    let help = text(&wgvae(&["plan", "--help-all"]).stdout);
    for rule in FuseRule::ALL.map(FuseRule::name) {
        assert!(rules.iter().any(|used| used == rule), "{rule} is not among {rules:?}");
        assert!(help.contains(&format!("\n  {rule} ")), "{help}");
    }
    assert_eq!((&fused["fuse"], &lowered["fuse"]), (&true.into(), &false.into()));
    assert_eq!(fused["lowered_ops"], lowered["dispatches"]);
    let shown = text(&wgvae(&["plan", "--preset", "dense"]).stdout);
    assert!(shown.contains("with encoder.0.pre (bias), encoder.0.out (epilogue)"), "{shown}");
    assert!(shown.contains("epilogue: normal, reparameterise, kl"), "{shown}");

    let folder = tempfile::tempdir().unwrap();
    let losses = ["fused", "lowered"].map(|name| {
        let out = folder.path().join(name);
        let mut args =
            vec!["train", "--preset", "points", "--data", "points:count=300", "--steps", "20", "--tune", "off"];
        args.extend(["--device", "cpu", "--json", "--out", out.to_str().unwrap()]);
        args.extend((name == "lowered").then_some("--no-fuse"));
        let events = json(&wgvae(&args));
        let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
        assert_eq!(config.contains("fuse = false"), name == "lowered", "{config}");
        events.last().unwrap()["test_loss"].as_f64().unwrap()
    });
    assert!((losses[0] / losses[1] - 1.0).abs() < 1e-5, "{losses:?}");
}

/// The help names every command and every preset, activation and likelihood.
#[test]
fn help_is_complete() {
    let help = text(&wgvae(&["--help"]).stdout);
    // The book explains every likelihood.
    let page = include_str!("../../../docs/likelihoods.md");
    for name in Likelihood::ALL.map(Likelihood::name) {
        assert!(page.contains(&format!("`{name}`")), "docs/likelihoods.md does not name {name}");
    }
    for command in ["train", "plan", "devices", "doctor"] {
        assert!(help.contains(command), "{command}");
    }
    let help = text(&wgvae(&["train", "--help-all"]).stdout);
    let names = PRESETS.iter().map(|(preset, _)| *preset);
    for name in names.chain(Activation::ALL.map(Activation::name)).chain(Likelihood::ALL.map(Likelihood::name)) {
        assert!(help.contains(name), "{name}");
    }
}

/// Without any adapter the CPU is used, with a hint on how to get one; `--device gpu` is an error.
#[cfg(target_os = "linux")]
#[test]
fn without_an_adapter_the_cpu_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    tiny(folder.path(), 40, 9);
    let run = |device: &str| -> Output {
        Command::new(env!("CARGO_BIN_EXE_wgvae"))
            .args(["train", "--hidden", "4", "--batch", "8", "--steps", "5", "--device", device, "--data"])
            .arg(folder.path())
            .arg("--out")
            .arg(folder.path().join(device))
            .env_remove("WGPU_BACKEND")
            .env("VK_DRIVER_FILES", "/nonexistent.json")
            .env("VK_ICD_FILENAMES", "/nonexistent.json")
            .output()
            .unwrap()
    };
    let output = run("auto");
    let error = text(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(error.contains("no GPU adapter was found") && error.contains("mesa-vulkan-drivers"), "{error}");
    assert!(text(&output.stdout).contains("processor"));
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    doctor.arg("doctor").env_remove("WGPU_BACKEND").env("VK_DRIVER_FILES", "/nonexistent.json");
    let output = doctor.env("VK_ICD_FILENAMES", "/nonexistent.json").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no adapter was tested"), "{}", text(&output.stderr));
    for (backend, why) in [("vulcan", "names `vulcan`, which is no backend"), ("gl", "does not use")] {
        let mut devices = Command::new(env!("CARGO_BIN_EXE_wgvae"));
        let output = devices.arg("devices").env("WGPU_BACKEND", backend).output().unwrap();
        assert!(text(&output.stdout).contains(why), "{}", text(&output.stdout));
    }
    let output = run("gpu");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("no adapter is a GPU; this machine has no usable adapter: install"));
}
