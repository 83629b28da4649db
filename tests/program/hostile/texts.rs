//! Texts that are none, or more than fits.

use super::harness::{described, gzip, path, wgvae};

const MIB: usize = 1 << 20;

fn written(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> std::path::PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, content).unwrap();
    file
}

#[test]
fn what_is_no_text_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, reason) in [
        ("empty.txt", &b""[..], "empty.txt: it is empty"),
        ("blank.txt", b"\n\r\n \n\t\n", "it has no text: all that is there is empty"),
        ("latin.txt", b"one\ncaf\xe9\n", "latin.txt, line 2: it is not UTF-8"),
        ("cut.txt", b"one\ntwo \xe6\xbc", "line 2: it is not UTF-8"),
        ("zeros.txt", b"one\n\0\0\0\n", "line 2: it holds a zero byte"),
        ("wide.txt", b"\xff\xfeo\0n\0e\0\n\0", "it is UTF-16"),
        ("number.jsonl", b"1\n2\n", "line 1: it is `1`, and neither a string nor an object with one"),
        ("open.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"b\n", "line 2: it is not valid JSON"),
        ("list.jsonl", b"{\"text\": [\"a\"]}\n", "line 1: its `text` is `[\"a\"]`, which is no string"),
        ("empty.jsonl", b"", "empty.jsonl: it is empty"),
    ] {
        let ended = described(&written(&folder, name, content), &[], 3, reason);
        assert!(!ended.stderr.contains("`data."), "{}", ended.stderr);
        wgvae(&["train", "--data", &path(&folder.path().join(name)), "--device", "cpu"]).expect(3, reason);
    }
    // An error names the flag `--tokens`, where the library names its key `data.tokens`.
    let latin = folder.path().join("latin.txt");
    described(&latin, &[], 3, "--tokens bytes reads any bytes");
    let ended = described(&latin, &["--tokens", "bytes"], 0, "");
    assert!(ended.stdout.contains("bytes, 258 in the vocabulary"), "{}", ended.stdout);
    let returns = described(&written(&folder, "returns.txt", "one\rtwo\rthree\r"), &[], 0, "");
    assert!(returns.stdout.contains("2 training and 1 test texts"), "{}", returns.stdout);
    let mixed = described(&written(&folder, "mixed.txt", "one\rtwo\nthree\n"), &[], 0, "");
    assert!(mixed.stdout.contains("1 training and 1 test texts"), "{}", mixed.stdout);
}

/// A terminal does not obey what stands in a text.
#[test]
fn texts_are_printed_safely() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "x.txt", "\u{1b}[31mred\u{202e}\nplain\n\u{7}bell\n");
    let ended = described(&file, &["--tokens", "words"], 0, "");
    assert!(!ended.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']) && ended.stdout.contains("\\u001b[31mred"));
    let json: serde_json::Value = serde_json::from_str(&described(&file, &["--json"], 0, "").stdout).unwrap();
    assert_eq!(json["texts"]["unit"], "characters");
}

#[test]
fn long_lines_and_many_lines_take_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let long = "word ".repeat(2 * MIB);
    let reason = "every text is longer than 256 characters: the shortest has";
    described(&written(&folder, "long.txt", &long), &[], 3, reason);
    let two = format!("short\n{long}\nshort too\n");
    for tokens in ["characters", "bytes", "words"] {
        let ended = described(&written(&folder, "two.txt", &two), &["--tokens", tokens], 0, "");
        assert!(ended.stdout.contains("1 of 3 texts was left out (line 2): longer than"), "{}", ended.stdout);
    }
    let line = format!("\"{long}\"\n\"a\"\n\"b\"\n");
    described(&written(&folder, "long.jsonl", line), &[], 0, "");
    let nested = format!("{}\n", "[".repeat(10 * MIB));
    described(&written(&folder, "nested.jsonl", nested), &[], 3, "line 1: it is not valid JSON");
    let fields: String = (0..MIB).map(|i| format!("\"{i}\":0,")).collect();
    described(&written(&folder, "fields.jsonl", format!("{{{fields}\"a\":0}}\n")), &[], 3, "line 1: its object has no");
    let blank = format!("a\nb\n{}", "\n".repeat(20 * MIB));
    described(&written(&folder, "blank.txt", blank), &[], 0, "");
    // A gigabyte in a megabyte.
    let packed = gzip(b"a\n", &vec![b'x'; MIB], 1024);
    described(&written(&folder, "packed.txt.gz", packed), &[], 3, "it unpacks to more than");
    // A single long text makes all rows long.
    let rows = format!("{}{}\n", "a\n".repeat(MIB), "b".repeat(60_000));
    let file = written(&folder, "rows.txt", rows);
    described(&file, &["--max-length", "60000"], 3, "since each row is as long as the longest");
}
