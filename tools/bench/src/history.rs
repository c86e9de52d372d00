//! Records of 180 days in Elasticsearch: copies of those of one real order, each with its own ids and times.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context as _, Result, ensure};
use catalogue::field;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use local::Login;
use reqwest::StatusCode;
use serde_json::Value;
use testkit::search::Document;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::sleep;
use uuid::Uuid;

use crate::progress::say;

/// How long records are kept.
const KEPT: Duration = Duration::days(180);
/// How long a copied order lives: its records are in the indices of as many days.
const LIFE: Duration = Duration::days(10);
/// Orders in one request, which has about 2 MB.
const ORDERS_AT_ONCE: u64 = 50;
/// Requests at the same time: one is made while the other one is stored.
const REQUESTS: usize = 2;
/// How long to wait while Elasticsearch has as much in its memory as it may: it says no time.
pub(crate) const BACK_OFF: std::time::Duration = std::time::Duration::from_secs(1);
/// The first copy's number; the system's own orders have lower ones.
const FIRST_NUMBER: u64 = 10_000_000;

/// The records of an order's life, from which those of others are made.
pub(crate) struct History {
    records: Vec<Template>,
    /// The ids of the real order: its own number first, then those that each copy has new ones for.
    ids: Vec<String>,
}

/// A record of the real order.
struct Template {
    service: String,
    /// When, since the order's first record.
    after: Duration,
    pieces: Vec<Piece>,
}

/// A part of a record's line.
enum Piece {
    Same(String),
    Time,
    /// The copy's own id at this place of [`History::ids`].
    Id(usize),
}

impl History {
    /// The history that these records tell, which are all those of one closed order, sorted by time.
    pub(crate) fn of(order: &str, records: &[Document]) -> Result<Self> {
        let mut ids = vec![order.to_owned()];
        for document in records {
            for name in [
                field::CUSTOMER_ID,
                field::EVENT_ID,
                field::TRACE_ID,
                field::HTTP_REQUEST_ID,
                field::MESSAGING_MESSAGE_ID,
            ] {
                if let Some(id) = document.record.get(name).and_then(Value::as_str)
                    && !ids.iter().any(|known| known == id)
                {
                    ids.push(id.to_owned());
                }
            }
        }
        let first = records.first().context("the order has no records").and_then(time_of)?;
        let last = records.last().context("the order has no records").and_then(time_of)?;
        let stretch = LIFE / (last - first);
        let template = |document: &Document| {
            let time = document.record[field::TIME].as_str().context("a record without a time")?;
            let line = Value::Object(document.record.clone()).to_string();
            Ok(Template {
                service: document.record[field::NAME].as_str().context("a record without a service")?.to_owned(),
                after: (time_of(document)? - first) * stretch,
                pieces: pieces(&line, time, &ids),
            })
        };
        Ok(Self { records: records.iter().map(template).collect::<Result<_>>()?, ids })
    }

    /// How many orders have about so many records.
    pub(crate) fn orders(&self, records: u64) -> u64 {
        (records / self.records.len() as u64).max(1)
    }

    /// The number of a copy.
    pub(crate) fn number(copy: u64) -> String {
        format!("A-{}", FIRST_NUMBER + copy)
    }

    /// Writes the records of so many orders, the first of which began 180 days ago and the last of which just ends, as the
    /// administrator; returns how many they are.
    pub(crate) async fn write(&self, elasticsearch: &str, administrator: &Login, orders: u64) -> Result<u64> {
        let client = reqwest::Client::new();
        let address = format!("{elasticsearch}/_bulk?filter_path=errors,items.*.error");
        let begin = OffsetDateTime::now_utc() - KEPT;
        let between = (KEPT - LIFE) / orders as f64;
        let chunks = (0..orders.div_ceil(ORDERS_AT_ONCE)).map(|chunk| {
            let copies = chunk * ORDERS_AT_ONCE..orders.min((chunk + 1) * ORDERS_AT_ONCE);
            let (client, address) = (&client, &address);
            async move {
                let count = copies.end - copies.start;
                let mut body = String::new();
                for copy in copies {
                    self.copy(&mut body, copy, begin + between * copy as f64)?;
                }
                let request = client.post(address).basic_auth(&administrator.login, Some(&administrator.password));
                let request = request.header("content-type", "application/x-ndjson").body(body);
                let response = loop {
                    let response = request.try_clone().context("a text can be sent again")?.send().await?;
                    if response.status() != StatusCode::TOO_MANY_REQUESTS {
                        break response;
                    }
                    sleep(BACK_OFF).await;
                };
                let response: Value = response.error_for_status()?.json().await?;
                ensure!(response["errors"] == false, "Elasticsearch refused records: {response}");
                Ok(count)
            }
        });
        let mut written = 0;
        let mut chunks = stream::iter(chunks).buffer_unordered(REQUESTS);
        while let Some(count) = chunks.try_next().await? {
            let tenth = |orders_written: u64| orders_written * 10 / orders;
            if tenth(written + count) > tenth(written) {
                say(format_args!(
                    "  {} of {} records are written",
                    (written + count) * self.length(),
                    orders * self.length()
                ));
            }
            written += count;
        }
        Ok(written * self.length())
    }

    fn length(&self) -> u64 {
        self.records.len() as u64
    }

    /// Appends a copy's records to the body of a bulk request.
    fn copy(&self, body: &mut String, copy: u64, begin: OffsetDateTime) -> Result<()> {
        let mut ids = vec![Self::number(copy)];
        ids.extend(self.ids.iter().skip(1).map(|id| like(id)));
        for record in &self.records {
            let at = begin + record.after;
            let (day, time) = (at.date(), at.format(&Rfc3339)?);
            writeln!(body, "{{\"create\":{{\"_index\":\"{}\"}}}}", elk::index_of(&record.service, day))?;
            for piece in &record.pieces {
                body.push_str(match piece {
                    Piece::Same(text) => text,
                    Piece::Time => &time,
                    Piece::Id(place) => &ids[*place],
                });
            }
            body.push('\n');
        }
        Ok(())
    }
}

/// A new id in this one's form.
fn like(id: &str) -> String {
    let new = Uuid::now_v7();
    if id.contains('-') { new.to_string() } else { new.simple().to_string() }
}

fn time_of(document: &Document) -> Result<OffsetDateTime> {
    let time = document.record[field::TIME].as_str().context("a record without a time")?;
    Ok(OffsetDateTime::parse(time, &Rfc3339)?)
}

/// A line, divided where it has the time or one of the ids.
fn pieces(line: &str, time: &str, ids: &[String]) -> Vec<Piece> {
    // Where each begins, and how long it is.
    let mut places: BTreeMap<usize, (usize, Piece)> =
        line.match_indices(time).map(|(place, text)| (place, (text.len(), Piece::Time))).collect();
    for (which, id) in ids.iter().enumerate() {
        places.extend(line.match_indices(id.as_str()).map(|(place, text)| (place, (text.len(), Piece::Id(which)))));
    }
    let (mut pieces, mut end) = (Vec::new(), 0);
    for (place, (length, piece)) in places {
        pieces.extend([Piece::Same(line[end..place].to_owned()), piece]);
        end = place + length;
    }
    pieces.push(Piece::Same(line[end..].to_owned()));
    pieces
}
