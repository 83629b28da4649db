//! Numbers formatted for people.

/// Numbers beyond this count as infinite, so that differences of plotted numbers stay finite.
const HUGE: f64 = 1e100;

/// Whether a number can be plotted.
pub fn is_plottable(value: f64) -> bool {
    value.abs() < HUGE
}

/// A measured value with a suitable number of digits; a dash if it is not a number.
pub fn measured(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".to_string()
    } else if size >= 1e7 || (size > 0.0 && size < 1e-3) {
        exponential(value, 2)
    } else if size >= 1e4 {
        signed(value, grouped(size.round() as u64))
    } else if size >= 1.0 || size == 0.0 {
        signed(value, format!("{size:.2}"))
    } else {
        signed(value, format!("{size:.3}"))
    }
}

/// A value with this many decimals, or in exponential form if there would be more than four.
pub fn fixed(value: f64, decimals: usize) -> String {
    if decimals > 4 { exponential(value, 0) } else { signed(value, format!("{:.decimals$}", value.abs())) }
}

/// An integer with thousands separators.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number for an axis; large ones are shortened with a letter such as k or M.
pub fn rounded(value: f64) -> String {
    let size = value.abs();
    let (unit, letter) = match size {
        s if s >= 1e15 => return exponential(value, 0),
        s if s >= 1e9 => (1e9, "G"),
        s if s >= 1e6 => (1e6, "M"),
        s if s >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    signed(value, format!("{}{letter}", (size / unit * 1000.0).round() / 1000.0))
}

/// A time span.
pub fn duration(seconds: f64) -> String {
    if !(0.0..1e12).contains(&seconds) {
        return "–".to_string();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 if seconds < 0.01 => format!("{:.2} ms", seconds * 1e3),
        0..60 if seconds < 0.1 => format!("{:.1} ms", seconds * 1e3),
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

fn exponential(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$e}", value.abs());
    signed(value, text.replace("e-", "e\u{2212}"))
}

fn signed(value: f64, size: String) -> String {
    let is_zero = !size.contains(|c: char| c.is_ascii_digit() && c != '0');
    if value < 0.0 && !is_zero { format!("\u{2212}{size}") } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let cases = [
            (105.0449, "105.04"),
            (-3.456, "−3.46"),
            (0.0, "0.00"),
            (0.0124, "0.012"),
            (0.00001234, "1.23e−5"),
            (652_824.0, "652,824"),
            (f64::NAN, "–"),
            (f64::NEG_INFINITY, "–"),
            (3.2e12, "3.20e12"),
        ];
        for (value, text) in cases {
            assert_eq!(measured(value), text);
        }
        assert_eq!(fixed(0.25, 1), "0.2");
        assert_eq!(fixed(-0.0, 1), "0.0");
        assert_eq!(fixed(0.00002, 5), "2e−5");
        assert_eq!(rounded(20_000.0), "20k");
        assert_eq!(rounded(2_500_000.0), "2.5M");
        assert_eq!(rounded(-1500.0), "−1500");
        assert_eq!(grouped(1000), "1,000");
    }

    #[test]
    fn durations_read_well() {
        let cases = [
            (0.00123, "1.23 ms"),
            (0.0123, "12.3 ms"),
            (25.04, "25.0 s"),
            (192.4, "3 min 12 s"),
            (59.99, "1 min 00 s"),
            (7_500.0, "2 h 05 min"),
            (f64::NAN, "–"),
            (-1.0, "–"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
