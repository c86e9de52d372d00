//! HTTP as all services speak it: problems, bodies, the request's record, limits, documentation and the server.

mod accounts;
mod admission;
mod around;
mod caller;
mod detached;
mod docs;
mod extract;
mod headers;
mod health;
mod language;
mod located;
mod pages;
mod problem;
mod request;
mod router;
mod server;
mod sessions;
mod source;
mod upload;

pub use admission::Admitted;
pub use around::RequestLimits;
pub use caller::{By, Carrier, Customer, Operator, Partner, RoleMarker, Seller};
pub use extract::{Idempotency, Json, OrderPath, Query, body_error, body_stream};
pub use headers::came_by_tls;
pub use language::AcceptLanguage;
pub use located::{Located, located};
pub use pages::pages;
pub use problem::{Problem, retry_after};
pub use request::RequestInfo;
pub use router::router;
pub use server::{ConnectionLimits, serve, take_unfinished};
pub use sessions::Credentials;
pub use upload::{ModelFile, ModelQuery, check_length, content_length, model_response};
