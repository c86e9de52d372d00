//! The OpenAPI document at `/openapi.json`, and the page for people at `/docs`.

use axum::Router;
use utoipa::{
    OpenApi,
    openapi::{
        self,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Problem;
use crate::domain::System;

#[derive(OpenApi)]
#[openapi(
    info(
        description = "Problems are told as RFC 9457 `application/problem+json`. Times are RFC 3339 in UTC; money is integer minor units with an ISO 4217 code."
    ),
    components(schemas(Problem))
)]
struct Base;

/// The document before any route: who it is about and how to authenticate.
pub(super) fn base(system: System) -> openapi::OpenApi {
    let mut document = Base::openapi();
    document.info.title = system.name().to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.license = Some(openapi::LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build());
    let components = document.components.get_or_insert_default();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("From `POST /sessions`."));
    components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A partner's or the carrier's key."));
    components.add_security_scheme("key", SecurityScheme::Http(key.build()));
    let header =
        ApiKey::Header(ApiKeyValue::with_description("X-API-Key", "The same key, for clients that prefer it."));
    components.add_security_scheme("key_header", SecurityScheme::ApiKey(header));
    document
}

/// Serves the document and the page. Both come from the binary; the page loads nothing from elsewhere.
pub(super) fn routes(document: openapi::OpenApi) -> Router {
    let config = Config::new(["/openapi.json"]).validator_url("none");
    SwaggerUi::new("/docs").config(config).url("/openapi.json", document).into()
}
