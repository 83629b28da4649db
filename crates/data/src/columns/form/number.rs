//! How numbers are written: decimal marks, thousands, currencies, units, brackets.

use serde::{Deserialize, Serialize};

/// How the numbers of a column are written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberForm {
    /// What stands before a number, such as `$` or `CHF `.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub prefix: Box<str>,
    /// What stands behind a number, such as ` kg` or `%`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub suffix: Box<str>,
    /// Whether a comma is the decimal mark; else a point is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub comma: bool,
    /// What separates thousands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<char>,
    /// How negative numbers are written.
    #[serde(skip_serializing_if = "Negative::is_first")]
    pub negative: Negative,
    /// Digits behind the decimal mark, where every number has as many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digits: Option<u8>,
}

/// How a negative number is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Negative {
    /// `-$5`
    #[default]
    First,
    /// `$-5`
    BehindPrefix,
    /// `($5)`
    Brackets,
    /// `5-`
    Last,
}

impl Negative {
    fn is_first(&self) -> bool {
        *self == Negative::First
    }
}

/// The parts of a written number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts<'a> {
    /// How it is negative, if it is.
    pub negative: Option<Negative>,
    /// What stands before it.
    pub prefix: &'a str,
    /// Digits and marks, with an exponent.
    pub body: &'a str,
    /// What stands behind it.
    pub suffix: &'a str,
}

/// What the marks in a number are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marks {
    /// The decimal mark and whether it could separate thousands as well, as in `1,234`.
    pub decimal: Option<(char, bool)>,
    /// What separates thousands for certain.
    pub group: Option<char>,
    /// Digits behind the decimal mark.
    pub digits: u8,
}

/// Letters that stand before an amount of money without being a symbol.
const CURRENCIES: [&str; 16] =
    ["USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "CZK", "BRL", "R"];
/// Symbols of money.
const SYMBOLS: [char; 10] = ['$', '€', '£', '¥', '₹', '₽', '₩', '₺', '₫', '₴'];
/// Characters of units that are no letters.
const OF_UNITS: [char; 9] = ['%', '‰', '°', 'µ', '/', '²', '³', '"', '\''];
/// The longest unit.
const LONGEST_UNIT: usize = 12;
/// What separates thousands, beside a point or a comma.
const GROUPS: [char; 6] = ['\'', '\u{2019}', ' ', '\u{a0}', '\u{202f}', '_'];

fn is_currency(text: &str) -> bool {
    let text = text.trim();
    let letters = text.trim_matches(SYMBOLS);
    text.is_empty() || letters.is_empty() && text.chars().count() <= 2 || CURRENCIES.contains(&letters.trim())
}

fn is_unit(text: &str) -> bool {
    let text = text.trim();
    let fits = |c: char| c.is_alphabetic() || OF_UNITS.contains(&c) || SYMBOLS.contains(&c) || c == ' ';
    text.chars().count() <= LONGEST_UNIT && text.chars().all(fits)
}

/// The parts of a text that is a number; none of any other.
pub fn parts(text: &str) -> Option<Parts<'_>> {
    let mut rest = text.trim();
    let mut negative = None;
    if let Some(inner) = rest.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        (negative, rest) = (Some(Negative::Brackets), inner.trim());
    }
    let sign = |text: &mut &str, negative: &mut Option<Negative>, how: Negative| -> bool {
        let Some(first) = text.chars().next().filter(|c| matches!(c, '-' | '\u{2212}' | '+')) else { return true };
        if negative.is_some() {
            return false;
        }
        *text = text[first.len_utf8()..].trim_start();
        *negative = (first != '+').then_some(how);
        true
    };
    if !sign(&mut rest, &mut negative, Negative::First) {
        return None;
    }
    let starts = |(place, c): (usize, char)| {
        let next = rest[place + c.len_utf8()..].chars().next();
        (c.is_ascii_digit() || matches!(c, '.' | ',') && next.is_some_and(|c| c.is_ascii_digit())).then_some(place)
    };
    let signed = |(place, c): (usize, char)| matches!(c, '-' | '\u{2212}' | '+').then_some(place);
    let start = rest.char_indices().find_map(|at| starts(at).or_else(|| signed(at)))?;
    let prefix = &rest[..start];
    if !is_currency(prefix) {
        return None;
    }
    rest = &rest[start..];
    if !sign(&mut rest, &mut negative, Negative::BehindPrefix) {
        return None;
    }
    let length = body_of(rest);
    if length == 0 {
        return None;
    }
    let (body, mut suffix) = rest.split_at(length);
    if suffix == "-" && negative.is_none() && prefix.is_empty() {
        (negative, suffix) = (Some(Negative::Last), "");
    }
    is_unit(suffix).then_some(Parts { negative, prefix, body, suffix })
}

/// How many bytes of a text are the digits and marks of a number, with an exponent.
fn body_of(text: &str) -> usize {
    let is_digit = |place: usize| text.as_bytes().get(place).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    for (place, c) in text.char_indices() {
        let is_mark = matches!(c, '.' | ',') || GROUPS.contains(&c);
        if !(c.is_ascii_digit() || is_mark && is_digit(place + c.len_utf8())) {
            break;
        }
        end = place + c.len_utf8();
    }
    // An exponent; `5 e` is five of a unit.
    let rest = &text.as_bytes()[end..];
    if end > 0 && matches!(rest.first(), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(rest.get(1), Some(b'+' | b'-')));
        let digits = rest[1 + signed..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 {
            return end + 1 + signed + digits;
        }
    }
    end
}

/// What the marks of a number are; none where they make no number.
pub fn marks(body: &str) -> Option<Marks> {
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, _)) => (mantissa, true),
        None => (body, false),
    };
    let other = mantissa.chars().find(|c| GROUPS.contains(c));
    let (points, commas) = (mantissa.matches('.').count(), mantissa.matches(',').count());
    let last = mantissa.rfind(['.', ',']);
    let behind = |place: usize| mantissa.len() - place - 1;
    let of = |decimal: Option<(char, bool)>, group: Option<char>| {
        let digits = decimal.map_or(0, |_| last.map_or(0, behind));
        Some(Marks { decimal, group, digits: digits.min(255) as u8 })
    };
    match (points, commas) {
        (0, 0) => of(None, other),
        (1.., 1..) => {
            let mark = if mantissa.rfind('.') > mantissa.rfind(',') { '.' } else { ',' };
            let (of_mark, group) = if mark == '.' { (points, ',') } else { (commas, '.') };
            if of_mark > 1 || other.is_some() { None } else { of(Some((mark, false)), Some(group)) }
        }
        _ => {
            let mark = if points > 0 { '.' } else { ',' };
            if points + commas > 1 {
                return if other.is_some() { None } else { of(None, Some(mark)) };
            }
            let place = last?;
            let could_group = behind(place) == 3
                && (1..=3).contains(&place)
                && !mantissa.starts_with('0')
                && other.is_none()
                && !exponent;
            of(Some((mark, could_group)), other)
        }
    }
}

/// The number that digits and marks are, with this decimal mark.
pub fn value(body: &str, comma: bool) -> Option<f64> {
    let mark = if comma { ',' } else { '.' };
    let (mantissa, exponent) = body.find(['e', 'E']).map_or((body, ""), |place| body.split_at(place));
    let (whole, behind) = mantissa.split_once(mark).unwrap_or((mantissa, ""));
    if behind.contains(|c: char| !c.is_ascii_digit()) {
        return None;
    }
    let mut digits = String::with_capacity(body.len());
    match whole.find(|c: char| !c.is_ascii_digit()).and_then(|place| whole[place..].chars().next()) {
        None => digits.push_str(whole),
        Some(group) => {
            let groups: Vec<&str> = whole.split(group).collect();
            // Groups of two, but for the last, are Indian.
            let are_whole = groups.iter().enumerate().all(|(place, digits)| {
                let lengths = match (place, place + 1 == groups.len()) {
                    (0, _) => 1..=3,
                    (_, true) => 3..=3,
                    (_, false) => 2..=3,
                };
                lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            });
            if !are_whole {
                return None;
            }
            digits.extend(groups);
        }
    }
    digits.push('.');
    digits.push_str(behind);
    digits.push_str(exponent);
    digits.parse().ok().filter(|number: &f64| number.is_finite())
}

impl NumberForm {
    /// Whether it is that of a number in a program.
    pub fn is_plain(&self) -> bool {
        let Self { prefix, suffix, comma, group, negative, .. } = self;
        prefix.is_empty() && suffix.is_empty() && !comma && group.is_none() && negative.is_first()
    }

    /// The number that a text is, with or without its unit; none of any other text.
    pub fn read(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        // Most numbers are plain.
        let is_plain = !self.comma || !text.contains('.');
        if is_plain
            && text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
            && let Ok(number) = text.parse::<f64>()
        {
            return Some(number).filter(|number| number.is_finite());
        }
        let parts = parts(text)?;
        let is_of = |found: &str, known: &str| found.trim().is_empty() || found.trim() == known.trim();
        if !is_of(parts.prefix, &self.prefix) || !is_of(parts.suffix, &self.suffix) {
            return None;
        }
        let number = value(parts.body, self.comma)?;
        Some(if parts.negative.is_some() { -number } else { number })
    }

    /// A number as the column has it, with at most so many digits behind the decimal mark.
    pub fn write(&self, number: f64, decimals: Option<u8>) -> String {
        let size = number.abs();
        let mut text = match (self.digits, decimals) {
            (Some(digits), _) => format!("{size:.*}", usize::from(digits)),
            (None, _) if self.is_plain() && size != 0.0 && !(1e-5..1e15).contains(&size) => format!("{size:e}"),
            (None, Some(_)) => size.to_string(),
            // What has no digits of its own is a float.
            (None, None) => (size as f32).to_string(),
        };
        let is_negative = number < 0.0 && text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
        let whole = text.find('.').unwrap_or(text.len());
        if self.comma && whole < text.len() {
            text.replace_range(whole..=whole, ",");
        }
        if let Some(group) = self.group
            && text[..whole].bytes().all(|byte| byte.is_ascii_digit())
        {
            for place in (1..whole).rev().filter(|place| (whole - place).is_multiple_of(3)) {
                text.insert(place, group);
            }
        }
        let Self { prefix, suffix, negative, .. } = self;
        match (is_negative, negative) {
            (false, _) => format!("{prefix}{text}{suffix}"),
            (true, Negative::First) => format!("-{prefix}{text}{suffix}"),
            (true, Negative::BehindPrefix) => format!("{prefix}-{text}{suffix}"),
            (true, Negative::Brackets) => format!("({prefix}{text}{suffix})"),
            (true, Negative::Last) => format!("{prefix}{text}-{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_form() {
        let of = |comma: bool, prefix: &str, suffix: &str| NumberForm {
            comma,
            prefix: prefix.into(),
            suffix: suffix.into(),
            ..NumberForm::default()
        };
        for (form, text, number) in [
            (of(false, "", ""), "-2.5e3", Some(-2500.0)),
            (of(false, "$", ""), "$1,234.56", Some(1234.56)),
            (of(false, "$", ""), "($1,234.56)", Some(-1234.56)),
            (of(false, "$", ""), "-$50", Some(-50.0)),
            (of(false, "$", ""), "$ -50", Some(-50.0)),
            (of(true, "", "€"), "1.148,02 €", Some(1148.02)),
            (of(true, "", ""), "12,5", Some(12.5)),
            (of(true, "", ""), "1.234", Some(1234.0)),
            (of(true, "", ""), "1.23", None),
            (of(false, "", "%"), "5 %", Some(5.0)),
            (of(false, "", "kg"), "12.1 kg", Some(12.1)),
            (of(false, "", "kg"), "12.1", Some(12.1)),
            (of(false, "", "kg"), "12.1 g", None),
            (of(false, "CHF ", ""), "CHF 3'500.-", None),
            (of(false, "CHF ", ""), "CHF 3'500", Some(3500.0)),
            (of(true, "", ""), "10\u{202f}000,5", Some(10_000.5)),
            (of(false, "", ""), "1,23,456.7", Some(123_456.7)),
            (of(false, "", ""), "50-", Some(-50.0)),
            (of(false, "", ""), "1,23", None),
            (of(false, "", ""), "12,34,5", None),
            (of(false, "", ""), "ward 12", None),
            (of(false, "", ""), "P12", None),
            (of(false, "", ""), "12/80", None),
            (of(false, "", ""), "--5", None),
            (of(false, "", ""), "1e999", None),
            (of(false, "", ""), "inf", None),
            (of(false, "", ""), "", None),
        ] {
            assert_eq!(form.read(text), number, "{text}");
        }
    }

    #[test]
    fn marks_say_what_is_certain() {
        let of = |body: &str| marks(body).map(|m| (m.decimal, m.group, m.digits));
        assert_eq!(of("12"), Some((None, None, 0)));
        assert_eq!(of("1,234"), Some((Some((',', true)), None, 3)));
        assert_eq!(of("0,234"), Some((Some((',', false)), None, 3)));
        assert_eq!(of("12.5"), Some((Some(('.', false)), None, 1)));
        assert_eq!(of("1.234,5"), Some((Some((',', false)), Some('.'), 1)));
        assert_eq!(of("1,234,567"), Some((None, Some(','), 0)));
        assert_eq!(of("1.2,3.4"), None);
        assert_eq!(of("10 000,5"), Some((Some((',', false)), Some(' '), 1)));
    }

    #[test]
    fn numbers_are_written_as_they_were() {
        for (text, form) in [
            (
                "1.148,02 €",
                NumberForm {
                    comma: true,
                    group: Some('.'),
                    suffix: " €".into(),
                    digits: Some(2),
                    ..Default::default()
                },
            ),
            (
                "($1,234.50)",
                NumberForm {
                    group: Some(','),
                    prefix: "$".into(),
                    digits: Some(2),
                    negative: Negative::Brackets,
                    ..Default::default()
                },
            ),
            ("-12.5", NumberForm::default()),
            ("1234567", NumberForm::default()),
            ("12,5-", NumberForm { comma: true, negative: Negative::Last, ..Default::default() }),
            ("1e-7", NumberForm::default()),
        ] {
            let number = form.read(text).unwrap();
            assert_eq!(form.write(number, Some(9)), text);
        }
        let cents = NumberForm { digits: Some(2), ..NumberForm::default() };
        assert_eq!((cents.write(-0.001, Some(2)), cents.write(2.0, Some(2))), ("0.00".into(), "2.00".into()));
    }
}
