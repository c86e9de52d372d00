//! Where 3D models are stored: a folder, or S3 by URL. Keys are chosen here; a customer's file name never becomes one.

use catalogue::Service;
use std::{
    fs,
    future::ready,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt as _, WriteMultipart, local::LocalFileSystem, path::Path, prefix::PrefixStore,
};
use time::Date;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{
    early_sync::EarlySync,
    error::OrFailure as _,
    s3,
    upload::{BodyError, PutError, fill},
};
use crate::{
    authorities::Authorities,
    domain::{Model, ModelFormat, ModelUnit},
    failure::{ErrorType, Failure, FailureContext as _},
    problem::{ApiError, ProblemCode, Rejection},
};

/// Parts of this size are sent to S3, which takes none smaller.
const PART_FOR_S3: usize = 5 * 1024 * 1024;
/// Parts of this size are written to a folder.
const PART_FOR_FOLDER: usize = 1024 * 1024;
/// The longest file name, in characters.
const LONGEST_NAME: usize = 255;
/// Models that are listed at a time.
const LISTED_AT_ONCE: usize = 500;
/// How long the parts of a failed upload are tried to be removed. Those that stay are for the bucket's lifecycle rules.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a model waits for its turn to be received, or to have its unit read.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The store of all models.
#[derive(Clone, Debug)]
pub struct ModelStore {
    store: Arc<dyn ObjectStore>,
    /// The service whose models are put in and swept; every service reads all.
    owner: Service,
    /// Where the store is if it is a folder.
    folder: Option<PathBuf>,
    /// The largest model, in bytes.
    limit: u64,
    /// The turns to receive a model. Each takes memory, for as long as its client likes to take.
    upload_turns: Arc<Semaphore>,
    /// The turn to have a model in memory for its unit. There is one: a container has memory for one of the largest models.
    unit_turn: Arc<Semaphore>,
}

/// The turn to receive a model, until it is dropped.
#[derive(Debug)]
pub struct UploadTurn(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

/// A model in the store.
#[derive(Clone, Debug)]
pub struct StoredModel {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
}

impl ModelStore {
    /// Opens the store at `file:///folder` or `s3://bucket/prefix` for a service, for models of at most `limit` bytes. For S3
    /// the usual `AWS_*` variables hold; it may be silent for as long as `timeout`, and have its certificate from one of these
    /// authorities or from a public one. It receives as many models at once as `uploads`.
    ///
    /// # Errors
    ///
    /// If the URL is neither, or the folder can't be made.
    pub fn open(
        url: &str,
        owner: Service,
        limit: u64,
        uploads: usize,
        timeout: Duration,
        authorities: &Authorities,
    ) -> anyhow::Result<Self> {
        let folder = url.strip_prefix("file://").map(PathBuf::from);
        let store: Arc<dyn ObjectStore> = if let Some(folder) = url.strip_prefix("file://") {
            ensure!(folder.starts_with('/'), "`file://` needs an absolute path, such as file:///var/lib/models");
            std::fs::create_dir_all(folder).with_context(|| format!("the folder {folder} can't be made"))?;
            Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
        } else if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            ensure!(!bucket.is_empty(), "`s3://` needs a bucket, such as s3://models");
            Arc::new(PrefixStore::new(s3::bucket(bucket, timeout, authorities)?.build()?, prefix))
        } else {
            anyhow::bail!("it must begin with file:/// or s3://");
        };
        let (upload_turns, unit_turn) = (Arc::new(Semaphore::new(uploads)), Arc::new(Semaphore::new(1)));
        Ok(Self { store, owner, folder, limit, upload_turns, unit_turn })
    }

    /// Waits for the turn to receive a model, before its first byte is read.
    ///
    /// # Errors
    ///
    /// If none comes within 30 s, because clients send many others slowly.
    pub async fn upload_turn(&self) -> Result<UploadTurn, Failure> {
        let turn = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.upload_turns).acquire_owned()).await;
        let none = || Failure::bare(ErrorType::ModelStoreUnavailable, "no turn to receive a model came in time");
        turn.ok().and_then(Result::ok).map(UploadTurn).ok_or_else(none)
    }

    /// Streams a model in, hashing on the way. Memory stays flat, however large the model.
    ///
    /// # Errors
    ///
    /// See [`PutError`].
    async fn put(
        &self,
        mut body: impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
        format: ModelFormat,
    ) -> Result<StoredModel, PutError> {
        let id = Uuid::now_v7();
        // One folder for each service and day keeps folders small.
        let (owner, day) = (self.owner, time::OffsetDateTime::now_utc().date());
        let key = Path::from(format!("{owner}/{day}/{id}.{}", format.extension()));
        let upload = self.store.put_multipart(&key).await.or_failure("opening a model's upload")?;
        let part = if self.folder.is_some() { PART_FOR_FOLDER } else { PART_FOR_S3 };
        let mut upload = WriteMultipart::new_with_chunk_size(upload, part);
        // As the folder's store calls the file until it is whole.
        let partial = self.folder.as_ref().map(|folder| folder.join(format!("{key}#1")));
        match fill(&mut upload, &mut body, EarlySync::new(partial), format, self.limit).await {
            Ok((bytes, sha256)) => {
                upload.finish().await.or_failure("storing a model")?;
                Ok(StoredModel { key: key.to_string(), bytes, sha256 })
            }
            Err(error) => {
                // The first error counts; what an unreachable store keeps is swept.
                let _ = tokio::time::timeout(ABORT_TIMEOUT, upload.abort()).await;
                Err(error)
            }
        }
    }

    /// Checks a model's file name and streams the model in, in its turn.
    ///
    /// # Errors
    ///
    /// `408`, `413`, `415` or `422` for the client's mistakes, or the store's failure. Nothing stays in the store then.
    pub async fn receive(
        &self,
        _turn: &UploadTurn,
        filename: &str,
        body: impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
    ) -> Result<(Model, StoredModel), ApiError> {
        let format = format_of(filename)?;
        let stored = self.put(body, format).await.map_err(|error| match error {
            PutError::TooLarge => ApiError::from(self.too_large()),
            PutError::Empty => Rejection::invalid("the model is empty").into(),
            PutError::WrongContent => unsupported("The file's content is not what its name says.").into(),
            PutError::Body(BodyError::TooSlow) => Rejection::too_slow().into(),
            PutError::Body(BodyError::Broken) => Rejection::malformed("The model did not arrive whole.").into(),
            PutError::Failure(failure) => failure.into(),
        })?;
        let model = Model {
            filename: filename.to_owned(),
            format,
            bytes: i64::try_from(stored.bytes).unwrap_or(i64::MAX),
            sha256: stored.sha256.clone(),
            unit: format.unit(),
            measured: None,
            warnings: Vec::new(),
        };
        Ok((model, stored))
    }

    /// Sets the unit of a model that is in the store, if one is given. A 3MF file names its own, which it must be. One 3MF file is
    /// read at a time.
    ///
    /// # Errors
    ///
    /// `422` if the unit isn't that of the file, or the store's failure, also if no turn comes within 30 s.
    pub async fn set_unit(
        &self,
        model: &mut Model,
        stored: &StoredModel,
        given: Option<ModelUnit>,
    ) -> Result<(), ApiError> {
        let Some(given) = given else { return Ok(()) };
        if model.format == ModelFormat::ThreeMf {
            // Held until the bytes are gone. Only a store that is slow makes the turns take so long.
            let turn = tokio::time::timeout(LONGEST_WAIT, self.unit_turn.acquire()).await;
            let _turn = turn.map_err(|_| {
                Failure::bare(ErrorType::ModelStoreUnavailable, "no turn to read a model's unit came in time")
            })?;
            let bytes = self.read(&stored.key).await?;
            let named = tokio::task::spawn_blocking(move || {
                mesh::named_unit(mesh::Format::ThreeMf, &bytes, &mesh::Limits::default())
            });
            // A file that can't be read names none; why it can't is said with its price.
            let named = named.await.failure("reading a model's unit")?.ok().flatten().map(ModelUnit::from);
            if named.is_some_and(|named| named != given) {
                return Err(Rejection::invalid("unit must be that of the 3MF file, or left out").into());
            }
        }
        model.unit = Some(given);
        Ok(())
    }

    /// Refuses a body of this length, before a byte of it is read.
    ///
    /// # Errors
    ///
    /// `413`.
    pub fn check_length(&self, length: u64) -> Result<(), Rejection> {
        if length > self.limit { Err(self.too_large()) } else { Ok(()) }
    }

    /// The largest model, in bytes.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    fn too_large(&self) -> Rejection {
        Rejection::new(ProblemCode::ModelTooLarge, format!("A model may have at most {} bytes.", self.limit))
    }

    /// Streams a model out.
    ///
    /// # Errors
    ///
    /// If it isn't there, or the store fails.
    pub async fn get(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes, Failure>>, Failure> {
        let model = self.store.get(&Path::from(key)).await.or_failure("opening a model")?;
        Ok(model.into_stream().map(|chunk| chunk.or_failure("reading a model")).boxed())
    }

    /// Reads a model as a whole.
    ///
    /// # Errors
    ///
    /// If it isn't there, the store fails, or it is larger than allowed.
    pub async fn read(&self, key: &str) -> Result<Bytes, Failure> {
        let model = self.store.get(&Path::from(key)).await.or_failure("opening a model")?;
        if model.meta.size > self.limit {
            return Err(Failure::bare(ErrorType::ModelTooLarge, "the stored model is larger than allowed"));
        }
        // At once: as a stream, a file comes in pieces of 8 KiB, each from another thread.
        model.bytes().await.or_failure("reading a model")
    }

    /// Removes a model that no order has. One that stays, because the store fails, only takes room until it is swept.
    pub async fn discard(&self, key: &str) {
        let _ = self.delete(key).await;
    }

    /// Removes a model.
    ///
    /// # Errors
    ///
    /// If the store fails. That it is gone already is no error.
    pub async fn delete(&self, key: &str) -> Result<(), Failure> {
        match self.store.delete(&Path::from(key)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            result => result.or_failure("removing a model"),
        }
    }

    /// The keys of the models that this service has put in since this day, or ever, and that are older than this, some at a time.
    pub fn own_models(&self, since: Option<Date>, age: Duration) -> BoxStream<'static, Result<Vec<String>, Failure>> {
        let before = SystemTime::now() - age;
        let (own, since) =
            (Path::from(self.owner.name()), since.map(|day| Path::from(format!("{}/{day}", self.owner))));
        let all = match since {
            // A folder's name comes before those of its files.
            Some(day) => self.store.list_with_offset(Some(&own), &day),
            None => self.store.list(Some(&own)),
        };
        let old = all.try_filter(move |model| ready(SystemTime::from(model.last_modified) < before));
        let chunks = old.map_ok(|model| model.location.to_string()).chunks(LISTED_AT_ONCE);
        chunks.map(|keys| keys.into_iter().collect::<Result<_, _>>().or_failure("listing models")).boxed()
    }

    /// Removes partial models whose upload ended with this service's process this long ago. In S3 they are for the bucket's
    /// lifecycle rule (`AbortIncompleteMultipartUpload`).
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn remove_partial_older_than(&self, age: Duration) -> Result<(), Failure> {
        let Some(folder) = self.folder.as_ref().map(|folder| folder.join(self.owner.name())) else { return Ok(()) };
        let before = SystemTime::now() - age;
        let removed = tokio::task::spawn_blocking(move || remove_partial(&folder, before)).await;
        let removed = removed.failure("removing partial models")?;
        removed.map_err(|error| Failure::new(ErrorType::ModelStoreError, "removing partial models", error))
    }

    /// Checks that the store is there and permits access.
    ///
    /// # Errors
    ///
    /// If it isn't or doesn't.
    pub async fn check(&self) -> Result<(), Failure> {
        // An empty list is a good response. A look at a single object would not do: S3's response is the same whether the
        // object or its whole bucket is missing.
        let list = self.store.list_with_delimiter(Some(&Path::from("health"))).await;
        list.map(drop).or_failure("looking into the model store")
    }
}

/// The format that a file's name claims: `422` for a name that can't be shown, `415` for an unknown format.
fn format_of(filename: &str) -> Result<ModelFormat, Rejection> {
    if filename.is_empty() || filename.chars().count() > LONGEST_NAME || filename.chars().any(char::is_control) {
        return Err(Rejection::invalid("filename must have 1 to 255 characters, none of them a control character"));
    }
    ModelFormat::of_file_name(filename).ok_or_else(|| unsupported("The file's name must end in .stl, .obj or .3mf."))
}

fn unsupported(detail: &'static str) -> Rejection {
    Rejection::new(ProblemCode::UnsupportedModel, detail)
}

/// Removes what interrupted uploads left in the folders of days. Only a model that is on its way has `#` and a number behind
/// its name.
fn remove_partial(folder: &std::path::Path, before: SystemTime) -> io::Result<()> {
    let items = |folder: &std::path::Path| fs::read_dir(folder).into_iter().flatten().flatten();
    for partial in items(folder).flat_map(|day| items(&day.path())) {
        let is_partial = partial.file_name().to_string_lossy().contains('#');
        // Its upload may have ended a moment ago, and it has another name now.
        let is_old = partial.metadata().and_then(|partial| partial.modified()).is_ok_and(|modified| modified < before);
        if is_partial && is_old {
            fs::remove_file(partial.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, stream};
    use object_store::memory::InMemory;

    use super::*;

    fn in_memory() -> ModelStore {
        ModelStore {
            store: Arc::new(InMemory::new()),
            owner: Service::ShopApi,
            folder: None,
            limit: 1,
            upload_turns: Arc::new(Semaphore::new(1)),
            unit_turn: Arc::new(Semaphore::new(1)),
        }
    }

    #[tokio::test]
    async fn own_models_are_listed_from_a_day_on() {
        let store = in_memory();
        let keys = ["shop-api/2026-11-20/a.stl", "shop-api/2026-11-22/b.stl", "mes-api/2026-11-22/c.stl"];
        for key in keys {
            store.store.put(&Path::from(key), "a model".into()).await.unwrap();
        }
        let listed = async |since| store.own_models(since, Duration::ZERO).try_concat().await.unwrap();
        assert_eq!(listed(None).await, keys[..2]);
        assert_eq!(listed(Some(time::macros::date!(2026 - 11 - 22))).await, keys[1..2]);
        assert_eq!(listed(Some(time::macros::date!(2026 - 11 - 23))).await, [""; 0]);
    }

    #[tokio::test]
    async fn one_model_at_a_time_is_read_for_its_unit() {
        let store = in_memory();
        let stored = StoredModel { key: "missing.3mf".to_owned(), bytes: 1, sha256: String::new() };
        let mut model = Model {
            filename: "ring.3mf".to_owned(),
            format: ModelFormat::ThreeMf,
            bytes: 1,
            sha256: String::new(),
            unit: None,
            measured: None,
            warnings: Vec::new(),
        };
        let turn = store.unit_turn.acquire().await.unwrap();
        assert!(store.set_unit(&mut model, &stored, Some(ModelUnit::Metre)).now_or_never().is_none());
        drop(turn);
        // In its turn it is looked for in the store, which has none.
        let set = store.set_unit(&mut model, &stored, Some(ModelUnit::Metre)).now_or_never();
        assert!(set.is_some_and(|set| set.is_err()));
    }

    #[tokio::test]
    async fn a_model_on_its_way_is_in_the_file_that_is_synced_early() {
        let folder = std::env::temp_dir().join(format!("alexandrite-models-{}", Uuid::now_v7()));
        let url = format!("file://{}", folder.display());
        let store = ModelStore::open(&url, Service::ShopApi, 1, 1, Duration::from_secs(1), &Authorities::default());
        let store = store.expect("a store");
        let day = folder.join(format!("shop-api/{}", time::OffsetDateTime::now_utc().date()));
        let mut names = Vec::new();
        let body = stream::once(async {
            names.extend(fs::read_dir(&day).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()));
            Err(BodyError::Broken)
        });
        assert!(matches!(store.put(body.boxed(), ModelFormat::Stl).await, Err(PutError::Body(BodyError::Broken))));
        assert!(matches!(&names[..], [name] if name.ends_with(".stl#1")), "{names:?}");
        assert_eq!(fs::read_dir(&day).unwrap().count(), 0);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_store_url_that_makes_no_sense_is_refused() {
        for (url, reason) in
            [("models", "must begin with"), ("s3:///prefix", "needs a bucket"), ("file://models", "absolute path")]
        {
            let error = ModelStore::open(url, Service::ShopApi, 1, 1, Duration::from_secs(1), &Authorities::default());
            let error = error.expect_err(url).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
