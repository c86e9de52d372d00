//! Alerts as they came in, and logins that failed again and again.

use maud::{Markup, html};
use questions::{Alert, FailedLogins};

use super::{
    layout::{Context, page},
    parts::{document, id, table, time},
};

/// The page of alerts.
pub(crate) fn alerts(context: &Context, days: u16, alerts: &[Alert], partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("Alerts", "Оповещения");
    let content = html! {
        h1 { (title) }
        p { (language.of("Of the last days:", "За последние дни:")) " " (days) }
        (list(context, alerts))
    };
    page(context, title, partial, &content)
}

/// The table of alerts.
pub(crate) fn list(context: &Context, alerts: &[Alert]) -> Markup {
    let language = context.language;
    let rows = html! {
        @for alert in alerts {
            tr {
                td { (time(alert.at)) }
                td { (document(context.documents.as_deref(), "runbook.md", &alert.rule, &alert.rule)) }
                td { @if alert.sent { (language.of("sent", "отправлено")) } @else { (language.of("not sent", "не отправлено")) } }
            }
        }
    };
    let head = [language.of("time", "время"), language.of("alert", "оповещение"), language.of("mail", "письмо")];
    html! {
        @if alerts.is_empty() { p { (language.of("None, or no alerts run here.", "Нет, или оповещения здесь не запущены.")) } }
        @else { (table(language.of("Alerts", "Оповещения"), &head, &rows)) }
    }
}

/// The page of failed logins.
pub(crate) fn logins(context: &Context, logins: &[FailedLogins], partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("Log-ins that failed repeatedly", "Повторные неудачные входы");
    let rows = html! {
        @for one in logins {
            tr {
                td {
                    @if one.is_account { (id(language, &one.who)) }
                    @else { (language.of("no account, hash", "нет такой записи, хеш")) " " code { bdi { (one.who) } } }
                }
                td.number { (one.count) }
                td { bdi { (one.from.join(", ")) } }
                td { (time(one.last)) }
            }
        }
    };
    let head = [
        language.of("who", "кто"),
        language.of("failures", "неудач"),
        language.of("from where", "откуда"),
        language.of("last", "последняя"),
    ];
    let content = html! {
        h1 { (title) }
        p { (language.of("Of the last seven days.", "За последние семь дней.")) }
        @if logins.is_empty() { p.note.good { (language.of("None.", "Нет.")) } } @else { (table(title, &head, &rows)) }
    };
    page(context, title, partial, &content)
}
