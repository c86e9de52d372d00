//! The bytes of one model on their way into the store: counted, hashed, and looked at whether they are what the file's name
//! says.

use std::{future::ready, mem};

use bytes::Bytes;
use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture};
use object_store::WriteMultipart;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinError;

use super::{early_sync::EarlySync, error::OrFailure as _};
use crate::{
    crash,
    domain::ModelFormat,
    failure::{Failure, FailureContext as _},
};

/// Parts on their way at once; what arrives faster than the store takes it waits.
const PARTS_AT_ONCE: usize = 2;
/// Bytes that are looked at to see whether a file is what its name says.
const HEAD: usize = 1024;
/// Bytes that are hashed at a time.
const HASHED_AT_ONCE: usize = 1024 * 1024;

/// Why a model was not stored. Nothing of it stays behind.
#[derive(Debug)]
pub enum PutError {
    /// It has more bytes than allowed.
    TooLarge,
    /// It has none.
    Empty,
    /// Its content isn't what its name says.
    WrongContent,
    /// It didn't arrive whole.
    Body(BodyError),
    /// A failure of ours.
    Failure(Failure),
}

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It paused for too long, or took too long as a whole.
    TooSlow,
    /// The client ended it early, or it can't be read.
    Broken,
}

impl From<Failure> for PutError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Streams a body into the store, and returns its length and its SHA-256, 64 hex digits.
///
/// # Errors
///
/// See [`PutError`].
pub(super) async fn fill(
    upload: &mut WriteMultipart,
    body: &mut (impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin),
    mut early_sync: EarlySync,
    format: ModelFormat,
    limit: u64,
) -> Result<(u64, String), PutError> {
    let mut hash = HashBeside::new();
    let mut bytes = 0;
    let mut head = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(PutError::Body)?;
        crash::point("upload", "receiving");
        bytes += chunk.len() as u64;
        early_sync.arrived(chunk.len() as u64);
        if bytes > limit {
            return Err(PutError::TooLarge);
        }
        head.extend_from_slice(&chunk[..chunk.len().min(HEAD.saturating_sub(head.len()))]);
        hash.update(chunk.clone()).await?;
        upload.wait_for_capacity(PARTS_AT_ONCE).await.or_failure("storing a model")?;
        upload.put(chunk);
    }
    if bytes == 0 {
        return Err(PutError::Empty);
    }
    if !mesh::sniff(format.into(), &head, Some(bytes)) {
        return Err(PutError::WrongContent);
    }
    Ok((bytes, hash.finish().await?))
}

/// A SHA-256 that another thread computes while the next bytes arrive.
struct HashBeside {
    /// Of all but those that wait.
    hash: BoxFuture<'static, Result<Sha256, JoinError>>,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
}

impl HashBeside {
    fn new() -> Self {
        Self { hash: ready(Ok(Sha256::new())).boxed(), waiting: Vec::new(), waiting_bytes: 0 }
    }

    async fn update(&mut self, chunk: Bytes) -> Result<(), Failure> {
        self.waiting_bytes += chunk.len();
        self.waiting.push(chunk);
        if self.waiting_bytes >= HASHED_AT_ONCE {
            // One after another, so no more bytes are held than those of two turns.
            let hash = (&mut self.hash).await.failure("hashing a model")?;
            let chunks = mem::take(&mut self.waiting);
            self.waiting_bytes = 0;
            self.hash = tokio::task::spawn_blocking(move || with_all(hash, &chunks)).boxed();
        }
        Ok(())
    }

    /// The hash of all, 64 hex digits.
    async fn finish(self) -> Result<String, Failure> {
        let hash = with_all(self.hash.await.failure("hashing a model")?, &self.waiting);
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn with_all(mut hash: Sha256, chunks: &[Bytes]) -> Sha256 {
    chunks.iter().for_each(|chunk| hash.update(chunk));
    hash
}
