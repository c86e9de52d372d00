//! The 3D models: their store, uploads into it, and its errors.

mod early_sync;
mod error;
mod s3;
mod store;
mod upload;

pub use store::{ModelStore, StoredModel, UploadTurn};
pub use upload::BodyError;
