//! A partner's order as it is sent: `multipart/form-data` with fields and a model file, in any order.
//!
//! The model goes into the store while it arrives, and doesn't stay there without an order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::Body,
    extract::{
        FromRequest as _, Multipart, Request,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use common::{
    domain::{Material, Model, ModelUnit, NewOrder},
    http::{body_error, content_length},
    model_store::{BodyError, ModelStore, StoredModel, UploadTurn},
    problem::{ApiError, ProblemCode, Rejection},
    state::Core,
};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{
    Deserialize,
    de::{IntoDeserializer as _, value::Error as ValueError},
};
use utoipa::ToSchema;

use crate::orders::partner_commands::NewPartnerOrder;

/// Room for the fields and the form's own lines beside the model, in bytes.
const BESIDE_THE_MODEL: u64 = 64 * 1024;
/// The longest field, in bytes: a comment in a script whose characters take four each.
const LONGEST_FIELD: usize = 4 * NewOrder::MAX_COMMENT;

/// Bytes that may wait for the end of what they belong to: a boundary, or a part's head. The form's reader keeps them all, and
/// would keep a whole form that uses another boundary than it says. It takes up to 4 MiB at a time.
const LONGEST_UNREAD: usize = 5 * 1024 * 1024;

/// The longest form, in bytes.
pub(super) const fn longest(upload_limit: u64) -> u64 {
    upload_limit.saturating_add(BESIDE_THE_MODEL)
}

/// Model and fields of a new order
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Schema {
    /// What the jewel is made of.
    material: Material,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1000)]
    quantity: i32,
    /// Anything we should know.
    #[schema(max_length = 2000)]
    comment: Option<String>,
    /// What an STL or OBJ file is drawn in: `mm` (the default), `cm`, `m`, `in` or `ft`. A 3MF file names its own unit;
    /// another one is refused.
    #[schema(value_type = Option<String>, pattern = "^(mm|cm|m|in|ft)?$")]
    unit: Option<String>,
    /// The 3D model; its file name ends in `.stl`, `.obj` or `.3mf`.
    #[schema(value_type = String, format = Binary)]
    model: Vec<u8>,
}

/// What has come so far.
#[derive(Default)]
struct Parts {
    material: Option<String>,
    quantity: Option<String>,
    comment: Option<String>,
    unit: Option<String>,
    model: Option<(Model, StoredModel)>,
}

/// A form that begins to arrive.
pub(super) struct Form {
    multipart: Multipart,
    unread: Unread,
}

impl Form {
    /// A request's body as a form.
    ///
    /// # Errors
    ///
    /// `400` or `415` if it is none, and `413` if its `Content-Length` is more than a form may have, before a byte of it is read.
    pub(super) async fn of(request: Request, models: &ModelStore) -> Result<Self, Rejection> {
        let (headers, unread) = (request.headers().clone(), Unread::default());
        let multipart = Multipart::from_request(unread.limit(request), &()).await;
        let multipart = multipart.map_err(|error| refused(&error, &headers))?;
        let length = content_length(&headers).unwrap_or_default();
        models.check_length(length.saturating_sub(BESIDE_THE_MODEL))?;
        Ok(Self { multipart, unread })
    }

    /// Reads it to its end, in its turn. If anything is wrong with it, the model is removed again.
    pub(super) async fn receive(self, core: &Core) -> Result<NewPartnerOrder, ApiError> {
        let turn = core.models.upload_turn().await?;
        let mut parts = Parts::default();
        let result = parts.receive(core, &turn, self).await;
        match (result, parts.model) {
            (Ok(fields), Some((model, stored))) => Ok(NewPartnerOrder { fields, model, stored }),
            (Ok(_), None) => Err(missing("model").into()),
            (Err(error), Some((_, stored))) => {
                core.models.discard(&stored.key).await;
                Err(error)
            }
            (Err(error), None) => Err(error),
        }
    }
}

/// How many bytes have come since the form's reader could make something of them.
#[derive(Clone, Default)]
struct Unread(Arc<AtomicUsize>);

impl Unread {
    /// Breaks the body off when there are too many.
    fn limit(&self, request: Request) -> Request {
        let unread = self.clone();
        let limited = move |chunk: Result<Bytes, axum::Error>| {
            let chunk = chunk?;
            let before = unread.0.fetch_add(chunk.len(), Ordering::Relaxed);
            if before + chunk.len() > LONGEST_UNREAD {
                return Err(axum::Error::new("no part of the form ends where one has to"));
            }
            Ok(chunk)
        };
        request.map(|body| Body::from_stream(body.into_data_stream().map(limited)))
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Parts {
    async fn receive(&mut self, core: &Core, turn: &UploadTurn, form: Form) -> Result<NewOrder, ApiError> {
        self.collect(core, turn, form).await?;
        let fields = self.fields()?;
        let unit = self.unit()?;
        if let Some((model, stored)) = &mut self.model {
            core.models.set_unit(model, stored, unit).await?;
        }
        Ok(fields)
    }

    async fn collect(&mut self, core: &Core, turn: &UploadTurn, form: Form) -> Result<(), ApiError> {
        let Form { mut multipart, unread } = form;
        while let Some(field) = multipart.next_field().await.map_err(|error| unreadable(&error))? {
            unread.reset();
            let name = field.name().unwrap_or_default().to_owned();
            let place = match name.as_str() {
                "model" => {
                    if self.model.is_some() {
                        return Err(repeated("model").into());
                    }
                    let filename = field.file_name().map(str::to_owned);
                    let filename = filename.ok_or_else(|| Rejection::invalid("the part `model` needs a file name"))?;
                    let body = field.inspect_ok(|_| unread.reset()).map_err(|error| body_error(&error));
                    self.model = Some(core.models.receive(turn, &filename, Box::pin(body)).await?);
                    continue;
                }
                "material" => &mut self.material,
                "quantity" => &mut self.quantity,
                "comment" => &mut self.comment,
                "unit" => &mut self.unit,
                _ => return Err(Rejection::invalid("the parts are material, quantity, comment, unit and model").into()),
            };
            if place.is_some() {
                return Err(repeated(&name).into());
            }
            *place = Some(text(&name, field, &unread).await?);
        }
        Ok(())
    }

    fn fields(&mut self) -> Result<NewOrder, Rejection> {
        let material = self.material.take().ok_or_else(|| missing("material"))?;
        let material = Material::deserialize(material.into_deserializer())
            .map_err(|error: ValueError| Rejection::invalid(format!("material: {error}")))?;
        let quantity = self.quantity.take().ok_or_else(|| missing("quantity"))?;
        let quantity = quantity.parse().map_err(|_| Rejection::invalid("quantity must be a whole number"))?;
        let fields = NewOrder {
            material,
            quantity,
            // A form that a browser sends has every field, filled in or not.
            comment: self.comment.take().filter(|comment| !comment.is_empty()),
        };
        fields.check().map_err(|error| Rejection::invalid(error.to_string()))?;
        Ok(fields)
    }

    fn unit(&mut self) -> Result<Option<ModelUnit>, Rejection> {
        let given = self.unit.take().filter(|unit| !unit.is_empty());
        let chosen = given.map(|unit| ModelUnit::chosen(&unit).ok_or_else(|| Rejection::invalid(ModelUnit::CHOICES)));
        chosen.transpose()
    }
}

async fn text(name: &str, mut field: Field<'_>, unread: &Unread) -> Result<String, Rejection> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| unreadable(&error))? {
        unread.reset();
        if bytes.len() + chunk.len() > LONGEST_FIELD {
            return Err(Rejection::invalid(format!("{name} is too long")));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Rejection::invalid(format!("{name} must be UTF-8")))
}

fn missing(name: &str) -> Rejection {
    Rejection::invalid(format!("the part `{name}` is missing"))
}

fn repeated(name: &str) -> Rejection {
    Rejection::invalid(format!("the part `{name}` comes twice"))
}

/// A form that ends early, has no form's structure, comes too slowly or is too large.
fn unreadable(error: &MultipartError) -> Rejection {
    match error.status() {
        _ if body_error(error) == BodyError::TooSlow => Rejection::too_slow(),
        StatusCode::PAYLOAD_TOO_LARGE => Rejection::new(ProblemCode::BodyTooLarge, "The form is too large."),
        _ => Rejection::malformed("The form can't be read, or did not arrive whole."),
    }
}

/// A body that isn't a form at all.
fn refused(refused: &MultipartRejection, headers: &HeaderMap) -> Rejection {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"));
    if is_form {
        return Rejection::malformed(refused.body_text());
    }
    let detail = "The body must be a form: `Content-Type: multipart/form-data`.";
    Rejection::new(ProblemCode::UnsupportedMediaType, detail)
}
