//! Keyset pages: the thousandth costs the same as the first.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{Language, Localize, Order, OrderId, OrderStatus},
    problem::Rejection,
};

/// One page of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to ask for as `after` to get the next page; absent on the last one.
    pub next: Option<String>,
}

/// Which orders a list has.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatusQuery {
    /// Only those in this status.
    pub status: Option<OrderStatus>,
}

/// Which page is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many entries at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: i64,
    /// The `next` of the page before.
    #[param(max_length = 128)]
    pub after: Option<String>,
}

const fn default_limit() -> i64 {
    50
}

/// The last entry of the page before: where the next one goes on.
#[derive(Debug)]
pub struct Cursor {
    /// The time that the list is sorted by: when that order was created, unless the list says otherwise.
    pub at: OffsetDateTime,
    /// That order.
    pub id: OrderId,
}

impl PageQuery {
    /// The limit in its bounds, and the place to go on from.
    ///
    /// # Errors
    ///
    /// If the limit is out of bounds or `after` is not one of ours.
    pub fn read(&self) -> Result<(i64, Option<Cursor>), Rejection> {
        if !(1..=200).contains(&self.limit) {
            return Err(Rejection::invalid("limit must be between 1 and 200"));
        }
        let cursor = match &self.after {
            Some(text) => Some(Cursor::read(text).ok_or_else(|| Rejection::invalid("after is not a page's `next`"))?),
            None => None,
        };
        Ok((self.limit, cursor))
    }
}

impl Cursor {
    /// Where a list of orders, newest first, goes on after this one.
    #[must_use]
    pub fn newest(order: &Order) -> Self {
        Self { at: order.created_at, id: order.id.clone() }
    }

    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}/{}", self.at.unix_timestamp_nanos() / 1_000, self.id))
    }

    fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (micros, id) = text.split_once('/')?;
        // Without a sign, since PostgreSQL has no time before 4713 BC, and this type has some. The latest of this type is in the
        // year 9999, long before PostgreSQL's.
        let micros: u64 = micros.parse().ok()?;
        let nanos = i128::from(micros) * 1_000;
        Some(Self { at: OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?, id: id.parse().ok()? })
    }
}

impl<T> Page<T> {
    /// The page out of rows that were asked for with one more than `limit`, which shows whether there is a next page.
    #[must_use]
    pub fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| cursor(last).write());
        Self { items, next }
    }
}

impl<T: Localize> Localize for Page<T> {
    fn localize(&mut self, language: Language) {
        self.items.iter_mut().for_each(|item| item.localize(language));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_to_the_microsecond() {
        let at = time::macros::datetime!(2026-11-23 01:02:03.456789 UTC);
        let cursor = Cursor { at, id: "A-100042".parse().unwrap() };
        let again = Cursor::read(&cursor.write()).unwrap();
        assert_eq!((again.at, again.id), (cursor.at, cursor.id));
    }

    #[test]
    fn a_forged_cursor_is_refused() {
        for text in [
            "",
            "x",
            "!!!",
            &URL_SAFE_NO_PAD.encode("1/2/3"),
            &URL_SAFE_NO_PAD.encode(format!("{}/A-100000", i128::MAX)),
        ] {
            assert!(PageQuery { limit: 10, after: Some(text.to_owned()) }.read().is_err(), "{text}");
        }
    }

    #[test]
    fn a_cursor_has_no_time_that_the_database_does_not_have() {
        let read = |micros: &str| Cursor::read(&URL_SAFE_NO_PAD.encode(format!("{micros}/A-100000")));
        // 5953 BC, the beginning of the year 10000, and the largest number.
        for micros in ["-250000000000000000", "253402300800000000", "18446744073709551615"] {
            assert!(read(micros).is_none(), "{micros}");
        }
        assert!(read("0").is_some() && read("253402300799999999").is_some());
    }
}
