//! A service's log as it wrote it: one JSON object per line.

use std::{fs, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// A record's fields.
pub type Record = Map<String, Value>;

/// A JSON object in which no key stands twice; Elasticsearch refuses any other.
struct WithoutDuplicates(Record);

impl<'de> Deserialize<'de> for WithoutDuplicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Record;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut record = Record::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if record.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("{key} stands there twice")));
                    }
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(Keys).map(Self)
    }
}

/// Reads a line.
pub fn parse(line: &str) -> Result<Record, serde_json::Error> {
    serde_json::from_str::<WithoutDuplicates>(line).map(|record| record.0)
}

/// The whole lines of a log so far.
pub fn lines(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).expect("the log can be read");
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

/// The records of a log so far.
pub fn records(log: &Path) -> Vec<Record> {
    let parsed = lines(log).into_iter().map(|line| parse(&line).unwrap_or_else(|error| panic!("{error} in {line}")));
    parsed.collect()
}

/// Whether a record has these values in these fields.
pub fn has(record: &Record, fields: &[(&str, &str)]) -> bool {
    fields.iter().all(|(name, value)| record.get(*name).is_some_and(|found| found == value))
}

/// A field's text; nothing if it isn't there.
pub fn text<'a>(record: &'a Record, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A record's level.
pub fn level(record: &Record) -> u64 {
    record["level"].as_u64().expect("a level is a number")
}
