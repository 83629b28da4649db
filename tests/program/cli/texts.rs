//! All commands on a run of texts.

use std::fs;
use std::path::Path;

use super::{json, path, text, wgvae};

/// Trains a small model on formulas; returns its folder.
fn trained(folder: &Path) -> String {
    let run = path(&folder.join("run"));
    let args = [
        "train",
        "--data",
        "expressions:grammar,count=400",
        "--encoder",
        "embed 8, gru 16, last",
        "--decoder",
        "embed 8, gru 16",
        "--latent",
        "4",
        "--steps",
        "150",
        "--lr",
        "0.01",
        "--device",
        "cpu",
        "--out",
        &run,
    ];
    let output = wgvae(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("  MI ") && shown.contains("tokens of 16"), "{shown}");
    run
}

/// What a command writes to stdout.
fn stdout(args: &[&str]) -> String {
    let output = wgvae(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn refused(args: &[&str], why: &str) {
    let output = wgvae(args);
    assert!(!output.status.success() && text(&output.stderr).contains(why), "{args:?}: {}", text(&output.stderr));
}

#[test]
fn every_command_takes_texts() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path());
    let in_folder = |name: &str| path(&folder.path().join(name));
    let on_cpu = |args: &[&str]| stdout(&[args, &["--device", "cpu"]].concat());

    // A seed decides what is drawn; a prefix begins all; the likeliest tokens are the same for every seed of tokens.
    let sampled = on_cpu(&["sample", &run, "--count", "20", "--to", "-"]);
    assert_eq!(sampled.lines().count(), 20);
    assert_eq!(sampled, on_cpu(&["sample", &run, "--count", "20", "--to", "-"]));
    assert_ne!(sampled, on_cpu(&["sample", &run, "--count", "20", "--seed", "1", "--to", "-"]));
    let begun = on_cpu(&["sample", &run, "--count", "9", "--prefix", "sin(", "--top-p", "0.9", "--to", "-"]);
    assert!(begun.lines().count() == 9 && begun.lines().all(|line| line.starts_with("sin(")), "{begun}");
    let greedy = ["sample", &run, "--count", "9", "--greedy", "--to", "-"];
    assert_eq!(on_cpu(&greedy), on_cpu(&[&greedy[..], &["--temperature", "3"]].concat()));

    // Codes of texts give the same texts as reconstruct does.
    let (codes, rebuilt) = (in_folder("codes.csv"), in_folder("rebuilt.jsonl"));
    on_cpu(&["encode", &run, "--to", &codes]);
    on_cpu(&["reconstruct", &run, "--to", &rebuilt]);
    let decoded = on_cpu(&["decode", &run, &codes, "--to", "-"]);
    let of = |line: &str, key: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()[key].as_str().unwrap().to_string()
    };
    let rebuilt = fs::read_to_string(&rebuilt).unwrap();
    let texts: Vec<String> = rebuilt.lines().map(|line| of(line, "text")).collect();
    let originals: Vec<String> = rebuilt.lines().map(|line| of(line, "original")).collect();
    assert_eq!(decoded.lines().collect::<Vec<_>>(), texts);

    // What is compressed comes back.
    let (packed, back) = (in_folder("rows.wgz"), in_folder("back.txt"));
    let figures = &json(&wgvae(&["compress", &run, "--device", "cpu", "--to", &packed, "--json"]))[0];
    assert!(figures["bits_per_dimension"].as_f64() > figures["elbo_bits_per_dimension"].as_f64(), "{figures}");
    on_cpu(&["decompress", &run, &packed, "--to", &back]);
    assert_eq!(fs::read_to_string(&back).unwrap().lines().collect::<Vec<_>>(), originals);

    // A gap is filled in, and all else stays as it is.
    let gaps = in_folder("gaps.txt");
    fs::write(&gaps, "sin(_)\n_+x\nx\n").unwrap();
    let filled = on_cpu(&["restore", &run, "--data", &gaps, "--hole", "_", "--to", "-"]);
    let lines: Vec<&str> = filled.lines().collect();
    assert!(lines[0].starts_with("sin(") && lines[0].ends_with(')') && lines[0].len() == 6, "{filled}");
    assert!(lines[1].ends_with("+x") && lines[1].len() == 3 && lines[2] == "x" && !filled.contains('_'), "{filled}");
    let draws = on_cpu(&["restore", &run, "--data", &gaps, "--hole", "_", "--draws", "3", "--mark", "--to", "-"]);
    assert_eq!(draws.lines().count(), 10, "{draws}");
    assert!(draws.starts_with("draw,text,filled\n") && draws.lines().nth(1).unwrap().ends_with(",4"), "{draws}");
    let done = &json(&wgvae(&["restore", &run, "--damage", "--device", "cpu", "--json"]))[0];
    assert!(done["share_right"].as_f64() > done["share_of_most_frequent"].as_f64(), "{done}");

    // A token that cannot stand where it does is named first.
    let lines = in_folder("lines.txt");
    fs::write(&lines, "x\nx+1\nx+))\nsin(x)\n").unwrap();
    let found = &json(&wgvae(&["anomaly", &run, "--data", &lines, "--device", "cpu", "--json"]))[0];
    let worst = &found["strangest"][0];
    assert_eq!((worst["row"].as_u64(), worst["parts"][0]["value"].as_str()), (Some(2), Some(")")), "{found}");
    assert!(worst["parts"][0]["name"].as_str().unwrap().starts_with("token "), "{found}");
    let unknown = in_folder("unknown.txt");
    fs::write(&unknown, "x\nx+?\n").unwrap();
    let found = &json(&wgvae(&["anomaly", &run, "--data", &unknown, "--device", "cpu", "--json"]))[0];
    let why = "token 2 is none of the characters of training rows";
    assert_eq!(found["strangest"][0]["unseen"][0].as_str(), Some(why), "{found}");

    let figures = &json(&wgvae(&["eval", &run, "--device", "cpu", "--json"]))[0];
    let number = |key: &str| figures[key].as_f64().unwrap_or_else(|| panic!("no {key} in {figures}"));
    assert!(number("nats_per_token") > 0.5 && number("bits_per_character") > number("nats_per_token"), "{figures}");
    assert!(number("mutual_information") > 0.0, "{figures}");
    for command in ["interpolate", "traverse", "augment", "report"] {
        on_cpu(&[command, &run]);
    }
    let page = fs::read_to_string(Path::new(&run).join("report.html")).unwrap();
    for part in
        ["Nats per token", "Mutual information", "the likeliest text of the code of each", "<caption>Samples</caption>"]
    {
        assert!(page.contains(part), "no {part}");
    }

    refused(
        &["eval", &run, "--quality", "--device", "cpu"],
        "texts have none: estimate the likelihood of test rows instead",
    );
    refused(&["restore", &run, "--noise", "0.1"], "texts have no noise and no mask");
    refused(&["restore", &run, "--hole", "ab"], "has 2 tokens, and a mark is one of the characters");
    refused(&["restore", &run], "no token of these texts is missing");
    refused(&["sample", &run, "--prefix", "y"], "a token that the run's vocabulary does not have");
    refused(&["sample", &run, "--top-p", "0"], "--top-p is a share above 0 and at most 1");
    refused(&["compress", &run, &unknown], "1 of 2 texts have tokens that the vocabulary does not have");
    refused(&["data", "export", "expressions:grammar,count=9", "--to", "formulas.txt"], "leave the .txt out");
}
