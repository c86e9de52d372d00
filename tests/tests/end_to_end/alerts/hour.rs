//! An hour by the clock of made-up records, in the real Elasticsearch under the real ElastAlert: what is ordinary sends no mail,
//! nor does a system that starts, and each flood sends one with its numbers.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use local::{Kind, Options, System};
use serde_json::{Value, json};
use testkit::eventually_within;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinHandle;

use super::{
    day::PATIENCE,
    elastalert::{Alert, ElastAlert, Notes},
    mail::{Mail, MailServer},
    ordinary::{Writer, ordinary, record, request},
    python,
    start::silence_counts_from_the_first_record_on,
};

const NONE: [&str; 0] = [];

/// Writes what is ordinary, second by second, until it is aborted.
fn tick(writer: Arc<Writer>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut clock = tokio::time::interval(std::time::Duration::from_secs(1));
        let mut written = OffsetDateTime::now_utc();
        loop {
            clock.tick().await;
            let seconds = (OffsetDateTime::now_utc() - written).whole_seconds();
            written += Duration::seconds(seconds);
            writer.write(ordinary(written, 0..seconds)).await;
        }
    })
}

/// The same record so many times, at times that differ.
fn many(count: i64, record: impl Fn(OffsetDateTime) -> Value) -> impl Iterator<Item = Value> {
    let now = OffsetDateTime::now_utc();
    (0..count).map(move |number| record(now - Duration::milliseconds(number % 1_000)))
}

fn from(network: &str, mut record: Value) -> Value {
    record["source.ip"] = json!(network);
    record
}

/// Waits until every rule has looked at what was there when this was called.
async fn all_have_looked(notes: &Notes, rules: usize, writer: &Writer) {
    let now = SystemTime::now();
    eventually_within(PATIENCE, "every rule to have looked", async || {
        let looks = notes.looks().await;
        let behind: Vec<_> = looks.iter().filter(|(_, (_, last))| *last < now).map(|(name, _)| name).collect();
        if looks.len() == rules && behind.is_empty() {
            Ok(())
        } else {
            Err(format!("{} of {rules}, {behind:?}", looks.len()))
        }
    })
    .await;
    writer.refresh_notes().await;
}

async fn names(notes: &Notes) -> Vec<String> {
    let mut names: Vec<_> = notes.alerts().await.into_iter().map(|alert: Alert| alert.rule).collect();
    names.sort();
    names
}

/// The number that a mail says behind this name.
#[track_caller]
fn number(mail: &Mail, name: &str) -> f64 {
    let line = mail.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let line = line.unwrap_or_else(|| panic!("{name} isn't in {}", mail.text));
    line.trim_end_matches(" %").parse().expect("a number")
}

#[tokio::test]
async fn an_ordinary_hour_sends_no_mail_and_a_flood_sends_one_with_its_numbers() {
    let system = tokio::task::spawn_blocking(|| {
        python::programs();
        System::start(&Options { only: vec![Kind::Elasticsearch], ..Options::default() })
    });
    let system = system.await.expect("no panic").expect("Elasticsearch starts");
    silence_counts_from_the_first_record_on(&system).await;
    let file = system.file();
    let writer = Arc::new(Writer::of(file));
    let mut mail_server = MailServer::at(&system.data().join("mail"));
    mail_server.start();
    let rules = python::rules();
    let notes = Notes::of(file);

    // A system that has been there for two minutes and is flooded: nothing is usual yet.
    let began = OffsetDateTime::now_utc();
    writer.write(ordinary(began, 0..120)).await;
    let ticking = tick(Arc::clone(&writer));
    let _elastalert = ElastAlert::start(file, mail_server.port, &file.logs.join("elastalert"));
    all_have_looked(&notes, rules, &writer).await;
    let flood = many(9_000, |at| request(at, "shop-api", ["GET", "/orders"], 200));
    let chatter = many(4_000, |at| record(at, "crm-api", json!({"msg": "a library says what it does"})));
    writer.write(flood.chain(chatter).collect()).await;
    all_have_looked(&notes, rules, &writer).await;
    assert_eq!(names(&notes).await, NONE);

    // The same after an ordinary hour, with an outage that is over: the budget burnt, and doesn't any more.
    let outage = began - Duration::minutes(50);
    let failed = (0..400)
        .map(|number| request(outage + Duration::milliseconds(100 * number), "mes-api", ["GET", "/orders"], 500));
    writer.write(ordinary(began, 120..3_900).into_iter().chain(failed).collect()).await;
    all_have_looked(&notes, rules, &writer).await;
    assert_eq!(names(&notes).await, ["records-rising-crm-api", "requests-rising"]);

    let scan = many(250, |at| from("203.0.113.0", request(at, "shop-api", ["GET", "UNMATCHED"], 404)));
    let scans = (0..20).flat_map(|network| {
        many(3, move |at| from(&format!("198.51.{network}.0"), request(at, "mes-api", ["GET", "/orders/{id}"], 401)))
    });
    let turned_away = many(150, |at| from("203.0.113.0", request(at, "crm-api", ["POST", "/sessions"], 429)));
    let uploads = many(55, |at| {
        record(at, "shop-api", json!({"event.action": "order.model_uploaded", "customer.id": "a program"}))
    });
    let heartbeat = |fields: Value| {
        let mut record = record(OffsetDateTime::now_utc(), "crm-api", fields);
        record["event.action"] = json!("service.heartbeat");
        record
    };
    let waits = [
        heartbeat(json!({"connections.unfinished": 130})),
        heartbeat(json!({"outbox.messages": 7, "outbox.age_seconds": 75.5, "journal.age_seconds": 0.2})),
    ];
    let failing = many(1_000, |at| request(at, "shop-api", ["GET", "/orders"], 503));
    let lines = many(37, |at| record(at, "noise", json!({"log.file.path": "/var/log/noise.log"})));
    let all = scan.chain(scans).chain(turned_away).chain(uploads).chain(waits).chain(failing).chain(lines);
    writer.write(all.collect()).await;
    all_have_looked(&notes, rules, &writer).await;
    let alerts = names(&notes).await;
    let burns = |name: &&str| name.starts_with("objective-availability-");
    let (burning, others): (Vec<_>, Vec<_>) = alerts.iter().map(String::as_str).partition(burns);
    assert_eq!(burning.len(), 1, "{burning:?}");
    let expected = [
        "connections-unfinished",
        "outbox-waits",
        "records-rising-crm-api",
        "records-unreadable",
        "requests-refused",
        "requests-rising",
        "requests-throttled",
        "uploads-flood",
    ];
    assert_eq!(others, expected);

    let mails: BTreeMap<_, _> = mail_server.mails().into_iter().map(|mail| (mail.runbook().to_owned(), mail)).collect();
    assert_eq!(mails.len(), alerts.len(), "{mails:#?}");
    let says = |rule: &str, name: &str| number(&mails[rule], name);
    // What is ordinary is in the windows, too.
    assert!((9_000.0..10_500.0).contains(&says("requests-rising", "count")), "{:#?}", mails["requests-rising"]);
    assert!((300.0..500.0).contains(&says("requests-rising", "usual")), "{:#?}", mails["requests-rising"]);
    assert!((4_000.0..4_500.0).contains(&says("records-rising", "count")), "{:#?}", mails["records-rising"]);
    assert_eq!((says("requests-refused", "largest"), says("requests-refused", "sources")), (250.0, 22.0));
    assert!((310.0..330.0).contains(&says("requests-refused", "count")), "{:#?}", mails["requests-refused"]);
    for (name, expected) in [("count", 150.0), ("largest", 150.0), ("sources", 1.0)] {
        assert_eq!(says("requests-throttled", name), expected, "{name}");
    }
    assert_eq!(says("uploads-flood", "largest"), 55.0);
    assert!((130.0..=151.0).contains(&says("connections-unfinished", "metric_agg_value")));
    assert_eq!((says("outbox-waits", "outbox.age_seconds"), says("outbox-waits", "outbox.messages")), (75.5, 7.0));
    assert!(
        mails["records-unreadable"].text.contains("37 × /var/log/noise.log\n"),
        "{:#?}",
        mails["records-unreadable"]
    );
    let availability = &mails["objective-availability"];
    // 1,400 and the ordinary failures, of about 15,000 requests of which one in a thousand may fail.
    assert!((1_400.0..1_420.0).contains(&number(availability, "count")), "{availability:#?}");
    assert!((80.0..110.0).contains(&number(availability, "burn_rate")), "{availability:#?}");
    assert!(number(availability, "budget_left") < -5_000.0, "{availability:#?}");
    assert!(availability.text.contains("\nCases: (event.action:\"http.request\" AND "), "{availability:#?}");

    a_disk_that_fills_sends_a_mail(&system, &notes).await;

    // All services fall silent.
    ticking.abort();
    notes.wait_for("records-late").await;
}

/// The rule as it is, but for a limit that every disk is beyond.
async fn a_disk_that_fills_sends_a_mail(system: &System, notes: &Notes) {
    let mut mail_server = MailServer::at(&system.data().join("mail-disk"));
    mail_server.start();
    let folder = system.file().logs.join("elastalert-disk");
    let _elastalert = ElastAlert::start_with_least_free(101, system.file(), mail_server.port, &folder);
    assert!(notes.wait_for("disk-fills").await.sent);
    let mails = mail_server.mails();
    let [mail] = &mails[..] else { panic!("{mails:#?}") };
    // To one decimal place: a large disk may be as good as empty.
    assert!((0.0..=100.0).contains(&number(mail, "free_percent")), "{mail:#?}");
}
