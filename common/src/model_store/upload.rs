//! The bytes of one model on their way into the store: counted, hashed, and looked at whether they are what the file's name
//! says.

use std::{future::ready, mem};

use bytes::{Bytes, BytesMut};
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
/// Bytes that are hashed and given to the store at a time.
const PIECE: usize = 1024 * 1024;

/// Why a model was not stored. Nothing of it stays behind.
#[derive(Debug)]
pub(super) enum PutError {
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
    // What arrives is copied: kept as it is, a chunk of one byte would hold the whole buffer that it was received into.
    let mut gathered = BytesMut::with_capacity(PIECE);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(PutError::Body)?;
        crash::point("upload", "receiving");
        bytes += chunk.len() as u64;
        early_sync.arrived(chunk.len() as u64);
        if bytes > limit {
            return Err(PutError::TooLarge);
        }
        head.extend_from_slice(&chunk[..chunk.len().min(HEAD.saturating_sub(head.len()))]);
        if gathered.len() + chunk.len() > PIECE {
            let piece = mem::replace(&mut gathered, BytesMut::with_capacity(PIECE));
            put(upload, &mut hash, piece.freeze()).await?;
        }
        gathered.extend_from_slice(&chunk);
    }
    if bytes == 0 {
        return Err(PutError::Empty);
    }
    put(upload, &mut hash, gathered.freeze()).await?;
    if !mesh::sniff(format.into(), &head, Some(bytes)) {
        return Err(PutError::WrongContent);
    }
    Ok((bytes, hash.finish().await?))
}

async fn put(upload: &mut WriteMultipart, hash: &mut HashBeside, piece: Bytes) -> Result<(), Failure> {
    hash.update(piece.clone()).await?;
    upload.wait_for_capacity(PARTS_AT_ONCE).await.or_failure("storing a model")?;
    upload.put(piece);
    Ok(())
}

/// A SHA-256 that another thread computes while the next bytes arrive.
struct HashBeside(BoxFuture<'static, Result<Sha256, JoinError>>);

impl HashBeside {
    fn new() -> Self {
        Self(ready(Ok(Sha256::new())).boxed())
    }

    async fn update(&mut self, piece: Bytes) -> Result<(), Failure> {
        // One after another, so no more is held than this piece and the one before.
        let hash = (&mut self.0).await.failure("hashing a model")?;
        self.0 = tokio::task::spawn_blocking(move || hash.chain_update(piece)).boxed();
        Ok(())
    }

    /// The hash of all, 64 hex digits.
    async fn finish(self) -> Result<String, Failure> {
        let hash = self.0.await.failure("hashing a model")?;
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
