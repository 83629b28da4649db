use crate::{
    DataError, Dataset, Description, InMemory, MISSING, Options, RowFormat, Shape, Values, is_missing, rows, waves,
};

fn load_in(
    folder: &std::path::Path,
    name: &str,
    content: &[u8],
    change: impl Fn(&mut Options),
) -> Result<Dataset, String> {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let mut options = Options { test_share: 0.25, ..path.to_str().unwrap().into() };
    change(&mut options);
    Dataset::load(options).map_err(|error| error.to_string())
}

fn load(name: &str, content: impl AsRef<[u8]>, change: impl Fn(&mut Options)) -> Result<Dataset, String> {
    load_in(tempfile::tempdir().unwrap().path(), name, content.as_ref(), change)
}

/// All rows of a data set in its own units, by their origins.
fn all(data: &Dataset) -> Vec<(String, Vec<f32>)> {
    let series = data.series.as_ref().unwrap();
    let mut all = Vec::new();
    for split in [&data.train, &data.test] {
        for row in 0..split.rows {
            let name = split.origins.as_ref().and_then(|origins| origins.of(row)).unwrap_or_default();
            let rounded = |value: &f32| (value * 1e4).round() / 1e4;
            all.push((
                name,
                series.decode(&split.numbers(row..row + 1, data.shape.len())).iter().map(rounded).collect(),
            ));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn by_id_and_time(options: &mut Options) {
    options.series = vec!["id".into(), "time".into()];
}

/// A table of four series whose rows are in any order.
const LONG: &str = "id,time,a,b,kind\n\
    two,1,20,0.5,x\ntwo,0,10,0.25,x\n\
    one,5,1,1,y\none,6,2,1,y\none,8,4,3,y\n\
    three,0,7,,x\nthree,1,8,2,x\nthree,2,,3,x\n\
    four,10,1,1,y\nfour,11,1,2,y\n";

fn same(found: &[f32], expected: &[f32]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
}

#[test]
fn rows_of_a_table_become_series_by_their_times() {
    let data = load("a.csv", LONG, |o| (by_id_and_time(o), o.label = Some("kind".into())).1).unwrap();
    assert_eq!(data.shape, Shape::Series { length: 4, channels: 2 });
    let series = data.series.as_ref().unwrap();
    assert_eq!((series.names().join(" "), series.step, series.missing), ("a b".to_string(), Some(1.0), true));
    assert_eq!(series.columns, Some(["id".into(), "time".into()]));
    assert_eq!(data.classes, ["x", "y"]);
    let all = all(&data);
    let nan = f32::NAN;
    let expected: [(&str, &[f32]); 4] = [
        ("four", &[1.0, 1.0, 1.0, 2.0, nan, nan, nan, nan]),
        ("one", &[1.0, 1.0, 2.0, 1.0, nan, nan, 4.0, 3.0]),
        ("three", &[7.0, nan, 8.0, 2.0, nan, 3.0, nan, nan]),
        ("two", &[10.0, 0.25, 20.0, 0.5, nan, nan, nan, nan]),
    ];
    for ((name, values), (expected_name, expected)) in all.iter().zip(expected) {
        assert!(name == expected_name && same(values, expected), "{name} {values:?}");
    }
    assert!(data.notes.iter().any(|note| note.starts_with("1 steps lie in gaps")), "{:?}", data.notes);
    // Channels are standardised over what is there of the training rows.
    let values = data.train.numbers(0..data.train.rows, 8);
    let there: Vec<f32> = values.iter().step_by(2).copied().filter(|value| !is_missing(*value)).collect();
    let mean = there.iter().sum::<f32>() / there.len() as f32;
    let variance = there.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / there.len() as f32;
    assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
    // Parts of the columns, and dates.
    let only_b = load("a.csv", LONG, |o| (by_id_and_time(o), o.columns = vec!["b".into()]).1).unwrap();
    assert_eq!(only_b.series.unwrap().names(), ["b"]);
    let dates = "id;time;v\nx;01.02.2024;1\nx;02.02.2024;2,5\nx;13.02.2024;3\ny;2.3.2024;1\ny;3.3.2024;0\n";
    let data = load("a.csv", dates, by_id_and_time).unwrap();
    assert_eq!((data.shape, data.series.unwrap().step), (Shape::Series { length: 13, channels: 1 }, Some(1.0)));
}

#[test]
fn tables_that_hold_no_series_are_refused_in_a_sentence() {
    let series = |o: &mut Options| by_id_and_time(o);
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Options), &'a str);
    let cases: [Case<'_>; 14] = [
        (LONG, &|o| o.format = RowFormat::Series, "names the columns that tell series and steps apart"),
        (LONG, &|o| o.series = vec!["id".into()], "series names two columns"),
        (LONG, &|o| o.series = vec!["id".into(), "id".into()], "series names two columns"),
        (LONG, &|o| o.series = vec!["who".into(), "time".into()], "there is no column `who` to tell series apart by"),
        (LONG, &|o| (by_id_and_time(o), o.label = Some("a".into())).1, "and a series has one"),
        ("id,time,a\nx,0,1\nx,later,2\ny,1,2\n", &series, "line 3: the column `time` holds `later`, which is neither"),
        ("id,time,a\nx,0,1\nx,0,2\ny,1,2\ny,1,3\n", &series, "each of its 2 series has a time twice, such as x"),
        ("id,time,a\nx,0,1\ny,1,2\n", &series, "a single step is no series"),
        ("id,time,a\nx,0,NA\nx,1,\ny,1,2\ny,2,1\nz,1,2\nz,2,huh\n", &series, "line 7: the column `a` holds `huh`"),
        ("id,time,a\nx,0,m\nx,1,n\ny,1,m\ny,2,n\n", &series, "no column holds the numbers of series"),
        ("id,time,a\nx,0,1\n,1,2\ny,2,3\n", &series, "line 3: the column `id` does not name a series"),
        ("id,time\nx,0\nx,1\ny,0\n", &series, "it has 0 columns with values of series"),
        ("id,time,a\nx,0,1\nx,1,\"1,000\"\ny,0,2\ny,1,3\n", &series, "line 3: the column `a` holds `1,000`"),
        (LONG, &|o| (by_id_and_time(o), o.format = RowFormat::Table).1, "asks for other rows"),
    ];
    for (text, change, reason) in cases {
        let error = load("a.csv", text, change).unwrap_err();
        assert!(error.contains(reason) && error.lines().count() == 1, "{error}");
    }
    // A comma is the decimal mark of a table only where something else separates its columns.
    let data = load("a.csv", "id;time;a\nx;0;1,5\nx;1;2\ny;0;2,25\ny;1;3\n", series).unwrap();
    assert_eq!(all(&data), [("x".to_string(), vec![1.5, 2.0]), ("y".to_string(), vec![2.25, 3.0])]);
    // What is wrong with some series is said, and they are left out.
    let text = "id,time,a,w\nx,0,1,q\nx,0,2,q\ny,1,2,q\ny,2,3,q\nz,1,3,q\nv,1,3,q\nv,2,3,q\nu,0,,q\nu,1,,q\n";
    let data = load("a.csv", text, series).unwrap();
    assert_eq!(data.train.rows + data.test.rows, 2);
    for said in [
        "1 of 5 series was left out (x): a time is there twice",
        "columns without any number were left out: w",
        "1 of 4 series was left out (u): no value is there",
        "1 of 4 series was left out (z): a single step is no series",
    ] {
        assert!(data.notes.iter().any(|note| note.starts_with(said)), "{said}: {:?}", data.notes);
    }
    for (text, reason) in
        [(text, "has this time twice"), ("id,time,a\nx,0,1\ny,1,2\ny,2,1\nz,1,2\nz,2,1\n", "x: a single step")]
    {
        let error = load("a.csv", text, |o| (series(o), o.strict = true).1).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let uneven = "id,time,a\nx,0,1\nx,0.3,2\nx,1,2\ny,1,2\ny,2,3\nz,0,1\nz,1,2\n";
    let data = load("a.csv", uneven, series).unwrap();
    assert!(
        data.notes.iter().any(|note| note.starts_with("the times of 1 of 3 series are irregular (x)")),
        "{:?}",
        data.notes
    );
}

/// An NPY file of floats.
fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    crate::npy::tests::npy("<f4", "False", shape, &bytes)
}

#[test]
fn arrays_of_floats_with_three_axes_are_series() {
    let values: Vec<f32> = (0..4 * 6 * 5).map(|i| (i as f32 * 0.37).sin()).collect();
    let file = npy("(4, 6, 5)", &values);
    let data = load("a.npy", &file, |_| ()).unwrap();
    assert_eq!((data.shape, data.train.rows, data.test.rows), (Shape::Series { length: 6, channels: 5 }, 3, 1));
    assert!(data.notes[0].contains("series of 6 steps of 5 channels") && data.notes[0].contains("data.format"));
    assert!(!data.has_missing());
    let shape = |format: RowFormat| load("a.npy", &file, |o| o.format = format).unwrap().shape;
    assert_eq!(shape(RowFormat::Images), Shape::Image { height: 6, width: 5, channels: 1 });
    assert_eq!(shape(RowFormat::Table), Shape::Table(30));
    // Rows of numbers are series with one channel where that is asked for.
    let flat = npy("(4, 30)", &values);
    assert_eq!(load("a.npy", &flat, |_| ()).unwrap().shape, Shape::Table(30));
    let data = load("a.npy", &flat, |o| o.format = RowFormat::Series).unwrap();
    assert_eq!(data.shape, Shape::Series { length: 30, channels: 1 });
    // Levels stay images; strips of any numbers are series.
    let levels: Vec<f32> = (0..4 * 6 * 5).map(|i| (i % 256) as f32 / 255.0).collect();
    assert!(matches!(load("a.npy", npy("(4, 6, 5)", &levels), |_| ()).unwrap().shape, Shape::Image { .. }));
    let strip = crate::npy::tests::npy("|u1", "False", "(4, 40, 2)", &[7; 4 * 40 * 2]);
    assert_eq!(load("a.npy", strip, |_| ()).unwrap().shape, Shape::Series { length: 40, channels: 2 });
    let turned = load("a.npy", npy("(4, 2, 40)", &[0.3; 4 * 80]), |_| ()).unwrap();
    assert!(turned.notes[0].contains("swap the last two axes"), "{:?}", turned.notes);
    // What is missing at the end is behind the last step.
    let mut values = values;
    values[4 * 5..6 * 5].fill(f32::NAN);
    values[33] = f32::NAN;
    let data = load("a.npy", npy("(4, 6, 5)", &values), |_| ()).unwrap();
    let split = data.train.numbers(0..3, 30);
    let mut lengths = data.series.as_ref().unwrap().lengths(&[split, data.test.numbers(0..1, 30)].concat(), 6);
    lengths.sort_unstable();
    assert_eq!(lengths, [4, 6, 6, 6]);
    let data = load("a.npy", npy("(4, 6, 5)", &values), |o| o.max_length = Some(4)).unwrap_err();
    assert!(data.contains("1 row is too few"), "{data}");
    for (file, reason) in [
        (npy("(4, 1, 30)", &[0.5; 120]), "single step"),
        (npy("(4, 6, 5)", &[f32::INFINITY; 120]), "row 0 (counted from 0) holds inf"),
        (npy("(4, 6, 5)", &[f32::NAN; 120]), "no series with a value"),
        (npy("(2, 6, 5, 2)", &[0.5; 120]), "an array of series is (N, T, D)"),
    ] {
        let error = load("a.npy", file, |o| o.format = RowFormat::Series).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

const TS: &str = "# a comment\n@problemName Two\n@timeStamps false\n@univariate false\n@dimensions 2\n\
    @equalLength false\n@classLabel true up down\n@data\n\
    1,2,3:0.5,?,0.5:up\n3,2:1,1:down\n1,2,4:0,1,2:up\n9,8,7,6:1,2,3,4:down\n1,2:3:up\n";

#[test]
fn files_of_the_archive_are_read() {
    let data = load("Two_TRAIN.ts", TS, |_| ()).unwrap();
    assert_eq!((data.shape, data.classes.join(" ")), (Shape::Series { length: 4, channels: 2 }, "down up".to_string()));
    assert_eq!(data.train.rows + data.test.rows, 4);
    assert!(
        data.notes.contains(&"1 of 5 series was left out (line 13): their dimensions are not alike".to_string()),
        "{:?}",
        data.notes
    );
    let all = all(&data);
    let nan = f32::NAN;
    let line = |name: &str| &all.iter().find(|(known, _)| known == name).unwrap().1;
    assert!(same(line("line 9"), &[1.0, 0.5, 2.0, nan, 3.0, 0.5, nan, nan]), "{:?}", line("line 9"));
    // A folder has a file of training and one of test rows.
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("Two_TRAIN.ts", TS.to_string()), ("Two_TEST.ts", TS.replace("9,8,7,6:1,2,3,4:down\n", ""))] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let data = Dataset::load(folder.path().to_str().unwrap()).unwrap();
    assert_eq!((data.train.rows, data.test.rows), (4, 3));
    // Of several data sets, the one that is named as the folder is.
    for part in ["TRAIN", "TEST"] {
        let [of_two, of_other] = ["Two", "Other"].map(|name| folder.path().join(format!("{name}_{part}.ts")));
        std::fs::copy(of_two, of_other).unwrap();
    }
    let error = Dataset::load(folder.path().to_str().unwrap()).unwrap_err().to_string();
    assert!(error.contains("the series of 2 data sets (other, two): give each a folder of its own"), "{error}");
    let named = folder.path().join("two");
    std::fs::create_dir(&named).unwrap();
    for (name, rows) in [("Two", ""), ("Other", "1,2,3:0,1,2:up\n")] {
        for part in ["TRAIN", "TEST"] {
            std::fs::write(named.join(format!("{name}_{part}.ts")), format!("{TS}{rows}")).unwrap();
        }
    }
    let data = Dataset::load(named.to_str().unwrap()).unwrap();
    assert_eq!((data.train.rows, data.test.rows), (4, 4));
    for (text, reason) in [
        ("@problemName x\n1,2:a\n", "`1,2:a` stands before its line `@data`"),
        ("@problemName x\n", "it has no line `@data`"),
        ("@data\n", "no series follows"),
        ("@timeStamps true\n@data\n(0,1)\n", "time stamps"),
        ("@data\n1,2\n1,x\n", "line 3: it holds `x`, which is no number"),
        ("@data\n1,2\n1,inf\n", "line 3: it holds `inf`"),
        ("const x: number = 1;\n", "stands before its line `@data`"),
    ] {
        let error = load("x.ts", text, |_| ()).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let error = load("x.ts", TS, |o| o.strict = true).unwrap_err();
    assert!(error.contains("line 13: its dimension 2 has 1 values, and the first 2"), "{error}");
}

#[test]
fn other_series_are_brought_to_the_form_of_a_model() {
    let data = load("a.csv", LONG, by_id_and_time).unwrap();
    let like = data.description();
    // The description comes back from its file as it was, also where nothing is missing.
    let whole = serde_json::to_string(&Dataset::load("waves:count=10").unwrap().description()).unwrap();
    assert!(serde_json::from_str::<Description>(&whole).is_ok());
    let text = serde_json::to_string(&like).unwrap();
    assert_eq!(serde_json::from_str::<Description>(&text).unwrap(), like);
    for (from, to, reason) in [
        ("\"length\":4", "\"length\":1", "no model can be trained on"),
        ("\"channels\":2}", "\"channels\":3}", "do not belong together"),
        ("\"deviation\":", "\"deviation\":-1.0,\"d\":", "do not belong together"),
    ] {
        let error = serde_json::from_str::<Description>(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.csv");
    let read = |text: &str, like: &Description| {
        std::fs::write(&path, text).unwrap();
        rows(&path.to_str().unwrap().into(), like).map_err(|error| error.to_string())
    };
    // Columns are found by their names, and steps by the model's own.
    let found = read("time,b,a,id\n0,1,2,x\n2,3,4,x\n", &like).unwrap();
    let series = like.series.as_ref().unwrap();
    let values = series.decode(&found.split.numbers(0..1, 8));
    assert!((values[0] - 2.0).abs() < 1e-5 && values[2].is_nan() && (values[5] - 3.0).abs() < 1e-5, "{values:?}");
    let error = read("time,b,a,id\n0,1,2,x\n7,3,4,x\n", &like).unwrap_err();
    assert!(error.contains("more than 4 steps") && error.contains("the model takes no more"), "{error}");
    assert!(read("time,b,id\n0,1,x\n1,2,x\n", &like).unwrap_err().contains("there is no column `a`"));
    // A model without missing values gets the mean in their place, and says so.
    let mut whole = like.clone();
    whole.series.as_mut().unwrap().missing = false;
    let found = read("id,time,a,b\nx,0,1,\nx,1,2,3\n", &whole).unwrap();
    assert!(found.notes.iter().any(|note| note.contains("the mean of the channel stands for each")));
    assert!(!found.split.has_missing());
    let Values::Floats(values) = &found.split.values else { panic!() };
    assert!(values[1] == 0.0 && values[7] == 0.0);
    // Other rows do not fit.
    let error = rows(&"points:count=20".into(), &like).unwrap_err();
    assert!(matches!(error, DataError::Unusable { .. } | DataError::Mismatch { .. }), "{error}");
}

#[test]
fn series_in_memory_keep_their_labels() {
    let numbers: Vec<f32> = (0..20 * 4 * 2).map(|i| if (i / 8) % 5 == 3 { f32::NAN } else { i as f32 }).collect();
    let data = InMemory::series("s", [4, 2], numbers).labels((0..20).map(|row| ["a", "b"][row % 2])).dataset().unwrap();
    assert_eq!((data.train.rows + data.test.rows, data.shape.len()), (16, 8));
    let series = data.series.as_ref().unwrap();
    for split in [&data.train, &data.test] {
        for row in 0..split.rows {
            let first = series.decode(&split.numbers(row..row + 1, 8))[0];
            let number = (first / 8.0).round() as u32;
            assert_eq!(split.labels.as_ref().unwrap()[row], number % 2);
        }
    }
    // Zeros and ones stay as they are.
    let data = InMemory::series("s", [4, 1], (0..40).map(|i| (i % 3 == 0) as u8 as f32).collect()).dataset().unwrap();
    assert!(data.is_levels() && data.train.values != Values::Floats(vec![MISSING]));
    for (extent, numbers, reason) in
        [([4, 1], vec![1.0; 7], "do not make a whole number of"), ([1, 4], vec![1.0; 8], "single step")]
    {
        let error = InMemory::series("s", extent, numbers).dataset().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// The density of waves by the matrix of their covariance, whose inverse and determinant come from Gauss-Jordan elimination.
fn density_by_elimination(values: &[f64]) -> f64 {
    let tau = 2.0 * std::f64::consts::PI;
    let covariance = |t: usize, u: usize| {
        let apart = t as f64 - u as f64;
        let sines = [(40.0, 1.0), (17.0, 0.36), (9.0, 0.16)];
        let sum: f64 = sines.iter().map(|(period, square)| square * (tau * apart / period).cos()).sum();
        sum + if t == u { 0.09 } else { 0.0 }
    };
    let there: Vec<usize> = (0..values.len()).filter(|step| !values[*step].is_nan()).collect();
    let n = there.len();
    let mut matrix: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let mut row: Vec<f64> = there.iter().map(|u| covariance(there[i], *u)).collect();
            row.push(values[there[i]]);
            row
        })
        .collect();
    let mut log_determinant = 0.0;
    for pivot in 0..n {
        log_determinant += matrix[pivot][pivot].ln();
        let row: Vec<f64> = matrix[pivot].iter().map(|v| v / matrix[pivot][pivot]).collect();
        for other in (0..n).filter(|other| *other != pivot) {
            let factor = matrix[other][pivot];
            matrix[other].iter_mut().zip(&row).for_each(|(v, r)| *v -= factor * r);
        }
        matrix[pivot] = row;
    }
    let square: f64 = there.iter().zip(&matrix).map(|(step, row)| values[*step] * row[n]).sum();
    -0.5 * (square + log_determinant + n as f64 * tau.ln())
}

#[test]
fn waves_have_the_density_of_their_process() {
    let data = Dataset::load("waves:count=3000").unwrap();
    assert_eq!(
        (data.shape, data.train.rows, data.test.rows),
        (Shape::Series { length: waves::STEPS, channels: 1 }, 3000, 600)
    );
    assert_eq!(data, Dataset::load("waves:count=3000").unwrap());
    assert_ne!(data.train, Dataset::load("waves:count=3000,seed=1").unwrap().train);
    let series = data.series.as_ref().unwrap();
    let rows: Vec<Vec<f64>> = (0..3000)
        .map(|row| series.decode(&data.train.numbers(row..row + 1, 50)).into_iter().map(f64::from).collect())
        .collect();
    for row in &rows[..20] {
        let (exact, found) = (density_by_elimination(row), waves::log_density(row));
        assert!((exact - found).abs() < 1e-8, "{exact} {found}");
        let mut gaps = row.clone();
        gaps[3..17].fill(f64::NAN);
        gaps[49] = f64::NAN;
        assert!((density_by_elimination(&gaps) - waves::log_density(&gaps)).abs() < 1e-8);
    }
    // The mean over draws is the entropy; one density has a deviation of 5 nats.
    let mean = -rows.iter().map(|row| waves::log_density(row)).sum::<f64>() / 3000.0;
    assert!((mean - waves::entropy()).abs() < 0.4, "{mean} {}", waves::entropy());
}
