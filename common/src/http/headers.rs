//! Headers of every response, and what a proxy says of the request.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use tower_http::set_header::SetResponseHeaderLayer;

/// For a year, and for all hosts below this one (RFC 6797, section 6.1).
const TLS_FROM_NOW_ON: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Sets a header on every response that has none of this name.
pub(super) fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Whether the client came by TLS, as the proxy that ends it says. A client that says so itself harms nobody else.
#[must_use]
pub fn came_by_tls(headers: &HeaderMap) -> bool {
    let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).unwrap_or_default();
    proto.split(',').next().is_some_and(|first| first.trim().eq_ignore_ascii_case("https"))
}

/// Has browsers that came by TLS come by nothing else. Without TLS the header must not be sent (RFC 6797, section 7.2).
pub(super) async fn keep_to_tls(request: Request, next: Next) -> Response {
    let by_tls = came_by_tls(request.headers());
    let mut response = next.run(request).await;
    if by_tls {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, TLS_FROM_NOW_ON);
    }
    response
}

/// Names the charset of each text (RFC 2046, section 4.1.2) whose source doesn't: ours are all UTF-8.
pub(super) async fn name_charset(mut response: Response) -> Response {
    let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if let Some(text) = media_type.filter(|value| value.starts_with("text/") && !value.contains("charset"))
        && let Ok(named) = HeaderValue::try_from(format!("{text}; charset=utf-8"))
    {
        response.headers_mut().insert(header::CONTENT_TYPE, named);
    }
    response
}
