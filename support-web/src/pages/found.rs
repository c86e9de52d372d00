//! What a search found beside one order.

use maud::{Markup, html};
use questions::{Meaning, OrderSummary, Record};

use super::{
    layout::{Context, page, search_field},
    parts::{order, status, table, time},
    trail::list,
};

/// The orders of a customer or partner, or those of a trace or request with its records.
pub(crate) fn several(
    context: &Context,
    text: &str,
    meaning: Meaning,
    orders: &[OrderSummary],
    records: &[Record],
    partial: bool,
) -> Markup {
    let language = context.language;
    let what = match meaning {
        Meaning::Customer => language.of("Customer", "Клиент"),
        Meaning::Partner => language.of("Partner", "Партнёр"),
        Meaning::Trace => language.of("Trace", "Trace"),
        Meaning::Request => language.of("Request", "Запрос"),
    };
    let of_orders = language.of("Orders", "Заказы");
    let head = [of_orders, language.of("status", "статус"), language.of("last record", "последняя запись")];
    let rows = html! {
        @for one in orders {
            tr {
                td { (order(&one.order)) }
                td { @if !one.status.is_empty() { (status(language, &one.status)) } }
                td { (time(one.last)) }
            }
        }
    };
    let of_records = language.of("First records", "Первые записи");
    let content = html! {
        h1 { (what) " " bdi { (text) } }
        h2 { (of_orders) }
        @if orders.is_empty() { p { (language.of("None.", "Нет.")) } } @else { (table(of_orders, &head, &rows)) }
        @if !records.is_empty() { h2 { (of_records) } (list(language, of_records, records)) }
    };
    page(context, what, partial, &content)
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
