//! The time that a question is about.

use catalogue::field;
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime};

/// How long records are kept.
const KEPT: Duration = Duration::days(180);
/// The length up to which a period's indices are named one by one.
const NAMED: Duration = Duration::days(32);

/// The time that a question is about; everything that is kept, unless it begins or ends somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    from: Option<String>,
    until: Option<String>,
    /// How long it is, if that is known.
    length: Option<Duration>,
    /// When it ends, if not now.
    end: Option<OffsetDateTime>,
}

impl Period {
    /// Everything that is kept.
    #[must_use]
    pub fn whole() -> Self {
        Self::default()
    }

    /// The last minutes, hours or days, such as `30m`, `24h` or `7d`; none for another text.
    #[must_use]
    pub fn last(age: &str) -> Option<Self> {
        let (number, unit) = age.split_at_checked(age.len().checked_sub(1)?)?;
        let unit = match unit {
            "m" => Duration::MINUTE,
            "h" => Duration::HOUR,
            "d" => Duration::DAY,
            _ => return None,
        };
        let well_formed = (1..=6).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        let length = well_formed.then(|| number.parse().ok()).flatten().map(|number: i32| unit * number)?;
        Some(Self { from: Some(format!("now-{age}")), length: Some(length), ..Self::default() })
    }

    /// From a day on, and until the end of a day, both as `2026-11-26` in UTC; none for other texts.
    #[must_use]
    pub fn days(from: Option<&str>, until: Option<&str>) -> Option<Self> {
        let read = |text: Option<&str>| match text {
            None => Some(None),
            Some(text) => day(text).map(Some),
        };
        let (first, last) = (read(from)?, read(until)?);
        let end = last.and_then(Date::next_day).map(|end| end.midnight().assume_utc());
        let begin = first.map(|first| first.midnight().assume_utc());
        Some(Self {
            from: from.map(|day| format!("{day}||/d")),
            until: until.map(|day| format!("{day}||+1d/d")),
            length: begin.map(|begin| end.unwrap_or_else(OffsetDateTime::now_utc) - begin),
            end,
        })
    }

    /// The indices that have its records: their names end with their day, in UTC. All of them for a long period.
    ///
    /// A day more at both ends is for clocks that differ.
    pub(crate) fn indices(&self) -> String {
        let Some(length) = self.length.filter(|length| (Duration::ZERO..=NAMED).contains(length)) else {
            return elk::INDEX_PATTERN.to_owned();
        };
        let end = self.end.unwrap_or_else(OffsetDateTime::now_utc);
        let days = (-1..=length.whole_days() + 2).map(|before| end.date() - Duration::days(before));
        days.map(|day| elk::index_of("*", day)).collect::<Vec<_>>().join(",")
    }

    /// The length of each of `count` equal steps, in whole seconds, and the end of the last one.
    pub(crate) fn steps(&self, count: i32) -> (i64, OffsetDateTime) {
        let length = self.length.unwrap_or(KEPT).clamp(Duration::HOUR, KEPT);
        let now = OffsetDateTime::now_utc();
        ((length / count).whole_seconds(), self.end.map_or(now, |end| end.min(now)))
    }

    /// The filter of a search, if the period has a beginning or an end.
    pub(crate) fn filter(&self) -> Option<Value> {
        let mut range = json!({});
        if let Some(from) = &self.from {
            range["gte"] = from.as_str().into();
        }
        if let Some(until) = &self.until {
            range["lt"] = until.as_str().into();
        }
        (*self != Self::whole()).then(|| json!({ "range": { field::TIME: range } }))
    }
}

/// A day that `date_nanos` can be: from 1970 to 2262.
fn day(text: &str) -> Option<Date> {
    let day = Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).ok()?;
    (1970..2262).contains(&day.year()).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(Period::last("24h").unwrap().filter().unwrap()["range"][field::TIME]["gte"], "now-24h");
        for wrong in ["", "h", "24", "-1h", "24 h", "1w", "1h||/d", "1234567h", "1ч"] {
            assert_eq!(Period::last(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_real_days() {
        let period = Period::days(Some("2026-11-01"), Some("2026-11-30")).unwrap().filter().unwrap();
        assert_eq!(period["range"][field::TIME], json!({ "gte": "2026-11-01||/d", "lt": "2026-11-30||+1d/d" }));
        for wrong in ["2026-02-30", "2401-01-01", "now", "2026-11-01||-9y", ""] {
            assert_eq!(Period::days(Some(wrong), None), None, "{wrong}");
        }
        assert_eq!(Period::days(None, None), Some(Period::whole()));
    }

    #[test]
    fn a_short_periods_indices_are_those_of_its_days_and_of_one_more_at_both_ends() {
        let indices = |from, until| Period::days(Some(from), Some(until)).unwrap().indices();
        let days = ["2026-03-03", "2026-03-02", "2026-03-01", "2026-02-28", "2026-02-27"];
        let names = days.map(|day| format!("alexandrite-*-{}", day.replace('-', ".")));
        assert_eq!(indices("2026-03-01", "2026-03-01"), names.join(","));
        for all in [indices("2026-03-05", "2026-03-01"), indices("2025-12-01", "2026-03-01"), Period::whole().indices()]
        {
            assert_eq!(all, elk::INDEX_PATTERN);
        }
        let today = OffsetDateTime::now_utc().date();
        assert!(Period::last("1h").unwrap().indices().contains(&today.to_string().replace('-', ".")));
        assert_eq!(Period::last("999999d").unwrap().indices(), elk::INDEX_PATTERN);
    }

    #[test]
    fn steps_are_of_equal_length_and_end_with_the_period() {
        assert_eq!(Period::last("24h").unwrap().steps(24).0, 3_600);
        let (step, end) = Period::days(Some("2026-11-01"), Some("2026-11-02")).unwrap().steps(24);
        assert_eq!((step, end.to_string().as_str()), (7_200, "2026-11-03 0:00:00.0 +00:00:00"));
    }
}
