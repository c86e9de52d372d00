//! Responses that say where the resource is.

use axum::{
    Json,
    http::{HeaderName, StatusCode, header},
};

/// A JSON body with a `Location` header.
pub type Located<T> = (StatusCode, [(HeaderName, String); 1], Json<T>);

/// The response that shows a new resource and says where it is.
pub fn located<T>(status: StatusCode, location: String, resource: T) -> Located<T> {
    (status, [(header::LOCATION, location)], Json(resource))
}
