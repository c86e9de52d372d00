//! Problems: what a client gets instead of a result, whatever the transport.

mod code;
mod error;
pub mod page;
mod rejection;

pub use code::ProblemCode;
pub use error::ApiError;
pub use rejection::Rejection;
