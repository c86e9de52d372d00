//! The spans of an order's traces as a waterfall: a table whose rows have a bar each, drawn here.

use maud::{Markup, html};
use questions::{Span, Spans, TraceSpans};

use super::{
    parts::{cut, table, time},
    trail::short_trace,
};
use crate::language::Language;

/// What a bar's trace is long, in the picture's own units.
const WIDTH: f64 = 1000.0;
/// So that the shortest span can be seen.
const NARROWEST: f64 = 6.0;
/// Spans further down are drawn at this depth.
const DEEPEST: usize = 6;

/// The waterfall; nothing where there are no spans.
pub(crate) fn waterfall(language: Language, spans: &Spans) -> Markup {
    if spans.traces.is_empty() {
        return html! {};
    }
    let name = language.of("Traces: what took how long", "Traces: что сколько длилось");
    let head = [
        language.of("span", "span"),
        language.of("service", "сервис"),
        language.of("after", "через"),
        language.of("took", "длился"),
        language.of("picture", "на рисунке"),
    ];
    let rows = html! { @for trace in &spans.traces { (of_trace(language, trace)) } };
    html! {
        h2 { (name) }
        @if spans.is_cut { p.note { (language.of("There are more spans than are shown here: the oldest are shown.", "Span больше, чем показано: показаны самые старые.")) } }
        (table(name, &head, &rows))
    }
}

fn of_trace(language: Language, trace: &TraceSpans) -> Markup {
    html! {
        tr {
            th colspan="5" scope="colgroup" {
                "trace " (short_trace(language, &trace.id)) " · " (time(trace.began)) " · " (language.short_duration(trace.length))
            }
        }
        @for span in &trace.spans {
            tr class=[span.has_failed.then_some("error")] {
                td {
                    div class={ "level-" (span.depth.min(DEEPEST)) } {
                        @if span.depth > 0 { span.hidden { (language.of("level", "уровень")) " " (span.depth + 1) ": " } }
                        bdi { (cut(&span.name)) }
                        @if span.has_failed { " " strong { (language.of("failed", "сбой")) } }
                    }
                }
                td { bdi { (cut(&span.service)) } }
                td.number { (language.short_duration(span.after)) }
                td.number { (language.short_duration(span.duration)) }
                td { (bar(trace, span)) }
            }
        }
    }
}

/// The numbers beside it say the same.
fn bar(trace: &TraceSpans, span: &Span) -> Markup {
    let part = |length: f64| if trace.length > 0.0 { length / trace.length * WIDTH } else { 0.0 };
    let begin = part(span.after).min(WIDTH - NARROWEST);
    let width = part(span.duration).clamp(NARROWEST, WIDTH - begin);
    html! {
        svg.bar viewBox={ "0 0 " (WIDTH) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            rect x=(format!("{begin:.0}")) width=(format!("{width:.0}")) height="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_within_its_picture() {
        let trace = |length| TraceSpans { id: String::new(), began: None, length, spans: Vec::new() };
        for (length, after, duration, drawn) in [
            (100.0, 0.0, 100.0, r#"x="0" width="1000""#),
            (100.0, 50.0, 25.0, r#"x="500" width="250""#),
            (100.0, 100.0, 0.0, r#"x="994" width="6""#),
            (0.0, 0.0, 0.0, r#"x="0" width="6""#),
            (f64::MAX, f64::MAX, 1.0, r#"x="994" width="6""#),
        ] {
            let span = Span { after, duration, ..Span::default() };
            let bar = bar(&trace(length), &span).0;
            assert!(bar.contains(drawn), "{length} {after} {duration}: {bar}");
        }
    }
}
