//! How long an order may be in each status, and how long all of it may take.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use common::domain::OrderStatus;
use serde::Deserialize;
use shop_orders::store::Deadline;
use time::{Duration, OffsetDateTime, Time, Weekday};

/// The settings file that comes with the program.
const DEFAULTS: &str = include_str!("../../deadlines.toml");

/// A length of time in a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeLimit {
    Time(Duration),
    /// Mondays to Fridays.
    WorkingDays(u16),
}

/// How long is too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines {
    statuses: BTreeMap<OrderStatus, TimeLimit>,
    whole_order: Option<TimeLimit>,
}

/// A settings file.
#[derive(Deserialize)]
struct Entries {
    #[serde(rename = "WHOLE_ORDER")]
    whole_order: Option<String>,
    #[serde(flatten)]
    statuses: BTreeMap<OrderStatus, String>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self::read(DEFAULTS).expect("a test reads the defaults")
    }
}

impl Deadlines {
    /// Reads a settings file.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let entries: Entries = toml::from_str(text).context("it must map statuses to times")?;
        let read = |(status, text): (OrderStatus, String)| {
            ensure!(status != OrderStatus::Closed, "{status}: a closed order waits for nothing");
            Ok((status, entry(status, &text)?))
        };
        Ok(Self {
            statuses: entries.statuses.into_iter().map(read).collect::<anyhow::Result<_>>()?,
            whole_order: entries.whole_order.map(|text| entry("WHOLE_ORDER", &text)).transpose()?,
        })
    }

    /// For each status, the time before which an order in it is stuck.
    pub(crate) fn stuck(&self, now: OffsetDateTime) -> Vec<Deadline> {
        self.since(now, |status| !waits_for_customer(status))
    }

    /// For each status in which it is the customer's turn, the time before which an order in it is abandoned.
    pub(crate) fn abandoned(&self, now: OffsetDateTime) -> Vec<Deadline> {
        self.since(now, waits_for_customer)
    }

    /// The time before which an open order that was submitted is overdue; none if orders may take any time.
    pub(crate) fn overdue(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.whole_order.map(|limit| limit.before(now))
    }

    fn since(&self, now: OffsetDateTime, which: impl Fn(OrderStatus) -> bool) -> Vec<Deadline> {
        let listed = self.statuses.iter().filter(|(status, _)| which(**status));
        listed.map(|(status, limit)| Deadline { status: *status, since: limit.before(now) }).collect()
    }
}

/// Whether it is the customer's turn: no work waits for an order that stands still there.
pub(crate) const fn waits_for_customer(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Initiated | OrderStatus::FileUploaded)
}

fn entry(name: impl std::fmt::Display, text: &str) -> anyhow::Result<TimeLimit> {
    time_limit(text)
        .with_context(|| format!("{name}: {text:?} is not like \"45 minutes\", \"3 days\" or \"15 working days\""))
}

fn time_limit(text: &str) -> Option<TimeLimit> {
    let (number, unit) = text.split_once(' ')?;
    let number: u16 = number.parse().ok()?;
    Some(match unit {
        "minute" | "minutes" => TimeLimit::Time(Duration::minutes(number.into())),
        "hour" | "hours" => TimeLimit::Time(Duration::hours(number.into())),
        "day" | "days" => TimeLimit::Time(Duration::days(number.into())),
        "week" | "weeks" => TimeLimit::Time(Duration::weeks(number.into())),
        "working day" | "working days" => TimeLimit::WorkingDays(number),
        _ => return None,
    })
}

impl TimeLimit {
    fn before(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::Time(duration) => now - duration,
            Self::WorkingDays(days) => {
                // This clock stands still over the weekend.
                let mut then = if is_weekend(now) { now.replace_time(Time::MIDNIGHT) } else { now };
                if now.weekday() == Weekday::Sunday {
                    then -= Duration::DAY;
                }
                let mut left = days;
                while left > 0 {
                    then -= Duration::DAY;
                    if !is_weekend(then) {
                        left -= 1;
                    }
                }
                then
            }
        }
    }
}

fn is_weekend(time: OffsetDateTime) -> bool {
    matches!(time.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_defaults_know_stuck_abandoned_and_overdue_orders() {
        let defaults = Deadlines::read(DEFAULTS).expect("they are well-formed");
        assert_eq!(defaults.statuses[&OrderStatus::Submitted], TimeLimit::Time(Duration::minutes(45)));
        assert_eq!(defaults.statuses[&OrderStatus::ManufacturingStarted], TimeLimit::WorkingDays(15));
        let now = datetime!(2026-11-23 10:00 UTC);
        let statuses = |deadlines: Vec<Deadline>| deadlines.iter().map(|at| at.status).collect::<Vec<_>>();
        assert_eq!(statuses(defaults.stuck(now)), OrderStatus::ALL[2..9]);
        assert_eq!(statuses(defaults.abandoned(now)), OrderStatus::ALL[..2]);
        assert!(defaults.abandoned(now).iter().all(|at| at.since == datetime!(2026-11-16 10:00 UTC)));
        assert_eq!(defaults.overdue(now), Some(datetime!(2026-11-02 10:00 UTC)));
    }

    #[test]
    fn weekends_do_not_count_as_working_days() {
        let monday = datetime!(2026-11-23 10:00 UTC);
        assert_eq!(TimeLimit::WorkingDays(1).before(monday), datetime!(2026-11-20 10:00 UTC));
        assert_eq!(TimeLimit::WorkingDays(15).before(monday), datetime!(2026-11-02 10:00 UTC));
    }

    #[test]
    fn no_deadline_of_working_days_ends_on_a_weekend() {
        let friday = TimeLimit::WorkingDays(1).before(datetime!(2026-11-20 23:59:59 UTC));
        for weekend in
            [datetime!(2026-11-21 0:00 UTC), datetime!(2026-11-21 12:00 UTC), datetime!(2026-11-22 23:59 UTC)]
        {
            let before = TimeLimit::WorkingDays(1).before(weekend);
            assert_eq!(before, datetime!(2026-11-20 0:00 UTC));
            assert_eq!(before - friday, Duration::SECOND);
        }
        assert_eq!(TimeLimit::WorkingDays(1).before(datetime!(2026-11-23 0:00 UTC)), datetime!(2026-11-20 0:00 UTC));
    }

    #[test]
    fn a_wrong_entry_is_named() {
        for (text, named) in [
            ("SUBMITTED = \"soon\"", "SUBMITTED"),
            ("LOST = \"1 day\"", "LOST"),
            ("CLOSED = \"1 day\"", "CLOSED"),
            ("WHOLE_ORDER = \"3 months\"", "WHOLE_ORDER"),
        ] {
            let error = format!("{:#}", Deadlines::read(text).expect_err("it is wrong"));
            assert!(error.contains(named), "{error}");
        }
    }
}
