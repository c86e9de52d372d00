//! Where 3D models are stored: a folder, or S3 by URL. Keys are chosen here; a customer's file name never becomes one.

mod error;
mod s3;
mod store;

pub use store::{BodyError, ModelStore, PutError, StoredModel};
