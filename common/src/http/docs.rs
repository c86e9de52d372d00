//! The OpenAPI document at `/openapi.json`, and the page for people at `/docs`.

use axum::{Router, http::header};
use catalogue::Service;
use utoipa::{
    OpenApi,
    openapi::{
        self,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{Problem, router::always};
use crate::auth::access::{self, Access};

/// The page loads its own scripts, styles and icons; the library writes styles into its elements.
const OWN_FILES: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                         frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        description = "Problems are told as RFC 9457 `application/problem+json`. Times are RFC 3339 in UTC; money is integer minor units with an ISO 4217 code."
    ),
    components(schemas(Problem))
)]
struct Base;

/// The document before any route: who it is about and how to authenticate.
pub(super) fn base(service: Service) -> openapi::OpenApi {
    let mut document = Base::openapi();
    document.info.title = service.name().to_owned();
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

/// Writes into the document what each operation asks of its caller, as [`access`] has it.
pub(super) fn say_who_may(document: &mut openapi::OpenApi, service: Service) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let ways: &[&str] = match access::to(service, method, path) {
                None | Some(Access::Anybody) => continue,
                Some(Access::AnySession) => &["token"],
                Some(Access::Only(role)) if role.has_keys() => &["key", "key_header"],
                Some(Access::Only(_)) => &["token"],
            };
            let ways = ways.iter().map(|way| SecurityRequirement::new(*way, [] as [&str; 0]));
            operation.security = Some(ways.collect());
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, delete, .. } = item;
    let all = [("get", get), ("post", post), ("put", put), ("delete", delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Serves the document and the page. Both come from the binary; the page loads nothing from elsewhere.
pub(super) fn routes(document: openapi::OpenApi) -> Router {
    let config = Config::new(["/openapi.json"]).validator_url("none");
    let pages: Router = SwaggerUi::new("/docs").config(config).url("/openapi.json", document).into();
    pages.route_layer(always(header::CONTENT_SECURITY_POLICY, OWN_FILES))
}
