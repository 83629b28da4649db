//! Buckets of training texts by their lengths. A step costs as many tokens as its longest text has, so a batch of short texts alone is
//! cheaper than one that has a long text among them. Each batch is full, and each bucket has as many steps as it has texts.

use wgvae_data::{Examples, Values};

use crate::config::Config;
use crate::model::{Bucket, VaeSpec};

/// The least that a bucket more must save of the tokens of an epoch: it costs a plan, and batches that are more alike.
const LEAST_SAVED: f64 = 0.05;
/// The most lengths that are tried as the end of a bucket.
const MAX_ENDS: usize = 200;

/// Tokens of each text, the end among them.
pub fn lengths(texts: &Examples, width: usize) -> Vec<usize> {
    let Values::Floats(tokens) = &texts.values else { return Vec::new() };
    tokens.chunks(width.max(1)).map(|row| row.iter().take_while(|token| **token >= 0.0).count()).collect()
}

/// The rows in the order of their buckets, as the device has them.
pub fn order(lengths: &[usize], buckets: &[Bucket]) -> Vec<u32> {
    let bucket = |row: &u32| buckets.iter().position(|bucket| lengths[*row as usize] <= bucket.tokens);
    let mut rows: Vec<u32> = (0..lengths.len() as u32).collect();
    // Within a bucket the rows keep their order.
    rows.sort_by_key(bucket);
    rows
}

/// The buckets that a run trains by; none where there is nothing to save, or where the network cannot have them.
pub fn buckets(config: &Config, spec: &VaeSpec, texts: &Examples) -> Vec<Bucket> {
    let most = config.train.buckets;
    if most < 2 || spec.of_tokens(spec.width).is_none() {
        return Vec::new();
    }
    // A batch with a text twice would learn less.
    split(&lengths(texts, spec.width), most, 2 * config.train.batch)
}

/// The division into at most so many buckets of at least so many texts that needs the fewest tokens.
fn split(lengths: &[usize], most: usize, least: usize) -> Vec<Bucket> {
    let Some(longest) = lengths.iter().copied().max() else { return Vec::new() };
    let mut shorter = vec![0; longest + 1];
    for length in lengths {
        shorter[*length] += 1;
    }
    for length in 1..=longest {
        shorter[length] += shorter[length - 1];
    }
    // Places where a bucket may end: a length, and how many texts are not longer.
    let mut ends: Vec<(usize, usize)> = Vec::new();
    let step = lengths.len() / MAX_ENDS;
    for (length, texts) in shorter.iter().enumerate() {
        let before = ends.last().map_or(0, |(_, texts)| *texts);
        if *texts > before + step || length == longest {
            ends.push((length, *texts));
        }
    }
    // fewest[k][j]: the fewest tokens of the texts up to end j in k + 1 buckets, and the end before the last of these.
    let alone = |from: usize, to: usize| {
        let (before, (length, texts)) = (if from == 0 { 0 } else { ends[from - 1].1 }, ends[to]);
        (texts - before >= least).then_some((texts - before) * length)
    };
    let mut fewest: Vec<Vec<Option<(usize, usize)>>> =
        vec![(0..ends.len()).map(|to| Some((alone(0, to)?, 0))).collect()];
    for buckets in 1..most {
        let before = &fewest[buckets - 1];
        let best = |to: usize| {
            let with = |from: usize| Some((before[from - 1]?.0 + alone(from, to)?, from));
            (1..=to).filter_map(with).min()
        };
        fewest.push((0..ends.len()).map(best).collect());
    }
    let last = ends.len() - 1;
    let Some((mut now, _)) = fewest[0][last] else { return Vec::new() };
    let mut count = 1;
    for (more, of_all) in fewest.iter().map(|of_ends| of_ends[last]).enumerate().skip(1) {
        // Two more may save what one more does not.
        if let Some((fewer, _)) = of_all
            && fewer as f64 <= now as f64 * (1.0 - LEAST_SAVED).powi((more + 1 - count) as i32)
        {
            (now, count) = (fewer, more + 1);
        }
    }
    let mut buckets = Vec::new();
    let mut to = last;
    for before in (0..count).rev() {
        let from = fewest[before][to].map_or(0, |(_, from)| from);
        let first = if from == 0 { 0 } else { ends[from - 1].1 };
        buckets.push(Bucket { tokens: ends[to].0, rows: first..ends[to].1 });
        to = from.saturating_sub(1);
    }
    buckets.reverse();
    if count == 1 { Vec::new() } else { buckets }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens that an epoch costs.
    fn cost(buckets: &[Bucket]) -> usize {
        buckets.iter().map(|bucket| bucket.tokens * bucket.rows.len()).sum()
    }

    #[test]
    fn the_division_is_the_best_one_of_all() {
        let lengths: Vec<usize> =
            (0..300).map(|i: usize| 1 + (i * i) % 11 + if i.is_multiple_of(7) { 20 + i % 3 } else { 0 }).collect();
        let longest = *lengths.iter().max().unwrap();
        let upto = |length: usize| lengths.iter().filter(|own| **own <= length).count();
        let mut best = usize::MAX;
        for a in 1..longest {
            for b in a..longest {
                let [first, second] = [upto(a), upto(b)];
                if first >= 20 && (second == first || second - first >= 20) && 300 - second >= 20 {
                    best = best.min(first * a + (second - first) * b + (300 - second) * longest);
                }
            }
        }
        let found = split(&lengths, 3, 20);
        assert_eq!((found.len(), cost(&found)), (3, best));
        let rows = order(&lengths, &found);
        let mut start = 0;
        for bucket in &found {
            assert_eq!(bucket.rows.start, start);
            let longest = rows[bucket.rows.clone()].iter().map(|row| lengths[*row as usize]).max();
            assert_eq!(longest, Some(bucket.tokens));
            start = bucket.rows.end;
        }
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert!(start == 300 && sorted.iter().enumerate().all(|(i, row)| i == *row as usize));
    }

    #[test]
    fn where_little_is_saved_there_are_fewer() {
        assert_eq!(split(&[], 4, 2), []);
        assert_eq!(split(&[7; 100], 4, 2), []);
        assert_eq!(split(&[1, 2, 3, 50], 4, 3), []);
        let mut lengths = vec![10; 100];
        lengths.extend([11; 100]);
        assert_eq!(split(&lengths, 4, 2), [], "4.5 % of the tokens");
        lengths.extend([40; 50]);
        let found: Vec<usize> = split(&lengths, 4, 2).iter().map(|bucket| bucket.tokens).collect();
        assert_eq!(found, [11, 40]);
    }

    #[test]
    fn many_lengths_are_divided_soon_and_well() {
        let lengths: Vec<usize> = (0..20_000).map(|i| 1 + i % 5000).collect();
        let found = split(&lengths, 4, 100);
        // Equal shares are the best division of lengths that are equally frequent: (1 + 1 / 4) / 2 of all.
        assert!(cost(&found) as f64 <= 0.626 * (20_000 * 5000) as f64, "{found:?}");
    }
}
