//! What becomes of a line, whoever wrote it: one table for both ways to Elasticsearch. Only a service's record gets to its
//! service's index; everything else is kept whole, and nothing stops what ships it.

mod gate;
mod rsyslog;

use catalogue::Service;
use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// A line and the service whose record it is, if it is one.
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) text: String,
    pub(crate) for_logstash: Option<Service>,
    pub(crate) for_rsyslog: Option<Service>,
}

/// The table, for lines that are read now.
pub(crate) fn lines() -> Vec<Line> {
    const SHOP: Option<Service> = Some(Service::ShopApi);
    let now = OffsetDateTime::now_utc();
    let at = |days: i64| (now + Duration::days(days)).format(&Rfc3339).expect("a time");
    let today = at(0)[..10].to_owned();
    let record = |time: &str| json!({"name": "shop-api", "time": time, "level": 30, "msg": "a record"}).to_string();
    let with = |more: &str| record(&at(0)).replacen('{', &format!("{{{more},"), 1);
    let both = |what, text, service| Line { what, text, for_logstash: service, for_rsyslog: service };
    let only_rsyslog = |what, text| Line { what, text, for_logstash: None, for_rsyslog: SHOP };
    vec![
        both("a record", record(&at(0)), SHOP),
        both("a record of another service", record(&at(0)).replace("shop", "mes"), Some(Service::MesApi)),
        both("a record without a fraction of a second", record(&format!("{today}T00:00:00Z")), SHOP),
        both("a record of last week", record(&at(-7)), SHOP),
        both("a record of next week", record(&at(7)), SHOP),
        both("a record that is nested a little", with(r#""a":[[{"b":1}]]"#), SHOP),
        // Its id is another one then.
        both("an event.id of two lines", with(r#""event.id":"x\n019ab7c4-5a5e-7000-8000-000000000000""#), SHOP),
        both("an event.id without end", with(&format!(r#""event.id":"{}""#, "x".repeat(600))), SHOP),
        both("an event.id of another type", with(r#""event.id":7"#), SHOP),
        // --- No JSON object ---
        both("a text", "thread 'main' panicked".to_owned(), None),
        both("an object that doesn't end", record(&at(0)).replace('}', ""), None),
        both("two objects", format!("{}{}", record(&at(0)), record(&at(0))), None),
        both("an object and a text", format!("{} done", record(&at(0))), None),
        both("a list", format!("[{}]", record(&at(0))), None),
        both("a number", "42".to_owned(), None),
        both("a list of 400 lists", with(&format!(r#""a":{}{}"#, "[".repeat(400), "]".repeat(400))), None),
        both("100,000 beginnings", r#"{"a":"#.repeat(100_000), None),
        // --- Nobody's record ---
        both("an empty object", "{}".to_owned(), None),
        both("another name", record(&at(0)).replace("shop-api", "evil"), None),
        both("a name that is no text", record(&at(0)).replace(r#""shop-api""#, r#"["shop-api"]"#), None),
        both("a name that would be another index", record(&at(0)).replace("shop-api", "shop-api-2026.01.01,x"), None),
        // --- Times ---
        both("no time", r#"{"name":"shop-api"}"#.to_owned(), None),
        both("a time that is a number", record(&at(0)).replace(&format!("{:?}", at(0)), "1764144000"), None),
        both("another time zone", record(&format!("{today}T00:00:00+01:00")), None),
        both("a 31st of February", record("2026-02-31T00:00:00Z"), None),
        both("a 13th month", record("2026-13-01T00:00:00Z"), None),
        both("a 24th hour", record(&format!("{today}T24:00:00Z")), None),
        both("a 60th second", record(&format!("{today}T23:59:60Z")), None),
        both("colons", record(&format!("{today}T::::::::Z")), None),
        both("a time of two lines", record(&format!("x\n{}", at(0))), None),
        both("long ago", record("2000-01-01T00:00:00Z"), None),
        both("far ahead", record(&at(20)), None),
        both("the end of the century", record("2099-12-31T00:00:00Z"), None),
        // rsyslog reads old files again, and there their lines are where they were.
        only_rsyslog("a month ago", record(&at(-30))),
        // --- Keys that Logstash understands. In Elasticsearch @timestamp is there twice then, which it refuses. ---
        both("a time stamp of its own", with(r#""@timestamp":"2001-01-01T00:00:00Z""#), None),
        only_rsyslog("a path in a key", with(r#""[name]":"evil""#)),
        only_rsyslog("a path in an inner key", with(r#""a":{"b[":1}"#)),
        only_rsyslog("Logstash's own field", with(r#""@metadata":{}"#)),
        only_rsyslog("Logstash's own field in other letters", with(r#""\u0040metadata":{"id":null}"#)),
        only_rsyslog("tags", with(r#""tags":{}"#)),
        only_rsyslog("a version", with(r#""@version":2"#)),
    ]
}
