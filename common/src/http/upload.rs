//! Models on their way in and out.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use catalogue::Action;
use futures::TryStreamExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, de::Error as _};
use tracing::Span;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{Model, ModelUnit},
    model_store::ModelStore,
    problem::{ApiError, Rejection},
    telemetry::{Record, Subject},
};

/// A model's bytes, in the OpenAPI document.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct ModelFile(#[expect(dead_code, reason = "only its schema is used")] Bytes);

/// What an uploaded model's file is called, and what it is drawn in.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelQuery {
    /// The file's name; its extension is that of the format: `.stl`, `.obj` or `.3mf`.
    #[param(
        example = "ring.stl",
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+\.([sS][tT][lL]|[oO][bB][jJ]|3[mM][fF])$"
    )]
    pub filename: String,
    /// What an STL or OBJ file is drawn in: `mm` (the default), `cm`, `m`, `in` or `ft`. A 3MF file names its own unit; another
    /// one is refused.
    #[param(value_type = Option<String>, example = "mm", pattern = "^(mm|cm|m|in|ft)$")]
    #[serde(default, deserialize_with = "chosen_unit")]
    pub unit: Option<ModelUnit>,
}

/// A unit that a client can choose, which a 3MF file's micron isn't.
fn chosen_unit<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<ModelUnit>, D::Error> {
    let symbol = String::deserialize(deserializer)?;
    ModelUnit::chosen(&symbol).map(Some).ok_or_else(|| D::Error::custom(ModelUnit::CHOICES))
}

/// The length that a body is declared to have, in bytes: none if there is no `Content-Length` or it is no number.
#[must_use]
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a body whose `Content-Length` is more than a model may have, before a byte of it is read.
///
/// # Errors
///
/// `413`.
pub fn check_length(models: &ModelStore, headers: &HeaderMap) -> Result<(), Rejection> {
    content_length(headers).map_or(Ok(()), |length| models.check_length(length))
}

/// The response that streams a model out of the store. If the store fails in the middle, the connection ends before the length
/// that was declared, and there is a record of that.
///
/// # Errors
///
/// If the model isn't there, or the store fails.
pub async fn model_response(models: &ModelStore, model: &Model, key: &str) -> Result<Response, ApiError> {
    let span = Span::current();
    let stream = models.get(key).await?.inspect_err(move |failure| {
        // The request's own record is written by then: it has ended with the response's head.
        span.in_scope(|| {
            Record::failure(Action::ServiceLifecycle, Subject::default(), failure).state("degraded").write();
        });
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(model.format.media_type()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(model.bytes));
    // RFC 6266 and RFC 8187: any file name, and none that could end the header.
    let name = utf8_percent_encode(&model.filename, NON_ALPHANUMERIC);
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{name}")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_number_or_unknown() {
        let length = |text: &'static str| {
            let headers = [(header::CONTENT_LENGTH, HeaderValue::from_static(text))];
            content_length(&HeaderMap::from_iter(headers))
        };
        assert_eq!(length("67108864"), Some(67_108_864));
        for text in ["", "-1", "1.5", "18446744073709551616"] {
            assert_eq!(length(text), None, "{text}");
        }
        assert_eq!(content_length(&HeaderMap::new()), None);
    }
}
