//! The page that everybody begins with: the field that finds everything, and today at a glance.

use std::collections::BTreeMap;

use maud::{Markup, html};
use questions::{Alert, ErrorClass, StatusCount, StuckOrder};
use time::OffsetDateTime;

use super::{
    alerts,
    errors::rows,
    layout::{Context, page, search_field},
    parts::{ago, status, table},
};
use crate::language::Language;

/// A newest record that is older than this says that logs don't arrive: every service writes twice a minute.
const FRESH_MINUTES: i64 = 3;

/// What the start page shows.
pub(crate) struct Glance {
    pub(crate) statuses: Vec<StatusCount>,
    pub(crate) stuck: Vec<StuckOrder>,
    pub(crate) errors: Vec<ErrorClass>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) newest: Option<OffsetDateTime>,
    pub(crate) partial: bool,
    pub(crate) now: OffsetDateTime,
}

/// The page.
pub(crate) fn start(context: &Context, glance: &Glance) -> Markup {
    let language = context.language;
    let title = language.of("Where is my order?", "Где мой заказ?");
    let content = html! {
        h1 { (title) }
        (search_field(language, "", true))
        (logs_way(language, glance))
        div.columns {
            section {
                h2 { (language.of("Orders by status", "Заказы по статусам")) }
                (statuses(language, glance))
            }
            section {
                h2 { (language.of("Errors of the last hour", "Ошибки за последний час")) }
                @if glance.errors.is_empty() { p { (language.of("None.", "Нет.")) } }
                @else { (rows(language, &glance.errors, "1h")) }
                h2 { (language.of("Alerts of the last day", "Оповещения за сутки")) }
                (alerts::list(context, &glance.alerts))
            }
        }
    };
    page(context, title, glance.partial, &content)
}

/// Whether records arrive.
fn logs_way(language: Language, glance: &Glance) -> Markup {
    html! {
        @match glance.newest {
            Some(newest) if (glance.now - newest).whole_minutes() < FRESH_MINUTES => p.hint {
                (language.of("Logs arrive; the newest record is from", "Журналы приходят; последняя запись —")) " "
                (ago(language, newest, glance.now)) "."
            },
            Some(newest) => p.note.warn role="status" {
                strong { (language.of("Logs don't arrive:", "Журналы не приходят:")) } " "
                (language.of("the newest record is from", "последняя запись —")) " " (ago(language, newest, glance.now)) ". "
                (language.of("What is shown is as old as that.", "Показанное такой же давности."))
            },
            None => p.note.warn role="status" { (language.of("There is no record of the last week.", "За последнюю неделю записей нет.")) },
        }
    }
}

fn statuses(language: Language, glance: &Glance) -> Markup {
    // The longest-waiting comes first.
    let mut stuck: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for one in glance.stuck.iter().filter(|one| one.action == catalogue::Action::OrderStuck.name()) {
        stuck.entry(&one.status).or_insert((0, one.hours)).0 += 1;
    }
    let rows = html! {
        @for count in &glance.statuses {
            @let standing = stuck.get(count.status);
            tr class=[standing.map(|_| "warning")] {
                td { (status(language, count.status)) }
                td.number { (count.orders) }
                td.number { @if let Some((count, _)) = standing { a href="/stuck" { (count) } } }
                td.number { @if let Some((_, hours)) = standing { (language.duration(*hours)) } }
            }
        }
    };
    let head = [
        language.of("status", "статус"),
        language.of("orders", "заказов"),
        language.of("too long", "слишком долго"),
        language.of("the oldest", "самый старый"),
    ];
    table(language.of("Orders by status", "Заказы по статусам"), &head, &rows)
}
