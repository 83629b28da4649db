//! Every command that applies a finished run, on models of images, points and tables, through the program itself.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn wgvae(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_wgvae"))
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env("WGVAE_TUNE", "off")
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed, and returns its output.
    fn done(&self, line: &str) -> String {
        let output = self.wgvae(line);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}: {err}");
        out.into_owned()
    }

    /// Runs a command that must fail, and returns its exit code and its one line of error.
    fn refused(&self, line: &str) -> (i32, String) {
        let output = self.wgvae(line);
        let err = String::from_utf8_lossy(&output.stderr);
        let told: Vec<&str> = err.lines().filter(|l| !l.contains("XDG_RUNTIME_DIR")).collect();
        assert_eq!(told.len(), 1, "{line}: {err}");
        (output.status.code().unwrap(), told[0].to_string())
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(self.done(line).lines().last().unwrap()).unwrap()
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A table of noisy points on a curve in five dimensions; one row in ten, of class `odd`, is off the curve.
fn table() -> String {
    let mut text = String::from("a,b,c,d,e,kind\n");
    for i in 0..400_u32 {
        let noise = |k: u32| (f64::from((i * 7919 + k * 104_729) % 1000) / 1000.0 - 0.5) * 0.2;
        let t = f64::from(i * 37 % 400) / 40.0 - 5.0;
        let odd = i % 10 == 9;
        let b = if odd { 2.0 * t + 8.0 } else { 2.0 * t };
        let row = [t, b + noise(1), 3.0 - t + noise(2), t * 100.0 + noise(3), t * t + noise(4)];
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        text += &format!("{},{}\n", cells.join(","), if odd { "odd" } else { "usual" });
    }
    text
}

/// The bound, and its bits in the data's own units, or why there are none.
fn expect_bits(place: &Place, run: &str, eval: &Value) {
    let number = |name: &str| eval[name].as_f64();
    let negative_elbo = number("reconstruction").unwrap() + number("kl").unwrap();
    let said = |why: &str| assert!(eval["no_bits"].as_str().unwrap().contains(why), "{run}: {eval}");
    let (units, width) = match run {
        // Grey levels under bernoulli, and squared errors.
        "images" => return said("bernoulli is no likelihood of levels"),
        "plain" => {
            assert!(eval.get("elbo").is_none() && eval.get("beta").is_none(), "{eval}");
            return said("a plain autoencoder has no likelihood");
        }
        "table" => {
            let data: Value = serde_json::from_str(&read(&place.path(run).join("data.json"))).unwrap();
            let deviations = data["columns"]["deviation"].as_array().unwrap();
            (deviations.iter().map(|d| d.as_f64().unwrap().log2()).sum(), 5.0)
        }
        _ => (0.0, 2.0),
    };
    assert!((number("elbo").unwrap() + negative_elbo).abs() < 1e-9, "{run}: {eval}");
    let bits = (negative_elbo / std::f64::consts::LN_2 + units) / width;
    assert!((number("bits_per_dimension").unwrap() - bits).abs() < 1e-6, "{run}: {eval}, not {bits}");
    assert!(number("elbo_standard_error").unwrap() > 0.0 && number("kl_standard_error").unwrap() > 0.0);
}

#[test]
fn every_command_works_on_every_kind_of_model() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.path("rows.csv"), table()).unwrap();
    place.done("train --data strokes:count=600 --epochs 2 --hidden 32 --latent 5 --beta 0.5 --out images");
    place.done("train --preset points --data points:moons,count=600 --epochs 3 --out points");
    place.done("train --data rows.csv --label kind --keep-label usual --epochs 120 --lr 0.003 --out table");
    place.done("train --preset autoencoder --data strokes:count=600 --epochs 1 --out plain");
    for run in ["images", "points", "table", "plain"] {
        for file in ["report.html", "data.json", "config.toml", "model.safetensors"] {
            assert!(place.path(run).join(file).is_file(), "{run}/{file}");
        }
        let trained = read(&place.path(run).join("metrics.jsonl"));
        let last: Value = serde_json::from_str(trained.lines().last().unwrap()).unwrap();
        let eval = place.json(&format!("eval {run} --json"));
        let close = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-3;
        assert!(close(&eval["reconstruction"], &last["test_recon"]), "{run}: {eval} {last}");
        assert!(close(&eval["kl"], &last["test_kl"]), "{run}: {eval} {last}");
        assert!(close(&eval["loss"], &last["test_loss"]), "{run}: {eval} {last}");
        expect_bits(&place, run, &eval);
        let by_dimension: f64 =
            eval["kl_per_dimension"].as_array().unwrap().iter().map(|kl| kl.as_f64().unwrap()).sum();
        assert!((by_dimension - eval["kl"].as_f64().unwrap()).abs() < 1e-3, "{run}: {eval}");
        let pictures = ["images", "points", "plain"].contains(&run);
        let ending = if pictures { "png" } else { "csv" };
        for (command, stem) in
            [("reconstruct", "reconstructions"), ("interpolate", "interpolation"), ("traverse", "traversal")]
        {
            let out = place.done(&format!("{command} {run}"));
            assert!(out.contains(&format!("{run}/{stem}.{ending}")), "{out}");
            assert!(place.path(run).join(format!("{stem}.{ending}")).is_file());
        }
        place.done(&format!("interpolate {run} --between 1,4 --way spherical --steps 4 --to {run}/way.csv"));
        assert_eq!(read(&place.path(run).join("way.csv")).lines().count(), 5);
        let sample = place.wgvae(&format!("sample {run} --count 7 --to {run}/drawn.csv"));
        assert_eq!(sample.status.success(), run != "plain");
        if run != "plain" {
            assert_eq!(read(&place.path(run).join("drawn.csv")).lines().count(), 8);
        }
        place.done(&format!("encode {run}"));
        for (latents, to) in [("codes.csv", "csv"), ("mu.npy", "npy")] {
            place.done(&format!("encode {run} --to {run}/mu.npy"));
            place.done(&format!("decode {run} {run}/{latents} --to {run}/decoded.{to}"));
            place.done(&format!("reconstruct {run} --to {run}/whole.{to}"));
            let decoded = std::fs::read(place.path(run).join(format!("decoded.{to}"))).unwrap();
            let whole = std::fs::read(place.path(run).join(format!("whole.{to}"))).unwrap();
            if to == "npy" {
                assert_eq!(decoded, whole, "{run}: encoded and decoded is not what is reconstructed");
                continue;
            }
            // Origins and labels precede the numbers.
            let whole = String::from_utf8(whole).unwrap();
            for (decoded, whole) in String::from_utf8(decoded).unwrap().lines().zip(whole.lines()) {
                assert!(whole.ends_with(decoded), "{run}: {decoded} is not {whole}");
            }
            // With codes, the file has them too.
            if latents == "codes.csv" {
                let decoded = read(&place.path(run).join("decoded.csv"));
                assert_eq!(decoded.lines().next(), whole.lines().next(), "{run}");
            }
        }
        assert!(place.path(run).join("mu-labels.npy").is_file(), "{run}");
        place.done(&format!("anomaly {run} --top 3"));
        assert!(place.path(run).join("anomaly.csv").is_file());
        place.done(&format!("report {run} --to {run}/again.html"));
        assert_eq!(read(&place.path(run).join("again.html")), read(&place.path(run).join("report.html")), "{run}");
    }
    place.done("restore images --hole 10,10,8,8 --damage --count 20");
    place.done("restore images --noise 0.2 --damage --count 20 --to images/denoised.png");
    place.done("restore table --hole b --to table/filled.csv");
    let filled = read(&place.path("table/filled.csv"));
    assert!(filled.starts_with("origin,label,a,b,c,d,e\nline "), "{filled}");
    for (run, to) in [("images", "augmented"), ("points", "augmented.csv"), ("table", "augmented.csv")] {
        place.done(&format!("augment {run} --count 30 --balance"));
        // The written examples are a valid source.
        let label = if to == "augmented" {
            ""
        } else if run == "table" {
            "--label kind"
        } else {
            "--label label"
        };
        place.done(&format!("eval {run} --data {run}/{to} {label}"));
    }
    place.done("sample images --around-class 3 --temperature 0.5 --count 9 --to images/threes.npy");
    place.done("sample points --around-row 0");
    assert_eq!(place.done("compare images points table --json").lines().count(), 3);
    assert!(place.path("images/compare.html").is_file());
    // Rows of a class that the model was not trained on get the highest scores.
    let found = place.json("anomaly table --data rows.csv --label kind --anomalous odd --json");
    assert!(found["roc_auc"].as_f64().unwrap() > 0.95, "{found}");
    assert_eq!(found["rows"], 400);
    let trained = found["trained_rows"].as_u64().unwrap();
    assert_eq!(trained, 324);
    // What is unusual of them is mostly the column that is off the curve.
    for row in &found["strangest"].as_array().unwrap()[..5] {
        assert!(row["parts"].as_array().unwrap()[..2].iter().any(|part| part["name"] == "b"), "{row}");
        assert_eq!((&row["trained"], &row["label"]), (&false.into(), &"odd".into()), "{row}");
    }
    let found =
        place.json("anomaly table --data rows.csv --label kind --anomalous odd --held-out --contamination auto --json");
    assert_eq!(found["rows"], 400 - trained);
    assert!(found["roc_auc"].as_f64().unwrap() > 0.95, "{found}");
    let found = found["anomalous_rows"].as_u64().unwrap();
    assert!((30..=42).contains(&found), "{found} of 40");
    let marked = |line: &str| {
        place.done(line);
        let text = read(&place.path("table/anomaly.csv"));
        let place = text.lines().next().unwrap().split(',').position(|name| name == "anomalous").unwrap();
        text.lines().filter(|row| row.split(',').nth(place) == Some("yes")).count()
    };
    assert_eq!(marked("anomaly table --data rows.csv --label kind --contamination 0.05"), 20);
    // Of the rows trained on, as many exceed the threshold as the quantile says.
    let (lines, text) = (read(&place.path("table/anomaly.csv")), table());
    let of_training = lines.lines().filter(|row| row.split(',').nth(3) == Some("yes"));
    let line = |row: &str| row.split(',').nth(1).unwrap()["line ".len()..].parse::<usize>().unwrap();
    let mut rows = vec![text.lines().next().unwrap()];
    rows.extend(of_training.map(|row| text.lines().nth(line(row) - 1).unwrap()));
    assert_eq!(rows.len() - 1, trained as usize);
    std::fs::write(place.path("trained.csv"), rows.join("\n")).unwrap();
    assert_eq!(marked("anomaly table --data trained.csv --label kind --quantile 0.9"), 32);
    let (_, told) = place.refused("anomaly table --data trained.csv --label kind --held-out");
    assert!(told.contains("all 324 rows are among those the model was trained on"), "{told}");
}

/// The same row has the same score wherever it stands, beside whichever others, and where each draw has zeros and ones of its own.
#[test]
fn scores_depend_on_a_row_alone() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    place.done(
        "train --data strokes:count=300 --binarise draw --steps 30 --hidden 16 --latent 3 --batch 32 --out drawn",
    );
    let row = |number: usize| -> String {
        let level = |i: usize| (i * (number + 3) % 255) as f64 / 255.0;
        (0..784).map(|i| level(i).to_string()).collect::<Vec<_>>().join(",") + "\n"
    };
    let scores = |numbers: &[usize], draws: usize| -> Vec<(usize, f64)> {
        std::fs::write(place.path("rows.csv"), numbers.iter().map(|number| row(*number)).collect::<String>()).unwrap();
        let found = place.json(&format!("anomaly drawn --data rows.csv --draws {draws} --top 100 --json"));
        let of = |row: &Value| (numbers[row["row"].as_u64().unwrap() as usize], row["score"].as_f64().unwrap());
        let mut all: Vec<_> = found["strangest"].as_array().unwrap().iter().map(of).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.dedup();
        all
    };
    let forwards: Vec<usize> = (0..40).collect();
    let again: Vec<usize> = (0..40).rev().chain([7, 7, 3]).collect();
    assert_eq!(scores(&forwards, 4), scores(&again, 4));
    // A mean over many draws of zeros and ones differs less between halves of them than two draws do.
    let [one, two, many] = [1, 2, 64].map(|draws| scores(&forwards, draws));
    let apart = |a: &[(usize, f64)], b: &[(usize, f64)]| a.iter().zip(b).map(|(a, b)| (a.1 - b.1).abs()).sum::<f64>();
    assert!(apart(&one, &two) > 1.0 && apart(&two, &many) < apart(&one, &many), "{one:?} {two:?} {many:?}");
}

/// A model that is told the class of each row: by the rows themselves, by a flag, or by a column of codes.
#[test]
fn a_conditional_model_is_told_classes() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    place.done(
        "train --data strokes:count=900 --condition class --epochs 25 --lr 0.003 --hidden 32 --latent 2 --batch 64 --out told",
    );
    place.done("train --data strokes:count=300 --steps 1 --hidden 8 --out untold");
    let labels = |line: &str| -> Vec<String> {
        let text = place.done(line);
        assert!(text.starts_with("label,"), "{line}: {text}");
        text.lines().skip(1).map(|row| row.split(',').next().unwrap().to_string()).collect()
    };
    assert_eq!(labels("sample told --class 3 --count 4 --to -"), ["3"; 4]);
    assert_eq!(labels("sample told --count 12 --to -")[8..], ["8", "9", "0", "1"]);
    assert!(labels("sample told --around-class 7 --count 3 --to -").iter().all(|class| class == "7"));
    // The class says something to the decoder, and to the encoder.
    assert_ne!(place.done("sample told --class 3 --to -"), place.done("sample told --class 4 --to -"));
    let loss = |flags: &str| place.json(&format!("eval told --json {flags}"))["loss"].as_f64().unwrap();
    assert!(loss("--class 3") > loss("") + 0.1);
    let rows = |flags: &str| place.done(&format!("reconstruct told --to - {flags}"));
    assert_ne!(rows("--as-class 5"), rows(""));
    assert_eq!(rows("--keep-label 5 --as-class 5"), rows("--keep-label 5"));
    // Codes keep their classes.
    place.done("encode told --to told/codes.csv");
    place.done("decode told told/codes.csv --to told/decoded.csv");
    for (decoded, whole) in read(&place.path("told/decoded.csv")).lines().zip(rows("").lines()) {
        assert!(whole.ends_with(decoded), "{decoded} is not {whole}");
    }
    place.done("encode told --to told/codes.npy");
    place.done("decode told told/codes.npy --class 2 --to told/twos.npy");
    // Classes are known by their names, whatever numbers a source gives them.
    place.done("data export strokes:count=300 --keep-label 3,5 --format png --to some");
    let apart = loss("--data some") - loss("--data strokes:count=300 --keep-label 3,5");
    assert!(apart.abs() < 1e-9, "{apart}");
    for line in ["traverse told --class 1", "interpolate told", "anomaly told", "augment told --balance --count 20"] {
        place.done(line);
    }
    place.done("restore told --hole 10,10,8,8 --damage --count 20");
    place.done("report told --to told/again.html");
    assert_eq!(read(&place.path("told/again.html")), read(&place.path("told/report.html")));
    assert!(read(&place.path("told/report.html")).contains("told which of 10 classes"));

    std::fs::write(place.path("rows.csv"), table()).unwrap();
    std::fs::create_dir(place.path("unnamed")).unwrap();
    for (i, file) in std::fs::read_dir(place.path("some/train/3")).unwrap().enumerate() {
        std::fs::copy(file.unwrap().path(), place.path(&format!("unnamed/{i}.png"))).unwrap();
    }
    place.done("eval told --data unnamed --class 3");
    for (line, code, reason) in [
        ("eval told --data unnamed", 2, "these rows have none: say what they are with --class"),
        ("sample told --class 12", 2, "there is no class `12`; the model knows 0, 1, 2"),
        ("reconstruct told --as-class ten", 2, "there is no class `ten`"),
        ("decode told told/codes.npy", 2, "has no column `label`: say which class to decode with --class"),
        ("sample untold --class 3", 2, "untold was trained without classes"),
        ("reconstruct untold --as-class 3", 2, "untold was trained without classes"),
        ("train --data unnamed --condition class --batch 2 --out no", 2, "condition class needs rows with classes"),
        ("train --data rows.csv --columns a,b --condition class --out no", 2, "name a table's column with --label"),
    ] {
        let (found, told) = place.refused(line);
        assert_eq!(found, code, "{line}: {told}");
        assert!(told.contains(reason), "{line}: {told}");
    }
}

/// Choosing rows of a run's own data selects from the test rows of training, with the same scaling.
#[test]
fn choosing_rows_neither_moves_nor_scales_them() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.path("rows.csv"), table()).unwrap();
    place.done("train --data rows.csv --label kind --epochs 1 --out table");
    let lines = |flags: &str| -> Vec<String> {
        place.done(&format!("reconstruct table {flags} --to -")).lines().map(String::from).collect()
    };
    let (all, odd, first) = (lines(""), lines("--keep-label odd"), lines("--limit 7"));
    assert_eq!(all.len(), 41);
    assert!((2..41).contains(&odd.len()), "{}", odd.len());
    assert!(odd.iter().all(|line| all.contains(line)), "{odd:?} of {all:?}");
    assert_eq!(first, all[..8]);
    // Pages can be written to stdout too.
    assert!(place.done("report table --to -").starts_with("<!doctype html>"));
    assert!(place.done("compare table --to -").starts_with("<!doctype html>"));
    assert!(!place.path("-").exists());
}

/// Runs the examples of `--help`, shortened, in order, on sources with the names they use.
#[test]
fn every_example_of_the_help_runs() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    place.done("data export strokes:count=300 --to mnist");
    place.done("data export strokes:count=200 --format png --to photos");
    std::fs::write(place.path("rows.csv"), table().replace("kind", "class")).unwrap();
    let help = place.done("--help");
    let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  wgvae ")).collect();
    assert!(examples.len() >= 12, "{help}");
    for example in examples {
        // Two spaces separate the command from its description.
        let line = example.split("  ").next().unwrap().trim();
        let short = match line.split(' ').next().unwrap() {
            "train" => format!("{} --steps 3", line.replace("--epochs 20", "")),
            // Another test runs it in full.
            "doctor" => continue,
            _ => line.to_string(),
        };
        place.done(&short);
    }
    assert!(place.path("codes.csv").is_file());
    // There are fewer rows than the default batch has.
    place.done("train --data strokes:count=40 --epochs 1 --hidden 8 --out few");
    assert!(read(&place.path("few/config.toml")).contains("batch = 40"));
}

#[test]
fn what_does_not_fit_is_refused_in_one_sentence() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.path("rows.csv"), table()).unwrap();
    std::fs::write(place.path("other.csv"), "a,b\n1,2\n3,4\n").unwrap();
    std::fs::write(place.path("z.csv"), "p,q,r\n1,2,3\n").unwrap();
    place.done("train --data rows.csv --label kind --epochs 1 --out table");
    place.done("train --preset autoencoder --data strokes:count=300 --epochs 1 --out plain");
    for (line, code, reason) in [
        ("eval nowhere", 3, "nowhere holds no finished run"),
        ("eval table --data gone.csv", 3, "gone.csv"),
        ("eval table --data other.csv", 3, "other.csv"),
        ("eval table --data strokes:count=10", 3, "strokes"),
        ("decode table z.csv", 2, "z.csv has 3 numbers per row"),
        ("sample plain", 2, "plain is a plain autoencoder"),
        ("sample table --around-class nobody", 2, "there is no class `nobody`; there are odd, usual"),
        ("sample table --around-row 4000", 2, "there is no row 4000"),
        ("sample table --temperature -1", 2, "temperature"),
        ("interpolate table --between 1,2,3", 2, "between takes two rows"),
        ("anomaly table --anomalous odd,usual", 2, "no normal rows to compare with"),
        ("anomaly table --quantile 1", 2, "--quantile must be above 0 and below 1"),
        ("eval table --columns a,b", 2, "--columns changes how a source is read"),
        ("restore table", 2, "say what is wrong"),
        ("restore table --hole q", 2, "there is no column `q`"),
        ("reconstruct table --to picture.png", 2, "cannot be drawn as a picture"),
        ("reconstruct table --to rows.xls", 2, "does not say which format"),
        ("compare table nowhere", 3, "nowhere holds no finished run"),
    ] {
        let (found, told) = place.refused(line);
        assert_eq!(found, code, "{line}: {told}");
        assert!(told.contains(reason), "{line}: {told}");
    }
    let model = place.path("table/model.safetensors");
    let whole = std::fs::read(&model).unwrap();
    std::fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    let (code, told) = place.refused("eval table");
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("model.safetensors"), "{told}");
}

/// The same seed gives the same bits whether the rows are resident on the device or streamed.
#[test]
fn streamed_rows_train_the_same_model() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    // 6,000 and 1,200 images of 784 bytes: 4.5 MiB and 0.9 MiB.
    for (data, more) in [
        ("strokes:count=6000", "--binarise draw --shift 2 --flip --noise 0.1"),
        ("points:count=200000", "--preset points"),
        ("strokes:count=6000", "--condition class"),
    ] {
        let line = format!("train --data {data} {more} --steps 120 --batch 100 --hidden 16 --latent 3");
        place.done(&format!("{line} --replace --out whole"));
        let out = place.done(&format!("{line} --replace --resident 1 --out streamed"));
        assert!(out.contains("streamed: "), "{out}");
        for file in ["model.safetensors", "metrics.jsonl"] {
            let [whole, streamed] = ["whole", "streamed"].map(|run| std::fs::read(place.path(run).join(file)).unwrap());
            if file == "model.safetensors" {
                assert_eq!(whole, streamed, "{data}: the models differ");
            }
        }
        let losses = |run: &str| -> Vec<f64> {
            let text = read(&place.path(run).join("metrics.jsonl"));
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.filter_map(|line| line["test_loss"].as_f64()).collect()
        };
        assert_eq!(losses("whole"), losses("streamed"));
    }
}

/// A table with a column of every kind that two factors explain, and blanks in one cell of ten.
fn people(rows: u32, blanks: bool) -> String {
    let mut text = String::from("id,age,income,visits,town,smoker\n");
    for i in 0..rows {
        let uniform = |k: u32| {
            let hash = (i + 1).wrapping_mul(0x9e37_79b9).wrapping_add(k.wrapping_mul(0x85eb_ca6b));
            let hash = (hash ^ hash >> 15).wrapping_mul(0x2c1b_3c6d);
            f64::from((hash ^ hash >> 12).wrapping_mul(0x297a_2d39) >> 8) / f64::from(1 << 24)
        };
        let normal = |k: u32| {
            let (u, v) = (uniform(k).max(1e-9), uniform(k + 50));
            (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
        };
        let (a, b) = (normal(1), normal(2));
        let town = if b + 0.5 * normal(5) > 0.4 {
            "Cork"
        } else if a + 0.3 * normal(6) > 0.2 {
            "Basel, BS"
        } else {
            "Dax"
        };
        let cells = [
            format!("P{i}"),
            format!("{:.0}", 45.0 + 12.0 * a + 3.0 * normal(3)),
            format!("{:.2}", (9.0 + 0.6 * a + 0.5 * b + 0.2 * normal(4)).exp()),
            format!("{:.0}", (-(1.0 - uniform(7)).ln() * (1.2 + b).exp()).floor()),
            format!("\"{town}\""),
            if b + 0.4 * normal(8) > 0.0 { "yes".into() } else { "no".into() },
        ];
        let cell = |(k, cell): (usize, &String)| match blanks && k > 0 && uniform(20 + k as u32) < 0.1 {
            true => String::new(),
            false => cell.clone(),
        };
        text += &(cells.iter().enumerate().map(cell).collect::<Vec<_>>().join(",") + "\n");
    }
    text
}

/// Columns of every kind, with blanks: found, learned from, drawn, filled in, and drawn again where they are missing.
#[test]
fn tables_of_every_kind_of_column_come_back_as_they_were() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    std::fs::write(place.path("train.csv"), people(700, true)).unwrap();
    std::fs::write(
        place.path("new.csv"),
        people(1000, false)
            .lines()
            .enumerate()
            .filter(|(i, _)| *i == 0 || *i > 800)
            .map(|(_, l)| format!("{l}\n"))
            .collect::<String>(),
    )
    .unwrap();
    let data = place.json("data train.csv --json");
    let kinds: Vec<&str> = data["columns"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["number", "positive", "count", "category", "yes-no"]);
    assert!(data["columns"][0]["missing"].as_u64().unwrap() > 40, "{data}");
    place.done("train --data train.csv --steps 2500 --out people");
    let eval = place.json("eval people --json");
    assert!(eval["no_bits"].as_str().unwrap().contains("missing"), "{eval}");
    assert!(place.json("eval people --data new.csv --json")["bits_per_dimension"].as_f64().unwrap() > 0.0);

    place.done("sample people --count 3000 --to drawn.csv");
    let drawn = read(&place.path("drawn.csv"));
    let mut reader = csv::Reader::from_reader(drawn.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let numbers = |column: usize| rows.iter().map(|r| r[column].parse::<f64>().unwrap()).collect::<Vec<_>>();
    let ages = numbers(0);
    let mean = ages.iter().sum::<f64>() / 3000.0;
    let deviation = (ages.iter().map(|age| (age - mean).powi(2)).sum::<f64>() / 3000.0).sqrt();
    assert!((mean - 45.0).abs() < 3.0 && (deviation - 12.4).abs() < 2.0, "{mean} {deviation}");
    assert!(ages.iter().chain(&numbers(2)).all(|v| v.fract() == 0.0) && numbers(2).iter().all(|v| *v >= 0.0));
    assert!(numbers(1).iter().all(|v| *v > 0.0));
    assert!(rows.iter().all(|r| ["Cork", "Basel, BS", "Dax"].contains(&&r[3]) && ["yes", "no"].contains(&&r[4])));
    let of_means = place.done("sample people --count 500 --mean --to -");
    assert!(of_means.lines().skip(1).any(|line| line.split(',').next().unwrap().contains('.')), "means have decimals");

    // What names the rows stays with them.
    for (command, head) in
        [("encode", "origin,id,mu_0"), ("reconstruct", "origin,id,age"), ("anomaly", "row,origin,id,")]
    {
        place.done(&format!("{command} people --data new.csv --to named.csv"));
        let named = read(&place.path("named.csv"));
        assert!(named.starts_with(head) && named.contains(",P800,"), "{command}: {}", &named[..200]);
    }

    // What is there stays as it is, digit by digit; what is not is filled in.
    place.done("restore people --data train.csv --to filled.csv");
    let records = |text: &str| -> Vec<csv::StringRecord> {
        csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect()
    };
    let (blank, filled) = (records(&read(&place.path("train.csv"))), records(&read(&place.path("filled.csv"))));
    assert_eq!(filled.len(), blank.len());
    let mut gaps = 0;
    for (blank, filled) in blank.iter().zip(&filled) {
        assert_eq!(blank[0], filled[1]);
        for column in 1..6 {
            let (blank, filled) = (&blank[column], &filled[column + 1]);
            match blank.is_empty() {
                true => gaps += usize::from(!filled.is_empty()),
                // 12.50 is written 12.5.
                false if column < 4 => assert_eq!(blank.parse::<f64>(), filled.parse::<f64>()),
                false => assert_eq!(blank, filled),
            }
        }
    }
    assert!(gaps > 250, "{gaps}");
    // Counts with as long a tail as these leave nothing to be seen in 200 rows.
    for hole in ["age", "income"] {
        let done = place.json(&format!("restore people --data new.csv --hole {hole} --damage --json --to x.csv"));
        let column = &done["columns"][0];
        let [found, mean] = ["rmse", "rmse_of_mean"].map(|name| column[name].as_f64().unwrap());
        assert!(found < 0.97 * mean, "{hole}: {done}");
    }
    for hole in ["town", "smoker"] {
        let done = place.json(&format!("restore people --data new.csv --hole {hole} --damage --json --to x.csv"));
        let column = &done["columns"][0];
        let [right, most] = ["share_right", "share_of_most_frequent"].map(|name| column[name].as_f64().unwrap());
        assert!(right > most + 0.03, "{hole}: {done}");
    }

    // Of 19 completions, the truth is as often below all but two, or above, as it should be.
    place.done("restore people --data new.csv --hole age,visits --damage --draws 19 --to completed.csv");
    let (truth, drawn) = (records(&read(&place.path("new.csv"))), records(&read(&place.path("completed.csv"))));
    assert_eq!(drawn.len(), 19 * truth.len());
    let mut inside = 0;
    for (row, draws) in truth.iter().zip(drawn.chunks(19)) {
        assert!(draws.iter().all(|d| d.len() == 8 && d[6] == draws[0][6]), "what is seen stays");
        let age: f64 = row[1].parse().unwrap();
        let below = draws.iter().filter(|d| d[3].parse::<f64>().unwrap() < age).count();
        inside += usize::from((2..=17).contains(&below));
    }
    let share = inside as f64 / truth.len() as f64;
    assert!((0.72..=0.88).contains(&share), "{share} lie within intervals of 80 %");
}

/// Restoring brings rows closer to what they were, whatever the noise or the hole.
#[test]
fn restoring_helps() {
    if common::gpu().is_none() {
        return;
    }
    let place = Place::new();
    place.done("train --data strokes:count=3000 --epochs 8 --hidden 128 --latent 10 --out images");
    place.done("train --data strokes:count=1000 --epochs 1 --condition class --hidden 64 --out told");
    place.done("train --preset autoencoder --data strokes:count=1000 --epochs 3 --out plain");
    place.done("train --preset points --data points:moons,count=600 --epochs 5 --out points");
    for line in [
        "images --noise 0.05",
        "images --noise 0.2",
        "images --noise 0.5",
        "images --hole 8,8,10,10",
        "images --hole 0,0,28,14",
        "told --hole 8,8,10,10",
        "plain --hole 8,8,10,10",
        "plain --noise 0.3",
        "points --noise 0.3",
    ] {
        let done = place.json(&format!(
            "restore {line} --damage --count 60 --json --to {}",
            if line.starts_with("points") { "x.csv" } else { "x.png" }
        ));
        let [damaged, restored] = ["rmse_damaged", "rmse_restored"].map(|name| done[name].as_f64().unwrap());
        let least = if line.starts_with("plain --noise") { 1.0 } else { 0.97 };
        assert!(restored < least * damaged, "{line}: {done}");
    }
    let said = place.done("restore images --noise 0.2 --damage --count 5");
    assert!(said.contains("rmse") && said.contains("of all values, in levels from 0 to 1"), "{said}");
    assert!(said.contains("picture  rows in turn: damaged, restored, as they were"), "{said}");
    // Completions differ where nothing is seen, and nowhere else.
    place.done("restore images --hole 8,8,10,10 --draws 3 --count 2 --to drawn.csv");
    let text = read(&place.path("drawn.csv"));
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 6);
    let (inside, outside) = (12 * 28 + 12, 2 * 28 + 2);
    let at = |row: usize, pixel: usize| rows[row][rows[row].len() - 784 + pixel];
    assert!(at(0, inside) != at(1, inside) && at(0, outside) == at(1, outside) && at(0, outside) == at(2, outside));
}

/// Of a linear decoder the posterior is normal and known: what is filled in is its mean, and completions have its spread.
#[test]
fn completions_are_draws_from_the_posterior() {
    use wgvae::apply::restore::{Damage, Restorer, Wanted, hidden};
    if common::gpu().is_none() {
        return;
    }
    let wave = |i: usize, k: usize| ((i * 37 + k * 101) as f32 * 0.7123).sin() * 1.3;
    let row =
        |i: usize| [wave(i, 0) + 0.3 * wave(i, 7), wave(i, 1), wave(i, 0) - wave(i, 1) + 0.2 * wave(i, 5), wave(i, 3)];
    let numbers: Vec<f32> = (0..400).flat_map(row).collect();
    let data = wgvae::InMemory::table("waves", ["a", "b", "c", "d"], numbers).dataset().unwrap();
    let rows = data.test.numbers(0..data.test.rows, 4);
    let mut config = wgvae::Config::for_data(&data).unwrap();
    (config.model.hidden, config.model.latent, config.train.steps) = (Vec::new(), 2, Some(600));
    let folder = tempfile::tempdir().unwrap();
    let mut options = wgvae::RunOptions::in_folder(folder.path().join("run"));
    options.device.tune = wgvae::train::Tune::Off;
    let run = wgvae::train(config, data, &options, &mut |_| Ok(())).unwrap().run;
    let file = std::fs::read(folder.path().join("run/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let read = |name: &str| -> Vec<f64> {
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data());
        values.into_iter().map(f64::from).collect()
    };
    let (weight, bias, log_sigma) = (read("decoder.0.weight"), read("decoder.0.bias"), read("dispersion"));

    let gone = [false, true, false, true];
    let seen = hidden(&rows, &gone);
    let mut restorer = Restorer::open(&run, 40, Damage::Missing, None, &options.device, &mut |_| {}).unwrap();
    let draws = 200;
    let found = restorer.restore(&seen, None, Wanted { draws, noisy: true, seed: 3 }).unwrap();
    // The posterior's precision: 1 0 0 1, and w w' / sigma^2 of what is seen.
    let trust = |j: usize| (-2.0 * log_sigma[j]).exp();
    let mut precision = [[1.0, 0.0], [0.0, 1.0]];
    for j in [0, 2] {
        for (a, row) in precision.iter_mut().enumerate() {
            row.iter_mut().enumerate().for_each(|(b, p)| *p += weight[2 * j + a] * weight[2 * j + b] * trust(j));
        }
    }
    let determinant = precision[0][0] * precision[1][1] - precision[0][1] * precision[1][0];
    let covariance = [
        [precision[1][1] / determinant, -precision[0][1] / determinant],
        [-precision[1][0] / determinant, precision[0][0] / determinant],
    ];
    for j in [1, 3] {
        let w = &weight[2 * j..2 * j + 2];
        let spread: f64 =
            (0..2).flat_map(|a| (0..2).map(move |b| (a, b))).map(|(a, b)| w[a] * covariance[a][b] * w[b]).sum();
        let expected = spread + 1.0 / trust(j);
        let (mut off, mut variance) = (0.0, 0.0);
        let count = rows.len() / 4;
        for (i, row) in rows.chunks(4).enumerate() {
            let pull = |a: usize| {
                [0, 2].iter().map(|s| weight[2 * s + a] * trust(*s) * (f64::from(row[*s]) - bias[*s])).sum::<f64>()
            };
            let z = [0, 1].map(|a| covariance[a][0] * pull(0) + covariance[a][1] * pull(1));
            let mean = w[0] * z[0] + w[1] * z[1] + bias[j];
            off += (f64::from(found.rows[4 * i + j]) - mean).powi(2);
            variance += found.draws.iter().map(|d| (f64::from(d[4 * i + j]) - mean).powi(2)).sum::<f64>();
            assert_eq!(found.rows[4 * i], row[0], "what is seen stays");
        }
        let (off, variance) = ((off / count as f64).sqrt(), variance / (count * draws) as f64);
        // Forty draws of each row that follow each other.
        assert!(off < 0.25 * spread.sqrt() + 1e-3, "column {j}: off by {off}, and the spread is {}", spread.sqrt());
        assert!((variance / expected - 1.0).abs() < 0.05, "column {j}: a variance of {variance}, not {expected}");
    }
}
