//! How days and times are written.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// How the days or times of a column are written. As numbers, days are counted from 1970 on, times of days in seconds from then
/// on, and times alone in seconds from midnight on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeForm {
    /// The day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<DayForm>,
    /// What stands between the day and the time.
    pub joint: char,
    /// The time of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockForm>,
    /// The time zone.
    pub zone: Zone,
}

/// How a day is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayForm {
    /// The order of year, month and day.
    pub order: Order,
    /// What stands between them.
    pub mark: char,
    /// Whether years have two digits.
    pub short: bool,
    /// Whether months and days have two digits.
    pub padded: bool,
}

/// The order of year, month and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// `2024-03-05`
    YearMonthDay,
    /// `05.03.2024`
    DayMonthYear,
    /// `03/05/2024`
    MonthDayYear,
}

/// How a time of the day is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockForm {
    /// Whether there are seconds.
    pub seconds: bool,
    /// Digits of a second's fraction.
    pub fraction: u8,
    /// Whether hours have two digits.
    pub padded: bool,
}

/// A time zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// None is written.
    #[default]
    None,
    /// `Z`
    Z,
    /// Minutes east of Greenwich, as `+01:00`.
    Offset(i16),
    /// Minutes east of Greenwich behind a space, as ` +01:00`.
    SpacedOffset(i16),
}

impl Zone {
    /// Minutes east of Greenwich.
    pub fn minutes(self) -> i16 {
        match self {
            Zone::None | Zone::Z => 0,
            Zone::Offset(minutes) | Zone::SpacedOffset(minutes) => minutes,
        }
    }
}

/// The seconds of a day.
const DAY: f64 = 86_400.0;

/// What a text that is a day or a time says, before it is known in which order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parsed {
    /// Three numbers, how many digits each has, and the mark between them.
    pub day: Option<([u32; 3], [usize; 3], char)>,
    /// What stands between day and time.
    pub joint: char,
    /// Seconds since midnight, and how they are written.
    pub clock: Option<(f64, ClockForm)>,
    /// The time zone.
    pub zone: Zone,
}

/// A number of up to `most` digits at the beginning of a text, and the rest.
fn digits(text: &str, most: usize) -> Option<(u32, usize, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = (1..=most).contains(&length).then(|| text[..length].parse().ok()).flatten()?;
    Some((number, length, &text[length..]))
}

type Day = ([u32; 3], [usize; 3], char);

fn day(text: &str) -> Option<(Day, &str)> {
    let (first, a, rest) = digits(text, 4)?;
    let mark = rest.chars().next().filter(|c| matches!(c, '-' | '.' | '/'))?;
    let (second, b, rest) = digits(&rest[1..], 2)?;
    let (third, c, rest) = digits(rest.strip_prefix(mark)?, 4)?;
    let has_year = |length: usize| length == 4 || length == 2;
    let fits = match a {
        4 => c <= 2,
        1 | 2 => has_year(c),
        _ => false,
    };
    fits.then_some((([first, second, third], [a, b, c], mark), rest))
}

fn clock(text: &str) -> Option<((f64, ClockForm), &str)> {
    let (hour, length, rest) = digits(text, 2)?;
    let (minute, 2, mut rest) = digits(rest.strip_prefix(':')?, 2)? else { return None };
    let mut form = ClockForm { seconds: false, fraction: 0, padded: length == 2 };
    let mut seconds = 0.0;
    if let Some(more) = rest.strip_prefix(':') {
        let (whole, 2, more) = digits(more, 2)? else { return None };
        (form.seconds, seconds, rest) = (true, f64::from(whole), more);
        if let Some(more) = rest.strip_prefix(['.', ',']) {
            let length = more.bytes().take_while(u8::is_ascii_digit).count();
            let fraction = (1..=9).contains(&length).then(|| format!("0.{}", &more[..length]).parse::<f64>().ok());
            seconds += fraction.flatten()?;
            (form.fraction, rest) = (length as u8, &more[length..]);
        }
    }
    let fits = hour < 24 && minute < 60 && seconds < 60.0;
    fits.then(|| ((f64::from(hour * 3600 + minute * 60) + seconds, form), rest))
}

fn zone(text: &str) -> Option<Zone> {
    let trimmed = text.trim_start();
    let sign = match trimmed.chars().next() {
        None => return Some(Zone::None),
        Some('Z') if trimmed.len() == 1 => return Some(Zone::Z),
        Some('+') => 1,
        Some('-') => -1,
        Some(_) => return None,
    };
    let (hour, minute) = match trimmed[1..].split_once(':') {
        Some((hour, minute)) => (hour, minute),
        None if trimmed.len() == 5 && trimmed.is_ascii() => trimmed[1..].split_at(2),
        None => (&trimmed[1..], "00"),
    };
    let (hour, 2, "") = digits(hour, 2)? else { return None };
    let (minute, 2, "") = digits(minute, 2)? else { return None };
    let minutes = sign * (hour * 60 + minute) as i16;
    let is_spaced = trimmed.len() < text.len();
    (hour <= 14 && minute < 60).then_some(if is_spaced { Zone::SpacedOffset(minutes) } else { Zone::Offset(minutes) })
}

/// What a text says, if it is a day, a time, or both.
pub fn parse(text: &str) -> Option<Parsed> {
    let text = text.trim();
    let Some((day, rest)) = day(text) else {
        let (clock, rest) = clock(text)?;
        return rest.is_empty().then_some(Parsed { day: None, joint: ' ', clock: Some(clock), zone: Zone::None });
    };
    let Some(joint) = rest.chars().next() else {
        return Some(Parsed { day: Some(day), joint: ' ', clock: None, zone: Zone::None });
    };
    let (clock, rest) = matches!(joint, 'T' | ' ').then(|| clock(&rest[1..])).flatten()?;
    Some(Parsed { day: Some(day), joint, clock: Some(clock), zone: zone(rest)? })
}

impl DayForm {
    /// Days since 1970.
    fn days(self, ([a, b, c], lengths, mark): Day) -> Option<i32> {
        let (year, month, day, length) = match self.order {
            Order::YearMonthDay => (a, b, c, lengths[0]),
            Order::DayMonthYear => (c, b, a, lengths[2]),
            Order::MonthDayYear => (c, a, b, lengths[2]),
        };
        let year = match (self.short, length) {
            (true, 2) => year as i32 + if year < 70 { 2000 } else { 1900 },
            (false, 4) => year as i32,
            _ => return None,
        };
        let date = NaiveDate::from_ymd_opt(year, month, day).filter(|_| mark == self.mark)?;
        Some(date.num_days_from_ce() - FIRST)
    }

    fn write(self, days: i64) -> String {
        let days = days.clamp(-719_162, 2_932_896) as i32;
        let date = NaiveDate::from_num_days_from_ce_opt(days + FIRST).unwrap_or_default();
        let width = if self.padded { 2 } else { 1 };
        let (month, day) = (format!("{:0width$}", date.month()), format!("{:0width$}", date.day()));
        let year = match self.short {
            true => format!("{:02}", date.year().rem_euclid(100)),
            false => format!("{:04}", date.year()),
        };
        let mark = self.mark;
        match self.order {
            Order::YearMonthDay => format!("{year}{mark}{month}{mark}{day}"),
            Order::DayMonthYear => format!("{day}{mark}{month}{mark}{year}"),
            Order::MonthDayYear => format!("{month}{mark}{day}{mark}{year}"),
        }
    }
}

/// The first of January 1970, in days since the year 1.
const FIRST: i32 = 719_163;

impl TimeForm {
    /// The number that a text is; none where it is not written like this.
    pub fn read(&self, text: &str) -> Option<f64> {
        self.of(parse(text)?)
    }

    /// The number that a parsed text is.
    pub fn of(&self, parsed: Parsed) -> Option<f64> {
        let days = match (self.day, parsed.day) {
            (Some(form), Some(day)) => Some(form.days(day)?),
            (None, None) => None,
            _ => return None,
        };
        match (self.clock, parsed.clock, days) {
            (None, None, Some(days)) => Some(f64::from(days)),
            (Some(_), Some((seconds, _)), days) => {
                Some(days.map_or(0.0, f64::from) * DAY + seconds - 60.0 * f64::from(parsed.zone.minutes()))
            }
            // A day alone among days with times is its midnight.
            (Some(_), None, Some(days)) => Some(f64::from(days) * DAY),
            _ => None,
        }
    }

    /// The text of a number.
    pub fn write(&self, number: f64) -> String {
        let Some(clock) = self.clock else {
            return self.day.map_or_else(String::new, |day| day.write(number.round() as i64));
        };
        let scale = 10_f64.powi(clock.fraction.into());
        let smallest = if clock.seconds { 1.0 / scale } else { 60.0 };
        let local = ((number + 60.0 * f64::from(self.zone.minutes())) / smallest).round() * smallest;
        let days = if self.day.is_some() { (local / DAY).floor() } else { 0.0 };
        let seconds = match self.day {
            Some(_) => local - days * DAY,
            None => local.clamp(0.0, DAY - smallest),
        };
        let whole = (seconds + 0.5 * smallest.min(1.0)).floor() as u64;
        let width = if clock.padded { 2 } else { 1 };
        let mut text = format!("{:0width$}:{:02}", whole / 3600, whole / 60 % 60);
        if clock.seconds && clock.fraction == 0 {
            text += &format!(":{:02}", whole % 60);
        } else if clock.seconds {
            let minutes = (seconds / 60.0 + 1e-9).floor() * 60.0;
            let (rest, digits) = ((seconds - minutes).max(0.0), usize::from(clock.fraction));
            text = format!("{:0width$}:{:02}", minutes as u64 / 3600, minutes as u64 / 60 % 60);
            text += &format!(":{rest:0wide$.digits$}", wide = digits + 3);
        }
        let zone = match self.zone {
            Zone::None => String::new(),
            Zone::Z => "Z".into(),
            Zone::Offset(minutes) | Zone::SpacedOffset(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let space = if matches!(self.zone, Zone::SpacedOffset(_)) { " " } else { "" };
                format!("{space}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        };
        match self.day {
            Some(day) => format!("{}{}{text}{zone}", day.write(days as i64), self.joint),
            None => text,
        }
    }
}

/// What is known of a column's days and times while it is read.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    form: TimeForm,
    /// The largest first and second number of a day.
    most: [u32; 2],
    /// Whether texts have several zones.
    zones: bool,
}

impl Times {
    /// What the first text says.
    pub fn of(parsed: Parsed) -> Self {
        let day = parsed.day.map(|(_, lengths, mark)| DayForm {
            order: if lengths[0] == 4 { Order::YearMonthDay } else { Order::DayMonthYear },
            mark,
            short: lengths[0] != 4 && lengths[2] == 2,
            padded: true,
        });
        let form = TimeForm { day, joint: parsed.joint, clock: parsed.clock.map(|(_, form)| form), zone: parsed.zone };
        let mut times = Self { form, most: [0; 2], zones: false };
        times.add(parsed);
        times
    }

    /// Takes another text; whether it is written like the others.
    pub fn add(&mut self, parsed: Parsed) -> bool {
        let fits = match (&mut self.form.day, parsed.day) {
            (Some(form), Some((numbers, lengths, mark))) => {
                let year_first = lengths[0] == 4;
                let short = !year_first && lengths[2] == 2;
                let is_alike =
                    mark == form.mark && short == form.short && year_first == (form.order == Order::YearMonthDay);
                let month_and_day = if year_first { [1, 2] } else { [0, 1] };
                let is_possible = month_and_day.iter().any(|place| (1..=12).contains(&numbers[*place]))
                    && month_and_day.iter().all(|place| (1..=31).contains(&numbers[*place]));
                if is_alike && is_possible {
                    form.padded &= month_and_day.iter().all(|place| lengths[*place] == 2);
                    self.most = [self.most[0].max(numbers[0]), self.most[1].max(numbers[1])];
                }
                is_alike && is_possible
            }
            (None, None) => true,
            _ => false,
        };
        match (&mut self.form.clock, parsed.clock) {
            _ if !fits => return false,
            (Some(form), Some((_, clock))) => {
                form.seconds |= clock.seconds;
                form.fraction = form.fraction.max(clock.fraction);
                form.padded &= clock.padded;
            }
            (None, None) | (Some(_), None) => {}
            (None, Some((_, clock))) => (self.form.clock, self.form.joint) = (Some(clock), parsed.joint),
        }
        if parsed.clock.is_some() {
            self.zones |= parsed.zone != self.form.zone;
        }
        true
    }

    /// How they are written, and whether day and month could be the other way round.
    pub fn finish(mut self) -> (TimeForm, bool) {
        let mut ambiguous = false;
        if let Some(day) = &mut self.form.day
            && day.order != Order::YearMonthDay
        {
            match self.most {
                [_, second] if second > 12 => day.order = Order::MonthDayYear,
                [first, _] if first > 12 => day.order = Order::DayMonthYear,
                // With points the day is first everywhere; with slashes more often than not.
                _ => ambiguous = day.mark != '.',
            }
        }
        if self.zones {
            self.form.zone = Zone::Offset(0);
        }
        (self.form, ambiguous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(texts: &[&str]) -> (TimeForm, bool) {
        let mut times = Times::of(parse(texts[0]).unwrap());
        assert!(texts.iter().all(|text| times.add(parse(text).unwrap())), "{texts:?}");
        times.finish()
    }

    #[test]
    fn days_and_times_come_back_as_they_were_written() {
        for texts in [
            &["2024-03-05", "1969-12-31"][..],
            &["05.03.2024", "31.12.1999"],
            &["5.3.2024", "31.12.1999"],
            &["03/25/2024", "12/01/2023"],
            &["25/03/24", "01/12/99"],
            &["12:30", "00:05"],
            &["7:30", "12:05"],
            &["12:30:59.250", "00:00:00.000"],
            &["2026-03-01T00:05:00+00:00", "2026-12-31T23:59:59+00:00"],
            &["2026-03-01T00:05:00.123456Z", "2026-03-01T23:59:59.999999Z"],
            &["2026-03-01 00:05:00", "1950-01-01 23:59:59"],
            &["2026-03-01 00:05:00 +01:00", "2026-03-01 23:05:00 +01:00"],
        ] {
            let (form, _) = form(texts);
            for text in texts {
                assert_eq!(form.write(form.read(text).unwrap()), *text, "{form:?}");
            }
        }
        let (form, _) = form(&["2024-03-05", "1970-01-02"]);
        assert_eq!(
            (form.read("1970-01-02"), form.read("02.01.1970"), form.read("1970-02-30")),
            (Some(1.0), None, None)
        );
    }

    #[test]
    fn what_comes_first_follows_from_all_texts() {
        assert!(form(&["01/02/2024", "03/04/2024"]).1);
        assert_eq!(form(&["01/02/2024", "03/14/2024"]).0.day.unwrap().order, Order::MonthDayYear);
        assert_eq!(form(&["01.02.2024", "03.04.2024"]), (form(&["13.02.2024"]).0, false));
        let (zones, _) = form(&["2026-03-01T00:05:00+01:00", "2026-07-01T00:05:00+02:00"]);
        assert_eq!(zones.write(zones.read("2026-07-01T00:05:00+02:00").unwrap()), "2026-06-30T22:05:00+00:00");
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "12",
            "1.2.3.4",
            "1/2",
            "99:99",
            "24:00",
            "2024-03",
            "12:3",
            "1.148.234",
            "2024-03-05 x",
            "é:1",
            "2024-03-05Té",
        ] {
            let read = parse(text).and_then(|parsed| Times::of(parsed).finish().0.of(parsed));
            assert_eq!(read, None, "{text}");
        }
    }
}
