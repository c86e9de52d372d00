//! The alerts: ElastAlert 2 with the rules of `elk/alerts` as they are, real time, real mail, and records that real
//! services wrote while people ordered as usual, and then while one thing after the other went wrong.
//!
//! All that happens in one [`day`]; each test looks at it from its side.

mod day;
mod elastalert;
mod mail;
mod python;
mod rules;
mod start;

use std::time::Duration;

use day::day;

#[test]
fn a_normal_day_sets_off_no_alert() {
    let day = day();
    let early: Vec<_> = day.alerts.iter().filter(|alert| alert.matched < day.incidents_began).collect();
    assert!(early.is_empty(), "{early:#?}");
}

#[test]
fn a_dead_letter_sends_a_mail() {
    day().one_mail("dead-letter", &["messaging.message.type: order.submitted", "error.type: message_malformed"]);
}

#[test]
fn bad_models_send_a_mail() {
    day().one_mail("prices-failing", &["model_not_closed", "model_unreadable", "model_too_large", "order.id: A-"]);
}

#[test]
fn slow_prices_send_a_mail() {
    day().one_mail("prices-slow", &["event.duration: 1", "model.triangles: "]);
}

#[test]
fn a_stuck_order_sends_a_mail_with_its_number() {
    day().one_mail("order-stuck", &["order.id: A-", "order.status: SUBMITTED"]);
}

#[test]
fn wrong_passwords_all_over_the_accounts_send_a_mail() {
    day().one_mail("logins-all-accounts", &["Wrong passwords for many accounts"]);
}

#[test]
fn repeated_wrong_passwords_for_one_account_send_a_mail() {
    day().one_mail("logins-one-account", &["auth.failures: 5", "name: shop-api"]);
}

#[test]
fn many_failed_logins_from_one_address_send_a_mail() {
    day().one_mail("logins-one-address", &["auth.failures: 50", "name: shop-api"]);
}

#[test]
fn a_burst_of_orders_sends_a_mail() {
    day().one_mail("order-burst", &["Order creation rises sharply", "spike_count: "]);
}

#[test]
fn more_errors_of_a_service_than_the_threshold_send_a_mail() {
    day().one_mail("service-errors", &["shop-api has errors", "event.action: order.model_uploaded"]);
}

#[test]
fn a_sharp_rise_of_a_services_errors_sends_a_mail_and_silences_the_threshold() {
    day().one_mail("service-errors-rising-crm-api", &["crm-api: errors rise sharply"]);
}

#[test]
fn a_line_that_is_no_record_sends_a_mail() {
    day().one_mail("records-unreadable", &["log.file.path: ", "noise-api.log"]);
}

#[test]
fn a_service_that_went_silent_sends_a_mail() {
    day().one_mail("service-silent-mes-api", &["mes-api is silent"]);
}

#[test]
fn nothing_else_sends_a_mail() {
    let day = day();
    let unexpected: Vec<_> = day.alerts.iter().filter(|alert| !day.causes.contains_key(&*alert.rule)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert_eq!(day.mails.len(), day.causes.len(), "{:#?}", day.mails);
}

#[test]
fn a_mail_that_can_not_be_sent_is_sent_later() {
    let day = day();
    assert!(day.unsent_at_first, "there was no mail server, and yet the mail of the dead letter was sent");
    assert!(day.alerts.iter().all(|alert| alert.sent), "{:#?}", day.alerts);
}

#[test]
fn no_mail_names_a_person() {
    let day = day();
    assert!(day.people.len() > 10, "{:?}", day.people);
    for mail in &day.mails {
        for person in &day.people {
            assert!(!mail.text.contains(person), "{person} is in {}", mail.text);
        }
    }
}

#[test]
fn every_alert_comes_within_minutes_of_its_cause() {
    let day = day();
    for (rule, cause) in &day.causes {
        let took = day.one_alert(rule).time.duration_since(*cause).expect("the cause comes first");
        println!("{rule}: {:.0} s from cause to alert", took.as_secs_f64());
        assert!(took < Duration::from_secs(300), "{rule}: {took:?}");
    }
}
