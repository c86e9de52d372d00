//! The OpenAPI document at `/openapi.json`, and the page for people at `/docs`.

use axum::{Router, http::header, middleware};
use catalogue::Service;
use utoipa::{
    OpenApi,
    openapi::{
        self, Ref, RefOr,
        content::ContentBuilder,
        path::{Operation, ParameterIn, PathItem},
        response::ResponseBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    headers::{always, name_charset},
    problem::{PROBLEM_JSON, Problem},
};
use crate::{
    auth::access::{self, Access},
    problem::ProblemCode,
};

/// The page loads its own scripts, styles and icons; the library writes styles into its elements.
const OWN_FILES: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                         object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        description = "Problems are described as RFC 9457 `application/problem+json`. Times are RFC 3339 in UTC; money is integer minor units with an ISO 4217 code."
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

/// What can go wrong with any operation.
const UNEXPECTED: [(&str, &str); 2] = [("503", ProblemCode::Unavailable.meaning()), ("default", "A problem")];
/// What can go wrong where a token or key is required.
const GUARDED: [(&str, &str); 2] =
    [("401", "No valid token"), ("403", "A valid token, but of an account that may not do this")];
/// What can be wrong with a path that names an order.
const ORDER_PATH: [(&str, &str); 1] = [("404", "No such order")];
/// What can be wrong with a query.
const QUERY: [(&str, &str); 2] = [("400", "The query can't be read"), ("422", "A parameter is out of bounds")];
/// What can be wrong with a JSON body before its values are looked at.
const JSON_BODY: [(&str, &str); 4] = [
    ("400", "The body is no JSON"),
    ("408", "The body came too slowly"),
    ("413", "The body is too large"),
    ("415", "The body isn't declared as JSON"),
];
/// What can be wrong with a model.
const MODEL_BODY: [(&str, &str); 5] = [
    ("400", "The query can't be read, or the file didn't arrive whole"),
    ("408", "The file came too slowly"),
    ("413", "The file is too large"),
    ("415", "Not a format that we know, or not what its name says"),
    ("422", "The file is empty, or its name can't be used"),
];

/// Adds to each operation what [`access`] requires of its caller, and the problems that all operations of its kind have in
/// common. Every response from 400 on without a body of its own is a [`Problem`].
pub(super) fn complete(document: &mut openapi::OpenApi, service: Service) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let Some(access) = access::to(service, method, path) else { continue };
            let ways: &[&str] = match access {
                Access::Anybody => &[],
                Access::AnySession => &["token"],
                Access::Only(role) if role.has_keys() => &["key", "key_header"],
                Access::Only(_) => &["token"],
            };
            if !ways.is_empty() {
                let ways = ways.iter().map(|way| SecurityRequirement::new(*way, [] as [&str; 0]));
                operation.security = Some(ways.collect());
                add_problems(operation, &GUARDED);
            }
            if takes(operation, "application/json") {
                add_problems(operation, &JSON_BODY);
            }
            if takes(operation, "application/octet-stream") {
                add_problems(operation, &MODEL_BODY);
            }
            if has_parameter(operation, &ParameterIn::Query) {
                add_problems(operation, &QUERY);
            }
            if has_parameter(operation, &ParameterIn::Path) {
                add_problems(operation, &ORDER_PATH);
            }
            if !path.starts_with("/health/") {
                add_problems(operation, &UNEXPECTED);
            }
            for (status, response) in &mut operation.responses.responses {
                let is_problem = status == "default" || status.as_str() >= "400";
                if let (true, RefOr::T(response)) = (is_problem && path != "/health/ready", response) {
                    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                    response.content.insert(PROBLEM_JSON.to_owned(), RefOr::T(problem));
                }
            }
        }
    }
}

fn takes(operation: &Operation, media_type: &str) -> bool {
    match &operation.request_body {
        Some(RefOr::T(body)) => body.content.contains_key(media_type),
        _ => false,
    }
}

fn has_parameter(operation: &Operation, place: &ParameterIn) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == *place))
}

/// Adds responses that the operation doesn't describe itself.
fn add_problems(operation: &mut Operation, problems: &[(&str, &str)]) {
    for (status, description) in problems {
        let response = || RefOr::T(ResponseBuilder::new().description(*description).build());
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(response);
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
    let around = (middleware::map_response(name_charset), always(header::CONTENT_SECURITY_POLICY, OWN_FILES));
    pages.route_layer(around)
}
