//! Tests of how rows are chosen.

use super::*;

#[test]
fn rows_are_drawn_by_seed_and_exactly_as_many() {
    let marked = drawn(3, SPLIT, 1000, 100);
    assert_eq!(marked.iter().filter(|m| **m).count(), 100);
    assert_eq!(marked, drawn(3, SPLIT, 1000, 100));
    assert_ne!(marked, drawn(4, SPLIT, 1000, 100));
    assert_ne!(marked, drawn(3, LIMIT, 1000, 100));
    assert!(marked[..500].iter().filter(|m| **m).count() > 30);
}

#[test]
fn balanced_classes_have_as_many_rows_and_no_row_is_lost() {
    let mut options = Options::from("strokes:count=300");
    let plain = Dataset::load(options.clone()).unwrap();
    options.balance = true;
    let data = Dataset::load(options).unwrap();
    let labels = data.train.labels.as_ref().unwrap();
    let of = |class: u32| labels.iter().filter(|l| **l == class).count();
    let most = (0..10).map(of).max().unwrap();
    assert!((0..10).all(|class| of(class) == most));
    assert_eq!(labels[..300], plain.train.labels.unwrap()[..]);
    assert_eq!((data.train.rows, data.train.numbers(0..data.train.rows, 784).len()), (10 * most, 7840 * most));
    assert_eq!(data.test, plain.test);
}

#[test]
fn classes_and_limits_choose_rows() {
    let of = |change: &dyn Fn(&mut Options)| {
        let mut options = Options::from("strokes:count=500");
        change(&mut options);
        Dataset::load(options)
    };
    let data = of(&|o| o.keep_label = vec!["3".into(), "7".into()]).unwrap();
    assert!(data.train.labels.unwrap().iter().all(|l| [3, 7].contains(l)));
    assert_eq!(data.classes.len(), 10);
    let data = of(&|o| o.drop_label = vec!["3".into()]).unwrap();
    assert!(!data.test.labels.unwrap().contains(&3));
    let data = of(&|o| o.limit = Some(40)).unwrap();
    assert_eq!((data.train.rows, data.test.rows), (40, 100));
    for (change, reason) in [
        (&(|o: &mut Options| o.keep_label = vec!["x".into()]) as &dyn Fn(&mut Options), "there is no class `x`"),
        (&|o| o.limit = Some(0), "limit must be a number of rows above 0"),
        (&|o| o.test_share = 1.0, "test_share must be a share of the rows"),
        (&|o| o.test_share = f64::NAN, "test_share must be a share of the rows"),
        (&|o| o.label = Some("a".into()), "`data.kinds`, `data.missing_words` and `data.rare` apply only to tables"),
        (&|o| o.missing = Missing::Drop, "`data.missing` applies only to tables and to images of floats"),
    ] {
        let error = of(change).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
