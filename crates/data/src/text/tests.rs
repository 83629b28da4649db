//! Sources of texts, from files to rows.

use super::super::{
    DataError, Dataset, Examples, InMemory, Options, RowFormat, Rows, Shape, TextUnit, Values, Vocabulary, rows, write,
};
use super::NOTHING;

/// A file of this content.
fn written(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> Options {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    Options { test_share: 0.2, ..path.to_str().unwrap().into() }
}

fn load(name: &str, content: impl AsRef<[u8]>, change: impl Fn(&mut Options)) -> Result<Dataset, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut options = written(&folder, name, content);
    change(&mut options);
    Dataset::load(options).map_err(|error| error.to_string())
}

fn texts_of(split: &Examples, width: usize, vocabulary: &Vocabulary) -> Vec<String> {
    write::decoded(&split.numbers(0..split.rows, width), width, vocabulary)
}

/// All texts in the order of the source; unknown characters are U+FFFD.
fn texts(data: &Dataset) -> Vec<String> {
    let of = |split: &Examples| {
        let texts = texts_of(split, data.shape.len(), data.vocabulary.as_ref().unwrap());
        let place = |row: usize| {
            let origin = split.origins.as_ref().unwrap().of(row).unwrap();
            origin.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
        };
        texts.into_iter().enumerate().map(|(row, text)| (place(row), text)).collect::<Vec<_>>()
    };
    let mut all = [of(&data.train), of(&data.test)].concat();
    all.sort();
    all.into_iter().map(|(_, text)| text).collect()
}

/// A text of five lines with the same characters, and empty lines.
fn five(end: &str) -> String {
    ["abc", "", "cab", "b ca", "a\tcb", " acb ", "  "].join(end)
}

#[test]
fn a_line_is_a_text_however_lines_end() {
    for (text, name) in [
        (five("\n"), "x.txt"),
        (five("\n") + "\n", "x.text"),
        (five("\r\n") + "\r\n", "x.txt"),
        (five("\r"), "x.txt"),
        (format!("\u{feff}{}", five("\n")), "X.TXT"),
    ] {
        let data = load(name, &text, |_| ()).unwrap();
        let all: String = texts(&data).join("|");
        // Characters that only the test row has are unknown.
        assert_eq!(all.replace('\u{fffd}', "\t"), "abc|cab|b ca|a\tcb| acb ", "{text:?}");
        assert_eq!((data.train.rows, data.test.rows, data.shape.len()), (4, 1, 6));
        assert!(data.notes.iter().any(|note| note.starts_with("2 of 7 texts were left out (line 2, line 7): empty")));
        data.check().unwrap();
    }
}

#[test]
fn rows_are_numbers_with_an_end_and_nothing_behind_it() {
    let data = InMemory::texts("x", ["bab", "b", "bbbb", "a", ""]).test_share(0.25).dataset().unwrap();
    let vocabulary = data.vocabulary.as_ref().unwrap();
    assert_eq!((&vocabulary.tokens[..2], vocabulary.encode("b")), (&["<end>".into(), "<unk>".into()][..], vec![2]));
    let Values::Floats(values) = &data.train.values else { panic!("texts are floats") };
    assert!(data.shape == Shape::Text { length: 5, tokens: vocabulary.len() } && values.len() == 15);
    for row in values.chunks(5) {
        let end = row.iter().position(|value| *value == 0.0).unwrap();
        assert!(row[..end].iter().all(|value| *value >= 2.0) && row[end + 1..].iter().all(|value| *value == NOTHING));
    }
    assert_eq!(data.shape.to_string(), "texts of at most 4 tokens");
    let labelled = InMemory::texts("x", ["b", "", "a", "c"]).labels(["1", "2", "3", "4"]).dataset().unwrap();
    let (labels, rows) = (labelled.train.labels.as_ref().unwrap(), labelled.train.rows);
    assert_eq!((rows, labelled.classes.len(), labels.contains(&1)), (2, 4, false));
}

#[test]
fn what_is_no_text_is_refused() {
    let bytes = |o: &mut Options| o.tokens = TextUnit::Bytes;
    for (content, reason) in [
        (&b"good\ncaf\xe9s\nx\n"[..], "line 2: it is not UTF-8: byte 4 of it is 0xe9; `data.tokens = \"bytes\"` reads"),
        (b"good\nze\0ro\nx\n", "line 2: it holds a zero byte, which no text has: `data.tokens = \"bytes\"`"),
        (b"\xff\xfea\0\n\0b\0", "is not a valid text: it is UTF-16: save it as UTF-8"),
    ] {
        let error = load("x.txt", content, |_| ()).unwrap_err();
        assert!(error.contains(reason), "{error}");
        let data = load("x.txt", content, bytes).unwrap();
        assert_eq!(data.vocabulary.as_ref().unwrap().len(), 258);
        assert!(data.train.rows + data.test.rows >= 2);
    }
    for (content, reason) in [
        ("", "x.txt: it is empty"),
        ("\n \n\r\n", "x.txt: it has no text: all that is there is empty"),
        ("one\n", "1 row is too few"),
    ] {
        let error = load("x.txt", content, |_| ()).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let error = load("x.txt", "a\n\nb\n", |o| o.strict = true).unwrap_err();
    assert!(error.ends_with("line 2: it is empty"), "{error}");
}

#[test]
fn long_texts_are_left_out() {
    let content = format!("{}\n{}\nab\nba\nab\n", "x".repeat(300), "y".repeat(257));
    let data = load("x.txt", &content, |_| ()).unwrap();
    assert_eq!((data.train.rows + data.test.rows, data.shape.len()), (3, 3));
    let note = "2 of 5 texts were left out (line 1, line 2): longer than 256 characters; `data.max_length = 300` takes all of them";
    assert!(data.notes.iter().any(|found| found == note), "{:?}", data.notes);
    let all = load("x.txt", &content, |o| o.max_length = Some(300)).unwrap();
    assert_eq!((all.train.rows + all.test.rows, all.shape.len()), (5, 301));
    let error = load("x.txt", &content, |o| o.max_length = Some(1)).unwrap_err();
    assert!(
        error.ends_with(
            "every text is longer than 1 characters: the shortest has 2, and `data.max_length = 2` takes it"
        ),
        "{error}"
    );
    let error = load("x.txt", &content, |o| o.strict = true).unwrap_err();
    assert!(error.ends_with("line 1: it has 300 characters, and no more than 256 are taken"), "{error}");
    // Words are counted, and not the characters of words.
    let words = load("x.txt", &content, |o| o.tokens = TextUnit::Words).unwrap();
    assert_eq!((words.train.rows + words.test.rows, words.shape.len()), (5, 2));
    for (change, reason) in [
        (&(|o: &mut Options| o.max_length = Some(0)) as &dyn Fn(&mut Options), "max_length must be a number of tokens"),
        (&|o| o.vocabulary = Some(1 << 30), "vocabulary must be a number of tokens from 1 to 1048576"),
    ] {
        let error = load("x.txt", &content, change).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn the_vocabulary_is_counted_on_the_training_rows() {
    let lines: String = (0..200).map(|i| format!("the {} sat on {}\n", ["cat", "dog"][i % 2], 1000 + i)).collect();
    let words = |most: Option<usize>| {
        let data = load("x.txt", &lines, |o| (o.tokens = TextUnit::Words, o.vocabulary = most).1).unwrap();
        let vocabulary = data.vocabulary.clone().unwrap();
        (data, vocabulary)
    };
    let (data, vocabulary) = words(None);
    assert_eq!(vocabulary.tokens[2..5], [" on", " sat", " the"]);
    // Each number stands in one row: those of the test rows are unknown.
    assert_eq!(vocabulary.len(), 2 + 5 + data.train.rows);
    assert!(data.notes.contains(&format!("{} of {} words of the test rows are not in the vocabulary", 40, 5 * 40)));
    let (data, vocabulary) = words(Some(4));
    assert_eq!((vocabulary.len(), data.shape), (6, Shape::Text { length: 6, tokens: 6 }));
    let rare =
        data.notes.iter().find(|note| note.starts_with("the 4 most frequent words are the vocabulary; 161 others"));
    assert!(rare.unwrap().ends_with("`data.vocabulary` keeps more"), "{:?}", data.notes);
    let text = texts_of(&data.train, 6, &vocabulary).remove(0);
    assert!(text.starts_with("the ") && text.ends_with(" sat on <unk>"), "{text}");
    // Reading a file twice gives the same rows and vocabulary.
    let folder = tempfile::tempdir().unwrap();
    let options = Options { limit: Some(50), tokens: TextUnit::Words, ..written(&folder, "x.txt", &lines) };
    let first = Dataset::load(options.clone()).unwrap();
    assert_eq!((first.train.rows, first.vocabulary.as_ref().unwrap().len()), (50, 2 + 5 + 50));
    assert_eq!(Dataset::load_known(options, None, &|_, _| {}).unwrap(), first);
}

#[test]
fn json_lines_hold_strings_or_objects() {
    let content = "\u{feff}\"a\\nb\"\n{\"text\": \"ba\", \"kind\": 7}\n\n{\"text\": null, \"kind\": \"x\"}\n{\"kind\":\"y\",\"text\":\"ab\\u00e9\"}\r\n";
    let data = load("x.jsonl", content, |o| o.test_share = 0.3).unwrap();
    let all = texts(&data);
    assert_eq!(all.len(), 3);
    assert!(
        data.classes.is_empty()
            && data.notes.iter().any(|note| note.contains("2 of 5 texts were left out (line 3, line 4)"))
    );
    let labelled = load("x.ndjson", content, |o| o.label = Some("kind".into())).unwrap();
    assert_eq!(
        (labelled.classes.as_slice(), labelled.train.rows + labelled.test.rows),
        (["7", "y"].map(String::from).as_slice(), 2)
    );
    assert!(labelled.notes.iter().any(|note| note.contains("(line 1): without a label")), "{:?}", labelled.notes);
    for (content, reason) in [
        ("\"a\"\n12\n", "line 2: it is `12`, and neither a string nor an object with one"),
        ("\"a\"\n[\"b\"]\n", "line 2: it is `[\"b\"]`"),
        ("\"a\"\n{\"text\": 5}\n", "line 2: its `text` is `5`, which is no string"),
        ("\"a\"\n{\"body\": \"b\", \"id\": 1}\n", "line 2: its object has no `text`, but body, id: `data.text` names"),
        ("\"a\"\n{\"text\": \"b\"\n", "line 2: it is not valid JSON: EOF"),
        ("\"a\"\n\"b\" x\n", "line 2: it is not valid JSON"),
        ("{}\n", "line 1: its object has no `text`, but nothing"),
        ("\"\\ud800\"\n", "line 1: it is not valid JSON"),
        ("\"a\\u0000b\"\n", "line 1: it holds a zero byte"),
    ] {
        let error = load("x.jsonl", content, |_| ()).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    // So are objects with many fields: the first twelve are named, and the rest counted.
    let fields: Vec<String> = (0..15).map(|field| format!("\"f{field:02}\": 0")).collect();
    let error = load("x.jsonl", format!("{{{}}}\n", fields.join(", ")), |_| ()).unwrap_err();
    assert!(error.contains("f11 and 3 more: `data.text`"), "{error}");
    let body = load("x.jsonl", "{\"body\":\"b\"}\n{\"body\":\"bb\"}\n", |o| o.text = Some("body".into())).unwrap();
    assert_eq!(texts(&body).len(), 2);
}

#[test]
fn a_column_of_a_table_holds_texts() {
    let content = "id,review,stars\n1,\"good, very\ngood\",5\n2,,4\n3,bad,1\n4,good,?\n5,\"\"\"so\"\" so\",3\n";
    let text = |o: &mut Options| o.text = Some("Review".into());
    let data = load("x.csv", content, text).unwrap();
    let mut all = texts(&data);
    all.sort();
    assert_eq!(all.len(), 4);
    assert!(
        data.notes.iter().any(|note| note.contains("1 of 5 texts was left out (line 4): empty")),
        "{:?}",
        data.notes
    );
    let labelled = load("x.csv", content, |o| (text(o), o.label = Some("stars".into())).1).unwrap();
    assert_eq!((labelled.classes.join(" "), labelled.train.rows + labelled.test.rows), ("1 3 5".into(), 3));
    for (change, reason) in [
        (
            &(|o: &mut Options| o.text = Some("body".into())) as &dyn Fn(&mut Options),
            "there is no column `body` to take texts from; there are id, review, stars",
        ),
        (&|o| (text(o), o.label = Some("x".into())).1, "there is no column `x` to take labels from"),
        (&|o| (text(o), o.label = Some("review".into())).1, "the column of the texts cannot be that of the labels"),
        (&|o| (text(o), o.columns = vec!["id".into()]).1, "apply only to tables, but this source has texts"),
        (&|o| (text(o), o.missing = crate::Missing::Drop).1, "`data.missing` applies only to tables"),
        (&|o| o.format = RowFormat::Text, "`data.text` names the column with the texts; there are id, review, stars"),
        (&|o| o.max_length = Some(5), "`data.max_length` to texts and series, but this source has rows of"),
        (
            &|o| o.format = RowFormat::Images,
            "`data.format = \"images\"` asks for other rows, but this source has rows of",
        ),
    ] {
        let error = load("x.csv", content, change).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let error = load("x.txt", "some words\nand more\n", |o| o.label = Some("a".into())).unwrap_err();
    assert!(error.contains("`data.label` and `data.text` name a column of a table"), "{error}");
}

#[test]
fn a_text_file_may_be_a_table() {
    let table = "a b\n1 2\n3 4\n5 7\n9 8\n";
    assert_eq!(load("x.txt", table, |_| ()).unwrap().shape, Shape::Table(2));
    let as_text = load("x.txt", table, |o| o.format = RowFormat::Text).unwrap();
    assert_eq!(texts(&as_text).len(), 5);
    // What is asked for of tokens asks for texts.
    assert_eq!(texts(&load("x.txt", table, |o| o.max_length = Some(9)).unwrap()).len(), 5);
    let verses = "one, two\nthree, four, five\nsix\n";
    let data = load("x.txt", verses, |_| ()).unwrap();
    assert!(
        data.notes[0].contains("so each line is a text; `data.format = \"table\"` reads a table"),
        "{:?}",
        data.notes
    );
    let numbers = load("x.txt", "1\n2\n4\n7\n", |o| o.format = RowFormat::Table).unwrap();
    assert_eq!(numbers.shape, Shape::Table(1));
    // Files with another name are texts where that is asked for.
    assert_eq!(texts(&load("words", "one\ntwo\n", |o| o.format = RowFormat::Text).unwrap()).len(), 2);
}

#[test]
fn folders_hold_a_text_in_each_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("a/1.txt", "one\n"), ("a/2.txt", "two\r\nlines\r\n"), ("b/3.txt", "\u{feff}three"), ("b/4.txt", "")]
    {
        written(&folder, name, text);
    }
    written(&folder, "b/5.txt", b"caf\xe9");
    let options = || Options { test_share: 0.3, ..folder.path().to_str().unwrap().into() };
    let data = Dataset::load(options()).unwrap();
    assert_eq!((data.classes.join(" "), data.train.rows + data.test.rows), ("a b".into(), 3));
    assert!(data.notes.iter().any(|note| note == "1 of 5 texts was left out (b/4.txt): empty"), "{:?}", data.notes);
    assert!(data.notes.iter().any(|note| note == "1 of 5 texts was left out (b/5.txt): not UTF-8"), "{:?}", data.notes);
    let error = Dataset::load(Options { strict: true, ..options() }).unwrap_err().to_string();
    assert!(error.contains("b/4.txt is not a valid text: it is empty"), "{error}");
    let bytes = Dataset::load(Options { tokens: TextUnit::Bytes, ..options() }).unwrap();
    assert_eq!(bytes.train.rows + bytes.test.rows, 4);
    // Images are found first, unless texts are asked for.
    let both = tempfile::tempdir().unwrap();
    for name in ["train/x.txt", "train/y.txt", "test/x.txt", "val/z.txt"] {
        written(&both, name, name);
    }
    image::RgbImage::new(8, 8).save(both.path().join("1.png")).unwrap();
    let path = both.path().to_str().unwrap();
    assert!(Dataset::load(path).is_err());
    let texts = Dataset::load(Options { format: RowFormat::Text, ..path.into() }).unwrap();
    assert_eq!((texts.train.rows, texts.test.rows), (2, 1));
}

#[test]
fn rows_for_a_model_have_its_tokens_and_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..40).map(|i| format!("{}\n", ["abc", "ab", "cba", "b"][i % 4])).collect();
    let like = Dataset::load(written(&folder, "x.txt", &lines)).unwrap().description();
    let vocabulary = like.vocabulary.as_ref().unwrap();
    let read = |name: &str, text: &str| -> Result<Rows, DataError> { rows(&written(&folder, name, text), &like) };
    let found = read("new.txt", "cab\nxbx!\nabca\n\nz\n").unwrap();
    assert_eq!(texts_of(&found.split, 4, vocabulary), ["cab", "\u{fffd}"]);
    assert_eq!(found.split.origins.as_ref().unwrap().of(1).unwrap(), "line 5");
    let notes = found.notes.join("\n");
    assert!(
        notes
            .contains("2 of 5 texts were left out (line 2, line 3): longer than the 3 characters that the model takes"),
        "{notes}"
    );
    assert!(
        notes.contains("1 of 4 characters are not in the model's vocabulary, and stand as unknown: `z`"),
        "{notes}"
    );
    // A table has them in a column, and so have JSON lines.
    assert_eq!(read("new.csv", "id,text\n1,ab\n2,b\n").unwrap().split.rows, 2);
    assert_eq!(read("new.jsonl", "\"ab\"\n").unwrap().split.rows, 1);
    // A file of one number a line is text for a model of texts.
    assert_eq!(read("numbers.txt", "1 2\n3 4\n").unwrap().split.rows, 2);
    for (name, text, reason) in [
        ("long.txt", "abcabc\n", "every text is longer than the 3 characters that the model takes: the shortest has 6"),
        ("new.csv", "id,body\n1,ab\n", "`data.text` names the column with the texts; there are id, body"),
    ] {
        let error = read(name, text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let error = rows(&"points:count=20".into(), &like).unwrap_err().to_string();
    assert!(error.contains("the model takes texts of at most 3 tokens, but points:count=20 has points"), "{error}");
    let of_points = Dataset::load("points:count=20").unwrap().description();
    let error = rows(&written(&folder, "new.txt", "ab\nba\n"), &of_points).unwrap_err().to_string();
    assert!(error.contains("the model takes points of 2 coordinates, but"), "{error}");
    // The model knows its own rows again.
    let again = rows(&written(&folder, "x.txt", &lines), &like).unwrap();
    assert!(like.trained.as_ref().unwrap().mark(&again.split).contains(&true));
}

#[test]
fn classes_and_balance_work_on_texts() {
    let lines: String = (0..60).map(|i| format!("t{i},{}\n", if i % 6 == 0 { "rare" } else { "often" })).collect();
    let content = format!("body,kind\n{lines}");
    let of = |change: &dyn Fn(&mut Options)| {
        let both = |o: &mut Options| {
            (o.text, o.label) = (Some("body".into()), Some("kind".into()));
            change(o);
        };
        load("x.csv", &content, both).unwrap()
    };
    let rare = of(&|o| o.keep_label = vec!["rare".into()]);
    assert_eq!(rare.train.rows + rare.test.rows, 10);
    let balanced = of(&|o| o.balance = true);
    let labels = balanced.train.labels.as_ref().unwrap();
    assert_eq!(labels.iter().filter(|label| **label == 0).count(), labels.iter().filter(|label| **label == 1).count());
    assert_eq!(of(&|o| o.limit = Some(7)).train.rows, 7);
}

#[test]
fn packed_files_are_read() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(five("\n").as_bytes()).unwrap();
    let data = Dataset::load(written(&folder, "x.txt.gz", packed.finish().unwrap())).unwrap();
    assert_eq!((data.name.as_str(), data.train.rows + data.test.rows), ("x", 5));
}

/// A description may have been edited.
#[test]
fn descriptions_of_texts_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let description = Dataset::load(written(&folder, "x.txt", "ab\nba\nbb\n")).unwrap().description();
    let json = serde_json::to_string(&description).unwrap();
    assert_eq!(serde_json::from_str::<super::super::Description>(&json).unwrap(), description);
    for (from, to, reason) in [
        ("\"length\":3", "\"length\":1", "which no model can be trained on"),
        ("\"length\":3", "\"length\":99999999", "which no model can be trained on"),
        ("\"tokens\":4", "\"tokens\":5", "and 4 tokens, which do not belong together"),
        ("\"bytes\":false", "\"bytes\":true", "as levels of grey"),
        ("\"bytes\":false", "\"bytes\":false,\"missing\":true", "of which some pixels are missing"),
        ("\"characters\"", "\"bytes\"", "does not have each byte once"),
        ("{\"text\":{\"length\":3,\"tokens\":4}}", "{\"point\":3}", "and 4 tokens, which do not belong together"),
    ] {
        assert!(json.contains(from), "{json}");
        let error = serde_json::from_str::<super::super::Description>(&json.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let of_points = Dataset::load("points:count=20").unwrap().description();
    assert!(!serde_json::to_string(&of_points).unwrap().contains("vocabulary"));
}
