//! The page that everybody begins with: the field that finds everything, and today at a glance.

use std::collections::BTreeMap;

use maud::{Markup, html};
use questions::{Alert, ErrorClass, LastHeard, NewOrders, StatusCount, StuckOrder};
use time::OffsetDateTime;

use super::{
    alerts,
    errors::rows,
    layout::{Context, page, search_field},
    parts::{ago, id, next_step, status, table},
    silence::silence,
};
use crate::language::Language;

/// What the start page shows.
pub(crate) struct Glance {
    pub(crate) statuses: Vec<StatusCount>,
    pub(crate) stuck: Vec<StuckOrder>,
    pub(crate) errors: Vec<ErrorClass>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) heard: Vec<LastHeard>,
    pub(crate) new_orders: NewOrders,
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
        (logs_way(context, glance))
        (new_orders(context, &glance.new_orders))
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

/// Whether records arrive, of every service.
fn logs_way(context: &Context, glance: &Glance) -> Markup {
    let language = context.language;
    let newest = glance.heard.iter().filter_map(|one| one.at).max();
    html! {
        @if let Some(note) = silence(context, &glance.heard, glance.now) { (note) }
        @else if let Some(newest) = newest {
            p.hint {
                (language.of("Logs arrive; the newest record is from", "Журналы приходят; последняя запись —")) " "
                (ago(language, newest, glance.now)) "."
            }
        }
    }
}

/// How many orders are new, and whose they are if they are far more than usual.
fn new_orders(context: &Context, orders: &NewOrders) -> Markup {
    let language = context.language;
    html! {
        @if orders.is_burst() {
            section.note.warn {
                h2 { (language.of("Far more new orders than usual", "Новых заказов намного больше обычного")) }
                p {
                    (language.of("In the last hour:", "За последний час:")) " " (orders.hour) "; "
                    (language.of("in the whole last day:", "за все последние сутки:")) " " (orders.day) ". "
                    @if let Some((owner, count)) = &orders.most_of {
                        (language.of("Most of them are of", "Больше всего у")) " " (id(language, owner)) ": " (count) "."
                    }
                }
                (next_step(language, context.documents.as_deref(), "order-burst", language.of(
                    "Tell the people on duty: a program may be out of control, or it is an attack.",
                    "Сообщите дежурным: это может быть вышедшая из-под контроля программа или атака.",
                )))
            }
        } @else {
            p.hint {
                (language.of("New orders in the last hour:", "Новых заказов за последний час:")) " " (orders.hour) "; "
                (language.of("in the last day:", "за последние сутки:")) " " (orders.day) "."
            }
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
