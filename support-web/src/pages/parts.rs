//! What several pages show: times, ids, services, links.

use catalogue::field;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use questions::Record;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::language::Language;

/// A text as a part of a path or query.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%2D", "-").replace("%5F", "_")
}

/// The beginning of a text that may be long; the raw record has all of it.
pub(crate) fn cut(text: &str) -> String {
    /// In characters.
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether it reports that a price could not be calculated.
pub(crate) fn price_failed(record: &Record) -> bool {
    record.text(field::ORDER_PRICE_STATUS) == "FAILED"
}

/// A point in time: in UTC here, which the page's script shows in the employee's time zone.
pub(crate) fn time(at: Option<OffsetDateTime>) -> Markup {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    html! {
        @match at {
            Some(at) => {
                @let text = at.to_utc().format(format).unwrap_or_default();
                time datetime=(at.format(&Rfc3339).unwrap_or_default()) title=(text) { (text) }
            }
            None => "—",
        }
    }
}

/// How long ago something was.
pub(crate) fn ago(language: Language, at: OffsetDateTime, now: OffsetDateTime) -> String {
    let duration = language.duration((now - at).as_seconds_f64() / 3600.0);
    match language {
        Language::English => format!("{duration} ago"),
        Language::Russian => format!("{duration} назад"),
    }
}

/// A status in the contract's word, with plain words beside it.
pub(crate) fn status(language: Language, status: &str) -> Markup {
    html! { span.status { (status) } " " span.plain { (language.status(status)) } }
}

/// An id that can be copied, and searched for.
pub(crate) fn id(language: Language, text: &str) -> Markup {
    html! {
        span.id {
            a href={ "/search?q=" (escaped(&cut(text))) } { bdi { (cut(text)) } }
            (copy(language, &cut(text)))
        }
    }
}

/// A button that copies a text, where there is JavaScript.
pub(crate) fn copy(language: Language, text: &str) -> Markup {
    html! {
        button.copy.js type="button" data-copy=(text) aria-label={ (language.of("Copy", "Скопировать")) " " (text) } {
            svg.icon viewBox="0 0 16 16" aria-hidden="true" { path d="M5 0h10v12h-2V2H5zM1 4h10v12H1z" {} }
        }
    }
}

/// A link to an order's page.
pub(crate) fn order(number: &str) -> Markup {
    html! { a.order href={ "/orders/" (escaped(number)) } { bdi { (cut(number)) } } }
}

/// A link to a section of the documents, if it is known where they are.
pub(crate) fn document(documents: Option<&str>, page: &str, anchor: &str, text: &str) -> Markup {
    html! {
        @match documents {
            Some(documents) => a href={ (documents) "/" (page) "#" (escaped(anchor)) } { (text) },
            None => span { code { "docs/" (page) "#" (anchor) } },
        }
    }
}

/// What somebody has to do, and the section of the runbook about it.
pub(crate) fn next_step(language: Language, documents: Option<&str>, section: &str, what: &str) -> Markup {
    html! {
        p {
            strong { (language.of("Next step:", "Следующий шаг:")) } " " (what) " "
            (document(documents, "runbook.md", section, language.of("Runbook", "Инструкция")))
        }
    }
}

/// A chart of counts over time, drawn here.
pub(crate) fn trend(language: Language, counts: &[u64]) -> Markup {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let total: u64 = counts.iter().sum();
    let width = 120.0 / counts.len().max(1) as f64;
    html! {
        svg.trend viewBox="0 0 120 24" width="120" height="24" role="img"
            aria-label={ (language.of("Trend of", "Динамика, всего")) " " (total) } {
            @for (place, count) in counts.iter().enumerate() {
                @let height = (*count as f64 / most as f64 * 23.0).max(if *count > 0 { 1.5 } else { 0.0 });
                rect x=(format!("{:.1}", place as f64 * width)) y=(format!("{:.1}", 24.0 - height))
                    width=(format!("{:.1}", (width - 0.6).max(0.4))) height=(format!("{height:.1}")) {}
            }
        }
    }
}

/// A table that scrolls by itself where the window is too narrow; `name` is what it lists.
pub(crate) fn table(name: &str, head: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            table {
                thead { tr { @for title in head { th scope="col" { (title) } } } }
                tbody { (rows) }
            }
        }
    }
}
