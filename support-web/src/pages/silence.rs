//! Services that write nothing any more: what they have to do waits, or what is shown is old.

use maud::{Markup, html};
use questions::LastHeard;
use time::OffsetDateTime;

use super::{
    layout::Context,
    parts::{ago, next_step},
};

/// A note if services are silent; none if all of them write.
pub(crate) fn silence(context: &Context, heard: &[LastHeard], now: OffsetDateTime) -> Option<Markup> {
    let language = context.language;
    let silent: Vec<&LastHeard> = heard.iter().filter(|one| one.is_silent(now)).collect();
    if silent.is_empty() {
        return None;
    }
    let since = |at: Option<OffsetDateTime>| match at {
        Some(at) => ago(language, at, now),
        None => language.of("long ago, if there is one", "давно, если она есть").to_owned(),
    };
    let newest = heard.iter().filter_map(|one| one.at).max();
    let (title, what) = if silent.len() == heard.len() {
        (
            language.of("Logs don't arrive", "Журналы не приходят"),
            language.of("What is shown is as old as that.", "Показанное такой же давности."),
        )
    } else {
        (
            language.of("A service is silent", "Сервис молчит"),
            language.of(
                "It stands, or its records don't arrive. What orders need of it waits; nothing is lost.",
                "Он стоит, или его записи не приходят. То, что он делает для заказов, ждёт; ничего не потеряно.",
            ),
        )
    };
    Some(html! {
        section.note.warn {
            h2 { (title) }
            p {
                @if silent.len() == heard.len() {
                    (language.of("The newest record is from", "Последняя запись —")) " " (since(newest)) ". "
                } @else {
                    @for one in silent {
                        code { (one.service) } ": " (language.of("the newest record is from", "последняя запись —")) " "
                        (since(one.at)) ". "
                    }
                }
                (what)
            }
            (next_step(language, context.documents.as_deref(), "service-silent", language.of(
                "Tell the people on duty.",
                "Сообщите дежурным.",
            )))
        }
    })
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::language::Language;

    #[test]
    fn a_note_says_which_service_is_silent_or_that_no_logs_arrive() {
        let context = Context { language: Language::English, path: "/".to_owned(), login: None, documents: None };
        let now = OffsetDateTime::now_utc();
        let note = |minutes: [i64; 2]| {
            let heard = [("shop-api", minutes[0]), ("mes-api", minutes[1])];
            let heard = heard.map(|(service, ago)| LastHeard { service, at: Some(now - Duration::minutes(ago)) });
            silence(&context, &heard, now).map(|note| note.0)
        };
        assert_eq!(note([0, 1]), None);
        let one = note([0, 4]).unwrap();
        for part in
            ["A service is silent", "<code>mes-api</code>: the newest record is from 4 min ago", "service-silent"]
        {
            assert!(one.contains(part), "{part} in {one}");
        }
        assert!(!one.contains("shop-api"), "{one}");
        let all = note([3, 4]).unwrap();
        assert!(all.contains("Logs don't arrive") && all.contains("from 3 min ago"), "{all}");
    }
}
