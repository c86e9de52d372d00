//! What the page reads from headers and sets in them: the session's cookie, the language, where a form comes from.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::Response,
};
use common::{auth::Token, http::came_by_tls};

use crate::{app::App, language::Language, pages::layout::Context};

const SESSION: &str = "session";
const LANGUAGE: &str = "language";

/// The name of a cookie. By TLS it has the prefix with which browsers take it from this very host alone, and only with
/// `Secure` (RFC 6265bis, section 4.1.3.2).
fn named(headers: &HeaderMap, name: &str) -> String {
    if came_by_tls(headers) { format!("__Host-{name}") } else { name.to_owned() }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let name = named(headers, name);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(of, _)| *of == name).map(|(_, value)| value)
}

/// The session's token, as the browser sent it.
pub(super) fn token(headers: &HeaderMap) -> Option<Token> {
    cookie(headers, SESSION).map(Token::received)
}

/// A cookie for all paths of this host, which no script reads and no other site's page sends.
fn set_cookie(headers: &HeaderMap, name: &str, value: &str, lifetime: &str) -> HeaderValue {
    let name = named(headers, name);
    let secure = if came_by_tls(headers) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{lifetime}{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The cookie of a new session. It ends with the browser.
pub(super) fn session_cookie(headers: &HeaderMap, token: &Token) -> HeaderValue {
    set_cookie(headers, SESSION, token.expose(), "")
}

/// What removes the session's cookie.
pub(super) fn no_session_cookie(headers: &HeaderMap) -> HeaderValue {
    set_cookie(headers, SESSION, "", "; Max-Age=0")
}

/// A parameter of the query.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(of, _)| *of == name).map(|(_, value)| value)
}

/// What a page has to know of its request.
pub(super) fn context(app: &App, uri: &Uri, headers: &HeaderMap, login: Option<String>) -> Context {
    let language = parameter(uri, "lang").and_then(Language::of_tag);
    let language = language.or_else(|| cookie(headers, LANGUAGE).and_then(Language::of_tag));
    Context {
        language: language.unwrap_or_else(|| Language::accepted(headers)),
        path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        login,
        documents: app.documents.clone(),
    }
}

/// Keeps the language that a link has chosen.
pub(super) async fn keep_language(request: Request, next: Next) -> Response {
    let chosen = parameter(request.uri(), "lang").and_then(Language::of_tag);
    let cookie = chosen.map(|language| set_cookie(request.headers(), LANGUAGE, language.tag(), "; Max-Age=31536000"));
    let mut response = next.run(request).await;
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether a request that changes something may come from another site's page. Browsers say where it comes from; a
/// program that says nothing has no cookie that someone else could abuse.
pub(super) fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if method.is_safe() {
        return false;
    }
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let origin = text("origin").map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    origin.is_some_and(|origin| Some(origin) != text("host"))
}

/// Whether the browser followed a link on another site, and so kept a strict cookie back.
pub(super) fn from_another_site(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET && headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

/// A path of this page, for a link or a redirection: what begins otherwise leads elsewhere.
pub(super) fn local(path: &str) -> &str {
    let leads_away = !path.starts_with('/')
        || path[1..].starts_with(['/', '\\'])
        || path.contains(|character: char| character.is_control())
        || ["/login", "/logout"].contains(&path.split('?').next().unwrap_or_default());
    if leads_away { "/" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&[("cookie", "a=1; session=abc; language=ru")]);
        assert_eq!(token(&headers).unwrap().expose(), "abc");
        assert_eq!(cookie(&headers, "sess"), None);
    }

    #[test]
    fn tls_makes_the_cookie_secure_and_the_hosts_own() {
        let sent = Token::received("abc");
        let of = |pairs: &[(&'static str, &str)]| session_cookie(&headers(pairs), &sent).to_str().unwrap().to_owned();
        assert_eq!(of(&[]), "session=abc; Path=/; HttpOnly; SameSite=Strict");
        let by_tls = ("x-forwarded-proto", "https");
        assert_eq!(of(&[by_tls]), "__Host-session=abc; Path=/; HttpOnly; SameSite=Strict; Secure");
        let read = |cookie: &'static str| {
            token(&headers(&[by_tls, ("cookie", cookie)])).map(|token| token.expose().to_owned())
        };
        assert_eq!(read("__Host-session=abc").as_deref(), Some("abc"));
        assert_eq!(read("session=set-by-another-host"), None);
    }

    #[test]
    fn a_form_of_another_site_is_foreign() {
        let post = |pairs: &[(&'static str, &str)]| is_foreign(&Method::POST, &headers(pairs));
        assert!(post(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://localhost:8084"),
            ("host", "localhost:8084")
        ]));
        assert!(post(&[("sec-fetch-site", "same-site")]));
        assert!(post(&[("origin", "https://evil.example"), ("host", "localhost:8084")]));
        assert!(post(&[("origin", "null"), ("host", "localhost:8084")]));
        assert!(!post(&[("origin", "http://localhost:8084"), ("host", "localhost:8084")]));
        assert!(!post(&[("sec-fetch-site", "same-origin")]));
        assert!(!post(&[]));
        assert!(!is_foreign(&Method::GET, &headers(&[("sec-fetch-site", "cross-site")])));
    }

    #[test]
    fn a_redirection_stays_on_this_site() {
        assert_eq!(local("/orders/A-100042?from=100"), "/orders/A-100042?from=100");
        for path in ["//evil.example", "/\\evil.example", "https://evil.example", "", "/login", "/a\nb", "/logout"] {
            assert_eq!(local(path), "/", "{path}");
        }
    }
}
