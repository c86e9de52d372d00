//! The form that everybody begins with.

use maud::{Markup, html};

use super::layout::{Context, page};
use crate::language::Language;

/// What an account without the role is told.
pub(crate) const fn no_role(language: Language) -> &'static str {
    language.of(
        "This account may not read the logs: it does not have the role “support”.",
        "У этой учётной записи нет роли «support»: она не читает журналы.",
    )
}

/// The form, after a login that was refused for this reason. `next` is where a login leads.
pub(crate) fn login(context: &Context, next: &str, refused: Option<&str>) -> Markup {
    let language = context.language;
    let title = language.of("Log in", "Вход");
    let content = html! {
        section.login {
            h1 { (title) }
            p { (language.of("With your own account for the logs (Elasticsearch).", "С вашей учётной записью для журналов (Elasticsearch).")) }
            @if let Some(refused) = refused { p.note.bad role="alert" #refused { (refused) } }
            form action="/login" method="post" {
                input type="hidden" name="next" value=(next);
                label for="login" { (language.of("Login", "Имя")) }
                input #login name="login" type="text" autocomplete="username" autocapitalize="none" spellcheck="false"
                    maxlength="256" required autofocus aria-describedby=[refused.map(|_| "refused")];
                label for="password" { (language.of("Password", "Пароль")) }
                input #password name="password" type="password" autocomplete="current-password" maxlength="1024" required;
                button type="submit" { (language.of("Log in", "Войти")) }
            }
        }
    };
    page(context, title, false, &content)
}

/// A page that only leads on to itself. A browser that follows a link from elsewhere keeps the session's cookie back; it
/// sends it when the page itself leads on.
pub(crate) fn once_more(path: &str) -> Markup {
    html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Alexandrite" }
                meta http-equiv="refresh" content={ "0; url=" (path) };
            }
            body { main { h1 { "Alexandrite" } p { a href=(path) { "→" } } } }
        }
    }
}
