//! Where 3D models are stored: a folder, or S3 by URL. Keys are chosen here; a customer's file name never becomes one.

mod early_sync;
mod error;
mod s3;
mod store;
mod upload;

pub use store::{ModelStore, StoredModel};
pub use upload::{BodyError, PutError};
