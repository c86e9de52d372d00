//! rsyslog and Elasticsearch.

use std::{fs, time::Duration};

use catalogue::{Service, field};
use local::{Kind, Options, System};
use serde_json::{Value, json};
use testkit::{
    eventually_within,
    log::text,
    search::{Document, Search},
};

use super::{Line, lines};

/// Elasticsearch may be busy with the indices of several days.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn every_line_becomes_one_document_and_only_records_get_to_the_services_indices() {
    let options = Options { only: vec![Kind::Elasticsearch, Kind::Shipper], ..Options::default() };
    let system = System::start(&options).expect("Elasticsearch and rsyslog start");
    let lines = lines();
    let all: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    fs::write(system.file().logs.join("lines-api.log"), all).expect("the lines can be written");
    let search = Search::as_support(system.file());
    let documents = eventually_within(PATIENCE, "every line to be a document", async || {
        let documents = search.documents(&[]).await;
        match lines.iter().find(|line| !documents.iter().any(|document| is_of(document, line))) {
            None => Ok(documents),
            Some(missing) => Err(format!("{}: {:?}", missing.what, missing.text.get(..200))),
        }
    })
    .await;
    assert_eq!(documents.len(), lines.len(), "none is there twice");
    for line in &lines {
        let document = documents.iter().find(|document| is_of(document, line)).expect("it was found before");
        assert_eq!(service_of(document), line.for_rsyslog, "{}: {}", line.what, document.index);
    }
}

/// The service that the document's index and day are of.
fn service_of(document: &Document) -> Option<Service> {
    let service = Service::ALL.into_iter().find(|service| document.index.contains(&format!("-{}-", service.name())))?;
    let day = text(&document.record, field::TIME)[..10].replace('-', ".");
    assert_eq!(document.index, format!("alexandrite-{}-{day}", service.name()));
    Some(service)
}

/// Whether a document is a line: as it was written, or as text. What Elasticsearch has refused has the time stamp that
/// rsyslog added.
fn is_of(document: &Document, line: &Line) -> bool {
    let mut record = document.record.clone();
    record.remove("@timestamp");
    let written: Value = serde_json::from_str(&line.text).unwrap_or_default();
    let original = text(&document.record, field::EVENT_ORIGINAL);
    let sent = line.text.replacen('{', &format!("{{\"@timestamp\":{},", written[field::TIME]), 1);
    json!(record) == written || original == line.text || original == sent
}
