//! Commands that write, and what they are given.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::super::harness::{path, wgvae};

/// Commands and what they write; `@` is the place.
pub const COMMANDS: [(&str, &[&str]); 30] = [
    ("sample @/table --count 5 --device cpu --to @/out/a.csv", &["out/a.csv"]),
    ("sample @/images --count 5 --device cpu --to @/out/a.png", &["out/a.png"]),
    ("sample @/images --count 5 --device cpu --to @/out/a.npz", &["out/a.npz"]),
    ("sample @/images --count 5 --device cpu --to @/out/folder", &["out/folder"]),
    ("sample @/table --count 5 --device cpu --to @/out/a.parquet", &["out/a.parquet"]),
    ("reconstruct @/images --device cpu --to @/out/a.png", &["out/a.png"]),
    ("reconstruct @/table --device cpu --to @/out/a.csv", &["out/a.csv"]),
    ("interpolate @/images --device cpu --to @/out/a.png", &["out/a.png"]),
    ("traverse @/table --device cpu --to @/out/a.csv", &["out/a.csv"]),
    ("encode @/table --device cpu --to @/out/a.csv", &["out/a.csv"]),
    ("encode @/table --device cpu --to @/out/a.npy", &["out/a.npy", "out/a-labels.npy"]),
    ("encode @/table --bits 4 --device cpu --to @/out/a.wgc", &["out/a.wgc"]),
    ("decode @/table @/in/codes.csv --device cpu --to @/out/a.json", &["out/a.json"]),
    ("compress @/images --to @/out/a.wgz", &["out/a.wgz"]),
    ("decompress @/images @/in/rows.wgz --to @/out/a.npy", &["out/a.npy"]),
    ("decompress @/images @/in/rows.wgz --to @/out/folder", &["out/folder"]),
    ("anomaly @/table --draws 1 --device cpu --to @/out/a.csv", &["out/a.csv"]),
    ("restore @/table --device cpu --to @/out/a.csv", &["out/a.csv"]),
    ("restore @/images --noise 0.1 --device cpu --to @/out/a.npz", &["out/a.npz"]),
    ("augment @/table --count 5 --device cpu --to @/out/a.csv", &["out/a.csv"]),
    ("augment @/images --count 5 --device cpu --to @/out/folder", &["out/folder"]),
    ("eval @/table --device cpu", &["table/eval.json"]),
    ("eval @/images --nll 2 --device cpu --to @/out/a.json", &["out/a.json"]),
    ("report @/images --device cpu --to @/out/a.html", &["out/a.html"]),
    ("compare @/table @/images --to @/out/a.html", &["out/a.html"]),
    ("data export @/in/rows.csv --to @/out/folder", &["out/folder"]),
    ("data export @/in/rows.csv --format parquet --to @/out/folder", &["out/folder"]),
    ("data export strokes:count=9 --to @/out/folder", &["out/folder"]),
    ("data export strokes:count=9 --format png --to @/out/folder", &["out/folder"]),
    ("data export points:count=9 --format npy --to @/out/folder", &["out/folder"]),
];

/// A command that trains.
pub struct Training {
    pub line: &'static str,
    /// The folder of its run.
    pub run: &'static str,
    /// Whether there is nothing in that folder before.
    pub begins: bool,
}

/// A new run, one that goes on, a fork, and one that replaces another.
pub const TRAININGS: [Training; 5] = [
    Training {
        line: "train --data @/in/rows.csv --label word --hidden 6 --batch 16 --epochs 3 --checkpoint-every 4steps --device cpu --out @/out/run",
        run: "out/run",
        begins: true,
    },
    Training {
        line: "train --resume @/table --epochs 4 --checkpoint-every 3steps --device cpu",
        run: "table",
        begins: false,
    },
    Training {
        line: "train --resume @/table --fork @/out/fork --lr 0.01 --epochs 4 --checkpoint-every 3steps --device cpu",
        run: "out/fork",
        begins: true,
    },
    Training {
        line: "train --data @/in/rows.csv --label word --hidden 4 --batch 16 --epochs 2 --checkpoint-every 4steps --device cpu --out @/table --replace",
        run: "table",
        begins: false,
    },
    Training {
        line: "train --data strokes:count=40 --hidden 6 --batch 16 --epochs 2 --device cpu --out @/out/deep/run",
        run: "out/deep/run",
        begins: true,
    },
];

/// Makes the runs and files that commands are given.
pub fn prepare(folder: &Path) {
    let at = |name: &str| path(&folder.join(name));
    for name in ["in", "out"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    let mut rows = "a,b,word\n".to_string();
    for row in 0..90 {
        let b = if row % 9 == 4 { String::new() } else { format!("{}.5", row * 7 % 13) };
        writeln!(rows, "{}.25,{b},{}", row * 5 % 17, ["x", "y", "z"][row % 3]).unwrap();
    }
    fs::write(at("in/rows.csv"), rows).unwrap();
    let trained = |line: &str| {
        let words: Vec<String> = line.split(' ').map(|word| word.replace('@', &path(folder))).collect();
        wgvae(&words.iter().map(String::as_str).collect::<Vec<_>>()).expect(0, "");
    };
    trained(
        "train --data @/in/rows.csv --label word --hidden 6 --batch 16 --epochs 2 --checkpoint-every 4steps --device cpu --out @/table",
    );
    trained(
        "train --data strokes:count=40 --binarise threshold --hidden 6 --batch 16 --steps 2 --device cpu --out @/images",
    );
    trained("eval @/table --nll 2 --device cpu");
    trained("encode @/table --only mu --device cpu --to @/in/codes.csv");
    trained("compress @/images --to @/in/rows.wgz");
}
