//! Edited runs, and codes for `decode` that are not what they should be.

use serde_json::{Value, json};

use super::harness::{copied_run, npy, path, record_anew, run_of_points, wgvae};

#[test]
fn an_edited_description_is_refused() {
    let run = copied_run();
    let file = run.path().join("data.json");
    let good: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let folder = path(run.path());
    let evaluate = |description: &Value| {
        std::fs::write(&file, description.to_string()).unwrap();
        record_anew(run.path());
        wgvae(&["eval", &folder, "--device", "cpu", "--to", "-"])
    };
    evaluate(&good).expect(0, "");
    let image = |height: u64, width: u64, channels: u64| json!({"image": {"height": height, "width": width, "channels": channels}});
    let columns = |count: usize, deviation: f64| {
        let column = |place: usize| json!({"name": "a", "deviation": if place == 0 { deviation } else { 1.0 }});
        json!({"all": (0..count).map(column).collect::<Vec<_>>(), "missing": false})
    };
    let kinds = |kinds: &[&str], words: &[&[&str]]| {
        let mut columns = columns(2, 1.0);
        for (place, (kind, words)) in kinds.iter().zip(words).enumerate() {
            columns["all"][place]["kind"] = json!(kind);
            columns["all"][place]["words"] = json!(words);
        }
        columns
    };
    let of_quantiles = |values: &[f64], low: &[f64]| {
        let mut columns = columns(2, 1.0);
        columns["all"][1]["kind"] = json!("quantile");
        columns["all"][1]["quantiles"] = json!({"values": values, "low": low, "high": low});
        columns
    };
    for (changes, code) in [
        (vec![("bytes", json!(true))], 2),
        (vec![("shape", image(0, 0, 1))], 3),
        (vec![("shape", image(1 << 32, 1 << 32, 1))], 3),
        (vec![("shape", image(1 << 32, 1 << 32, 1)), ("bytes", json!(true))], 3),
        (vec![("shape", image(4096, 4096, 3)), ("bytes", json!(true))], 2),
        (vec![("shape", image(2, 1, 2))], 3),
        (vec![("shape", json!({"point": 0}))], 3),
        (vec![("shape", json!({"point": u64::MAX}))], 3),
        (vec![("shape", json!({"point": 1_000_000}))], 2),
        (vec![("shape", json!({"table": 2})), ("bytes", json!(true))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", columns(2, 0.0))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", columns(1, 1.0))], 3),
        (vec![("shape", json!({"table": 1})), ("columns", columns(2, 1.0))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", json!({"all": [], "missing": false}))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", of_quantiles(&[], &[]))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", of_quantiles(&[1.0, 2.0], &[0.0]))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", of_quantiles(&[2.0, 1.0], &[0.0, 1.0]))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", kinds(&["number", "words"], &[&[], &[]]))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", kinds(&["category", "number"], &[&[], &[]]))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", kinds(&["yes-no", "number"], &[&["a"], &[]]))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", kinds(&["count", "number"], &[&["a"], &[]]))], 3),
        (vec![("shape", json!({"table": 2})), ("columns", kinds(&["category", "number"], &[&["a", "b"], &[]]))], 3),
        (vec![("columns", columns(2, 1e-40))], 3),
    ] {
        let mut edited = good.clone();
        for (key, value) in &changes {
            edited[*key] = value.clone();
        }
        let ended = evaluate(&edited);
        eprintln!("{changes:?}: {}", ended.stderr);
        ended.expect(code, "wgvae: ");
        assert!(ended.peak < 128 << 20, "{changes:?}: {} MiB", ended.peak >> 20);
        // Commands that bring no rows of the run's own come further.
        let sample =
            wgvae(&["sample", &folder, "--device", "cpu", "--count", "3", "--to", "-", "--data", "points:count=5"]);
        let is_fine = matches!(sample.code, Some(0 | 2 | 3)) && !sample.stderr.contains("panicked");
        assert!(is_fine && sample.peak < 128 << 20, "{changes:?}: {:?} {}", sample.code, sample.stderr);
    }
}

#[test]
fn codes_are_decoded_whole_and_unchanged_or_not_at_all() {
    let run = path(run_of_points());
    let folder = tempfile::tempdir().unwrap();
    let decode = |name: &str, content: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        wgvae(&["decode", &run, &path(&file), "--device", "cpu", "--to", "-"])
    };
    let good = decode("a.csv", b"mu_0,mu_1,z_0,z_1\n1,2,9,9\n0,1,9,9\n3,0,9,9\n");
    good.expect(0, "");
    assert_eq!(good.stdout.lines().count(), 4);
    for (same, content) in [
        ("z.csv", b"z_0,z_1\n1,2\n0,1\n3,0\n".to_vec()),
        ("plain.csv", b"a,b\n1,2\n0,1\n3,0\n".to_vec()),
        // Whole numbers are numbers, in whatever shape they come.
        ("levels.npy", npy("|u1", "(3, 2)", &[1, 2, 0, 1, 3, 0])),
        ("deep.npy", npy("|u1", "(3, 1, 2)", &[1, 2, 0, 1, 3, 0])),
        ("codes-idx3-ubyte", super::harness::idx(&[3, 2, 1], &[1, 2, 0, 1, 3, 0])),
    ] {
        let ended = decode(same, &content);
        ended.expect(0, "");
        assert_eq!(ended.stdout, good.stdout, "{same}");
    }
    for (name, content, code, reason) in [
        ("gap.csv", b"mu_0,mu_1\n1,2\n3,\n4,5\n".to_vec(), 3, "line 3: the column `mu_1` has no value"),
        ("word.csv", b"mu_0,mu_1,z_0,z_1\n1,2,3,4\n1,x,3,4\n".to_vec(), 3, "line 3: the column `mu_1` holds `x`"),
        ("part.csv", b"mu_0,mu_2,z_0,z_1\n1,2,3,4\n1,2,3,4\n".to_vec(), 3, "it has no column `mu_1`"),
        ("more.csv", b"mu_0,mu_1,mu_2\n1,2,3\n1,2,3\n".to_vec(), 2, "has 3 numbers per row"),
        ("short.csv", b"mu_0,mu_1\n1,2\n3\n".to_vec(), 3, "line 3: it has 1 fields"),
        ("nan.npy", npy("<f4", "(1, 2)", &[0, 0, 0xc0, 0x7f, 0, 0, 0, 0]), 3, "only finite numbers"),
        ("none.npy", npy("<f4", "(0, 2)", &[]), 3, "rows of several are needed"),
        ("x.png", super::harness::picture(2, 2, image::ImageFormat::Png), 3, "it is an image"),
    ] {
        decode(name, &content).expect(code, reason);
    }
}
