//! How long an order may be in each status.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use common::domain::OrderStatus;
use shop_orders::store::Deadline;
use time::{Duration, OffsetDateTime, Weekday};

/// The settings file that comes with the program.
const DEFAULTS: &str = include_str!("../deadlines.toml");

/// A length of time in a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Time(Duration),
    /// Mondays to Fridays.
    WorkingDays(u16),
}

/// Each status's patience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines(BTreeMap<OrderStatus, Patience>);

impl Default for Deadlines {
    fn default() -> Self {
        Self::read(DEFAULTS).expect("a test reads the defaults")
    }
}

impl Deadlines {
    /// Reads a settings file.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let entries: BTreeMap<OrderStatus, String> = toml::from_str(text).context("it must map statuses to times")?;
        let read = |(status, text): (OrderStatus, String)| {
            ensure!(status != OrderStatus::Closed, "{status}: a closed order waits for nothing");
            let patience = patience(&text).with_context(|| {
                format!("{status}: {text:?} is not like \"45 minutes\", \"3 days\" or \"15 working days\"")
            })?;
            Ok((status, patience))
        };
        Ok(Self(entries.into_iter().map(read).collect::<anyhow::Result<_>>()?))
    }

    /// Since when at the latest an order may be in each status.
    pub(crate) fn at(&self, now: OffsetDateTime) -> Vec<Deadline> {
        self.0.iter().map(|(status, patience)| Deadline { status: *status, since: patience.before(now) }).collect()
    }
}

fn patience(text: &str) -> Option<Patience> {
    let (number, unit) = text.split_once(' ')?;
    let number: u16 = number.parse().ok()?;
    Some(match unit {
        "minute" | "minutes" => Patience::Time(Duration::minutes(number.into())),
        "hour" | "hours" => Patience::Time(Duration::hours(number.into())),
        "day" | "days" => Patience::Time(Duration::days(number.into())),
        "working day" | "working days" => Patience::WorkingDays(number),
        _ => return None,
    })
}

impl Patience {
    fn before(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Time(duration) => now - duration,
            Self::WorkingDays(days) => {
                let mut then = now;
                let mut left = days;
                while left > 0 {
                    then -= Duration::DAY;
                    if !matches!(then.weekday(), Weekday::Saturday | Weekday::Sunday) {
                        left -= 1;
                    }
                }
                then
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_defaults_can_be_read_and_leave_customers_own_statuses_out() {
        let defaults = Deadlines::read(DEFAULTS).expect("they are well-formed");
        assert_eq!(defaults.0[&OrderStatus::Submitted], Patience::Time(Duration::minutes(45)));
        assert_eq!(defaults.0[&OrderStatus::ManufacturingStarted], Patience::WorkingDays(15));
        assert!(!defaults.0.contains_key(&OrderStatus::FileUploaded));
    }

    #[test]
    fn weekends_do_not_count_as_working_days() {
        let monday = datetime!(2026-11-23 10:00 UTC);
        assert_eq!(Patience::WorkingDays(1).before(monday), datetime!(2026-11-20 10:00 UTC));
        assert_eq!(Patience::WorkingDays(15).before(monday), datetime!(2026-11-02 10:00 UTC));
    }

    #[test]
    fn a_wrong_entry_is_named() {
        for (text, named) in
            [("SUBMITTED = \"soon\"", "SUBMITTED"), ("LOST = \"1 day\"", "LOST"), ("CLOSED = \"1 day\"", "CLOSED")]
        {
            let error = format!("{:#}", Deadlines::read(text).expect_err("it is wrong"));
            assert!(error.contains(named), "{error}");
        }
    }
}
