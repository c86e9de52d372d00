//! The page about problems: `docs/problems.md` for readers of the repository, `/problems` of each service for its clients.

use std::fmt::Write as _;

use super::code::ProblemCode;

/// The path of the page in each service; a problem's `type` is this with the code as its fragment.
pub const PATH: &str = "/problems";

const INTRODUCTION: &str = "\
Every response from 400 on has a body of the media type `application/problem+json` (RFC 9457) with `type`, `title`, `status`, \
`detail`, `code`, `request_id` and `trace_id`. `code` is one of the following; `type` leads to its entry. `request_id` and \
`trace_id` are what Support searches the log by.";

/// `docs/problems.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = format!(
        "# Problems\n\n{INTRODUCTION}\n\nThis page is written from `common/src/problem/code.rs`, and a test compares them; \
         `UPDATE_PROBLEMS=1 cargo test -p common --test problems` writes it anew.\n"
    );
    for code in ProblemCode::ALL {
        let (name, status, meaning, remedy) = (code.name(), code.status(), code.meaning(), code.remedy());
        let _ = write!(page, "\n## {name}\n\n`{status}` {meaning}\n\n{remedy}\n");
    }
    page
}

/// The same as a page of HTML whose fragments are the codes.
#[must_use]
pub fn html() -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Problems</title><h1>Problems</h1><p>{}</p>",
        with_code(INTRODUCTION)
    );
    for code in ProblemCode::ALL {
        let (name, status) = (code.name(), code.status());
        let (meaning, remedy) = (with_code(code.meaning()), with_code(code.remedy()));
        let _ = write!(page, "<h2 id=\"{name}\">{name}</h2><p><strong>{status}</strong> {meaning}</p><p>{remedy}</p>");
    }
    page.push_str("</html>");
    page
}

/// What stands between backticks becomes `code`. The texts are constants of ours without any other markup.
fn with_code(text: &str) -> String {
    let mut html = String::new();
    for (number, part) in text.split('`').enumerate() {
        let _ = if number % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
    }
    html
}
