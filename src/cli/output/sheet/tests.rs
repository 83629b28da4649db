//! Tests of sheets.

use super::*;

#[test]
fn json_has_cells_as_a_table_has_them() {
    let names = ["z", "whole", "number", "code", "word", "gone"].map(String::from).to_vec();
    let word = |word: &str| Cell::Word(word.into());
    let cells = vec![Cell::Number(88_696.54), Cell::Exact(72.0), word("4"), word("04"), word("inf"), Cell::Missing];
    let sheet = Sheet { names, numbers: vec![0.0; 6], cells: Some(cells), ..Sheet::default() };
    let expected = r#"{"z":88696.54,"whole":72,"number":4,"code":"04","word":"inf","gone":null}"#;
    assert_eq!(sheet.json(), format!("[\n{expected}\n]\n"));
    let digits = Sheet {
        names: vec!["id".into()],
        numbers: vec![0.0],
        cells: Some(vec![word("9007199254740993")]),
        ..Sheet::default()
    };
    assert_eq!(digits.json(), "[\n{\"id\":9007199254740993}\n]\n");
}

#[test]
fn a_spreadsheet_computes_nothing_of_safe_cells() {
    let word = |word: &str| Cell::Word(word.into());
    let cells = vec![word("=1+1"), word("-5"), word("-x"), word("@a"), word("+1e3"), word("a=b"), Cell::Number(-2.0)];
    let names = ["a", "b", "=c", "d", "e", "f", "g"].map(String::from).to_vec();
    let text = vec![("id".to_string(), vec!["\t=x".to_string()])];
    let sheet = Sheet { text, names, numbers: vec![0.0; 7], cells: Some(cells), ..Sheet::default() };
    let mut out = Vec::new();
    sheet.safe().text_to(&mut out, true).unwrap();
    let expected = "id,a,b,'=c,d,e,f,g\n'\t=x,'=1+1,-5,'-x,'@a,+1e3,a=b,-2\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn no_two_columns_have_one_name() {
    let names = ["label", "origin", "x"].map(String::from).to_vec();
    let text = |name: &str| (name.to_string(), vec![format!("of {name}")]);
    let numbers = vec![1.0, 2.0, 3.0];
    let text = vec![text("origin"), text("label"), text("row_label"), text("id"), text("id")];
    let sheet = Sheet { text, names, numbers, ..Sheet::default() };
    let mut csv = Vec::new();
    write::csv_to(&mut csv, 1, &sheet.blocks(&sheet.heads(false)), &Dialect::default()).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.starts_with("row_origin,row_label,row_row_label,id,row_id,label,origin,x\n"), "{csv}");
    let json: Vec<std::collections::BTreeMap<String, serde_json::Value>> = serde_json::from_str(&sheet.json()).unwrap();
    assert_eq!((json[0].len(), &json[0]["label"], &json[0]["row_label"]), (8, &1.into(), &"of label".into()));
    // A file of its own may have a name twice, and keeps it where it can.
    let names = ["a", "a"].map(String::from).to_vec();
    let own = Sheet { names, numbers: vec![1.0, 2.0], ..Sheet::default() };
    assert_eq!(own.heads(false).1, ["a", "a"]);
    assert_eq!(own.json(), "[\n{\"a\":1,\"row_a\":2}\n]\n");
}
