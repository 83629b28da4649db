//! How unusual rows are to a model: their scores, where these lie among those of training rows, and what they owe to each
//! column of a table or region of an image.

use wgvae_data::{Cell, Columns, Examples, NOTHING, Provenance, Shape, Unseen, ValueKind, Vocabulary};
use wgvae_engine::plan::is_missing;

use super::joined::Joined;
use super::{Run, RunError, TrainedModel, statistics, units};

/// Regions of an image along each side.
const REGIONS: usize = 4;
/// The most training rows that rows are compared with: enough for quantiles of 0.999.
pub const MAX_COMPARED: usize = 2000;
/// Deviations above the median of the training rows' scores from which on a row is anomalous, if nothing else is said
/// (Iglewicz and Hoaglin, 1993).
const FAR: f64 = 3.5;

/// Scores and losses of training rows, which those of other rows are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingScores {
    /// The scores, in ascending order.
    scores: Vec<f64>,
    /// The mean loss of each part.
    losses: Vec<f64>,
}

/// Means `(parts)` of losses `(N, parts)`, over the rows in which something of the part is there: what is missing loses 0.
fn means(losses: &[f64], parts: usize) -> Vec<f64> {
    let mean = |part: usize| {
        let there = losses.iter().skip(part).step_by(parts).filter(|loss| **loss != 0.0);
        there.clone().sum::<f64>() / there.count().max(1) as f64
    };
    (0..parts).map(mean).collect()
}

impl TrainingScores {
    /// What is kept of the scores of training rows.
    pub fn of(found: Scores) -> Self {
        let losses = means(&found.losses, found.parts);
        let mut scores = found.scores;
        scores.sort_by(f64::total_cmp);
        Self { scores, losses }
    }

    /// The share of the training rows whose score is lower.
    pub fn quantile(&self, score: f64) -> f64 {
        self.scores.partition_point(|other| *other < score) as f64 / self.scores.len() as f64
    }

    /// The score that this share of the training rows does not exceed.
    pub fn score_at(&self, quantile: f64) -> f64 {
        let place = (quantile * self.scores.len() as f64).ceil() as usize;
        self.scores[place.clamp(1, self.scores.len()) - 1]
    }

    /// A score that is far above those of the training rows, in deviations that a few outliers among them do not change.
    pub fn far(&self) -> f64 {
        let median = self.score_at(0.5);
        let mut apart: Vec<f64> = self.scores.iter().map(|score| (score - median).abs()).collect();
        apart.sort_by(f64::total_cmp);
        // The median distance of a normal distribution is 0.6745 deviations.
        median + FAR * apart[apart.len() / 2] / 0.6745
    }
}

/// Scores of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// What rows are ranked by: the negative ELBO, or what [`Scores::join`] makes of it; of rows that [`Scores::raise`] raised, a score
    /// above those of all others.
    pub scores: Vec<f64>,
    /// The negative ELBO of each row, which depends on its content and the run's seed alone.
    pub negative_elbos: Vec<f64>,
    /// How far each row is from training rows, if that was joined.
    pub distances: Option<Vec<f64>>,
    /// The mean squared error of each row's reconstruction, in the units the model was trained with; of a text the nats of a token under
    /// its mean code.
    pub errors: Vec<f64>,
    /// How many parts a row has.
    parts: usize,
    /// `(N, parts)`: the loss of each part under the mean code.
    losses: Vec<f64>,
}

impl Scores {
    /// How many rows a progress callback of [`Scores::of`] is given in all.
    pub fn steps(rows: &Examples, draws: usize) -> usize {
        rows.rows * (draws + 1)
    }

    /// Scores rows, averaged over `draws` latent draws; `parts` are the places of each part's values. `progress` is given how many rows
    /// more were scored under one draw, or reconstructed.
    pub fn of(
        model: &mut TrainedModel,
        rows: &Examples,
        draws: usize,
        parts: &[Vec<usize>],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, RunError> {
        let (width, distribution, intervals) =
            (model.width(), model.distribution().clone(), model.intervals().cloned());
        let loss_inputs =
            |x: &[f32]| intervals.as_ref().map_or_else(|| vec![0.0; x.len()], |columns| columns.loss_inputs(x));
        let scores: Vec<f64> = model
            .score_by_content_with(rows, draws, progress)?
            .into_iter()
            .map(|score| score.negative_elbo())
            .collect();
        if model.is_of_texts() {
            let losses: Vec<f64> = model.token_losses(rows)?.into_iter().map(f64::from).collect();
            let tokens = rows.numbers(0..rows.rows, width);
            let mean = |(losses, tokens): (&[f64], &[f32])| {
                losses.iter().sum::<f64>() / tokens.iter().filter(|token| **token != NOTHING).count().max(1) as f64
            };
            let errors = losses.chunks_exact(width).zip(tokens.chunks_exact(width)).map(mean).collect();
            progress(rows.rows);
            return Ok(Self { negative_elbos: scores.clone(), scores, distances: None, errors, parts: width, losses });
        }
        let mut errors = Vec::with_capacity(rows.rows);
        let mut losses = Vec::with_capacity(rows.rows * parts.len());
        model.reconstruct_each(rows, |row, mean, parameters| {
            let x = rows.numbers(row..row + 1, width);
            let there = || (0..width).filter(|i| !is_missing(x[*i]));
            let square = |i: usize| f64::from(x[i] - mean[i]).powi(2);
            errors.push(there().map(square).sum::<f64>() / there().count().max(1) as f64);
            let loss_inputs = loss_inputs(&x);
            let loss = |i: &usize| distribution.loss(*i, [x[*i], loss_inputs[*i]], mean[*i], parameters(*i));
            losses.extend(parts.iter().map(|part| part.iter().map(loss).sum::<f64>()));
            progress(1);
        })?;
        Ok(Self { negative_elbos: scores.clone(), scores, distances: None, errors, parts: parts.len(), losses })
    }

    /// Joins the negative ELBOs of a table's rows, and those of `of_train`, training rows, with their distances to training rows: each in
    /// deviations of the training rows, which are added. `trained` says which rows were trained on.
    pub fn join(
        &mut self,
        of_train: &mut Self,
        columns: &Columns,
        [rows, train]: [&Examples; 2],
        trained: Option<&[bool]>,
    ) {
        let (joined, (train_scores, train_distances)) = Joined::of(columns, train, &of_train.negative_elbos);
        let is_trained = |row: usize| trained.is_some_and(|trained| trained[row]);
        let (scores, distances) = joined.score(rows, &self.negative_elbos, is_trained);
        (self.scores, self.distances) = (scores, Some(distances));
        (of_train.scores, of_train.distances) = (train_scores, Some(train_distances));
    }

    /// Raises the scores of rows with something that no training row had, above those of all other rows and of the training rows: among
    /// themselves by how much of it they have, then by their scores.
    pub fn raise(&mut self, unseen: &[Unseen], train: Option<&TrainingScores>) {
        let mut counts = vec![0_usize; self.scores.len()];
        unseen.iter().filter_map(|unseen| counts.get_mut(unseen.row).map(|count| *count += 1)).for_each(drop);
        let others = self.scores.iter().zip(&counts).filter(|(score, count)| **count == 0 && score.is_finite());
        let mut others: Vec<f64> = others.map(|(score, _)| *score).collect();
        others.extend(train.iter().flat_map(|train| &train.scores));
        others.sort_by(f64::total_cmp);
        let top = others.last().copied().unwrap_or(0.0);
        let unit = others.get(others.len() / 2).map_or(1.0, |median| (top - median).max(1.0));
        for (score, count) in self.scores.iter_mut().zip(counts).filter(|(_, count)| *count > 0) {
            let share = if score.is_finite() { 1.0 / (1.0 + ((top - *score) / unit).exp()) } else { 1.0 };
            *score = top + unit * (count as f64 - 1.0 + 0.01 + 0.98 * share);
        }
    }

    /// `(N, parts)`: the share of each part in what a row's parts lose more than those of training rows; 0 where none does. Without
    /// training rows, the mean over these rows stands for theirs.
    pub fn shares(&self, train: Option<&TrainingScores>) -> Vec<f64> {
        let expected = train.map_or_else(|| means(&self.losses, self.parts), |train| train.losses.clone());
        self.shares_above(&expected)
    }

    /// `(N, parts)`: the share of each part in what a row loses.
    pub fn shares_of_all(&self) -> Vec<f64> {
        self.shares_above(&vec![0.0; self.parts])
    }

    /// `(N, parts)`: the share of each part in what a row's parts lose more than these.
    fn shares_above(&self, expected: &[f64]) -> Vec<f64> {
        let of_row = |row: &[f64]| -> Vec<f64> {
            // What is missing is not unusual, even where other rows have densities above 1.
            let more = |(loss, expected): (&f64, &f64)| if *loss == 0.0 { 0.0 } else { (loss - expected).max(0.0) };
            let all: Vec<f64> = row.iter().zip(expected).map(more).collect();
            let sum: f64 = all.iter().sum();
            all.iter().map(|part| if sum > 0.0 { part / sum } else { 0.0 }).collect()
        };
        self.losses.chunks_exact(self.parts.max(1)).flat_map(of_row).collect()
    }

    /// `(N, parts)`: the loss of each part under the mean code.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Row numbers, the most anomalous first.
    pub fn order(&self) -> Vec<usize> {
        statistics::descending(&self.scores)
    }
}

/// What a model expects of a cell, in the units of its table.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// What stands there.
    pub seen: Cell,
    /// The mean of a number, or the likeliest word.
    pub mean: Cell,
    /// Half of the width of the middle two thirds of a number's distribution.
    pub deviation: Option<f64>,
    /// The probability of the word that is likeliest.
    pub probability: Option<f64>,
}

/// What a model expects of each cell `(N, C)` of a table's rows, given all of the row; of each token `(N, T)` of texts, given their codes
/// and the tokens before it.
pub fn expected(run: &Run, model: &mut TrainedModel, rows: &Examples) -> Result<Vec<Expected>, RunError> {
    if let Some(vocabulary) = &run.data.vocabulary {
        let tokens = rows.numbers(0..rows.rows, run.data.shape.len());
        let word = |token: f32| match token {
            NOTHING => Cell::Missing,
            token => Cell::Word(vocabulary.shown(token as u32)),
        };
        let of = |(token, (likeliest, probability)): (f32, (u32, f64))| Expected {
            seen: word(token),
            mean: word(likeliest as f32),
            deviation: None,
            probability: Some(probability),
        };
        return Ok(tokens.into_iter().zip(model.likeliest_tokens(rows)?).map(of).collect());
    }
    let Some(columns) = &run.data.columns else { return Ok(Vec::new()) };
    let shown = model.reconstruct_shown(rows)?;
    let seen = columns.cells(&rows.numbers(0..rows.rows, columns.width()), Provenance::Kept);
    let means = units::cells(run, model, &shown).unwrap_or_default();
    let (spans, width) = (columns.spans(), columns.width());
    let of = |(place, (seen, mean)): (usize, (Cell, Cell))| {
        let (row, column) = (place / columns.len(), place % columns.len());
        let (span, of) = (&spans[column], &columns.all[column]);
        let values = &shown.means[row * width + span.start..row * width + span.end];
        let parameters = shown.parameters_of(row * width + span.start);
        let at = |share: f64| {
            of.of_value(f64::from(values[0]) + model.distribution().distance(span.start, share, parameters))
        };
        let probability = match of.kind {
            ValueKind::YesNo => Some(f64::from(values[0]).max(1.0 - f64::from(values[0]))),
            ValueKind::Category => values.iter().copied().map(f64::from).reduce(f64::max),
            _ => None,
        };
        Expected {
            seen,
            mean,
            deviation: of.kind.is_normal().then(|| (at(5.0 / 6.0) - at(1.0 / 6.0)) / 2.0),
            probability,
        }
    };
    Ok(seen.into_iter().zip(means).enumerate().map(of).collect())
}

/// Tokens of texts that the vocabulary does not have, where no training row has such a token either.
pub fn unseen_tokens(run: &Run, rows: &Examples, train: &Examples) -> Vec<Unseen> {
    let Some(vocabulary) = &run.data.vocabulary else { return Vec::new() };
    let width = run.data.shape.len();
    let is_unknown = |token: &f32| *token == Vocabulary::UNKNOWN as f32;
    if train.numbers(0..train.rows, width).iter().any(is_unknown) {
        return Vec::new();
    }
    let tokens = rows.numbers(0..rows.rows, width);
    let unknown = tokens.iter().enumerate().filter(|(_, token)| is_unknown(token));
    let why = |column: usize| format!("token {column} is none of the {} of training rows", vocabulary.unit.name());
    unknown.map(|(i, _)| Unseen { row: i / width, column: i % width, why: why(i % width) }).collect()
}

/// The parts of a row that unusual values are looked for in, and their names: columns, tokens, steps of a series, or regions of an image
/// in rows and columns. `names` are those of columns and of single values.
pub fn parts(shape: Shape, columns: Option<&Columns>, names: Vec<String>) -> (Vec<String>, Vec<Vec<usize>>) {
    if let Shape::Text { length, .. } = shape {
        return ((0..length).map(|i| format!("token {i}")).collect(), (0..length).map(|i| vec![i]).collect());
    }
    if let Shape::Series { length, channels } = shape {
        let step = |step: usize| (step * channels..(step + 1) * channels).collect();
        return ((0..length).map(|step| format!("step {step}")).collect(), (0..length).map(step).collect());
    }
    let Shape::Image { height, width, channels } = shape else {
        let spans = columns.map_or_else(|| (0..shape.len()).map(|i| i..i + 1).collect(), Columns::spans);
        return (names, spans.into_iter().map(Iterator::collect).collect());
    };
    let (down, across) = (height.min(REGIONS), width.min(REGIONS));
    // Where a region begins.
    let edge = |number: usize, side: usize, count: usize| (number * side).div_ceil(count);
    let span = |number: usize, side: usize, count: usize| edge(number, side, count)..edge(number + 1, side, count);
    let mut names = Vec::new();
    let mut parts = Vec::new();
    for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
        let (rows, cols) = (span(y, height, down), span(x, width, across));
        names.push(format!("rows {}-{} columns {}-{}", rows.start, rows.end - 1, cols.start, cols.end - 1));
        let pixels = rows.flat_map(|row| cols.clone().map(move |col| row * width + col));
        parts.push(pixels.flat_map(|pixel| pixel * channels..(pixel + 1) * channels).collect());
    }
    (names, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_cover_an_image_once() {
        for shape in [(28, 28, 1), (5, 3, 3), (1, 9, 1), (7, 64, 3)] {
            let shape = Shape::Image { height: shape.0, width: shape.1, channels: shape.2 };
            let (names, parts) = parts(shape, None, Vec::new());
            assert_eq!(names.len(), parts.len());
            let mut all = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..shape.len()).collect::<Vec<_>>(), "{shape}");
        }
        assert_eq!(
            parts(Shape::Image { height: 28, width: 28, channels: 1 }, None, Vec::new()).0[5],
            "rows 7-13 columns 7-13"
        );
    }

    #[test]
    fn scores_are_placed_among_those_of_training_rows() {
        let train = TrainingScores { scores: (1..=100).map(f64::from).collect(), losses: vec![1.0, 2.0] };
        assert_eq!((train.quantile(0.0), train.quantile(51.0), train.quantile(1e9)), (0.0, 0.5, 1.0));
        assert_eq!((train.score_at(0.99), train.score_at(1.0), train.score_at(0.0)), (99.0, 100.0, 1.0));
        // The median is 50, and half of the others are up to 25 away.
        assert!((train.far() - (50.0 + 3.5 * 25.0 / 0.6745)).abs() < 1e-9, "{}", train.far());
        let found = Scores {
            scores: vec![0.0; 2],
            negative_elbos: vec![0.0; 2],
            distances: None,
            errors: Vec::new(),
            parts: 2,
            losses: vec![4.0, 3.0, 0.5, 1.0],
        };
        assert_eq!(found.shares(Some(&train)), [0.75, 0.25, 0.0, 0.0]);
        let mut found = Scores { scores: vec![3.0, 500.0, -2.0, f64::NAN, 900.0], ..found.clone() };
        let unseen = |row: usize| Unseen { row, column: 0, why: String::new() };
        found.raise(&[unseen(0), unseen(2), unseen(3), unseen(4), unseen(4)], Some(&train));
        let scores = &found.scores;
        assert!(scores.iter().all(|score| score.is_finite()));
        // 500 is not raised, and lies above all training rows; two reasons lie above one.
        assert_eq!(found.order(), [4, 3, 0, 2, 1]);
        assert!(scores[2] > scores[1] && scores[1] == 500.0);
        let found = Scores { scores: vec![0.0; 2], ..found };
        // The means are 2.25 and 2.
        assert_eq!(found.shares(None), [1.75 / 2.75, 1.0 / 2.75, 0.0, 0.0]);
    }
}
