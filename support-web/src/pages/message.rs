//! Pages that say why there is nothing else to see.

use maud::{Markup, html};
use questions::SearchError;

use super::layout::{Context, page, search_field};

/// There is nothing at this path.
pub(crate) fn unknown_path(context: &Context) -> Markup {
    let language = context.language;
    let title = language.of("There is no such page", "Такой страницы нет");
    let content = html! { h1 { (title) } (search_field(language, "", true)) };
    page(context, title, false, &content)
}

/// A form came from another site's page.
pub(crate) fn foreign_form() -> Markup {
    html! {
        (maud::DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "Alexandrite" } }
            body { main { h1 { "This form came from another site, so nothing was done." } p { a href="/" { "Alexandrite" } } } }
        }
    }
}

/// The logs can't be asked: what is the matter, and what still holds.
pub(crate) fn no_answer(context: &Context, error: &SearchError, request: &str) -> Markup {
    let language = context.language;
    let (title, what) = match error {
        SearchError::Timeout => (
            language.of("The logs are too slow", "Журналы отвечают слишком медленно"),
            language.of("Elasticsearch has not responded in time.", "Elasticsearch не ответил вовремя."),
        ),
        SearchError::Unavailable(_) => (
            language.of("The logs can't be reached", "Журналы недоступны"),
            language.of("Elasticsearch is away or not ready.", "Elasticsearch недоступен или не готов."),
        ),
        _ => (
            language.of("The logs did not answer", "Журналы не ответили"),
            language.of("Elasticsearch refused the search.", "Elasticsearch отклонил поиск."),
        ),
    };
    let content = html! {
        h1 { (title) }
        p.note.bad role="alert" { (what) }
        p { (language.of(
            "What still holds: orders go on as always, and their records are kept in files until Elasticsearch is back. Nothing is lost; you just can't see it now. Try again in a minute; if it lasts, tell the people on duty.",
            "Что остаётся в силе: заказы идут как обычно, их записи хранятся в файлах, пока Elasticsearch не вернётся. Ничего не потеряно, просто сейчас не видно. Попробуйте через минуту; если не проходит, сообщите дежурным.",
        )) }
        p { a href=(context.path) { (language.of("Try again", "Ещё раз")) } }
        p.hint { (language.of("Request", "Запрос")) " " code { (request) } }
    };
    page(context, title, false, &content)
}
