//! A form that is sent as a body.

use axum::{
    RequestExt as _,
    body::Body,
    extract::{FromRequest, Request, rejection::FormRejection},
};
use bytes::BytesMut;
use serde::de::DeserializeOwned;

/// The form's fields. As [`axum::Form`], but the body is copied into one buffer as it comes in: `axum::Form` keeps the
/// pieces, each of which holds the whole buffer of the connection that it was read into, even if it is a byte long.
#[derive(Debug)]
pub(super) struct Form<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = FormRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, FormRejection> {
        let (parts, body) = request.with_limited_body().into_parts();
        let body = BytesMut::from_request(Request::new(body), state).await?;
        let request = Request::from_parts(parts, Body::from(body.freeze()));
        axum::Form::from_request(request, state).await.map(|axum::Form(fields)| Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use axum::http::header;
    use bytes::Bytes;
    use futures::stream;

    use super::*;

    /// One byte of a body, as long as it is kept.
    struct Piece(u8, Arc<AtomicUsize>);

    impl Piece {
        fn new(byte: u8, kept: &Arc<AtomicUsize>) -> Self {
            kept.fetch_add(1, Ordering::Relaxed);
            Self(byte, Arc::clone(kept))
        }
    }

    impl Drop for Piece {
        fn drop(&mut self) {
            self.1.fetch_sub(1, Ordering::Relaxed);
        }
    }

    impl AsRef<[u8]> for Piece {
        fn as_ref(&self) -> &[u8] {
            std::slice::from_ref(&self.0)
        }
    }

    type Fields = Vec<(String, String)>;

    fn request(content_type: &str, body: Body) -> Request {
        Request::post("/login").header(header::CONTENT_TYPE, content_type).body(body).unwrap()
    }

    #[tokio::test]
    async fn a_body_in_small_pieces_is_read_and_no_piece_is_kept() {
        let kept = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&kept);
        let pieces = b"login=ada&password=a+b%21".iter().map(move |byte| {
            assert!(counted.load(Ordering::Relaxed) <= 1, "the pieces before are kept");
            Ok::<_, Infallible>(Bytes::from_owner(Piece::new(*byte, &counted)))
        });
        let body = Body::from_stream(stream::iter(pieces));
        let form = Form::<Fields>::from_request(request("application/x-www-form-urlencoded", body), &()).await;
        let fields = [("login", "ada"), ("password", "a b!")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.unwrap().0, fields);
        assert_eq!(kept.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_or_no_form_is_refused() {
        let large = request("application/x-www-form-urlencoded", Body::from(vec![b'a'; 3 * 1024 * 1024]));
        let refused = Form::<Fields>::from_request(large, &()).await.unwrap_err();
        assert!(matches!(refused, FormRejection::BytesRejection(_)), "{refused:?}");
        let refused = Form::<Fields>::from_request(request("text/plain", Body::from("a=b")), &()).await.unwrap_err();
        assert!(matches!(refused, FormRejection::InvalidFormContentType(_)), "{refused:?}");
    }
}
