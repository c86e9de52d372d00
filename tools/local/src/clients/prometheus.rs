//! Metrics as services show them: Prometheus's text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// The value of a series.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Sample {
    /// The metric; of a histogram also `…_bucket`, `…_sum` and `…_count`.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// What a service showed at one time.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Samples(Vec<Sample>);

impl Samples {
    /// Reads what is shown at this address.
    ///
    /// # Errors
    ///
    /// Nothing responds there, or what responds shows no metrics.
    pub async fn scrape(url: &str) -> Result<Self> {
        // Metrics are shown without TLS. To read the certificates that the system trusts would take longer than the rest.
        let client = reqwest::Client::builder().tls_certs_only([]).build()?;
        let response = client.get(url).send().await?.error_for_status()?;
        Self::parse(&response.text().await?).with_context(|| format!("{url} shows no metrics"))
    }

    /// Reads the text format. None if a line isn't in it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        lines.map(sample).collect::<Option<_>>().map(Self)
    }

    /// Each series.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.0.iter()
    }

    /// The sum of all series of this name that have these labels; none if there is no such series.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.sum_where(name, |sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        })
    }

    /// The sum of all series of this name that `fits` takes; none if there is no such series.
    #[must_use]
    pub fn sum_where(&self, name: &str, fits: impl Fn(&Sample) -> bool) -> Option<f64> {
        let values = self.iter().filter(|sample| sample.name == name && fits(sample)).map(|sample| sample.value);
        values.reduce(|sum, value| sum + value)
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (name, mut rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            labels.insert(label.to_owned(), value);
            rest = after.trim_start_matches(',');
        }
        rest = &rest[1..];
    }
    Some(Sample { name: name.to_owned(), labels, value: rest.split_whitespace().next()?.parse().ok()? })
}

/// A label's value up to its closing quote, and what comes after that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_with_their_labels_and_values() {
        let text = "# HELP a_total What \"it\" says.\n# TYPE a_total counter\n\
                    a_total{route=\"/orders/{id}\",said=\"a \\\"b\\\"\\n\\\\\"} 3\na_total{route=\"/\"} 1.5e1\nb 7\n";
        let samples = Samples::parse(text).unwrap();
        assert_eq!(samples.sum("a_total", &[]), Some(18.0));
        assert_eq!(samples.sum("a_total", &[("route", "/orders/{id}"), ("said", "a \"b\"\n\\")]), Some(3.0));
        assert_eq!((samples.sum("b", &[]), samples.sum("c", &[])), (Some(7.0), None));
        for broken in ["<html>", "a{b=\"c} 1", "a one"] {
            assert!(Samples::parse(broken).is_none(), "{broken}");
        }
    }
}
