//! HTTP as all services speak it: problems, bodies, the request's record, limits, documentation and the server.

pub mod answers;
mod detached;
mod docs;
mod extract;
mod health;
mod page;
mod problem;
mod request;
mod router;
mod server;
mod upload;

pub use extract::{Json, Path, Query, is_too_slow, too_slow};
pub use page::{Cursor, Page, PageQuery};
pub use problem::{ApiError, Problem, Rejection};
pub use request::RequestInfo;
pub use router::{RequestLimits, router};
pub use server::{ConnectionLimits, serve};
pub use upload::{ModelFile, ModelQuery, file_name, model_answer, no_longer_than, receive_model};
