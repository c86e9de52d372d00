//! Orders that stand too long, with the likely reason and the next step.

use catalogue::{Action, field};
use maud::{Markup, html};
use questions::StuckOrder;

use super::{
    layout::{Context, page},
    parts::{cut, document, order, price_failed, status, table, time},
};
use crate::language::Language;

/// The rows at most.
const ROWS: usize = 200;

/// The page.
pub(crate) fn stuck(context: &Context, orders: &[StuckOrder], partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("Orders that stand too long", "Заказы, которые стоят слишком долго");
    let rows = html! {
        @for one in orders.iter().take(ROWS) {
            tr.warning {
                td { (order(&one.order)) br; code { (one.action) } }
                td { (status(language, &one.status)) }
                td.number { (language.duration(one.hours)) }
                td { (time(one.report.time())) }
                td { (reason(language, one)) }
                td { (next_step(language, one)) }
            }
        }
    };
    let head = [
        language.of("order", "заказ"),
        language.of("status", "статус"),
        language.of("for", "сколько"),
        language.of("reported", "замечен"),
        language.of("likely reason", "вероятная причина"),
        language.of("next step", "следующий шаг"),
    ];
    let content = html! {
        h1 { (title) }
        @if orders.is_empty() { p.note.good { (language.of("No order is stuck or overdue.", "Таких заказов нет.")) } }
        @else {
            p { (orders.len()) " · " (document(context.documents.as_deref(), "runbook.md", "order-stuck", language.of("Runbook", "Инструкция"))) }
            @if orders.len() > ROWS { p.note { (language.of("The longest-waiting are shown.", "Показаны те, что ждут дольше всех.")) } }
            (table(title, &head, &rows))
        }
    };
    page(context, title, partial, &content)
}

/// What to do about what is in the way, or about the status.
fn next_step(language: Language, one: &StuckOrder) -> &'static str {
    match one.trouble.as_ref().and_then(|trouble| Some((trouble, trouble.optional(field::ERROR_TYPE)?))) {
        Some((trouble, class)) => language.advice(class, price_failed(trouble)),
        None => language.next_step(&one.status),
    }
}

/// Why it stands, as far as the logs know.
fn reason(language: Language, one: &StuckOrder) -> Markup {
    if let Some(trouble) = &one.trouble {
        let class = trouble.text(field::ERROR_TYPE);
        let dead = trouble.text(field::EVENT_ACTION) == Action::MessageDeadLettered.name();
        return html! {
            @if dead { (language.of("A message about it is a dead letter.", "Сообщение о нём попало в dead letters.")) " " }
            (language.meaning(class)) " " code { bdi { (cut(class)) } } " " (time(trouble.time()))
        };
    }
    html! {
        (match one.status.as_str() {
            "SUBMITTED" => language.of("No price came, and no failure: the MES or the messages may stand.", "Ни цены, ни сбоя: возможно, стоит MES или сообщения."),
            "PRICE_CALCULATED" => language.of("No seller has approved it.", "Ни один продавец не одобрил его."),
            "MANUFACTURING_APPROVED" => language.of("No operator has taken it.", "Ни один оператор не взял его."),
            "SHIPPED" => language.of("No delivery was confirmed.", "Доставка не подтверждена."),
            _ => language.of("Nobody has gone on with it; no failure is known.", "Им никто не занимался; сбоев не известно."),
        })
    }
}
