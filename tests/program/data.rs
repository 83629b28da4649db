//! Data sources through the program: `wgvae data`, every kind of source, wrong inputs, and arbitrary files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::test_runner::{FailurePersistence, FileFailurePersistence};
use serde_json::Value;
use wgvae::data::{Dataset, Missing, Options, Origins, Provenance, RowFormat, Shape, Unit, Values, rows, write};

/// What has failed once is tried again first: its seed is kept in a file beside this one, to be committed.
fn finds() -> Option<Box<dyn FailurePersistence>> {
    Some(Box::new(FileFailurePersistence::WithSource("regressions")))
}

fn wgvae(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgvae"));
    for variable in ["WGVAE_DATA", "WGVAE_SEED", "WGVAE_OUT", "WGVAE_DEVICE"] {
        command.env_remove(variable);
    }
    command.current_dir(folder).args(args).output().unwrap()
}

fn described(folder: &Path, args: &[&str]) -> Value {
    let output = wgvae(folder, &[&["data", "--json"], args].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn idx(extents: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, extents.len() as u8];
    file.extend(extents.iter().flat_map(|e| e.to_be_bytes()));
    file.extend(bytes);
    file
}

fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), bytes].concat()
}

fn path(folder: &Path) -> String {
    folder.to_str().unwrap().to_string()
}

/// A picture in one of the supported formats.
fn picture(height: u32, width: u32, format: image::ImageFormat) -> Vec<u8> {
    let image = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 9) as u8, (y * 9) as u8, 128]));
    let mut file = std::io::Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

#[test]
fn wrong_inputs_are_named_in_one_line_with_exit_code_3() {
    let small = picture(4, 4, image::ImageFormat::Png);
    let large = picture(4, 6, image::ImageFormat::Png);
    let folder = folder_of(&[
        ("text.png", b"hello"),
        ("texts/1.png", b"hello"),
        ("texts/2.png", b"world"),
        ("strict/1.png", &small),
        ("strict/2.png", &small[..small.len() / 2]),
        ("kinds.csv", b"a,kind\n1,red\n2,blue\n3,red\n"),
        ("mixed/1.png", &small),
        ("mixed/2.png", &large),
        ("short/train-images-idx3-ubyte", &idx(&[2, 1, 1], &[1, 2])),
        ("short/train-labels-idx1-ubyte", &idx(&[1], &[1])),
        ("cut.npy", &npy("<f4", "(2, 2)", &[0; 15])),
        ("cut.npz", b"PK\x03\x04 and nothing more"),
        ("empty.csv", b""),
        ("good.csv", b"a,b,c\n1,2,x\n3,4,y\n5,6,x\n"),
    ]);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["text.png"], 3, "text.png is not a valid image: its content is not PNG"),
        (&["texts"], 3, "none of its 2 images can be read; 1.png is not an image"),
        (&["strict", "--strict"], 3, "2.png is not a valid image"),
        (
            &["kinds.csv", "--column", "kind=number"],
            3,
            "kinds.csv: the column `kind` cannot be number: it holds 2 different words",
        ),
        (&["kinds.csv", "--column", "kind"], 2, "names no kind: write NAME=KIND"),
        (&["mixed", "--strict"], 3, "1.png is 4x4, 2.png is 4x6; resize them to one size with --image-size 4x4"),
        (&["empty"], 3, "it is empty"),
        (
            &["good.csv", "--label", "kind"],
            3,
            "good.csv: there is no column `kind` to take labels from; there are a, b, c",
        ),
        (&["good.csv", "--label", "c", "--keep-label", "z"], 3, "there is no class `z`; there are x, y"),
        (&["good.csv", "--columns", "a,b", "--keep-label", "x"], 3, "name the column with the classes with --label"),
        (&["good.csv", "--label", "c", "--image-size", "8x8"], 3, "apply only to images"),
        (&["short"], 3, "train-labels-idx1-ubyte is not a valid IDX file: there are 1 labels for 2 images"),
        (&["cut.npy"], 3, "cut.npy is not a valid NPY file: it is cut short"),
        (&["cut.npz"], 3, "cut.npz is not a valid NPZ file"),
        (&["empty.csv"], 3, "empty.csv: it is empty"),
        (&["missing"], 3, "there is no data at missing"),
        (&["sprites:count=0"], 2, "count takes a number from 1 to 614400"),
        (&["strokes", "--test-share", "1.5"], 2, "between 0 and 1"),
        (&["strokes", "--image-size", "0x3"], 2, "is not an image size"),
        (
            &["export", "good.csv", "--to", "out", "--label", "c", "--format", "png"],
            2,
            "--format must be csv, parquet or npy",
        ),
        (&["export", "good.csv", "--to", "mixed", "--label", "c"], 2, "mixed exists and is not an empty folder"),
    ];
    let before = tree(folder.path());
    for (args, code, reason) in cases {
        let output = wgvae(folder.path(), &[&["data"], *args].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {error}");
        assert!(error.contains(reason), "{args:?}: {error}");
        assert!(error.contains("error: ") || error.lines().count() == 1, "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert_eq!(tree(folder.path()), before, "{args:?} left something behind");
    }
}

fn tree(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

/// Images are the same data as IDX, as numbered files, and as numbered files in class folders.
#[test]
fn images_are_the_same_data_however_they_are_stored() {
    let (count, side) = (40_u32, 5_usize);
    let pixels: Vec<u8> = (0..count as usize * side * side).map(|i| (i * i % 251) as u8).collect();
    let labels: Vec<u32> = (0..count).map(|i| i * 7 % 3).collect();
    let bytes: Vec<u8> = labels.iter().map(|l| *l as u8).collect();
    let folder = folder_of(&[
        ("idx/x-images-idx3-ubyte", &idx(&[count, side as u32, side as u32], &pixels)),
        ("idx/x-labels-idx1-ubyte", &idx(&[count], &bytes)),
        ("array.npy", &npy("|u1", &format!("({count}, {side}, {side})"), &pixels)),
        ("flat/notes.txt", b"not an image"),
    ]);
    let at = |name: &str| folder.path().join(name);
    for (row, image) in pixels.chunks(side * side).enumerate() {
        write::write_png(&at(&format!("flat/{row}.png")), (side, side, 1), image).unwrap();
    }
    let classes = ["0", "1", "2"].map(String::from);
    write::write_class_folders(&at("classes"), (side, side, 1), &pixels, Some(&labels), &classes).unwrap();
    let load = |name: &str, seed: u64| Dataset::load(Options { seed, ..path(&at(name)).as_str().into() }).unwrap();
    for seed in [0, 1] {
        let first = load("idx/x-images-idx3-ubyte", seed);
        assert_eq!((first.train.rows, first.test.rows), (36, 4));
        for name in ["idx", "flat", "classes", "array.npy"] {
            let other = load(name, seed);
            assert_eq!(other.shape, first.shape, "{name}");
            assert_eq!((&other.train.values, &other.test.values), (&first.train.values, &first.test.values), "{name}");
            if other.train.labels.is_some() {
                assert_eq!((&other.train.labels, &other.classes), (&first.train.labels, &first.classes), "{name}");
            }
        }
    }
    assert_ne!(load("flat", 0).test, load("flat", 1).test);
}

#[test]
fn every_kind_of_image_is_read_and_unreadable_ones_are_counted() {
    use image::ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (i, format) in [Png, Jpeg, Bmp, Gif, WebP].into_iter().enumerate() {
        let extension = format.extensions_str()[0];
        files.push((format!("{i}.{extension}"), picture(8 + i as u32, 12, format)));
    }
    files.push(("bad.jpg".into(), b"text".to_vec()));
    // The content decides, not the file's extension.
    files.push(("png.gif".into(), picture(8, 12, Png)));
    let listed: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    let folder = folder_of(&listed);
    let flags = [".", "--image-size", "6x6", "--fit", "fit", "--preview", "p.png"];
    let report = described(folder.path(), &flags);
    assert_eq!(report["shape"], serde_json::json!({"image": {"height": 6, "width": 6, "channels": 3}}));
    assert_eq!(report["train_rows"].as_u64().unwrap() + report["test_rows"].as_u64().unwrap(), 6);
    let notes = report["notes"].to_string();
    assert!(notes.contains("1 of 7 files could not be read and were skipped: bad.jpg"), "{notes}");
    assert!(notes.contains("6 of 6 images were resized to 6x6"), "{notes}");
    assert!(image::open(folder.path().join("p.png")).is_ok());
    let grey = described(folder.path(), &[".", "--image-size", "6x6", "--channels", "grey", "--no-preview"]);
    assert_eq!(grey["shape"]["image"]["channels"], 1);
    assert!(!notes.contains("256 levels"), "{notes}");
    // 8 of 16 bits are kept. The preview is an image of the folder, too.
    let deep = image::ImageBuffer::from_fn(6, 6, |x, y| image::Luma([(x * 9000 + y) as u16]));
    deep.save(folder.path().join("deep.png")).unwrap();
    let notes = described(folder.path(), &[".", "--image-size", "6x6", "--no-preview"])["notes"].to_string();
    assert!(notes.contains("1 of 8 images have more than 256 levels, of which 256 were kept"), "{notes}");
}

/// Photographs of several sizes, or large ones, become squares that a model can learn from.
#[test]
fn sizes_that_were_not_asked_for_are_chosen() {
    let of = |sizes: &[(u32, u32)], flags: &[&str]| -> (Value, String) {
        let pictures: Vec<Vec<u8>> = sizes.iter().map(|(h, w)| picture(*h, *w, image::ImageFormat::Png)).collect();
        let names: Vec<String> = (0..sizes.len()).map(|i| format!("{i}.png")).collect();
        let files: Vec<(&str, &[u8])> =
            names.iter().map(String::as_str).zip(pictures.iter().map(Vec::as_slice)).collect();
        let report = described(folder_of(&files).path(), &[&[".", "--no-preview"], flags].concat());
        let image = &report["shape"]["image"];
        (serde_json::json!([image["height"], image["width"]]), report["notes"].to_string())
    };
    for (sizes, side, why) in [
        (
            &[(300, 200), (90, 400), (210, 210)][..],
            64,
            "3 of 3 images were resized to 64x64, because they have different sizes",
        ),
        (&[(30, 44), (29, 29), (28, 28)], 24, "different sizes; --image-size chooses another size"),
        (&[(4, 4), (5, 6)], 5, "different sizes"),
        (&[(300, 300), (300, 300)], 64, "because sides above 256 pixels make models large"),
    ] {
        let (size, notes) = of(sizes, &[]);
        assert_eq!(size, serde_json::json!([side, side]), "{sizes:?}");
        assert!(notes.contains(why), "{notes}");
    }
    assert_eq!(of(&[(256, 40), (256, 40)], &[]), (serde_json::json!([256, 40]), "[]".into()));
    assert_eq!(of(&[(300, 300), (300, 300)], &["--strict"]).0, serde_json::json!([300, 300]));
}

#[test]
fn a_source_is_described() {
    let folder = folder_of(&[("t.csv", b"a,b,kind\n1,10,x\n2,10,y\n3,10,x\n4,10,y\n")]);
    let report = described(folder.path(), &["strokes:count=50"]);
    assert_eq!((&report["train_rows"], &report["classes"][3]["name"]), (&50.into(), &"3".into()));
    assert!(folder.path().join("runs/data-strokes/preview.png").is_file());
    let report = described(folder.path(), &["sprites:count=60", "--no-preview"]);
    assert_eq!((&report["factors"][2]["name"], &report["factors"][2]["values"]), (&"rotation".into(), &40.into()));
    let report = described(folder.path(), &["t.csv", "--label", "kind", "--test-share", "0.25"]);
    assert_eq!(report["columns"][1]["mean"], 10.0);
    assert!(report["notes"][0].as_str().unwrap().contains("the same value in every training row"), "{report}");
    let output = wgvae(folder.path(), &["data", "points:moons,count=50", "--no-preview"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("50 training and 10 test points of 2 coordinates") && text.contains("upper"), "{text}");
}

/// Exported data reads back to the same numbers.
#[test]
fn exports_read_back() {
    let folder = folder_of(&[("t.csv", b"a,b,kind\n0.1,1e-9,x\n2,3,y\n0.3,7,x\n4,16777217,y\n")]);
    let at = |name: &str| path(&folder.path().join(name));
    let export = |args: &[&str]| {
        let output = wgvae(folder.path(), &[&["data", "export"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let strokes = Dataset::load("strokes:count=60").unwrap();
    for (format, to) in [("idx", "i"), ("png", "p")] {
        export(&["strokes:count=60", "--to", to, "--format", format]);
        let back = Dataset::load(at(to).as_str()).unwrap();
        assert_eq!((&back.train.values, &back.train.labels), (&strokes.train.values, &strokes.train.labels), "{to}");
        assert_eq!((&back.test.values, &back.test.labels), (&strokes.test.values, &strokes.test.labels), "{to}");
    }
    export(&["points:moons,count=40", "--to", "c"]);
    export(&["points:moons,count=40", "--to", "n", "--format", "npy"]);
    let like = Dataset::load("points:moons,count=40").unwrap();
    let Values::Floats(points) = &like.train.values else { panic!("points are floats") };
    let options = Options { columns: vec!["x0".into(), "x1".into()], ..at("c/train.csv").as_str().into() };
    assert_eq!(rows(&options, &like.description()).unwrap().split.values, Values::Floats(points.clone()));
    let array = rows(&at("n/train.npy").as_str().into(), &like.description()).unwrap();
    assert_eq!(array.split.values, Values::Floats(points.clone()));
    export(&["sprites:count=10", "--to", "s"]);
    let factors = std::fs::read_to_string(folder.path().join("s/train-factors.csv")).unwrap();
    assert_eq!(factors.lines().next().unwrap(), "shape,scale,rotation,x,y");
    export(&["t.csv", "--label", "kind", "--test-share", "0.25", "--to", "t"]);
    let table = std::fs::read_to_string(folder.path().join("t/train.csv")).unwrap();
    assert!(table.starts_with("a,b,label\n") && table.lines().count() == 4, "{table}");
    // The table's own values: neither a 0 nor a number of more digits than the model works with has changed.
    let text = "large,small\n123456789.125,0\n0.1,1e-9\n-7,0.30000000000000004\n16777217,0\n5,0\n6,3\n";
    std::fs::write(folder.path().join("exact.csv"), text).unwrap();
    export(&["exact.csv", "--to", "e"]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let mut rows: Vec<String> =
        [read("e/train.csv"), read("e/test.csv")].iter().flat_map(|t| t.lines().skip(1)).map(String::from).collect();
    rows.sort();
    let mut expected: Vec<String> = text.lines().skip(1).map(String::from).collect();
    expected.sort();
    assert_eq!(rows, expected);
    std::fs::write(folder.path().join("comma.csv"), "a;b;k\n1,5;2;x\n0,25;7;y\n3;4;x\n").unwrap();
    export(&["comma.csv", "--label", "k", "--to", "k", "--balance"]);
    let text = read("k/train.csv") + &read("k/test.csv");
    assert!(text.contains("0,25;7;y") && text.contains("1,5;2;x"), "{text}");
}

/// Other data is converted to the form that a model was trained on, or refused with an error that names both forms.
#[test]
fn rows_are_brought_to_the_form_of_the_model() {
    let folder = folder_of(&[
        ("train.csv", b"a,b,kind\n1,10,x\n3,20,y\n5,30,x\n7,40,y\n"),
        ("new.csv", b"note,b,a\nfirst,10,5\nsecond,NA,1\nthird,30,1\n"),
        ("other.csv", b"a,c\n1,2\n"),
        ("new.npy", &npy("<f4", "(1, 2)", &[5.0_f32.to_le_bytes(), 10.0_f32.to_le_bytes()].concat())),
    ]);
    let at = |name: &str| path(&folder.path().join(name));
    let table = Dataset::load(Options { label: Some("kind".into()), ..at("train.csv").as_str().into() }).unwrap();
    let description = table.description();
    let text = serde_json::to_string(&description).unwrap();
    assert_eq!(serde_json::from_str::<wgvae::data::Description>(&text).unwrap(), description);
    let new = rows(&at("new.csv").as_str().into(), &description).unwrap();
    assert_eq!(new.split.origins.unwrap(), Origins::Numbered(Unit::Line, vec![2, 3, 4]));
    // Where no row that was trained on lacks a value, the middle of the column stands for it, and that is said.
    assert!(new.notes[0].starts_with("1 of 6 cells are missing (b 1), and no row"), "{:?}", new.notes);
    let Values::Floats(values) = new.split.values else { panic!("tables are floats") };
    let cells = description.columns.as_ref().unwrap().cell_numbers(&values, Provenance::Mean);
    for (value, expected) in
        cells.iter().zip([5.0, 10.0, 1.0, description.columns.as_ref().unwrap().all[1].mean as f32, 1.0, 30.0])
    {
        assert!((value - expected).abs() < 1e-5, "{cells:?}");
    }
    // The columns of an array are known by their places.
    let array = rows(&at("new.npy").as_str().into(), &description).unwrap();
    assert_eq!(array.split.numbers(0..1, 2), values[..2]);
    let error = rows(&at("other.csv").as_str().into(), &description).unwrap_err().to_string();
    assert!(error.contains("the model takes the columns a, b, but") && error.contains("no column `b`"), "{error}");

    let images = Dataset::load("strokes:count=10").unwrap().description();
    let sprites = rows(&"sprites:count=10".into(), &images).unwrap();
    assert_eq!((sprites.split.rows, sprites.split.values.len()), (2, 2 * 784));
    let error = rows(&"points:count=10".into(), &images).unwrap_err().to_string();
    assert!(
        error.contains("takes grey images of 28x28") && error.contains("points:count=10 has points of 2"),
        "{error}"
    );
    let chosen = Options { keep_label: vec!["3".into()], limit: Some(2), ..Options::from("strokes:count=500") };
    let chosen = rows(&chosen, &images).unwrap();
    assert_eq!((chosen.split.rows, chosen.split.labels.unwrap()), (2, vec![3, 3]));
}

#[test]
fn arrays_say_what_they_are() {
    let floats: Vec<u8> = (0..12).flat_map(|i| (i as f32 * 0.7).to_le_bytes()).collect();
    let doubles: Vec<u8> = (0..12).flat_map(|i| (f64::from(i) / 255.0).to_le_bytes()).collect();
    let folder = folder_of(&[
        ("table.npy", &npy("<f4", "(4, 3)", &floats)),
        ("gaps.npy", &npy("<f4", "(4, 3)", &[&f32::NAN.to_le_bytes()[..], &floats[4..]].concat())),
        ("levels.npy", &npy("<f8", "(3, 2, 2)", &doubles)),
        ("numbers.npy", &npy("<f4", "(3, 2, 2)", &floats)),
    ]);
    let load = |name: &str| Dataset::load(path(&folder.path().join(name)).as_str()).unwrap();
    let table = load("table.npy");
    assert_eq!((table.shape, table.is_bytes(), table.train.rows), (Shape::Table(3), false, 4 - table.test.rows));
    assert_eq!(table.columns.as_ref().unwrap().names(), ["x_0", "x_1", "x_2"]);
    // As the columns of a file are, these are standardised.
    let sum: f32 = table.train.numbers(0..3, 3).iter().sum();
    assert!(sum.abs() < 1e-4, "{sum}");
    let gaps = load("gaps.npy");
    assert!(gaps.columns.as_ref().unwrap().missing);
    let drop = Options { missing: Missing::Drop, ..path(&folder.path().join("gaps.npy")).as_str().into() };
    let whole = Dataset::load(drop).unwrap();
    assert_eq!((whole.train.rows + whole.test.rows, whole.columns.as_ref().unwrap().missing), (3, false));
    // Rows for a model that was trained on whole ones.
    let others = rows(&path(&folder.path().join("gaps.npy")).as_str().into(), &table.description()).unwrap();
    assert_eq!((others.split.rows, others.notes.len()), (4, 1));
    let image = Shape::Image { height: 2, width: 2, channels: 1 };
    assert_eq!((load("levels.npy").shape, load("levels.npy").is_bytes()), (image, true));
    // Floats that are no levels are series.
    let series = Shape::Series { length: 2, channels: 2 };
    assert_eq!((load("numbers.npy").shape, load("numbers.npy").is_bytes()), (series, false));
    let as_images = Options { format: RowFormat::Images, ..path(&folder.path().join("numbers.npy")).as_str().into() };
    assert_eq!(Dataset::load(as_images).unwrap().shape, image);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: finds(), ..ProptestConfig::default() })]

    /// Any content under any name gives either data or an error of one line.
    #[test]
    fn any_file_is_read_or_refused(
        name in "(a\\.(csv|tsv|txt|npy|npz|png|jpg|gif|bmp|webp|idx|gz)|train-images-idx3-ubyte|a)",
        start in prop::sample::select(vec![
            b"".to_vec(), b"\x93NUMPY\x01\x00\x20\x00{'descr': '<f4', ".to_vec(), b"PK\x03\x04".to_vec(), b"\x89PNG\r\n\x1a\n".to_vec(),
            b"GIF89a".to_vec(), b"BM".to_vec(), b"\xff\xd8\xff".to_vec(), b"RIFF\x10\x00\x00\x00WEBPVP8 ".to_vec(),
            vec![0, 0, 8, 3, 0, 0, 0, 2], vec![0x1f, 0x8b, 8], b"a,b\n1,2\n".to_vec(), b"\xff\xfe".to_vec(),
        ]),
        text in "[0-9a-z,;\t\n\"'. -]{0,60}",
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        as_text in any::<bool>(), in_folder in any::<bool>(), label in prop::option::of("[ab3]"),
    ) {
        let content = [start.as_slice(), if as_text { text.as_bytes() } else { &bytes }].concat();
        let folder = folder_of(&[(name.as_str(), &content)]);
        let source = if in_folder { folder.path().to_path_buf() } else { folder.path().join(&name) };
        let options = Options { label, ..path(&source).as_str().into() };
        let outcome = Dataset::load(options.clone());
        match &outcome {
            Ok(data) => prop_assert!(data.train.rows > 0 && data.test.rows > 0 && !data.shape.is_empty()),
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{error}"),
        }
        if let Ok(data) = outcome {
            let again = rows(&options, &data.description());
            prop_assert!(again.is_ok_and(|again| again.split.values.len() == again.split.rows * data.shape.len()));
        }
    }

    /// NPY files with a plausible header are read, or refused with an error.
    #[test]
    fn any_array_is_read_or_refused(
        descr in "[<>|]?(u1|i2|f4|f8|b1|U3|O|V4|f|)", shape in "\\([0-9]{0,3}(, ?[0-9]{1,12}){0,4},?\\)?",
        order in "(True|False|)", bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
        let content = [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), &bytes].concat();
        let folder = folder_of(&[("a.npy", &content)]);
        if let Err(error) = Dataset::load(path(&folder.path().join("a.npy")).as_str()) {
            prop_assert!(error.to_string().contains("a.npy") && !error.to_string().contains('\n'), "{error}");
        }
    }
}
