//! What a search found beside one order.

use maud::{Markup, html};
use questions::{Meaning, OrderSummary, Record};

use super::{
    layout::{Context, page, search_field},
    parts::{order, status, table, time},
    trail::list,
};
use crate::language::Language;

/// The orders of a customer or partner, or those of a trace or request with its records.
pub(crate) fn several(
    context: &Context,
    text: &str,
    meaning: Meaning,
    orders: &[OrderSummary],
    records: &[Record],
    is_cut: bool,
    partial: bool,
) -> Markup {
    let language = context.language;
    let what = match meaning {
        Meaning::Customer => language.of("Customer", "Клиент"),
        Meaning::Partner => language.of("Partner", "Партнёр"),
        Meaning::Trace => language.of("Trace", "Trace"),
        Meaning::Request => language.of("Request", "Запрос"),
    };
    let cut = match meaning {
        Meaning::Customer | Meaning::Partner => language.of(
            "There are more orders than are shown here: those with the newest records are shown.",
            "Заказов больше, чем показано: показаны те, у которых самые новые записи.",
        ),
        Meaning::Trace | Meaning::Request => language.of(
            "There are more records than are shown here: the first ones and their orders are shown.",
            "Записей больше, чем показано: показаны первые и их заказы.",
        ),
    };
    let of_records = language.of("First records", "Первые записи");
    let content = html! {
        h1 { (what) " " bdi { (text) } }
        @if is_cut { p.note { (cut) } }
        h2 { (language.of("Orders", "Заказы")) }
        @if orders.is_empty() { p { (language.of("None.", "Нет.")) } } @else { (list_of_orders(language, orders)) }
        @if !records.is_empty() { h2 { (of_records) } (list(language, of_records, records)) }
    };
    page(context, what, partial, &content)
}

/// Two orders whose numbers have the same digits.
pub(crate) fn either(context: &Context, text: &str, orders: &[OrderSummary], partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("Two orders have these digits", "С этими цифрами есть два заказа");
    let content = html! {
        h1 { (title) ": " bdi { (text) } }
        p { (language.of(
            "A number with A is of an order of the shop or CRM, one with P of a partner's order.",
            "Номер с A — у заказа магазина или CRM, с P — у заказа партнёра.",
        )) }
        (list_of_orders(language, orders))
    };
    page(context, title, partial, &content)
}

/// The table of orders; without statuses where none is known.
fn list_of_orders(language: Language, orders: &[OrderSummary]) -> Markup {
    let with_status = orders.iter().any(|one| !one.status.is_empty());
    let name = language.of("Orders", "Заказы");
    let mut head = vec![name];
    if with_status {
        head.push(language.of("status", "статус"));
    }
    head.push(language.of("last record", "последняя запись"));
    let rows = html! {
        @for one in orders {
            tr {
                td { (order(&one.order)) }
                @if with_status { td { @if !one.status.is_empty() { (status(language, &one.status)) } } }
                td { (time(one.last)) }
            }
        }
    };
    table(name, &head, &rows)
}

/// Nothing has this id.
pub(crate) fn nothing(context: &Context, text: &str, partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("Nothing was found", "Ничего не найдено");
    let content = html! {
        h1 { (title) }
        p { (language.of(
            "This can be an order's number (A-100042, P-100007, also 100042), or the whole id of a customer, a partner, a trace or a request.",
            "Это может быть номер заказа (A-100042, P-100007, также 100042) или полный id клиента, партнёра, trace или запроса.",
        )) }
        (search_field(language, text, true))
    };
    page(context, title, partial, &content)
}
