//! The files that pages load. They are in the program, and below `/login` because its page needs them as well.

use axum::{
    http::{HeaderName, header},
    response::IntoResponse,
};

type Headers = [(HeaderName, &'static str); 2];

/// Long enough for a working day's pages, short enough for a new version.
const KEPT: (HeaderName, &str) = (header::CACHE_CONTROL, "private, max-age=600");

const fn headers(media_type: &'static str) -> Headers {
    [(header::CONTENT_TYPE, media_type), KEPT]
}

pub(super) async fn style() -> impl IntoResponse {
    (headers("text/css; charset=utf-8"), include_str!("../../assets/page.css"))
}

pub(super) async fn script() -> impl IntoResponse {
    (headers("text/javascript; charset=utf-8"), include_str!("../../assets/page.js"))
}

pub(super) async fn icon() -> impl IntoResponse {
    (headers("image/svg+xml; charset=utf-8"), include_str!("../../assets/icon.svg"))
}
