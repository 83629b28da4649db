//! Models of time series: every command, and what it writes.

use super::place::{Place, read};

/// Series of different lengths with gaps, of two channels in units far from each other.
fn table() -> String {
    let mut text = String::from("who,when,load,heat\n");
    for series in 0..240 {
        for step in (0..12 + series % 5).filter(|step| (series + step) % 11 != 4) {
            let angle = f64::from(step + series) / 2.5;
            text +=
                &format!("s{series},{},{:.3},{:.2}\n", 0.5 * f64::from(step), angle.sin(), 500.0 + 9.0 * angle.cos());
        }
    }
    text
}

#[test]
fn every_command_works_on_series() {
    let Some(place) = Place::with_adapter() else { return };
    std::fs::write(place.path("series.csv"), table()).unwrap();
    let data = place.json("data series.csv --series who,when --json --no-preview");
    assert_eq!(data["shape"]["series"], serde_json::json!({ "length": 16, "channels": 2 }));
    assert_eq!((data["series"]["step"].as_f64(), data["series"]["lengths"]["longest"].as_u64()), (Some(0.5), Some(16)));
    place.done("train --data series.csv --series who,when --steps 250 --device cpu --out run");
    place.done("train --data series.csv --series who,when --steps 3 --batch 16 --out on-adapter");
    // A hole is filled in better than by the mean, which is off by a deviation of 1.
    for line in ["run --damage", "run --hole 5-8 --damage", "run --hole heat --damage"] {
        let done = place.json(&format!("restore {line} --json --to x.csv"));
        let [damaged, restored] = ["rmse_damaged", "rmse_restored"].map(|name| done[name].as_f64().unwrap());
        assert!(damaged > 0.8 && restored < 0.5 * damaged, "{line}: {done}");
    }
    let (code, said) = place.refused("restore run --hole 9-99 --to x.csv");
    assert!(code == 2 && said.contains("name a channel (load, heat), or steps from 0 to 15"), "{code} {said}");
    // Each step is a row, and each series as long as it was.
    place.done("reconstruct run --data series.csv --to rebuilt.csv");
    let (rebuilt, given) = (read(&place.path("rebuilt.csv")), table());
    assert_eq!(rebuilt.lines().next(), given.lines().next());
    let ends = |text: &str| text.lines().filter(|line| line.starts_with("s4,")).count();
    // The first of its 16 steps is missing, so it begins with the second; another one is filled in.
    assert_eq!((ends(&given), ends(&rebuilt), rebuilt.lines().count() > given.lines().count()), (14, 15, true));
    for line in [
        "sample run --count 3 --to drawn.npy",
        "sample run --count 3 --draw --to drawn.jsonl",
        "sample run --count 3 --from prior --to drawn.parquet",
        "interpolate run --to between.csv",
        "traverse run --to traversed.json",
        "encode run --to codes.csv",
        "decode run codes.csv --to decoded.npz",
        "augment run --data series.csv --count 5 --to more.csv",
        "anomaly run --to strange.csv",
        "eval run",
        "report run",
        "restore run --draws 2 --to filled.csv",
        "data export series.csv --series who,when --format csv --to exported",
    ] {
        place.done(line);
    }
    let lines = read(&place.path("drawn.jsonl"));
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((lines.lines().count(), first["heat"].as_array().unwrap().len()), (3, 16));
    let heat: f64 = first["heat"].as_array().unwrap().iter().filter_map(serde_json::Value::as_f64).sum();
    assert!((heat / 16.0 - 500.0).abs() < 30.0, "{heat}");
    assert!(read(&place.path("strange.csv")).lines().next().unwrap().contains("share of step 15"));
    assert!(read(&place.path("run").join("report.html")).contains("class=\"band\""));
    // What is written is read again.
    let again = place.json("data exported/train.csv --series who,when --json --no-preview");
    assert_eq!(again["series"]["lengths"]["longest"].as_u64(), Some(16));
    let (code, said) = place.refused("compress run --to x.wgc");
    assert!(code != 0 && said.contains("no finite set of values"), "{said}");
}
