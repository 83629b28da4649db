//! Every command that applies a finished run, on models of images, points and tables, through the program itself.

mod compressing;
mod factors;
mod likelihood;
mod likelihoods;
mod missing;
mod pages;
#[cfg(feature = "parquet")]
mod parquet;
mod place;
mod priors;
mod quality;
mod restoring;
mod round_trip;
mod rows;
mod samples;
mod series;
mod sounds;
mod tables;

use serde_json::Value;

use place::{Place, read, table};

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
            let columns = data["columns"]["all"].as_array().unwrap();
            (columns.iter().map(|column| column["deviation"].as_f64().unwrap().log2()).sum(), 5.0)
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
    let Some(place) = Place::with_adapter() else { return };
    std::fs::write(place.path("rows.csv"), table()).unwrap();
    place.done("train --data strokes:count=600 --epochs 2 --hidden 32 --latent 5 --beta 0.5 --out images");
    place.done("train --preset points --data points:moons,count=600 --epochs 3 --out points");
    place.done("train --data rows.csv --label kind --keep-label usual --column a=number --column b=number --column c=number --column d=number \
         --column e=number --epochs 120 --lr 0.003 --out table");
    place.done("train --preset autoencoder --data strokes:count=600 --epochs 1 --out plain");
    for (run, why) in [("points", "--gaps is for rows of a table"), ("table", "training rows has a missing cell")] {
        let (code, said) = place.refused(&format!("sample {run} --gaps --to x.csv"));
        assert!(code == 2 && said.contains(why), "{code} {said}");
    }
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
        place.done(&format!("sample {run} --count 7 --to {run}/drawn.csv"));
        assert_eq!(read(&place.path(run).join("drawn.csv")).lines().count(), 8);
        let prior = place.wgvae(&format!("sample {run} --from prior --count 7 --to {run}/prior.csv"));
        assert_eq!(prior.status.success(), run != "plain");
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
    // A table of which nothing is missing comes back as it is.
    place.done("restore table --data rows.csv --to table/same.csv");
    assert_eq!(read(&place.path("table/same.csv")), read(&place.path("rows.csv")));
    place.done("restore table --hole b --to table/filled.csv");
    let filled = read(&place.path("table/filled.csv"));
    // The table as it was given: its columns, and of its rows those that were held out.
    assert!(filled.starts_with("a,b,c,d,e,kind\n") && filled.lines().count() == 37, "{filled}");
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
    // As many of the rows trained on exceed the threshold as the quantile says.
    let (lines, text) = (read(&place.path("table/anomaly.csv")), table());
    let trained_at = lines.lines().next().unwrap().split(',').position(|name| name == "trained").unwrap();
    let of_training = lines.lines().filter(|row| row.split(',').nth(trained_at) == Some("yes"));
    let line = |row: &str| row.split(',').nth(1).unwrap()["line ".len()..].parse::<usize>().unwrap();
    let mut rows = vec![text.lines().next().unwrap()];
    rows.extend(of_training.map(|row| text.lines().nth(line(row) - 1).unwrap()));
    assert_eq!(rows.len() - 1, trained as usize);
    std::fs::write(place.path("trained.csv"), rows.join("\n")).unwrap();
    assert_eq!(marked("anomaly table --data trained.csv --label kind --quantile 0.9"), 32);
    let (_, message) = place.refused("anomaly table --data trained.csv --label kind --held-out");
    assert!(message.contains("all 324 rows are equal to rows that the model was trained on"), "{message}");
}

/// Runs the examples of `--help-all`, shortened, in order, on sources with the names they use.
#[test]
fn every_example_of_the_help_runs() {
    let Some(place) = Place::with_adapter() else { return };
    place.done("data export strokes:count=300 --to mnist");
    place.done("data export strokes:count=200 --format png --to photos");
    std::fs::write(place.path("rows.csv"), table().replace("kind", "class")).unwrap();
    let help = place.done("--help-all");
    let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  wgvae ")).collect();
    assert!(examples.len() >= 12, "{help}");
    for example in examples {
        // Two spaces separate the command from its description.
        let line = example.split("  ").next().unwrap().trim();
        let short = match line.split(' ').next().unwrap() {
            "train" => format!("{} --steps 3", line.replace("--epochs 20", "")),
            "profile" => line.replace("512", "32"),
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
    let Some(place) = Place::with_adapter() else { return };
    let place = place.with_table().with_plain();
    std::fs::write(place.path("other.csv"), "a,b\n1,2\n3,4\n").unwrap();
    std::fs::write(place.path("z.csv"), "p,q,r\n1,2,3\n").unwrap();
    for (line, code, reason) in [
        ("eval nowhere", 3, "nowhere holds no finished run"),
        ("eval table --data gone.csv", 3, "gone.csv"),
        ("eval table --data other.csv", 3, "other.csv"),
        ("eval table --data strokes:count=10", 3, "strokes"),
        ("decode table z.csv", 2, "z.csv has 3 numbers per row"),
        ("sample plain --from prior", 2, "plain is a plain autoencoder"),
        ("sample table --around-class nobody", 2, "there is no class `nobody`; there are odd, usual"),
        ("sample table --around-row 4000", 2, "there is no row 4000"),
        ("sample table --temperature -1", 2, "temperature"),
        ("interpolate table --between 1,2,3", 2, "between takes two rows"),
        ("anomaly table --anomalous odd,usual", 2, "no normal rows to compare with"),
        ("anomaly table --quantile 1", 2, "--quantile must be above 0 and below 1"),
        ("restore table --draws 2", 2, "say what is wrong"),
        ("restore table --hole q", 2, "there is no column `q`"),
        ("reconstruct table --to picture.png", 2, "cannot be drawn as a picture"),
        ("reconstruct table --to rows.xls", 2, "does not say which format"),
        ("compare table nowhere", 3, "nowhere holds no finished run"),
    ] {
        let (found, message) = place.refused(line);
        assert_eq!(found, code, "{line}: {message}");
        assert!(message.contains(reason), "{line}: {message}");
    }
    let model = place.path("table/model.safetensors");
    let whole = std::fs::read(&model).unwrap();
    std::fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    let (code, message) = place.refused("eval table");
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("model.safetensors"), "{message}");
}
