//! Names for rows that are drawn: written as those of a table's rows, and none of them.

use std::collections::{BTreeSet, HashSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How much of the numbers between the first and the last name must be taken before names go on behind the last.
const COUNTED: f64 = 0.5;
/// Draws of a name before one gets a number behind it.
const TRIES: usize = 100;

/// New names, each different from the others and from all that are known; a function of these and the seed alone.
///
/// Numbers go on behind the last one, or lie between the others where these are far apart. Of other names each has the letters, digits and
/// marks of a known one at the same places, drawn anew where names differ.
pub fn invent(known: &[String], count: usize, seed: u64) -> Vec<String> {
    if let Some(numbered) = Numbered::of(known) {
        return numbered.invent(known.len(), count, seed);
    }
    if known.is_empty() {
        return (1..=count).map(|number| number.to_string()).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut taken: HashSet<String> = known.iter().cloned().collect();
    let letters = Letters::of(known);
    let mut invented = Vec::with_capacity(count);
    while invented.len() < count {
        let mut name = String::new();
        for _ in 0..TRIES {
            name = letters.draw(&known[rng.random_range(0..known.len())], &mut rng);
            if !taken.contains(&name) {
                break;
            }
        }
        let mut number = 1_u64;
        let stem = name.clone();
        while !taken.insert(name.clone()) {
            name = format!("{stem}-{number}");
            number += 1;
        }
        invented.push(name);
    }
    invented
}

/// Names that are numbers between the same letters, such as `C-1042`.
struct Numbered {
    before: String,
    after: String,
    /// Digits, where all names have as many.
    digits: Option<usize>,
    least: u64,
    most: u64,
    taken: HashSet<u64>,
}

impl Numbered {
    fn of(known: &[String]) -> Option<Self> {
        let parts = |name: &str| -> Option<(String, String, String)> {
            let end = name.rfind(|letter: char| letter.is_ascii_digit())? + 1;
            let start = name[..end]
                .rfind(|letter: char| !letter.is_ascii_digit())
                .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
            Some((name[..start].into(), name[start..end].into(), name[end..].into()))
        };
        let (before, _, after) = parts(known.first()?)?;
        let mut taken = HashSet::with_capacity(known.len());
        let mut lengths = BTreeSet::new();
        let mut is_padded = false;
        for name in known {
            let (first, number, last) = parts(name)?;
            if first != before || last != after {
                return None;
            }
            lengths.insert(number.len());
            is_padded |= number.len() > 1 && number.starts_with('0');
            taken.insert(number.parse().ok()?);
        }
        let (least, most) = (*taken.iter().min()?, *taken.iter().max()?);
        // `007` and `07` are one number, but two names.
        let is_exact = taken.len() == known.len() && (!is_padded || lengths.len() == 1);
        let digits = lengths.pop_last().filter(|_| lengths.is_empty());
        is_exact.then_some(Self { before, after, digits, least, most, taken })
    }

    fn invent(mut self, known: usize, count: usize, seed: u64) -> Vec<String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let span = (self.most - self.least) as f64 + 1.0;
        let is_counted = (known + count) as f64 > COUNTED * span;
        let mut next = self.most;
        let mut invented = Vec::with_capacity(count);
        while invented.len() < count {
            let number = match is_counted {
                true => {
                    next = next.wrapping_add(1);
                    next
                }
                false => rng.random_range(self.least..=self.most),
            };
            if self.taken.insert(number) {
                let digits = self.digits.unwrap_or(0);
                invented.push(format!("{}{number:0digits$}{}", self.before, self.after));
            }
        }
        invented
    }
}

/// What letters names have: of each place where all are of one length, else of each kind.
struct Letters {
    places: Option<Vec<Vec<char>>>,
    kinds: [Vec<char>; 4],
}

/// Digits, small and large letters, and letters that are neither; marks and spaces stay.
fn kind(letter: char) -> Option<usize> {
    match letter {
        _ if letter.is_numeric() => Some(0),
        _ if letter.is_lowercase() => Some(1),
        _ if letter.is_uppercase() => Some(2),
        _ if letter.is_alphabetic() => Some(3),
        _ => None,
    }
}

impl Letters {
    fn of(known: &[String]) -> Self {
        let length = |name: &String| name.chars().count();
        let all = known.first().map_or(0, length);
        let mut kinds: [BTreeSet<char>; 4] = Default::default();
        known.iter().flat_map(|name| name.chars()).for_each(|letter| {
            kind(letter).into_iter().for_each(|kind| _ = kinds[kind].insert(letter));
        });
        let places = known.iter().all(|name| length(name) == all).then(|| {
            let mut places = vec![BTreeSet::new(); all];
            known.iter().for_each(|name| {
                places.iter_mut().zip(name.chars()).for_each(|(place, letter)| _ = place.insert(letter));
            });
            places.into_iter().map(|place| place.into_iter().collect()).collect()
        });
        Self { places, kinds: kinds.map(|letters| letters.into_iter().collect()) }
    }

    /// A name like another.
    fn draw(&self, name: &str, rng: &mut ChaCha8Rng) -> String {
        let draw = |(place, letter): (usize, char)| {
            let choices = match (&self.places, kind(letter)) {
                (Some(places), _) => &places[place],
                (None, Some(kind)) => &self.kinds[kind],
                (None, None) => return letter,
            };
            choices[rng.random_range(0..choices.len())]
        };
        name.chars().enumerate().map(draw).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn numbers_go_on_or_lie_between() {
        assert_eq!(invent(&names(&["C-1001", "C-1002", "C-1004"]), 2, 0), ["C-1005", "C-1006"]);
        assert_eq!(invent(&names(&["000000", "000001"]), 2, 0), ["000002", "000003"]);
        assert_eq!(invent(&names(&["9 a", "10 a"]), 1, 0), ["11 a"]);
        assert_eq!(invent(&names(&["98", "99"]), 2, 0), ["100", "101"]);
        let far: Vec<String> = (0..50_u64).map(|i| format!("K{}", 1_000_000 + i * i * 3571)).collect();
        let between = invent(&far, 40, 1);
        assert_eq!(between.iter().chain(&far).collect::<HashSet<_>>().len(), 90);
        assert!(between.iter().all(|name| (7..=9).contains(&name.len()) && name.starts_with('K')), "{between:?}");
        assert_eq!(between, invent(&far, 40, 1));
        assert_ne!(between, invent(&far, 40, 2));
        // The largest number has none behind it.
        let last = invent(&names(&["18446744073709551615", "18446744073709551614"]), 3, 0);
        assert_eq!(last.iter().collect::<HashSet<_>>().len(), 3);
    }

    #[test]
    fn other_names_are_written_alike_and_new() {
        let known = names(&["ab-3f9c", "cd-77e1", "ef-0a0b", "00-9f3c"]);
        let invented = invent(&known, 200, 3);
        assert_eq!(invented.iter().chain(&known).collect::<HashSet<_>>().len(), 204);
        assert!(invented.iter().all(|name| name.len() >= 7 && &name[2..3] == "-"), "{invented:?}");
        // Names of different lengths keep their kinds of letters. Even two names like these give as many new ones as are wanted.
        let people = names(&["Zoë Meier", "Jo Li"]);
        let invented = invent(&people, 20, 0);
        assert_eq!(invented.iter().chain(&people).collect::<HashSet<_>>().len(), 22);
        assert!(invented.iter().all(|name| name.contains(' ') && !name.contains(|c: char| c.is_ascii_digit())));
        assert_eq!(invent(&names(&["x"]), 2, 0), ["x-1", "x-2"]);
        assert_eq!(invent(&names(&["007", "07"]), 3, 0).len(), 3);
    }
}
