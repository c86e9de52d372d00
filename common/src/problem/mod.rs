//! Problems: what a client is told when something doesn't work, whatever the transport.

mod code;
mod error;
pub mod page;
mod rejection;

pub use code::ProblemCode;
pub use error::ApiError;
pub use rejection::Rejection;
