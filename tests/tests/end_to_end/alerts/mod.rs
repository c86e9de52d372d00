//! The alerts: ElastAlert 2 with the rules of `elk/alerts` as they are, real time, real mail, and records that real
//! services wrote while people ordered as usual, and then while one thing after the other went wrong.

mod day;
mod elastalert;
mod hour;
mod mail;
mod ordinary;
mod python;
mod rules;
mod start;

use std::time::Duration;

use day::Day;

/// The rules that have to send a mail, and what it says.
const MAILS: [(&str, &[&str]); 20] = [
    ("dead-letter", &["messaging.message.type: order.submitted", "error.type: message_malformed"]),
    ("prices-failing", &["model_not_closed", "model_unreadable", "model_too_large", "order.id: A-"]),
    ("prices-slow", &["event.duration: 1", "model.triangles: "]),
    ("order-stuck", &["order.id: A-", "order.status: SUBMITTED"]),
    ("logins-all-accounts", &["Wrong passwords for many accounts"]),
    ("logins-one-account", &["auth.failures: 5", "name: shop-api"]),
    ("logins-one-address", &["auth.failures: 50", "name: shop-api"]),
    ("order-burst", &["Order creation rises sharply", "spike_count: "]),
    ("service-errors", &["shop-api has errors", "event.action: order.model_uploaded"]),
    // A sharp rise silences the threshold.
    ("service-errors-rising-crm-api", &["crm-api: errors rise sharply"]),
    ("records-unreadable", &["log.file.path: ", "noise-api.log"]),
    ("service-silent-mes-api", &["mes-api is silent"]),
    ("requests-refused", &["count: ", "largest: "]),
    ("requests-throttled", &["count: ", "sources: 1\n"]),
    ("requests-rising", &["count: ", "usual: "]),
    ("uploads-flood", &["largest: ", "sources: "]),
    ("connections-unfinished", &["metric_agg_value: 2"]),
    ("records-rising-crm-api", &["crm-api writes far more than usual", "usual: "]),
    ("outbox-waits", &["outbox.messages: ", "outbox.age_seconds: "]),
    ("records-late", &["No records arrive"]),
];

/// One test, because a day takes minutes in which it mostly waits, and other tests go on meanwhile.
#[tokio::test]
async fn a_normal_day_sends_no_mail_and_each_incident_sends_one_soon_that_names_no_person() {
    let day = day::live().await;
    let early: Vec<_> = day.alerts.iter().filter(|alert| alert.matched < day.incidents_began).collect();
    assert!(early.is_empty(), "{early:#?}");
    for (rule, says) in MAILS {
        day.one_mail(rule, says);
    }
    nothing_else_sends_a_mail(&day);
    a_mail_that_can_not_be_sent_is_sent_later(&day);
    no_mail_names_a_person(&day);
    every_alert_comes_within_minutes_of_its_cause(&day);
}

fn nothing_else_sends_a_mail(day: &Day) {
    let unexpected: Vec<_> = day.alerts.iter().filter(|alert| !day.causes.contains_key(&*alert.rule)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert_eq!(day.mails.len(), day.causes.len(), "{:#?}", day.mails);
    assert_eq!(MAILS.len(), day.causes.len(), "{:?}", day.causes);
}

fn a_mail_that_can_not_be_sent_is_sent_later(day: &Day) {
    assert!(day.unsent_at_first, "there was no mail server, and yet the mail of the dead letter was sent");
    assert!(day.alerts.iter().all(|alert| alert.sent), "{:#?}", day.alerts);
}

fn no_mail_names_a_person(day: &Day) {
    assert!(day.people.len() > 10, "{:?}", day.people);
    for mail in &day.mails {
        for person in &day.people {
            assert!(!mail.text.contains(person), "{person} is in {}", mail.text);
        }
    }
}

fn every_alert_comes_within_minutes_of_its_cause(day: &Day) {
    for (rule, cause) in &day.causes {
        let took = day.one_alert(rule).time.duration_since(*cause).expect("the cause comes first");
        println!("{rule}: {:.0} s from cause to alert", took.as_secs_f64());
        assert!(took < Duration::from_secs(300), "{rule}: {took:?}");
    }
}
