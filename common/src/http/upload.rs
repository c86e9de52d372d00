//! Models on their way in and out.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{ApiError, Rejection, is_too_slow, too_slow};
use crate::{
    Core,
    domain::{Model, ModelFormat},
    model_store::{PutError, StoredModel},
};

/// A model's bytes, in the OpenAPI document.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct ModelFile(#[expect(dead_code, reason = "only its schema is used")] Bytes);

/// What an uploaded model's file is called.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelQuery {
    /// The file's name; its extension tells the format: `.stl`, `.obj` or `.3mf`.
    #[param(
        example = "ring.stl",
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+\.([sS][tT][lL]|[oO][bB][jJ]|3[mM][fF])$"
    )]
    pub filename: String,
}

/// The longest file name, in characters.
const LONGEST_NAME: usize = 255;

/// Checks a model's file name and reads the format off it.
///
/// # Errors
///
/// `422` for a name that can't be shown, `415` for a format that we don't know.
pub fn file_name(name: &str) -> Result<ModelFormat, Rejection> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Rejection::invalid("filename must have 1 to 255 characters, none of them a control character"));
    }
    ModelFormat::of_file_name(name).ok_or_else(|| unsupported("The file's name must end in .stl, .obj or .3mf."))
}

fn unsupported(detail: &'static str) -> Rejection {
    Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_model", detail)
}

/// Refuses a body that says itself that it is too long, before a byte of it is read.
///
/// # Errors
///
/// `413`.
pub fn no_longer_than(limit: u64, headers: &axum::http::HeaderMap) -> Result<(), Rejection> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) { Err(too_large(limit)) } else { Ok(()) }
}

fn too_large(limit: u64) -> Rejection {
    Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, "model_too_large", format!("A model may have at most {limit} bytes."))
}

/// Streams a model into the store.
///
/// # Errors
///
/// `413`, `415` or `422` for the client's mistakes, and whatever the store says. Nothing stays behind then.
pub async fn receive_model<E>(
    core: &Core,
    filename: &str,
    body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
) -> Result<(Model, StoredModel), ApiError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let format = file_name(filename)?;
    let stored = core.models.put(body.map_err(|error| error.into()), format, core.upload_limit).await;
    let stored = stored.map_err(|error| match error {
        PutError::TooLarge => ApiError::from(too_large(core.upload_limit)),
        PutError::Empty => Rejection::invalid("the model is empty").into(),
        PutError::WrongContent => unsupported("The file's content is not what its name says.").into(),
        PutError::Body(error) if is_too_slow(&*error) => too_slow().into(),
        PutError::Body(_) => Rejection::malformed("The model did not arrive whole.").into(),
        PutError::Failure(failure) => failure.into(),
    })?;
    let model = Model {
        filename: filename.to_owned(),
        format,
        bytes: i64::try_from(stored.bytes).unwrap_or(i64::MAX),
        sha256: stored.sha256.clone(),
    };
    Ok((model, stored))
}

/// The answer that streams a model out of the store.
///
/// # Errors
///
/// Whatever the store says.
pub async fn model_answer(core: &Core, model: &Model, key: &str) -> Result<Response, ApiError> {
    let stream = core.models.get(key).await?;
    let mut answer = Response::new(Body::from_stream(stream));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(model.format.media_type()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(model.bytes));
    // RFC 6266 and RFC 8187: any file name, and none that could end the header.
    let name = utf8_percent_encode(&model.filename, NON_ALPHANUMERIC);
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{name}")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(answer)
}
