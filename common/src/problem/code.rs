//! The kinds of problems: the one list, which `docs/problems.md` is written from.

macro_rules! problem_codes {
    ($($variant:ident = $name:literal, $status:literal, $meaning:literal, $remedy:literal;)*) => {
        /// A kind of problem, for programs; the set is closed, and a code never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of `docs/problems.md`.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable word: `code` in the body.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }

            /// What is wrong, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }

            /// What the caller does about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)*
                }
            }
        }
    };
}

problem_codes! {
    MalformedRequest = "malformed_request", 400, "The request can't be read: its body is no JSON or no form, or it did not arrive whole.", "Correct the body and send it again.";
    InvalidQuery = "invalid_query", 400, "The query string can't be read.", "Correct the parameters; the OpenAPI document has their types.";
    Unauthenticated = "unauthenticated", 401, "The request has no valid token or API key.", "Log in by `POST /sessions`, or check the key, and send `Authorization: Bearer TOKEN`.";
    WrongCredentials = "wrong_credentials", 401, "No enabled account has this login and password.", "Check both; a disabled account gets the same response as a wrong password.";
    Forbidden = "forbidden", 403, "The account's role does not permit this operation.", "Use an account of the role that the OpenAPI document names.";
    NotYourOrder = "not_your_order", 403, "Another operator has taken the order.", "Leave it to that operator; `operator_id` has the account.";
    OrderNotFound = "order_not_found", 404, "There is no such order, or it belongs to another customer or partner.", "Check the order number.";
    ModelNotFound = "model_not_found", 404, "The order has no 3D model yet.", "Upload it by `PUT /orders/{id}/model` first.";
    SessionNotFound = "session_not_found", 404, "The account has no such session; it may be over already.", "List the sessions by `GET /accounts/me/sessions`.";
    UnknownPath = "unknown_path", 404, "There is nothing at this path.", "Check the path against the OpenAPI document.";
    MethodNotAllowed = "method_not_allowed", 405, "The path does not know this method.", "Use one of the methods that the header `Allow` names.";
    BodyTooSlow = "body_too_slow", 408, "The body paused for too long, or took too long as a whole.", "Send it again over a better connection.";
    LoginTaken = "login_taken", 409, "Another account has this login.", "Choose another login.";
    RequestInProgress = "request_in_progress", 409, "The first request with this `Idempotency-Key` is still being handled.", "Wait a moment and send it again with the same key.";
    StatusRepeated = "status_repeated", 409, "The order is in this status already.", "Nothing is left to do; read the order.";
    StatusUndone = "status_undone", 409, "The order is past this status, and no step is undone.", "Read the order's status.";
    StatusSkipped = "status_skipped", 409, "A status between the order's and this one would be left out.", "Set the next status first; `detail` names it.";
    StatusNotSettable = "status_not_settable", 409, "It is the next status, but it is set by another service or another operation.", "See who sets which status in the documentation of the statuses.";
    PriceNotFailed = "price_not_failed", 409, "The price can be asked for again only after its calculation has failed.", "Read `price_status`.";
    BodyTooLarge = "body_too_large", 413, "The body is larger than this operation takes.", "Send less.";
    ModelTooLarge = "model_too_large", 413, "The model's file is larger than the limit.", "Reduce the model; `detail` has the limit in bytes.";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body has another media type than the operation takes.", "Set `Content-Type` as the OpenAPI document says.";
    UnsupportedModel = "unsupported_model", 415, "The file is no STL, OBJ or 3MF, or not what its name says.", "Export the model in one of these formats, with its usual file extension.";
    InvalidRequest = "invalid_request", 422, "A field or parameter has a value that makes no sense.", "Correct it; `detail` names it and its bounds.";
    IdempotencyKeyReused = "idempotency_key_reused", 422, "This `Idempotency-Key` was used for another request.", "Use a new key for a new request.";
    UnknownCustomer = "unknown_customer", 422, "There is no enabled customer with this `customer_id`.", "Check the id.";
    WeakPassword = "weak_password", 422, "The password is too short, too long or too easy to guess.", "Choose a longer one, such as a few words that don't belong together.";
    TooManyAttempts = "too_many_attempts", 429, "The account has too many failed logins in a row.", "Wait as many seconds as `Retry-After` says.";
    TooManyRequests = "too_many_requests", 429, "The client's network sends too many logins or registrations.", "Wait as many seconds as `Retry-After` says.";
    Busy = "busy", 429, "More logins arrive at once than can be checked.", "Wait as many seconds as `Retry-After` says.";
    InternalError = "internal_error", 500, "Something failed on the service's side.", "Report `request_id` to Support, who find the cause by it.";
    Unavailable = "unavailable", 503, "A part of the system is not available at the moment, and whether a change was made may be unknown: read it, or repeat the request with the same `Idempotency-Key`.", "Wait as many seconds as `Retry-After` says first.";
}

impl std::fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
