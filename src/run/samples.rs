//! What a run's page shows of samples of a table beside its data: how values are spread, how columns go together, how well the two are
//! told apart, how close samples come to single rows, and some rows of both.

use wgvae_data::{Cell, Columns, Examples, Provenance, spread};
use wgvae_engine::plan::is_missing;

use super::histogram::steps;
use crate::apply::quality::associations::associations;
use crate::apply::quality::closeness::{Closeness, Distances};
use crate::apply::quality::records::Records;
use crate::apply::quality::told_apart::ToldApart;
use crate::apply::{Mixture, Run, RunError, TrainedModel, missing};
use crate::report::measured;
use crate::report::page::{ComparedFigure, Marginal, Matrix, Notice, SampleRows, Samples, Shares};

/// Samples that are drawn, at most and at least; and cells of samples, or of rows, as far as the least allows.
const SAMPLES: usize = 2000;
const MIN_SAMPLES: usize = 100;
const MAX_ROWS: usize = 30_000;
const MAX_CELLS: usize = 1 << 20;
/// Words of a column whose shares are shown, at most.
const MAX_WORDS: usize = 12;
/// Columns whose associations are shown, at most.
const MAX_ASSOCIATED: usize = 40;
/// Rows of each kind that are shown, and their columns at most.
const EXAMPLES: usize = 10;
const MAX_SHOWN: usize = 20;

/// Samples of a run's table beside rows that it was not trained on; and what must be known of them.
pub fn samples(
    run: &Run,
    [rows, train]: [&Examples; 2],
    mixture: Option<&Mixture>,
    model: &mut TrainedModel,
) -> Result<(Samples, Vec<Notice>), RunError> {
    let Some(columns) = run.data.columns.as_ref().filter(|_| run.has_prior() || mixture.is_some()) else {
        return Ok(Default::default());
    };
    let count = (MAX_CELLS / columns.len().max(1)).clamp(MIN_SAMPLES, SAMPLES);
    let most = MAX_ROWS.min(MAX_CELLS / columns.len().max(1)).max(MIN_SAMPLES);
    let some = (rows.rows > most).then(|| rows.some(most, 0));
    let rows = some.as_ref().unwrap_or(rows);
    let (z, mut drawn) = model.sample_from(mixture, count, 0)?;
    let can_draw = model.distribution().can_draw();
    if can_draw {
        model.distribution().draw(&mut drawn, 0)?;
    }
    let has_missing = |split: &Examples| split.numbers(0..split.rows, columns.width()).into_iter().any(is_missing);
    if columns.missing && has_missing(rows) && has_missing(train) {
        missing::take_over(model, columns, train, &z, &mut drawn.means, 0)?;
    }
    let cells = [
        columns.cells(&rows.numbers(0..rows.rows, columns.width()), Provenance::Kept),
        columns.cells(&drawn.means, Provenance::Drawn),
    ];
    let [real, made] = cells.each_ref().map(|cells| Records::of(columns, cells));
    let told_apart = if can_draw { ToldApart::of(&made, &real, 0) } else { None };
    let closeness = can_draw.then(|| Closeness::of(&made, &real, &Records::of_split(columns, train)));
    let (marginals, unlike) = marginals(columns, &cells, [&real, &made]);
    let learned = closeness.as_ref().and_then(Closeness::gives_away).map(|what| Notice {
        headline: "Samples give training rows away".into(),
        sentence: format!(
            "{what}. Train with fewer epochs or a larger `model.beta`, or leave out columns that name rows."
        ),
    });
    let samples = Samples {
        figures: figures(told_apart.as_ref(), closeness.as_ref()),
        marginals,
        associations: matrices(columns, [&real, &made]),
        rows: Some(examples(columns, cells)),
    };
    Ok((samples, unlike.into_iter().chain(learned).collect()))
}

fn figures(told_apart: Option<&ToldApart>, closeness: Option<&Closeness>) -> Vec<ComparedFigure> {
    let mut all = Vec::new();
    let mut add = |name: &str, [samples, rows]: [String; 2], note: String| {
        all.push(ComparedFigure { name: name.into(), samples, rows, note });
    };
    if let Some(ToldApart { rows, auc, by }) = told_apart {
        let by: Vec<String> = by.iter().map(|(name, share)| format!("{name} {:.0} %", 100.0 * share)).collect();
        let by = if by.is_empty() { String::new() } else { format!("; by {}", by.join(", ")) };
        let note = format!(
            "ROC-AUC of a random forest that tells {rows} samples from as many rows, the mean of five folds: .5 if it cannot, 1 if it \
             always can{by}"
        );
        add("Told apart", [format!("{auc:.3}"), String::new()], note);
    }
    let Some(Closeness { drawn, held_out }) = closeness else { return all };
    let both = |of: &dyn Fn(&Distances) -> String| [of(drawn), held_out.as_ref().map_or_else(String::new, of)];
    let copies = both(&|of| format!("{} of {}", of.copies, of.rows));
    add("Copies", copies, "rows that are the same as a training row in every cell".into());
    let near = both(&|of| of.near_copies.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share)));
    if near.iter().any(|share| !share.is_empty()) {
        let note = "rows nearer to a training row than nineteen in twenty rows not trained on are";
        add("Nearly copies", near, note.into());
    }
    let note = "the median of the mean over the columns: 0 between equal cells, 1 between different words and between numbers four \
                deviations apart";
    add("Distance to the closest training row", both(&|of| measured(of.distance)), note.into());
    let note = "the median: near 0 where rows sit on single training rows";
    add("That over the distance to the second closest", both(&|of| measured(of.ratio)), note.into());
    all
}

/// How values are spread in rows and in samples; and what to say of columns where the two do not match.
fn marginals(columns: &Columns, cells: &[Vec<Cell>; 2], records: [&Records; 2]) -> (Vec<Marginal>, Option<Notice>) {
    let count = columns.len();
    let mut unlike = Vec::new();
    let mut marginal = |i: usize| {
        let column = &columns.all[i];
        // Levels are numbers.
        let is_of_words = column.kind.is_of_words() && column.levels.is_empty();
        let (shares, difference) = match is_of_words {
            true => {
                let there = records.map(|records| {
                    records.column(i).filter(|place| !place.is_nan()).map(|place| place as usize).collect::<Vec<_>>()
                });
                (Shares::Words(of_words(&column.words, &there)), differing_words(&column.words, &there))
            }
            false => {
                let numbers = |cells: &Vec<Cell>| {
                    let number = |cell: &Cell| match cell {
                        Cell::Word(level) if !column.levels.is_empty() => level.parse().ok(),
                        cell => cell.number_in(column),
                    };
                    cells.iter().skip(i).step_by(count).filter_map(number).collect::<Vec<f64>>()
                };
                let both = cells.each_ref().map(numbers);
                (Shares::Numbers(steps(column, &both)), differing_numbers(&both))
            }
        };
        unlike.extend(difference.map(|difference| (column.name.clone(), difference)));
        Marginal { name: column.name.clone(), shares }
    };
    let marginals = (0..count).map(&mut marginal).collect();
    (marginals, notice(unlike))
}

/// How the columns of the data go together, and those of samples.
fn matrices(columns: &Columns, both: [&Records; 2]) -> Option<[Matrix; 2]> {
    if columns.len() < 2 {
        return None;
    }
    let shown: Vec<usize> = (0..columns.len().min(MAX_ASSOCIATED)).collect();
    let names: Vec<String> = shown.iter().map(|column| columns.all[*column].name.clone()).collect();
    let mut titles = ["How columns of the data go together", "How columns of samples go together"].into_iter();
    Some(both.map(|records| Matrix {
        title: titles.next().unwrap_or_default().into(),
        names: names.clone(),
        shares: associations(records, &shown),
    }))
}

/// Some rows of the data and of samples, as the table has them.
fn examples(columns: &Columns, cells: [Vec<Cell>; 2]) -> SampleRows {
    let of_table = columns.of_table();
    let shown = of_table.len().min(MAX_SHOWN);
    let rows = cells.map(|cells| {
        let picked = spread(cells.len() / columns.len().max(1), EXAMPLES);
        let picked = picked.into_iter().flat_map(|row| cells[row * columns.len()..(row + 1) * columns.len()].to_vec());
        let joined = columns.joined(picked.collect());
        let text = |(place, cell): (usize, &Cell)| match cell {
            Cell::Missing => String::new(),
            Cell::Word(word) => word.clone(),
            number => {
                let column = &columns.all[of_table[place].columns.start];
                number.number_in(column).map_or_else(String::new, |number| column.form.write(number, column.decimals))
            }
        };
        let row = |row: &[Cell]| row.iter().take(shown).enumerate().map(text).collect();
        joined.chunks(of_table.len().max(1)).map(row).collect()
    });
    let names = of_table.iter().take(shown).map(|column| column.name.to_string()).collect();
    SampleRows { names, more: of_table.len() - shown, rows }
}

/// Columns that are named in a notice, at most.
const MAX_NAMED: usize = 3;
/// How far shares of data and samples may be apart before it is said, beside what is chance.
const APART: f64 = 0.1;

/// A column's values whose shares differ the most.
struct Difference {
    /// By how much, beyond what may be.
    beyond: f64,
    /// In words.
    said: String,
}

fn notice(mut unlike: Vec<(String, Difference)>) -> Option<Notice> {
    unlike.sort_by(|a, b| b.1.beyond.total_cmp(&a.1.beyond));
    let named: Vec<String> = unlike.iter().take(MAX_NAMED).map(|(name, _)| format!("`{name}`")).collect();
    let more = match unlike.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let said: Vec<String> = unlike.iter().take(MAX_NAMED).map(|(name, of)| format!("`{name}`: {}.", of.said)).collect();
    (!unlike.is_empty()).then(|| Notice {
        headline: format!("Samples of {}{more} do not match the data", named.join(", ")),
        sentence: said.join(" "),
    })
}

/// How far apart shares among so many values may be by chance, in one of a hundred columns (Kolmogorov and Smirnov).
fn chance(both: [usize; 2]) -> f64 {
    1.63 * both.iter().map(|count| 1.0 / *count as f64).sum::<f64>().sqrt()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The number up to which the shares of data and samples differ the most, if that is more than may be.
fn differing_numbers(both: &[Vec<f64>; 2]) -> Option<Difference> {
    let mut sorted = both.clone();
    sorted.iter_mut().for_each(|values| values.sort_by(f64::total_cmp));
    if sorted.iter().any(Vec::is_empty) {
        return None;
    }
    let up_to = |of: usize, value: f64| sorted[of].partition_point(|v| *v <= value) as f64 / sorted[of].len() as f64;
    let apart = |value: f64| (up_to(0, value) - up_to(1, value)).abs();
    let value = sorted.iter().flatten().copied().max_by(|a, b| apart(*a).total_cmp(&apart(*b)))?;
    let beyond = apart(value) - APART - chance([sorted[0].len(), sorted[1].len()]);
    (beyond > 0.0).then(|| Difference {
        beyond,
        said: format!(
            "{} of the data and {} of the samples are {} or less",
            percent(up_to(0, value)),
            percent(up_to(1, value)),
            measured(value)
        ),
    })
}

/// The word whose shares differ the most, if that is more than may be: of the places of words in rows.
fn differing_words(words: &[String], both: &[Vec<usize>; 2]) -> Option<Difference> {
    if both.iter().any(Vec::is_empty) {
        return None;
    }
    let shares = words.iter().enumerate().map(|(place, word)| (word, both.each_ref().map(|of| share(of, place))));
    let apart = |shares: &[f64; 2]| (shares[0] - shares[1]).abs();
    let (word, [data, samples]) = shares.max_by(|a, b| apart(&a.1).total_cmp(&apart(&b.1)))?;
    let beyond = apart(&[data, samples]) - APART - chance([both[0].len(), both[1].len()]);
    (beyond > 0.0).then(|| Difference {
        beyond,
        said: format!("{} of the data and {} of the samples are {word}", percent(data), percent(samples)),
    })
}

fn share(places: &[usize], place: usize) -> f64 {
    places.iter().filter(|of| **of == place).count() as f64 / places.len().max(1) as f64
}

/// Shares of what is there, the most frequent first.
fn of_words(words: &[String], both: &[Vec<usize>; 2]) -> Vec<(String, [f64; 2])> {
    let of_word = |(place, word): (usize, &String)| (word.clone(), both.each_ref().map(|of| share(of, place)));
    let mut shares: Vec<_> = words.iter().enumerate().map(of_word).collect();
    shares.sort_by(|a, b| b.1[0].total_cmp(&a.1[0]));
    shares.truncate(MAX_WORDS);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_are_not_like_the_data_are_named() {
        let data: Vec<f64> = (0..1000).map(|i| f64::from(i % 100)).collect();
        let narrow: Vec<f64> = data.iter().map(|value| value / 2.0 + 50.5).collect();
        assert!(differing_numbers(&[data.clone(), data.iter().map(|value| value + 5.0).collect()]).is_none());
        let difference = differing_numbers(&[data.clone(), narrow]).unwrap();
        assert_eq!(difference.said, "51 % of the data and 0 % of the samples are 50.00 or less");
        // Few rows say little, and none nothing.
        assert!(differing_numbers(&[vec![1.0, 2.0], data.clone()]).is_none());
        assert!(differing_numbers(&[Vec::new(), data]).is_none());
        let words = ["a".to_string(), "b".to_string()];
        let places = |a: usize, b: usize| [vec![0; a], vec![1; b]].concat();
        assert!(differing_words(&words, &[places(500, 500), places(550, 450)]).is_none());
        let difference = differing_words(&words, &[places(500, 500), places(900, 100)]).unwrap();
        assert_eq!(difference.said, "50 % of the data and 10 % of the samples are b");
        let of = |name: &str, beyond: f64| (name.to_string(), Difference { beyond, said: "far".into() });
        let said = notice(vec![of("a", 0.1), of("b", 0.4), of("c", 0.2), of("d", 0.05)]).unwrap();
        assert_eq!(said.headline, "Samples of `b`, `c`, `a` and 1 more do not match the data");
        assert_eq!(said.sentence, "`b`: far. `c`: far. `a`: far.");
        assert_eq!(notice(Vec::new()), None);
    }

    #[test]
    fn words_are_counted_the_most_frequent_first() {
        let words = ["a".to_string(), "b".to_string()];
        let shares = of_words(&words, &[vec![1, 1, 0, 1], vec![0]]);
        assert_eq!(shares, [("b".to_string(), [0.75, 0.0]), ("a".to_string(), [0.25, 1.0])]);
    }
}
