//! The grammar of expressions, its weights, and how many strings there are of each size.

use super::Kind;

/// A symbol that productions replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// A sum, a product, a quotient or a term.
    S,
    /// A term.
    T,
}

/// What stands at one place of a production.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Of(Symbol),
    Text(&'static str),
}

use Part::{Of, Text};
use Symbol::{S, T};

/// Productions of `S`, which come first, and of `T`.
pub const PRODUCTIONS: [&[Part]; 11] = [
    &[Of(S), Text("+"), Of(T)],
    &[Of(S), Text("*"), Of(T)],
    &[Of(S), Text("/"), Of(T)],
    &[Of(T)],
    &[Text("("), Of(S), Text(")")],
    &[Text("sin("), Of(S), Text(")")],
    &[Text("exp("), Of(S), Text(")")],
    &[Text("x")],
    &[Text("1")],
    &[Text("2")],
    &[Text("3")],
];

impl Symbol {
    /// The places of its productions.
    pub fn productions(self) -> std::ops::Range<usize> {
        match self {
            S => 0..4,
            T => 4..11,
        }
    }
}

/// The probability of each production, given its symbol.
pub type Weights = [f64; 11];

/// The weights of `grammar`.
pub const GRAMMAR: Weights = [0.20, 0.15, 0.10, 0.55, 0.10, 0.10, 0.10, 0.40, 0.10, 0.10, 0.10];

/// How many dialects there are.
pub const DIALECTS: usize = 8;

/// The weights of a dialect: each of its three bits changes some of those of `grammar`.
pub fn dialect(number: usize) -> Weights {
    let mut weights = GRAMMAR;
    if number & 1 != 0 {
        weights[..4].copy_from_slice(&[0.05, 0.30, 0.10, 0.55]);
    }
    if number & 2 != 0 {
        weights[4..].copy_from_slice(&[0.05, 0.20, 0.05, 0.40, 0.10, 0.10, 0.10]);
    }
    if number & 4 != 0 {
        weights[7..].copy_from_slice(&[0.10, 0.40, 0.10, 0.10]);
    }
    weights
}

impl Kind {
    /// The most productions of a string.
    pub fn most_productions(self) -> usize {
        match self {
            Kind::Uniform => 11,
            Kind::Grammar | Kind::Dialects => 15,
        }
    }
}

/// Strings of one symbol and one number of productions: how many, their probability, and the sum of `p ln p`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strings {
    pub count: u64,
    pub mass: f64,
    pub plogp: f64,
}

/// Strings by their number of productions, from 0 on: of `S` and of `T`.
pub type SizeTable = [Vec<Strings>; 2];

/// Counts the strings of up to `most` productions.
pub fn table(weights: &Weights, most: usize) -> SizeTable {
    let mut table = [vec![Strings::default(); most + 1], vec![Strings::default(); most + 1]];
    for size in 1..=most {
        for symbol in [T, S] {
            let mut sum = Strings::default();
            for production in symbol.productions() {
                let weight = weights[production];
                for part in parts(&table, PRODUCTIONS[production], size - 1) {
                    sum.count += part.count;
                    sum.mass += weight * part.mass;
                    sum.plogp += weight * (part.plogp + part.mass * weight.ln());
                }
            }
            table[symbol as usize][size] = sum;
        }
    }
    table
}

/// The strings of a production whose symbols take `left` productions together, for each way to divide these.
fn parts<'a>(table: &'a SizeTable, production: &'static [Part], left: usize) -> impl Iterator<Item = Strings> + 'a {
    let symbols: Vec<Symbol> =
        production.iter().filter_map(|part| if let Of(symbol) = part { Some(*symbol) } else { None }).collect();
    let of = |symbol: Symbol, size: usize| table[symbol as usize][size];
    let whole = Strings { count: 1, mass: 1.0, plogp: 0.0 };
    let joined = |a: Strings, b: Strings| Strings {
        count: a.count * b.count,
        mass: a.mass * b.mass,
        plogp: a.plogp * b.mass + b.plogp * a.mass,
    };
    let all: Vec<Strings> = match symbols[..] {
        [] => (left == 0).then_some(whole).into_iter().collect(),
        [only] => vec![of(only, left)],
        [first, second, ..] => (1..left).map(|size| joined(of(first, size), of(second, left - size))).collect(),
    };
    all.into_iter()
}

/// All strings of up to `most` productions: how many, their probability, and their entropy in nats once longer ones are
/// drawn again.
pub fn total(weights: &Weights, most: usize) -> (u64, f64, f64) {
    let table = table(weights, most);
    let sum = table[S as usize].iter().fold(Strings::default(), |sum, strings| Strings {
        count: sum.count + strings.count,
        mass: sum.mass + strings.mass,
        plogp: sum.plogp + strings.plogp,
    });
    (sum.count, sum.mass, sum.mass.ln() - sum.plogp / sum.mass)
}

/// How often a string uses each production; none if the grammar has no such string.
pub fn counts(text: &str) -> Option<[u32; 11]> {
    // A term is pushed by each production that opens a bracket, so brackets are counted and never recursed into.
    let mut counts = [0; 11];
    let mut rest = text;
    let mut depth = 0_usize;
    'terms: loop {
        let starts = |production: usize| match PRODUCTIONS[production][0] {
            Text(start) => rest.strip_prefix(start),
            Of(_) => None,
        };
        let (production, after) =
            T.productions().find_map(|production| starts(production).map(|rest| (production, rest)))?;
        counts[production] += 1;
        rest = after;
        if PRODUCTIONS[production].len() > 1 {
            depth += 1;
            continue;
        }
        // Behind a term the sum ends, or another term follows. The first term of each sum is `S -> T`.
        loop {
            let operator = ["+", "*", "/"].iter().position(|operator| rest.starts_with(operator));
            if let Some(production) = operator {
                counts[production] += 1;
                rest = &rest[1..];
                continue 'terms;
            }
            counts[3] += 1;
            match rest.strip_prefix(')') {
                Some(after) if depth > 0 => (rest, depth) = (after, depth - 1),
                _ => return (rest.is_empty() && depth == 0).then_some(counts),
            }
        }
    }
}

/// The logarithm of the probability that productions are used so often.
pub fn log_of(counts: &[u32; 11], weights: &Weights) -> f64 {
    counts
        .iter()
        .zip(weights)
        .filter(|(count, _)| **count > 0)
        .map(|(count, weight)| f64::from(*count) * weight.ln())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_counted_exactly() {
        let (count, _, _) = total(&GRAMMAR, 11);
        assert_eq!(count, 428_356);
        assert!(((count as f64).ln() - 12.9677).abs() < 5e-5);
        let (count, mass, entropy) = total(&GRAMMAR, 15);
        assert_eq!(count, 199_941_076);
        assert!((entropy - 6.2796).abs() < 5e-5 && mass < 1.0, "{entropy}");
    }

    #[test]
    fn a_string_is_parsed_in_its_only_way() {
        let of = |text: &str| counts(text).map(|counts| counts.iter().map(u32::to_string).collect::<Vec<_>>().join(""));
        assert_eq!(of("x").as_deref(), Some("00010001000"));
        assert_eq!(of("x+1*2").as_deref(), Some("11010001110"));
        assert_eq!(of("sin(x/3)+(exp(x))").as_deref(), Some("10141112001"));
        for text in ["", "y", "x+", "(x", "x)", "()", "sin", "sin()", "xx", "x+*1", "x ", "12", "(x))+("] {
            assert_eq!(of(text), None, "{text}");
        }
        // Brackets are no recursion: a text may have very many.
        assert!(counts(&format!("{}x{}", "(".repeat(1 << 20), ")".repeat(1 << 20))).is_some());
    }
}
