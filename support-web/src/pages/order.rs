//! An order's page: the answer first, then why, then everything that is known.

use std::collections::BTreeMap;

use catalogue::{ORDER_STATUSES, field};
use maud::{Markup, html};
use questions::{LastHeard, Record, Spans, Stay, Story, Trail};
use time::OffsetDateTime;

use super::{
    layout::{Context, page},
    parts::{cut, document, id, price_failed, table, time},
    silence::silence,
    trail::{Filters, trail},
    waterfall::waterfall,
};
use crate::language::Language;

/// Longer than nine of ten orders, and this much longer than the usual one: worth a word.
const NOTABLE_HOURS: f64 = 1.0;

/// What is known about an order.
pub(crate) struct Order<'a> {
    pub(crate) number: &'a str,
    pub(crate) records: &'a [Record],
    /// Whether there are more records than these, which are the oldest.
    pub(crate) is_cut: bool,
    /// The last requests for it, if they are shown.
    pub(crate) requests: &'a Trail,
    pub(crate) usual: &'a BTreeMap<String, Stay>,
    pub(crate) spans: &'a Spans,
    /// When each service last wrote a record within an hour.
    pub(crate) heard: &'a [LastHeard],
    pub(crate) partial: bool,
    pub(crate) now: OffsetDateTime,
}

/// The page.
pub(crate) fn order(context: &Context, order: &Order<'_>, filters: &Filters) -> Markup {
    let language = context.language;
    let story = Story::of(order.records);
    let content = html! {
        h1 { bdi { (order.number) } " " @if let Some(step) = story.status() { span.status { (step.status) } } }
        (sentence(language, &story, order))
        (why(context, &story, order))
        h2 { (language.of("Statuses", "Статусы")) }
        (statuses(language, &story, order))
        (people(language, &story))
        (messages(language, &story))
        (waterfall(language, order.spans))
        h2 #trail { (language.of("Everything that happened", "Всё, что произошло")) }
        @if order.is_cut {
            p.note { (language.of("There are more records than are shown here: the oldest are shown.", "Записей больше, чем показано: показаны самые старые.")) }
        }
        (trail(language, order.number, order.records, order.requests, filters))
    };
    page(context, order.number, order.partial, &content)
}

/// No record tells of an order with this number. Those of requests for it say who has asked, and are shown if they are
/// asked for.
pub(crate) fn unknown(context: &Context, number: &str, requests: &Trail, filters: &Filters, partial: bool) -> Markup {
    let language = context.language;
    let title = language.of("The logs know no such order", "Журналы не знают такого заказа");
    let content = html! {
        h1 { (title) }
        p { bdi { (number) } }
        p { (language.of(
            "A new record takes some seconds to be found, and records are kept for 180 days.",
            "Новая запись находится через несколько секунд; записи хранятся 180 дней.",
        )) }
        @if let Some(last) = requests.records.last() {
            p.note {
                (language.of("Requests for this number are recorded:", "Есть записи о запросах с этим номером:")) " "
                (requests.records.len()) @if requests.is_cut { "+" } ", " (language.of("the last one", "последний")) " " (time(last.time())) ". "
                a href=(Filters::of_requests().link(number)) { (language.of("Who asked", "Кто спрашивал")) }
            }
        }
        (super::layout::search_field(language, number, true))
        @if !requests.records.is_empty() && filters.shows_requests() {
            h2 #trail { (language.of("Requests for this number", "Запросы с этим номером")) }
            (trail(language, number, &[], requests, filters))
        }
    };
    page(context, title, partial, &content)
}

/// What to read out to the customer.
fn sentence(language: Language, story: &Story, order: &Order<'_>) -> Markup {
    // In the sentence itself, which may be copied alone.
    let incomplete = html! {
        @if order.is_cut { strong { (language.of("Incomplete:", "Не всё:")) } " " }
    };
    let Some(step) = story.status() else {
        return html! { p.answer { (incomplete) (language.sentence("").0) "." } (newer_records(language, order)) };
    };
    let (since, mut next) = language.sentence(step.status);
    let failed = story.price.as_ref().is_some_and(|price| price.text(field::ORDER_PRICE_STATUS) == "FAILED");
    if step.status == "SUBMITTED" && failed {
        next = language.of(
            "Its price could not be calculated from the 3D model; we have to clear that up first.",
            "Цену по 3D-модели рассчитать не удалось; сначала нужно это выяснить.",
        );
    }
    let hours = (order.now - step.at).as_seconds_f64() / 3600.0;
    let is_closed = step.status == "CLOSED";
    html! {
        p.answer #answer {
            (incomplete) (since) " " (time(Some(step.at))) ". "
            @if !is_closed {
                (language.of("That is ", "Прошло ")) (language.duration(hours))
                @if let Some(longer) = order.usual.get(step.status).and_then(|usual| longer(hours, *usual)) {
                    ", " strong { (language.duration(longer)) " " (language.of("longer than usual", "дольше обычного")) }
                }
                ". "
            }
            (next)
        }
        (newer_records(language, order))
        p.hint {
            button.copy.js type="button" data-copy-from="answer" { (language.of("Copy the answer", "Скопировать ответ")) }
            " " button.js.print type="button" data-print="" { (language.of("Print", "Печать")) }
        }
    }
}

/// Says that the sentence is of the oldest records alone.
fn newer_records(language: Language, order: &Order<'_>) -> Markup {
    html! {
        @if order.is_cut {
            p.note.warn {
                (language.of(
                    "The order has more records than were read. It may have gone on since the last one that was read, of",
                    "Записей о заказе больше, чем прочитано. Он мог продвинуться после последней прочитанной записи:",
                )) " "
                (time(order.records.last().and_then(Record::time))) "."
            }
        }
    }
}

/// By how many hours a stay is longer than usual, if that is worth a word.
fn longer(hours: f64, usual: Stay) -> Option<f64> {
    let longer = hours - usual.median;
    (hours > usual.ninth_decile && longer >= NOTABLE_HOURS).then_some(longer)
}

/// What is wrong, and what to do.
fn why(context: &Context, story: &Story, order: &Order<'_>) -> Markup {
    let language = context.language;
    let documents = context.documents.as_deref();
    let status = story.status().map_or("", |step| step.status);
    let trouble = story.trouble.as_ref();
    let open = trouble.filter(|_| !story.is_over);
    // A closed order needs no service any more.
    let silence = if status == "CLOSED" { None } else { silence(context, order.heard, order.now) };
    html! {
        @if let Some(silence) = &silence { (silence) }
        @if let Some(report) = &story.stuck {
            section.note.bad {
                h2 { (language.of("It stands too long", "Заказ стоит слишком долго")) }
                p {
                    (language.of("Reported", "Замечено")) " " (time(report.time())) ": " code { (report.text(field::EVENT_ACTION)) } ". "
                    strong { (language.of("Next step:", "Следующий шаг:")) } " " (language.next_step(status)) " "
                    (document(documents, "runbook.md", "order-stuck", language.of("Runbook", "Инструкция")))
                }
            }
        }
        @if let Some(trouble) = open { (failure(context, trouble, language.of("What went wrong", "Что случилось"))) }
        @if let Some(trouble) = trouble.filter(|_| story.is_over) {
            details.past {
                summary { (language.of("There was trouble before; the order has gone on since", "Раньше был сбой; с тех пор заказ двигался дальше")) }
                (failure(context, trouble, language.of("What went wrong", "Что случилось")))
            }
        }
        @if open.is_none() && story.stuck.is_none() && silence.is_none() && story.status().is_some() && !order.is_cut {
            p.note.good { (language.of("Nothing is known to be wrong.", "Сбоев не известно.")) " " (language.next_step(status)) }
        }
    }
}

fn failure(context: &Context, record: &Record, title: &str) -> Markup {
    let language = context.language;
    let class = record.text(field::ERROR_TYPE);
    html! {
        section.note.bad {
            h2 { (title) }
            p { (language.meaning(class)) " " @if !class.is_empty() { a href={ "/errors/" (super::parts::escaped(class)) } { code { bdi { (cut(class)) } } } } }
            @if let Some(message) = record.optional(field::ERROR_MESSAGE) { p.cause { bdi { (cut(message)) } } }
            p { strong { (language.of("What to do:", "Что делать:")) } " " (language.advice(class, price_failed(record))) " "
                (document(context.documents.as_deref(), "runbook.md", "service-errors", language.of("Runbook", "Инструкция"))) }
            p.hint {
                (time(record.time())) " · " bdi { (cut(record.text(field::NAME))) } " · " code { bdi { (cut(record.text(field::EVENT_ACTION))) } }
                @if let Some(trace) = record.optional(field::TRACE_ID) { " · trace " (id(language, trace)) }
            }
        }
    }
}

/// The ten statuses as a line.
fn statuses(language: Language, story: &Story, order: &Order<'_>) -> Markup {
    let current = story.status().map(|step| step.status);
    html! {
        ol.statuses {
            @for name in ORDER_STATUSES {
                @let place = story.steps.iter().position(|step| step.status == name);
                @let mark = if current == Some(name) { Some("reached current") } else { place.map(|_| "reached") };
                li class=[mark] aria-current=[(current == Some(name)).then_some("step")] {
                    span.status { (name) } " " span.plain { (language.status(name)) }
                    @if let Some(place) = place {
                        @let step = &story.steps[place];
                        div { (time(Some(step.at))) " · " (step.service) }
                        @if name != "CLOSED" {
                            @let hours = (story.left(place, order.now) - step.at).as_seconds_f64() / 3600.0;
                            div.duration {
                                (language.duration(hours))
                                @if let Some(usual) = order.usual.get(name) {
                                    span.plain { " (" (language.of("usual", "обычно")) " " (language.duration(usual.median)) ")" }
                                }
                            }
                        }
                    } @else { div.plain { (language.of("not yet", "ещё нет")) } }
                }
            }
        }
    }
}

/// Whose it is, who has it, and its price.
fn people(language: Language, story: &Story) -> Markup {
    let price = story.price.as_ref();
    html! {
        dl.facts {
            @for (name, value) in [
                (language.of("Customer", "Клиент"), &story.customer),
                (language.of("Partner", "Партнёр"), &story.partner),
                (language.of("Operator who has it", "У оператора"), &story.operator),
            ] {
                @if let Some(value) = value { div { dt { (name) } dd { (id(language, value)) } } }
            }
            @if let Some(price) = price {
                div {
                    dt { (language.of("Price calculation", "Расчёт цены")) }
                    dd {
                        span.status { (cut(price.text(field::ORDER_PRICE_STATUS))) } " " (time(price.time()))
                        @if let Some(message) = price.optional(field::ERROR_MESSAGE) { " — " bdi { (cut(message)) } }
                    }
                }
            }
        }
    }
}

fn messages(language: Language, story: &Story) -> Markup {
    if story.messages.is_empty() {
        return html! {};
    }
    let rows = html! {
        @for message in &story.messages {
            tr class=[message.dead.map(|_| "error")] {
                td { code { bdi { (cut(&message.message_type)) } } }
                td { (time(message.published)) }
                td {
                    @if let Some(dead) = message.dead { strong { "dead letter" } " " (time(Some(dead))) }
                    @else { (time(message.consumed)) }
                }
                td { (message.retries) }
            }
        }
    };
    let name = language.of("Messages between CRM and MES", "Сообщения между CRM и MES");
    let head = [
        language.of("message", "сообщение"),
        language.of("published", "опубликовано"),
        language.of("took effect", "подействовало"),
        language.of("retries", "повторы"),
    ];
    html! { h2 { (name) } (table(name, &head, &rows)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_notably_longer_stay_is_called_longer_than_usual() {
        let usual = Stay { median: 10.0, ninth_decile: 20.0 };
        assert_eq!([5.0, 15.0, 25.0].map(|hours| longer(hours, usual)), [None, None, Some(15.0)]);
        assert_eq!(longer(0.5, Stay { median: 0.01, ninth_decile: 0.02 }), None);
    }

    #[test]
    fn a_sentence_of_some_of_the_records_is_marked_as_incomplete() {
        let created = json!({
            field::TIME: "2026-02-03T04:05:06Z", field::NAME: "shop-api", field::EVENT_ACTION: "order.created",
            field::ORDER_STATUS: "INITIATED",
        });
        let (records, nothing) = ([Record::new(created)], [Record::default()]);
        let said = |records: &[Record], is_cut| {
            let order = Order {
                number: "A-100042",
                records,
                is_cut,
                requests: &Trail::default(),
                usual: &BTreeMap::new(),
                spans: &Spans::default(),
                heard: &[],
                partial: false,
                now: OffsetDateTime::now_utc(),
            };
            sentence(Language::English, &Story::of(records), &order).0
        };
        for records in [&records, &nothing] {
            assert!(said(records, true).contains("<strong>Incomplete:</strong> "), "{}", said(records, true));
            assert!(!said(records, false).contains("Incomplete"), "{}", said(records, false));
        }
        assert!(said(&records, true).contains("2026-02-03 04:05:06 UTC"), "{}", said(&records, true));
    }
}
