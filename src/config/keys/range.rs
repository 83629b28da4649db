//! Which values a key may have.

use toml::Value;

/// The smallest positive number that a key takes, and the largest: shaders compute with values and their squares in
/// f32, of which neither may underflow or overflow.
const POSITIVE: [f64; 2] = [1e-15, 1e15];

/// The values that a key may have, beside what its type says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Any value of the type.
    Any,
    /// Whole numbers from the first to the last; of a list, each of its numbers.
    Whole(u64, u64),
    /// Positive numbers, from 1e-15 to 1e15.
    Positive,
    /// 0, and positive numbers from 1e-15 to 1e15.
    ZeroOrPositive,
    /// 0 and all positive numbers.
    NotNegative,
    /// Numbers from 0 to 1, without 1.
    Fraction,
    /// Numbers from 0 to 1, without 0 and 1.
    Share,
    /// Numbers from 0 to 1.
    Unit,
}

impl Range {
    /// Whether a value lies in the range. Values that are no numbers always do; a list does if each of its elements
    /// does.
    pub fn contains(self, value: &Value) -> bool {
        match value {
            Value::Integer(number) => self.has_whole(*number),
            Value::Float(number) => self.has(*number),
            Value::Array(all) => all.iter().all(|value| self.contains(value)),
            _ => true,
        }
    }

    fn has_whole(self, number: i64) -> bool {
        match self {
            Range::Whole(least, most) => u64::try_from(number).is_ok_and(|number| (least..=most).contains(&number)),
            _ => self.has(number as f64),
        }
    }

    fn has(self, x: f64) -> bool {
        let is_positive = (POSITIVE[0]..=POSITIVE[1]).contains(&x);
        match self {
            Range::Any | Range::Whole(..) => true,
            Range::Positive => is_positive,
            Range::ZeroOrPositive => is_positive || x == 0.0,
            Range::NotNegative => x >= 0.0 && x.is_finite(),
            Range::Fraction => (0.0..1.0).contains(&x),
            Range::Share => x > 0.0 && x < 1.0,
            Range::Unit => (0.0..=1.0).contains(&x),
        }
    }

    /// The smallest and the largest number of the range; those that lie in it come as close to them as one wishes.
    pub fn bounds(self) -> [f64; 2] {
        match self {
            Range::Any => [f64::MIN, f64::MAX],
            Range::Whole(least, most) => [least as f64, most as f64],
            Range::Positive => POSITIVE,
            Range::ZeroOrPositive => [0.0, POSITIVE[1]],
            Range::NotNegative => [0.0, f64::MAX],
            Range::Fraction | Range::Share | Range::Unit => [0.0, 1.0],
        }
    }

    /// Says what a value must be; nothing where all values are allowed.
    pub fn sentence(self) -> Option<String> {
        let sentence = match self {
            Range::Any => return None,
            Range::Whole(least, most) if most >= i64::MAX as u64 => format!("at least {least}"),
            Range::Whole(least, most) => format!("from {least} to {most}"),
            Range::Positive => "a positive number, from 1e-15 to 1e15".into(),
            Range::ZeroOrPositive => "0 or a positive number, from 1e-15 to 1e15".into(),
            Range::NotNegative => "0 or a positive number".into(),
            Range::Fraction => "at least 0 and below 1".into(),
            Range::Share => "above 0 and below 1".into(),
            Range::Unit => "from 0 to 1".into(),
        };
        Some(sentence)
    }
}
