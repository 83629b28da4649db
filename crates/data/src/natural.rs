//! Natural sort order: `2.png` before `10.png`.

use std::cmp::Ordering;

/// Compares runs of digits by value and everything else by character.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (x, y) = (digits(left), digits(right));
        if x > 0 && y > 0 {
            let (m, n) = (left[..x].trim_start_matches('0'), right[..y].trim_start_matches('0'));
            let order = m.len().cmp(&n.len()).then_with(|| m.cmp(n));
            if order.is_ne() {
                return order;
            }
            (left, right) = (&left[x..], &right[y..]);
            continue;
        }
        let (mut p, mut q) = (left.chars(), right.chars());
        match (p.next(), q.next()) {
            // `01` and `1` have the same value, yet need a fixed order.
            (None, None) => return a.cmp(b),
            (x, y) if x != y => return x.cmp(&y),
            _ => (left, right) = (p.as_str(), q.as_str()),
        }
    }
}

/// The number of leading digits.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_by_value() {
        let mut names = ["10.png", "2.png", "a10b2", "a10b10", "a9", "01.png", "1.png", "b", "", "é2", "é10"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["", "01.png", "1.png", "2.png", "10.png", "a9", "a10b2", "a10b10", "b", "é2", "é10"]);
    }
}
