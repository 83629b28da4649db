//! Draws of expressions.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::grammar::{DIALECTS, GRAMMAR, PRODUCTIONS, Part, SizeTable, Symbol, Weights, dialect, table};
use super::{Kind, STRINGS};
use std::sync::LazyLock;

/// How many strings there are of each number of productions, up to those of `uniform`.
static SIZES: LazyLock<SizeTable> = LazyLock::new(|| table(&GRAMMAR, Kind::Uniform.most_productions()));

/// An example, and its dialect where it has one. Each has a random stream of its own, so that the result does not depend on the number
/// of threads.
pub fn example(kind: Kind, seed: u64, stream: u64) -> (String, Option<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let most = kind.most_productions();
    match kind {
        Kind::Uniform => {
            let all: u64 = SIZES[Symbol::S as usize].iter().map(|strings| strings.count).sum();
            (unranked(&SIZES, most, rng.random_range(0..all)), None)
        }
        Kind::Grammar => (drawn(&GRAMMAR, most, &mut rng), None),
        Kind::Dialects => {
            let number = rng.random_range(0..DIALECTS);
            let weights = dialect(number);
            let strings: Vec<String> = (0..STRINGS).map(|_| drawn(&weights, most, &mut rng)).collect();
            (strings.join(";"), Some(number))
        }
    }
}

/// A string drawn by the weights; one of more than `most` productions is drawn again.
fn drawn(weights: &Weights, most: usize, rng: &mut ChaCha8Rng) -> String {
    loop {
        let (mut text, mut used) = (String::new(), 0);
        let mut open = vec![Part::Of(Symbol::S)];
        while let Some(part) = open.pop().filter(|_| used <= most) {
            match part {
                Part::Text(written) => text.push_str(written),
                Part::Of(symbol) => {
                    used += 1;
                    open.extend(PRODUCTIONS[chosen(weights, symbol, rng)].iter().rev());
                }
            }
        }
        if used <= most {
            return text;
        }
    }
}

/// A production of a symbol, by the weights.
fn chosen(weights: &Weights, symbol: Symbol, rng: &mut ChaCha8Rng) -> usize {
    let mut left: f64 = rng.random();
    let last = symbol.productions().end - 1;
    for production in symbol.productions() {
        left -= weights[production];
        if left < 0.0 {
            return production;
        }
    }
    // Weights may add up to a little less than 1.
    last
}

/// The string of this number among all of up to `most` productions.
pub fn unranked(table: &SizeTable, most: usize, mut index: u64) -> String {
    let mut text = String::new();
    for size in 1..=most {
        let count = table[Symbol::S as usize][size].count;
        if index < count {
            write(table, Symbol::S, size, index, &mut text);
            break;
        }
        index -= count;
    }
    text
}

/// Writes the string of this number among those of a symbol and a number of productions.
fn write(table: &SizeTable, symbol: Symbol, size: usize, mut index: u64, text: &mut String) {
    let of = |symbol: Symbol, size: usize| table[symbol as usize][size].count;
    let left = size - 1;
    for production in symbol.productions() {
        let ways: Vec<(usize, u64)> = match PRODUCTIONS[production] {
            [Part::Of(first), _, Part::Of(second)] => {
                (1..left).map(|size| (size, of(*first, size) * of(*second, left - size))).collect()
            }
            [Part::Text(_)] => vec![(0, u64::from(left == 0))],
            parts => {
                let only = parts.iter().find_map(|part| if let Part::Of(symbol) = part { Some(*symbol) } else { None });
                vec![(left, only.map_or(0, |symbol| of(symbol, left)))]
            }
        };
        for (first, count) in ways {
            if index < count {
                return write_production(table, production, [first, left - first], index, text);
            }
            index -= count;
        }
    }
}

/// Writes a production whose symbols have so many productions each.
fn write_production(table: &SizeTable, production: usize, sizes: [usize; 2], index: u64, text: &mut String) {
    let parts = PRODUCTIONS[production];
    let symbols = parts.iter().filter(|part| matches!(part, Part::Of(_))).count();
    // The number of the first symbol's string changes slowest.
    let behind = match parts {
        [_, _, Part::Of(second)] if symbols == 2 => table[*second as usize][sizes[1]].count,
        _ => 1,
    };
    let mut numbers = [(sizes[0], index / behind), (sizes[1], index % behind)].into_iter();
    for part in parts {
        match part {
            Part::Text(written) => text.push_str(written),
            Part::Of(symbol) => {
                if let Some((size, number)) = numbers.next() {
                    write(table, *symbol, size, number, text);
                }
            }
        }
    }
}
