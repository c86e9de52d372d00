//! Failures by class, and one class with its orders.

use maud::{Markup, html};
use questions::{ErrorClass, Occurrences};

use super::{
    layout::{Context, page},
    parts::{cut, document, escaped, order, price_failed, table, time, trend},
    trail::list,
};
use crate::language::Language;

/// The periods that are one click away.
const PERIODS: [&str; 4] = ["1h", "24h", "7d", "30d"];

/// The period that is asked about, as the form has it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Such as `24h`; empty if days are set.
    pub(crate) last: String,
    /// Such as `2026-11-26`.
    pub(crate) from: String,
    /// The same.
    pub(crate) until: String,
}

impl Asked {
    /// The query of a link.
    fn query(&self) -> String {
        if self.last.is_empty() {
            format!("from={}&until={}", escaped(&self.from), escaped(&self.until))
        } else {
            format!("last={}", escaped(&self.last))
        }
    }
}

/// All classes.
pub(crate) fn errors(context: &Context, asked: &Asked, classes: &[ErrorClass], partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("Errors", "Ошибки");
    let content = html! {
        h1 { (title) }
        (period_form(language, "/errors", asked))
        @if classes.is_empty() { p.note.good { (language.of("There are no errors in this time.", "За это время ошибок нет.")) } }
        @else { (rows(language, classes, &asked.query())) }
    };
    page(context, title, partial, &content)
}

/// A table of classes; `query` is the period for their links, or its last part.
pub(crate) fn rows(language: Language, classes: &[ErrorClass], query: &str) -> Markup {
    let query = if query.contains('=') { query.to_owned() } else { format!("last={query}") };
    let rows = html! {
        @for class in classes {
            tr {
                td { a href={ "/errors/" (escaped(&class.name)) "?" (query) } { code { bdi { (cut(&class.name)) } } } br; span.plain { (language.meaning(&class.name)) } }
                td.number { (class.count) }
                td.number { (class.orders) }
                td { @for (service, count) in &class.services { div { bdi { (service) } " " (count) } } }
                td { (time(class.first)) br; (time(class.last)) }
                td { (trend(language, &class.trend)) }
            }
        }
    };
    let head = [
        language.of("error", "ошибка"),
        language.of("count", "сколько"),
        language.of("orders", "заказов"),
        language.of("services", "сервисы"),
        language.of("first, last", "первая, последняя"),
        language.of("trend", "динамика"),
    ];
    table(language.of("Errors by type", "Ошибки по видам"), &head, &rows)
}

/// One class with its orders.
pub(crate) fn class(context: &Context, name: &str, asked: &Asked, found: &Occurrences, partial: bool) -> Markup {
    let language = context.language;
    let path = format!("/errors/{}", escaped(name));
    let orders = html! {
        @for (number, count, last) in &found.orders {
            tr { td { (order(number)) } td.number { (count) } td { (time(*last)) } }
        }
    };
    let title_of_orders = language.of("Orders concerned", "Затронутые заказы");
    let head = [language.of("order", "заказ"), language.of("failures", "сбоев"), language.of("last", "последний")];
    let content = html! {
        h1 { code { bdi { (cut(name)) } } }
        p { (language.meaning(name)) }
        p { strong { (language.of("What to do:", "Что делать:")) } " " (language.advice(name, found.newest.iter().any(price_failed))) " "
            (document(context.documents.as_deref(), "runbook.md", "service-errors", language.of("Runbook", "Инструкция"))) }
        (period_form(language, &path, asked))
        h2 { (title_of_orders) }
        @if found.orders.is_empty() { p { (language.of("None.", "Нет.")) } } @else { (table(title_of_orders, &head, &orders)) }
        h2 { (language.of("Newest records", "Последние записи")) }
        (list(language, language.of("Newest records", "Последние записи"), &found.newest))
    };
    page(context, &cut(name), partial, &content)
}

fn period_form(language: Language, path: &str, asked: &Asked) -> Markup {
    html! {
        nav.pages aria-label=(language.of("Period", "Период")) {
            @for period in PERIODS {
                a href={ (path) "?last=" (period) } aria-current=[(asked.last == period).then_some("page")] { (period) }
            }
        }
        form.filters action=(path) method="get" {
            label { (language.of("From", "С")) " " input type="date" name="from" value=(asked.from); }
            label { (language.of("until", "по")) " " input type="date" name="until" value=(asked.until); }
            button type="submit" { (language.of("Show", "Показать")) }
        }
    }
}
