//! Pages for people inside what they have in common with the services' interfaces: the request's record, limits, headers.

use axum::Router;
use catalogue::Service;

use super::around::{Around, RequestLimits};

/// The largest form, in bytes.
const LARGEST_FORM: usize = 8 * 1024;
/// A page loads only what its own server has as a file: nothing that got into its text runs or is fetched.
const OWN_FILES_ONLY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                              form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes of a service whose responses are pages.
pub fn pages(service: Service, limits: &RequestLimits, routes: Router) -> Router {
    let around = Around {
        service,
        auth: None,
        content_security_policy: OWN_FILES_ONLY,
        // Without any referrer, a browser doesn't say the origin of a form either.
        referrer_policy: "same-origin",
        opener_policy: Some("same-origin"),
        largest_body: LARGEST_FORM,
    };
    around.apply(limits, routes)
}
