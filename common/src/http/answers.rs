//! Answers that many operations have in common, for the OpenAPI documents.

use utoipa::IntoResponses;

use super::Problem;

/// What can go wrong anywhere.
#[derive(IntoResponses)]
pub enum Unexpected {
    /// A part of the system is away. Nothing was changed; `Retry-After` says in how many seconds to come back
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
    /// A problem
    #[response(status = "default", content_type = "application/problem+json")]
    Other(Problem),
}

/// What can go wrong where a token or key is needed.
#[derive(IntoResponses)]
pub enum Guarded {
    /// No valid token
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// A valid token, but of an account that may not do this
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// A part of the system is away. Nothing was changed; `Retry-After` says in how many seconds to come back
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
    /// A problem
    #[response(status = "default", content_type = "application/problem+json")]
    Other(Problem),
}

/// What can be wrong with a JSON body before anybody looks at its values.
#[derive(IntoResponses)]
pub enum JsonBody {
    /// The body is no JSON
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// The body came too slowly
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body isn't said to be JSON
    #[response(status = 415, content_type = "application/problem+json")]
    WrongMediaType(Problem),
}
