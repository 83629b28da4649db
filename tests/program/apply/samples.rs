//! New rows: of classes, and from the codes of training rows.

use super::place::{Place, read, table};

/// A model that gets the class of each row: by the rows themselves, by a flag, or by a column of codes.
#[test]
fn a_conditional_model_gets_classes() {
    let Some(place) = Place::with_adapter() else { return };
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
        (
            "eval told --data unnamed",
            2,
            "these rows have none: name the column that says which, --label, or the class of all rows with --class",
        ),
        ("sample told --class 12", 2, "there is no class `12`; the model knows 0, 1, 2"),
        ("reconstruct told --as-class ten", 2, "there is no class `ten`"),
        ("decode told told/codes.npy", 2, "has no column `label`: say which class to decode with --class"),
        ("sample untold --class 3", 2, "untold was trained without classes"),
        ("reconstruct untold --as-class 3", 2, "untold was trained without classes"),
        ("train --data unnamed --condition class --batch 2 --out no", 2, "condition class needs rows with classes"),
        ("train --data rows.csv --columns a,b --condition class --out no", 2, "name a table's column with label"),
    ] {
        let (found, message) = place.refused(line);
        assert_eq!(found, code, "{line}: {message}");
        assert!(message.contains(reason), "{line}: {message}");
    }
}

/// The column of classes has its own name in what is drawn.
#[test]
fn drawn_rows_name_their_classes_as_the_table_does() {
    let Some(place) = Place::with_adapter() else { return };
    std::fs::write(place.path("rows.csv"), table()).unwrap();
    place.done("train --data rows.csv --label kind --condition class --steps 4 --hidden 8 --device cpu --out run");
    for line in
        ["sample run --count 4 --device cpu --to drawn.csv", "augment run --count 4 --device cpu --to drawn.csv"]
    {
        place.done(line);
        let drawn = read(&place.path("drawn.csv"));
        let header: Vec<&str> = drawn.lines().next().unwrap().split(',').collect();
        assert!(header.contains(&"kind") && !header.contains(&"label"), "{line}: {header:?}");
    }
}

/// A row has the same score wherever it stands, beside whichever others, and where each draw has zeros and ones of its own.
/// Samples come from a mixture in the run's folder, which is fitted again where there is none for the model.
#[test]
fn samples_come_from_the_codes() {
    let place = Place::new();
    place.done("data export points:moons,count=900 --to moons");
    place.done("train --data moons/train.csv --preset points --epochs 20 --out run");
    let fitted = std::fs::read(place.path("run/codes.safetensors")).unwrap();
    let drawn = place.done("sample run --count 5 --to -");
    assert_ne!(drawn, place.done("sample run --count 5 --from prior --to -"));
    std::fs::remove_file(place.path("run/codes.safetensors")).unwrap();
    assert_eq!(drawn, place.done("sample run --count 5 --to -"));
    assert_eq!(fitted, std::fs::read(place.path("run/codes.safetensors")).unwrap());

    std::fs::write(place.path("run/codes.safetensors"), &fitted[..100]).unwrap();
    let damaged = place.wgvae("sample run");
    assert_eq!(damaged.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&damaged.stderr).contains("codes.safetensors could not be read"),
        "{}",
        String::from_utf8_lossy(&damaged.stderr)
    );
    std::fs::remove_file(place.path("run/codes.safetensors")).unwrap();
    std::fs::remove_file(place.path("moons/train.csv")).unwrap();
    let gone = place.wgvae("sample run");
    assert_eq!(gone.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&gone.stderr).contains("--from prior"),
        "{}",
        String::from_utf8_lossy(&gone.stderr)
    );
    place.done("sample run --from prior");
}
