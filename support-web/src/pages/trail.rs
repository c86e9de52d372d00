//! Records as a table: an order's trail with its filters, and short lists elsewhere.

use std::collections::BTreeSet;

use catalogue::{Action, field};
use maud::{Markup, html};
use questions::{Record, Trail};
use serde::Deserialize;

use super::parts::{copy, cut, escaped, order, table, time};
use crate::language::Language;

/// The rows of a page, so that no page becomes too heavy.
const ROWS: usize = 60;

/// Which records of a trail are shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filters {
    /// Only those of this service.
    service: String,
    /// Only those of this level and above.
    level: String,
    /// Only those of this action.
    action: String,
    /// The place of the first row.
    from: usize,
    /// The place of the record that is shown as it is.
    record: Option<usize>,
}

impl Filters {
    /// Those that let requests through, and nothing else.
    pub(crate) fn of_requests() -> Self {
        Self { action: Action::HttpRequest.name().to_owned(), ..Self::default() }
    }

    /// Whether they let requests through.
    pub(crate) fn shows_requests(&self) -> bool {
        self.action == Action::HttpRequest.name()
    }

    fn let_through(&self, record: &Record) -> bool {
        let is = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
        let level = self.level.parse().unwrap_or(0);
        is(&self.service, record.text(field::NAME))
            && is(&self.action, record.text(field::EVENT_ACTION))
            && record.level() >= level
    }

    /// The link to the records of an order that they let through.
    pub(crate) fn link(&self, number: &str) -> String {
        self.link_from(number, 0, None)
    }

    fn link_from(&self, number: &str, from: usize, record: Option<usize>) -> String {
        let mut link = format!(
            "/orders/{}?service={}&level={}&action={}&from={from}",
            escaped(number),
            escaped(&self.service),
            escaped(&self.level),
            escaped(&self.action)
        );
        match record {
            Some(record) => link.push_str(&format!("&record={record}#record")),
            None => link.push_str("#trail"),
        }
        link
    }
}

/// An order's trail, or the requests for its number if the filters ask for these.
pub(crate) fn trail(
    language: Language,
    number: &str,
    records: &[Record],
    requests: &Trail,
    filters: &Filters,
) -> Markup {
    let source = if filters.shows_requests() { requests.records.as_slice() } else { records };
    let shown: Vec<(usize, &Record)> =
        source.iter().enumerate().filter(|(_, record)| filters.let_through(record)).collect();
    let from = filters.from.min(shown.len().saturating_sub(1)) / ROWS * ROWS;
    let rows = html! {
        @for (place, record) in shown.iter().skip(from).take(ROWS) {
            @let is_open = filters.record == Some(*place);
            (row(language, record, false, html! {
                a href=(filters.link_from(number, from, (!is_open).then_some(*place))) aria-expanded=(is_open)
                    aria-label={ (language.of("Raw record", "Запись как есть")) " " (place + 1) } { "{…}" }
            }))
            @if is_open {
                tr #record { td colspan="6" { pre { (raw(record)) } } }
            }
        }
    };
    let head = head(language, language.of("raw", "как есть"));
    html! {
        (filter_form(language, number, records, &requests.records, filters))
        @if filters.shows_requests() && requests.is_cut {
            p.note { (language.of("There are more requests than are shown here: the last ones are shown.", "Запросов больше, чем показано: показаны последние.")) }
        }
        (table(language.of("Trail", "След заказа"), &head, &rows))
        @if shown.len() > ROWS {
            nav.pages aria-label=(language.of("Pages of the trail", "Страницы следа")) {
                @for first in (0..shown.len()).step_by(ROWS) {
                    a href=(filters.link_from(number, first, None)) aria-current=[(first == from).then_some("page")] {
                        (first + 1) "–" (shown.len().min(first + ROWS))
                    }
                }
            }
        }
    }
}

/// A short list of records of several orders.
pub(crate) fn list(language: Language, name: &str, records: &[Record]) -> Markup {
    let rows = html! {
        @for record in records {
            (row(language, record, true, html! { details { summary { "{…}" } pre { (raw(record)) } } }))
        }
    };
    let head = [&[language.of("order", "заказ")], head(language, language.of("raw", "как есть")).as_slice()].concat();
    table(name, &head, &rows)
}

fn head(language: Language, last: &'static str) -> [&'static str; 6] {
    [
        language.of("time", "время"),
        language.of("service", "сервис"),
        language.of("event", "событие"),
        language.of("what", "что"),
        "trace",
        last,
    ]
}

fn row(language: Language, record: &Record, with_order: bool, last: Markup) -> Markup {
    html! {
        tr class=[mark(record)] {
            @if with_order { td { @if let Some(number) = record.optional(field::ORDER_ID) { (order(number)) } } }
            td { (time(record.time())) }
            td { bdi { (cut(record.text(field::NAME))) } }
            td { bdi { code { (cut(record.text(field::EVENT_ACTION))) } } }
            td { bdi { (cut(&what(record))) } }
            td { @if let Some(trace) = record.optional(field::TRACE_ID) { (short_trace(language, trace)) } }
            td { (last) }
        }
    }
}

/// What marks a row.
fn mark(record: &Record) -> Option<&'static str> {
    match record.level() {
        50.. => Some("error"),
        40 => Some("warning"),
        _ => None,
    }
}

/// As much of a trace's id as tells traces apart.
pub(crate) fn short_trace(language: Language, trace: &str) -> Markup {
    let short: String = trace.chars().take(8).collect();
    html! {
        span.id {
            a href={ "/search?q=" (escaped(trace)) } title=(cut(trace)) { bdi { (short) } }
            (copy(language, trace))
        }
    }
}

/// What the event changed or carried, or why it failed.
fn what(record: &Record) -> String {
    let first = |fields: &[&str]| fields.iter().find_map(|field| record.optional(field)).map(str::to_owned);
    if let Some(failure) = record.optional(field::ERROR_TYPE) {
        return match record.optional(field::ERROR_MESSAGE) {
            Some(message) => format!("{failure}: {message}"),
            None => failure.to_owned(),
        };
    }
    if let Some(price) = record.optional(field::ORDER_PRICE_STATUS) {
        return format!("price {price}");
    }
    if let Some(route) = record.optional(field::HTTP_ROUTE) {
        let status = record.number(field::HTTP_RESPONSE_STATUS_CODE).unwrap_or_default();
        let request = format!("{} {route} {status}", record.text(field::HTTP_REQUEST_METHOD));
        return match record.optional(field::USER_ID) {
            Some(user) => format!("{request} · {user}"),
            None => request,
        };
    }
    first(&[field::ORDER_STATUS, field::MESSAGING_MESSAGE_TYPE, field::OPERATOR_ID, field::FILE_EXTENSION])
        .unwrap_or_default()
}

/// The whole record, a field a line.
pub(crate) fn raw(record: &Record) -> String {
    let fields = record.fields().cloned().unwrap_or_default();
    serde_json::to_string_pretty(&fields).unwrap_or_default()
}

fn filter_form(language: Language, number: &str, records: &[Record], requests: &[Record], filters: &Filters) -> Markup {
    let of = |field: &'static str| -> BTreeSet<&str> {
        records.iter().chain(requests).filter_map(|record| record.optional(field)).collect()
    };
    let mut actions = of(field::EVENT_ACTION);
    // Requests are read only once they are chosen.
    actions.insert(Action::HttpRequest.name());
    let any = language.of("all", "все");
    let select = |name: &str, label: &str, chosen: &str, options: Vec<(String, String)>| {
        html! {
            label { (label) " "
                select name=(name) {
                    option value="" { (any) }
                    @for (value, text) in options { option value=(value) selected[value == chosen] { (cut(&text)) } }
                }
            }
        }
    };
    let own = |names: BTreeSet<&str>| names.into_iter().map(|name| (name.to_owned(), name.to_owned())).collect();
    let levels = [
        ("40", language.of("warnings and errors", "предупреждения и ошибки")),
        ("50", language.of("errors", "ошибки")),
    ];
    let levels = levels.map(|(value, text)| (value.to_owned(), text.to_owned())).to_vec();
    html! {
        form.filters action={ "/orders/" (escaped(number)) "#trail" } method="get" {
            (select("service", language.of("Service", "Сервис"), &filters.service, own(of(field::NAME))))
            (select("level", language.of("Level", "Уровень"), &filters.level, levels))
            (select("action", language.of("Event", "Событие"), &filters.action, own(actions)))
            button type="submit" { (language.of("Filter", "Отобрать")) }
        }
    }
}
