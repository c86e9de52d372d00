//! Alerts as they came in, and logins that failed again and again.

use maud::{Markup, html};
use questions::{Alert, FailedLogins, Network};

use super::{
    layout::{Context, page},
    parts::{document, id, next_step, table, time},
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
                td {
                    (alert.rule) " "
                    (document(context.documents.as_deref(), "runbook.md", alert.section(), language.of("Runbook", "Инструкция")))
                }
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
pub(crate) fn logins(context: &Context, logins: &[FailedLogins], networks: &[Network], partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("Logins that failed repeatedly", "Повторные неудачные входы");
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
        @if logins.is_empty() { p.note.good { (language.of("None.", "Нет.")) } }
        @else {
            (next_step(language, context.documents.as_deref(), "logins-one-account", language.of(
                "Help the owner if they have forgotten the password. Else tell the people on duty: it may be guessed at.",
                "Помогите владельцу, если он забыл пароль. Иначе сообщите дежурным: пароль, возможно, подбирают.",
            )))
            (table(title, &head, &rows))
        }
        (networks_section(context, networks))
    };
    page(context, title, partial, &content)
}

/// Where passwords are tried on many accounts.
fn networks_section(context: &Context, networks: &[Network]) -> Markup {
    let language = context.language;
    let name = language.of("Networks that try many logins", "Сети, откуда пробуют много входов");
    let rows = html! {
        @for network in networks {
            tr.warning {
                td { bdi { (network.address) } }
                td.number { (network.logins) }
                td.number { (network.failures) }
                td { bdi { (network.services.join(", ")) } }
                td { (time(network.last)) }
            }
        }
    };
    let head = [
        language.of("network", "сеть"),
        language.of("logins", "входов"),
        language.of("failures", "неудач"),
        language.of("services", "сервисы"),
        language.of("last", "последняя"),
    ];
    html! {
        h2 { (name) }
        @if networks.is_empty() { p.note.good { (language.of("None.", "Нет.")) } }
        @else {
            (next_step(language, context.documents.as_deref(), "logins-all-accounts", language.of(
                "Somebody tries passwords on many accounts. Tell the people on duty, who can block the network.",
                "Кто-то пробует пароли ко многим учётным записям. Сообщите дежурным: они могут закрыть эту сеть.",
            )))
            (table(name, &head, &rows))
        }
    }
}
