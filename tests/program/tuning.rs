//! Tuned kernels: measured once, cached, saved with the run; and the commands that show them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use wgvae::config::Config;
use wgvae::data::Shape;
use wgvae::model::{DataSpec, Vae};
use wgvae::train::{DeviceEvent, DeviceOptions};
use wgvae_engine::exec::gpu::AdapterKind;
use wgvae_engine::exec::{DeviceError, Selected};

use crate::common;

/// Runs the program with its own cache folder.
fn wgvae(cache: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE", "WGVAE_TUNE", "WGPU_ADAPTER_NAME"] {
        command.env_remove(variable);
    }
    command.env("WGVAE_CACHE", cache).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(output: Output) -> (String, String) {
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

const SMALL: [&str; 8] = ["--preset", "points", "--data", "points:count=256", "--hidden", "24", "--batch", "64"];

fn train(cache: &Path, out: &Path, extra: &[&str]) -> (String, Vec<u8>) {
    let mut args = vec!["train", "--device", "adapter", "--steps", "30", "--out", out.to_str().unwrap()];
    args.extend(extra);
    let (_, log) = done(wgvae(cache, &args));
    (log, std::fs::read(out.join("model.safetensors")).unwrap())
}

#[test]
fn variants_are_tuned_once_remembered_and_saved_with_the_run() {
    if common::gpu().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (log, first) = train(&at("cache"), &at("first"), &SMALL);
    assert!(log.contains("tuned    9 products"), "{log}");
    let files: Vec<_> = std::fs::read_dir(at("cache")).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let remembered: Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    assert_eq!(remembered["table"].as_object().unwrap().len(), 9);

    // A second run measures nothing and gives the same bytes.
    let (log, second) = train(&at("cache"), &at("second"), &SMALL);
    assert!(!log.contains("tun"), "{log}");
    assert_eq!(first, second);

    // The saved configuration contains the variants, so an empty cache does not matter.
    let config = at("first").join("config.toml");
    let saved: toml::Table = std::fs::read_to_string(&config).unwrap().parse().unwrap();
    let variants = saved["kernels"]["variants"].as_table().unwrap();
    assert_eq!(variants.len(), 9);
    let (log, third) = train(&at("nowhere"), &at("third"), &["--config", config.to_str().unwrap()]);
    assert!(!log.contains("tun"), "{log}");
    assert_eq!(first, third);
    assert!(!at("nowhere").exists(), "variants from a configuration must not be cached");

    // The configuration's variants are used: other names there compile other variants.
    let other = variants.iter().fold(std::fs::read_to_string(&config).unwrap(), |text, (_, variant)| {
        text.replace(&variant.to_string(), "\"plain\"")
    });
    let changed = at("changed.toml");
    std::fs::write(&changed, other).unwrap();
    let (log, fourth) = train(&at("nowhere"), &at("fourth"), &["--config", changed.to_str().unwrap()]);
    assert!(!log.contains("tun"), "{log}");
    let record = std::fs::read_to_string(at("fourth").join("run.json")).unwrap();
    assert!(record.contains("gemm.nt.plain") && !record.contains("gemm.nt.subgroup"), "{record}");
    assert_eq!(first.len(), fourth.len());

    // With `force`, they are measured again and replace the cached ones.
    let force: Vec<&str> = SMALL.iter().copied().chain(["--tune", "force"]).collect();
    let (log, _) = train(&at("cache"), &at("fifth"), &force);
    assert!(log.contains("tuned    9 products"), "{log}");
    // With `off`, nothing is measured and the cache is not used.
    let off: Vec<&str> = SMALL.iter().copied().chain(["--tune", "off"]).collect();
    let (log, _) = train(&at("elsewhere"), &at("sixth"), &off);
    assert!(!log.contains("tun"), "{log}");
    assert!(!at("elsewhere").exists());

    // A damaged cache file, or one of another driver, is replaced.
    std::fs::write(&files[0], "{ no json").unwrap();
    let (log, _) = train(&at("cache"), &at("seventh"), &SMALL);
    assert!(log.contains("tuned    9 products"), "{log}");
    let foreign = std::fs::read_to_string(&files[0]).unwrap().replace("\"driver\": \"", "\"driver\": \"another ");
    std::fs::write(&files[0], foreign).unwrap();
    let (log, _) = train(&at("cache"), &at("eighth"), &SMALL);
    assert!(log.contains("tuned    9 products"), "{log}");
}

#[test]
fn variants_from_another_adapter_or_unknown_ones_are_said_so() {
    if common::gpu().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |adapter: &str, variant: &str| {
        let text = format!("[kernels]\nadapter = \"{adapter}\"\n[kernels.variants]\n\"nt 64x24x2\" = \"{variant}\"\n");
        std::fs::write(at("config.toml"), text).unwrap();
    };
    let config = at("config.toml");
    let args: Vec<&str> =
        SMALL.iter().copied().chain(["--config", config.to_str().unwrap(), "--tune", "off"]).collect();
    write("Voodoo 2 (glide)", "naive");
    let (log, _) = train(&at("cache"), &at("run"), &args);
    assert!(log.contains("chosen on Voodoo 2 (glide)"), "{log}");
    write("Voodoo 2 (glide)", "spiral-8x8");
    let out = at("other");
    let output = wgvae(&at("cache"), &[&["train", "--out", out.to_str().unwrap()][..], &args].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`spiral-8x8` is not a GEMM variant"), "{}", text(&output.stderr));
    assert!(!out.exists());
}

#[test]
fn profile_says_where_the_time_goes() {
    if common::gpu().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let args: Vec<&str> = ["profile", "--tune", "off", "--device", "adapter"].into_iter().chain(SMALL).collect();
    let (out, _) = done(wgvae(folder.path(), &[&args[..], &["--json"]].concat()));
    let report: Value = serde_json::from_str(&out).unwrap();
    let number = |key: &str| report[key].as_f64().unwrap_or_else(|| panic!("{key} in {out}"));
    assert!(number("ms_per_step") > 0.0 && number("host_ms_per_step") > 0.0);
    assert!(number("products_ms") > 0.0 && number("products_ms") < number("ops_ms"));
    let ops = report["ops"].as_array().unwrap();
    assert_eq!(number("dispatches") as usize, ops.len());
    let last = ops.last().unwrap();
    assert_eq!(last["op"], "update");
    assert_eq!(last["stage"], report["stages"]);
    let sum: f64 = ops.iter().map(|op| op["us"].as_f64().unwrap() / 1e3).sum();
    assert!((sum / number("ops_ms") - 1.0).abs() < 1e-6);
    for op in ops {
        // A small op may be shorter than the resolution of the timestamps.
        assert!(op["us"].as_f64().unwrap() >= 0.0, "{op}");
        assert!(!op["variants"].as_array().unwrap().is_empty(), "{op}");
    }
    assert!(report["roofs"]["flops"].as_f64().unwrap() > 1e8);
    let (out, _) = done(wgvae(folder.path(), &args));
    for word in ["decoder.2 forward", "step  ", "host  ", "roofs  ", "bound by"] {
        assert!(out.contains(word), "{word} is not in\n{out}");
    }
    let (out, _) = done(wgvae(folder.path(), &["profile", "--preset", "points", "--device", "cpu"]));
    for word in ["processor", "decoder.2 forward", "threads  ", "roofs  "] {
        assert!(out.contains(word), "{word} is not in\n{out}");
    }
    let refused = wgvae(folder.path(), &["profile", "--preset", "points", "--device", "oracle"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("nothing to profile"), "{}", text(&refused.stderr));
}

#[test]
fn kernels_are_listed_and_shown_as_they_are_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let kernels = |extra: &[&str]| wgvae(folder.path(), &[&["kernels"][..], &SMALL, extra].concat());
    let (list, _) = done(kernels(&[]));
    for word in ["encoder.0 forward", "nt 64x24x2", "optimizer.adam", "baselines"] {
        assert!(list.contains(word), "{word} is not in\n{list}");
    }
    let (lines, _) = done(kernels(&["--json"]));
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 14);
    assert!(rows.iter().any(|row| row["product"] == "nt 64x24x2" && row["variant"].is_string()));
    // The printed WGSL is a complete module.
    for name in ["gather", "encoder.0 forward", "encoder.0 forward:naive", "encoder.0 d_weight:plain"] {
        let (source, _) = done(kernels(&["--show", name]));
        naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&source)));
    }
    for (name, why) in [
        ("nothing", "no op `nothing`"),
        ("gather:naive", "no variant"),
        ("update:x", "no variant `x`"),
        ("encoder.0 forward:tiles-32x32-split8", "too small to split"),
    ] {
        let refused = kernels(&["--show", name]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
    }
}

/// What a run's `run.json` says.
fn record(run: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// Without a GPU, training takes the processor or the software adapter, whichever is faster; what was measured is remembered for
/// the adapter and the shape of the model, and a run goes on on its device.
#[test]
fn auto_takes_the_fastest_and_a_run_goes_on_on_its_device() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (at, cache) = (|name: &str| folder.path().join(name), folder.path().join("cache"));
    let on = |args: &[&str]| done(wgvae(&cache, args));
    let train = |run: &Path, more: &[&str]| {
        let line = ["train", "--preset", "points", "--steps", "20", "--out", run.to_str().unwrap(), "--data"];
        on(&[&line[..], more].concat()).1
    };
    let kind = |run: &Path| record(run)["device"]["kind"].as_str().unwrap().to_string();
    if gpu.kind != AdapterKind::Software {
        train(&at("run"), &["points:count=256"]);
        assert_eq!(kind(&at("run")), gpu.kind.name());
        assert!(!record(&at("run")).to_string().contains("seconds"));
        return;
    }
    let first = at("first");
    let said = train(&first, &["points:count=256"]);
    assert!(said.contains("device   the processor: a step takes") && said.contains("--device software"), "{said}");
    assert!(!said.contains("tun"), "nothing is tuned to find that out: {said}");
    let choice = &record(&first)["choice"];
    assert_eq!((kind(&first).as_str(), choice["adapter"].as_str()), ("cpu", Some(gpu.info.name.as_str())));
    let number = |name: &str| choice["seconds"][name].as_f64().unwrap();
    assert!(1.2 * number("processor") <= number("adapter") && number("processor") > 0.0, "{choice}");

    // With more rows the model is not measured again; here the adapter is made to look faster.
    let file = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let remembered: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(remembered["steps"].as_object().unwrap().len(), 1, "{remembered}");
    let pretend = |processor: f64| {
        let mut remembered = remembered.clone();
        for speeds in remembered["steps"].as_object_mut().unwrap().values_mut() {
            *speeds = serde_json::json!({"adapter": 0.001, "processor": processor, "at_least": false});
        }
        std::fs::write(&file, remembered.to_string()).unwrap();
    };
    pretend(0.00084);
    let second = at("second");
    let said = train(&second, &["points:count=600"]);
    assert!(said.contains("a step takes 1.0 ms there, and 840 us on the processor (--device cpu)"), "{said}");
    assert_eq!(
        (kind(&second).as_str(), record(&second)["choice"]["seconds"]["processor"].as_f64()),
        ("software", Some(0.00084))
    );

    // A run goes on where it was, whatever would be chosen now, unless a flag says otherwise.
    pretend(0.00083);
    let resume = |run: &Path, steps: &str, more: &[&str]| {
        let line = ["train", "--resume", run.to_str().unwrap(), "--steps", steps];
        on(&[&line[..], more].concat()).1
    };
    let said = resume(&second, "40", &[]);
    assert_eq!(kind(&second), "software", "{said}");
    assert!(!said.contains("was trained on"), "{said}");
    pretend(0.00084);
    resume(&first, "40", &[]);
    assert_eq!(kind(&first), "cpu");
    let said = resume(&second, "60", &["--device", "cpu"]);
    assert!(kind(&second) == "cpu" && said.contains("was trained on"), "{said}");
    pretend(0.00083);
    train(&at("third"), &["points:count=300"]);
    assert_eq!(kind(&at("third")), "cpu");
    // Where nothing may be measured, the processor is used and nothing is said.
    let said = train(&at("fourth"), &["points:count=300", "--tune", "off"]);
    assert!(kind(&at("fourth")) == "cpu" && !said.contains("device "), "{said}");
    // What `fastest` was is `auto` now.
    let refused = wgvae(&cache, &["train", "--device", "fastest", "--out", at("fifth").to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused.stderr));
}

/// An adapter that a model does not fit is not chosen, and is no reason to end.
#[test]
fn a_software_adapter_that_cannot_be_timed_is_not_chosen() {
    let Some(gpu) = common::gpu().filter(|gpu| gpu.kind == AdapterKind::Software) else { return };
    let config = Config::resolve(Some("points"), None, toml::Table::new()).unwrap();
    let spec = config.vae_spec(Shape::Point(2)).unwrap();
    let rows = DataSpec { train_rows: 1 << 30, test_rows: 100, bytes: false };
    let options = DeviceOptions::default();
    let selected = options.select(&mut |_| {}).unwrap();
    let mut said = String::new();
    let model = || Ok::<_, DeviceError>(Vae::new(&spec, &config.train_spec(), rows).unwrap());
    let mut watch = |event: DeviceEvent<'_>| {
        if let DeviceEvent::NotTimed { adapter, error } = event {
            said = format!("{adapter}: {error}");
        }
    };
    let (selected, choice) = options.choose(selected, &config, model, &mut watch).unwrap();
    assert!(matches!(selected, Selected::Cpu(_)) && choice.is_none());
    assert!(said.starts_with(&gpu.info.name) && said.contains("the largest tensor"), "{said}");
}
