//! What every page has around it.

use maud::{DOCTYPE, Markup, html};

use crate::language::Language;

/// What a page has to know of its request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) language: Language,
    /// The path with its query, for the links to the other language.
    pub(crate) path: String,
    /// Who is logged in.
    pub(crate) login: Option<String>,
    /// Where the documents are.
    pub(crate) documents: Option<std::sync::Arc<str>>,
}

impl Context {
    /// The same page in another language.
    fn in_language(&self, language: Language) -> String {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let kept = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("lang="));
        let query: Vec<&str> = kept.collect();
        let separator = if query.is_empty() { "" } else { "&" };
        format!("{path}?{}{separator}lang={}", query.join("&"), language.tag())
    }
}

/// A whole page. `partial` marks that some of what it shows may be missing.
pub(crate) fn page(context: &Context, title: &str, partial: bool, content: &Markup) -> Markup {
    let language = context.language;
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Alexandrite" }
                link rel="stylesheet" href="/login/page.css";
                link rel="icon" href="/login/icon.svg" type="image/svg+xml";
                script src="/login/page.js" defer {}
            }
            body {
                a.skip href="#content" { (language.of("Skip to the content", "К содержанию")) }
                (header(context))
                main #content tabindex="-1" {
                    @if partial { (partial_note(language)) }
                    (content)
                }
                (footer(context))
            }
        }
    }
}

fn header(context: &Context) -> Markup {
    let language = context.language;
    html! {
        header.top {
            a.brand href="/" { span.gem aria-hidden="true" { "◆" } " Alexandrite" }
            @if context.login.is_some() {
                nav aria-label=(language.of("Pages", "Страницы")) {
                    @for (path, name) in [
                        ("/errors", language.of("Errors", "Ошибки")),
                        ("/stuck", language.of("Stuck", "Застряли")),
                        ("/alerts", language.of("Alerts", "Оповещения")),
                        ("/logins", language.of("Logins", "Входы")),
                    ] {
                        a href=(path) aria-current=[context.path.starts_with(path).then_some("page")] { (name) }
                    }
                }
                (search_field(language, "", false))
            }
        }
    }
}

/// The one field that finds everything.
pub(crate) fn search_field(language: Language, value: &str, large: bool) -> Markup {
    let label = language.of("Order, customer, partner, trace or request", "Заказ, клиент, партнёр, trace или запрос");
    let (id, name) = if large {
        ("search", language.of("Search", "Поиск"))
    } else {
        ("search-top", language.of("Search from every page", "Поиск с любой страницы"))
    };
    html! {
        form.search.large[large] action="/search" method="get" role="search" aria-label=(name) {
            label for=(id) .hidden[!large] { (label) }
            div.field {
                input #(id) name="q" type="search" value=(value) placeholder="A-100042" maxlength="200" required
                    autocomplete="off" autocapitalize="characters" spellcheck="false" autofocus[large];
                button type="submit" { (language.of("Find", "Найти")) }
            }
        }
    }
}

fn partial_note(language: Language) -> Markup {
    html! {
        p.note.warn role="status" {
            strong { (language.of("Incomplete.", "Не всё.")) } " "
            (language.of(
                "A part of the logs did not respond in time: something may be missing here. Load the page again.",
                "Часть журналов не ответила вовремя: здесь может чего-то не хватать. Загрузите страницу ещё раз.",
            ))
        }
    }
}

fn footer(context: &Context) -> Markup {
    let language = context.language;
    html! {
        footer {
            p {
                @match language {
                    Language::English => a lang="ru" hreflang="ru" href=(context.in_language(Language::Russian)) { "Русский" },
                    Language::Russian => a lang="en" hreflang="en" href=(context.in_language(Language::English)) { "English" },
                }
                @if let Some(documents) = &context.documents {
                    " · " a href={ (documents) "/runbook.md" } { (language.of("Runbook", "Инструкции")) }
                }
            }
            @if let Some(login) = &context.login {
                form action="/logout" method="post" {
                    span { (language.of("Logged in as", "Вы вошли как")) " " bdi { (login) } " " }
                    button.quiet type="submit" { (language.of("Log out", "Выйти")) }
                }
            }
            p.hint.js { (language.of("Press / to search. Times are in your time zone; UTC is shown on hover.", "Клавиша / — поиск. Время — в вашем поясе; UTC — при наведении.")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_to_the_other_language_keeps_the_page() {
        let context =
            |path: &str| Context { language: Language::English, path: path.to_owned(), login: None, documents: None };
        assert_eq!(context("/errors?last=24h&lang=en").in_language(Language::Russian), "/errors?last=24h&lang=ru");
        assert_eq!(context("/").in_language(Language::Russian), "/?lang=ru");
    }
}
