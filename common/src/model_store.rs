//! Where 3D models lie: a folder, or S3 by URL. Keys are ours; what a customer calls a file never names one.

use catalogue::Service;
use std::{
    error::Error,
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
    ClientConfigKey, ObjectStore, ObjectStoreExt as _, RetryConfig, WriteMultipart,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    local::LocalFileSystem,
    path::Path,
    prefix::PrefixStore,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    crash,
    domain::ModelFormat,
    failure::{self, ErrorType, Failure, FailureContext as _},
};

/// Parts of this size are sent to the store; S3 takes none smaller than 5 MiB.
const PART: usize = 5 * 1024 * 1024;
/// Parts on their way at once; what arrives faster than the store takes it has to wait.
const PARTS_AT_ONCE: usize = 2;
/// So many models are listed at once.
const LISTED_AT_ONCE: usize = 500;
/// So much of a file is looked at to see whether it is what its name says.
const HEAD: usize = 1024;
/// How long S3 may take to let us connect.
const CONNECT_PATIENCE: &str = "3 s";
/// A whole answer may take as long as its slowest reader, which is a client of ours.
const ANSWER_PATIENCE: &str = "1 h";
/// Retries of a request that S3 refused for the moment, or that didn't reach it.
const RETRIES: usize = 3;
/// How long a failed upload's parts are tried to be removed. Those that stay are for the bucket's own rules.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);

/// The store of all models.
#[derive(Clone, Debug)]
pub struct ModelStore {
    store: Arc<dyn ObjectStore>,
    /// Whose models are put in and swept; every service reads all.
    owner: Service,
    /// Where the store is if it is a folder.
    folder: Option<PathBuf>,
}

/// What became of a model that was put into the store.
#[derive(Clone, Debug)]
pub struct StoredModel {
    /// Where it lies.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
}

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
    Body(Box<dyn Error + Send + Sync>),
    /// A failure of ours.
    Failure(Failure),
}

impl From<Failure> for PutError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl ModelStore {
    /// Opens the store at `file:///folder` or `s3://bucket/prefix` for a service; for S3 the usual `AWS_*` variables hold,
    /// and it may be silent for as long as `patience`.
    ///
    /// # Errors
    ///
    /// If the URL is neither, or the folder can't be made.
    pub fn open(url: &str, owner: Service, patience: Duration) -> anyhow::Result<Self> {
        let folder = url.strip_prefix("file://").map(PathBuf::from);
        let store: Arc<dyn ObjectStore> = if let Some(folder) = url.strip_prefix("file://") {
            ensure!(folder.starts_with('/'), "`file://` needs an absolute path, such as file:///var/lib/models");
            std::fs::create_dir_all(folder).with_context(|| format!("the folder {folder} can't be made"))?;
            Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
        } else if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            ensure!(!bucket.is_empty(), "`s3://` needs a bucket, such as s3://models");
            Arc::new(PrefixStore::new(s3(bucket, patience)?.build()?, prefix))
        } else {
            anyhow::bail!("it must begin with file:/// or s3://");
        };
        Ok(Self { store, owner, folder })
    }

    /// Streams a model in, hashing on the way. Memory stays flat, however large the model.
    ///
    /// # Errors
    ///
    /// See [`PutError`].
    pub async fn put(
        &self,
        mut body: impl Stream<Item = Result<Bytes, Box<dyn Error + Send + Sync>>> + Send + Unpin,
        format: ModelFormat,
        limit: u64,
    ) -> Result<StoredModel, PutError> {
        let id = Uuid::now_v7();
        // One folder for each service, whose orders' models these are, and day keeps folders small.
        let (owner, day) = (self.owner, time::OffsetDateTime::now_utc().date());
        let key = Path::from(format!("{owner}/{day}/{id}.{}", format.extension()));
        let upload = self.store.put_multipart(&key).await.or_failure("opening a model's upload")?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        match fill(&mut upload, &mut body, format, limit).await {
            Ok((bytes, sha256)) => {
                upload.finish().await.or_failure("storing a model")?;
                Ok(StoredModel { key: key.to_string(), bytes, sha256 })
            }
            Err(error) => {
                // The first error is the one that counts; what an unreachable store keeps is swept.
                let _ = tokio::time::timeout(ABORT_PATIENCE, upload.abort()).await;
                Err(error)
            }
        }
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
    /// If it isn't there, the store fails, or it is larger than `limit` bytes.
    pub async fn read(&self, key: &str, limit: u64) -> Result<Bytes, Failure> {
        let model = self.store.get(&Path::from(key)).await.or_failure("opening a model")?;
        if model.meta.size > limit {
            return Err(Failure::bare(ErrorType::ModelTooLarge, "the stored model is larger than allowed"));
        }
        // At once: as a stream, a file comes in pieces of 8 KiB, each from another thread.
        model.bytes().await.or_failure("reading a model")
    }

    /// Removes a model that nobody needs any more.
    ///
    /// # Errors
    ///
    /// If the store fails. That it is gone already is none.
    pub async fn delete(&self, key: &str) -> Result<(), Failure> {
        match self.store.delete(&Path::from(key)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            result => result.or_failure("removing a model"),
        }
    }

    /// The keys of all models that this service has put in and that are older than this, some at a time.
    pub fn own_models_older_than(&self, age: Duration) -> BoxStream<'static, Result<Vec<String>, Failure>> {
        let before = SystemTime::now() - age;
        let all = self.store.list(Some(&Path::from(self.owner.name())));
        let old = all.try_filter(move |model| ready(SystemTime::from(model.last_modified) < before));
        let chunks = old.map_ok(|model| model.location.to_string()).chunks(LISTED_AT_ONCE);
        chunks.map(|keys| keys.into_iter().collect::<Result<_, _>>().or_failure("listing models")).boxed()
    }

    /// Removes halves of models whose upload ended with this service's process so long ago. In S3 they are for the
    /// bucket's lifecycle rule (`AbortIncompleteMultipartUpload`).
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub async fn remove_halves_older_than(&self, age: Duration) -> Result<(), Failure> {
        let Some(folder) = self.folder.as_ref().map(|folder| folder.join(self.owner.name())) else { return Ok(()) };
        let before = SystemTime::now() - age;
        let removed = tokio::task::spawn_blocking(move || remove_halves(&folder, before)).await;
        let removed = removed.failure("removing halves of models")?;
        removed.map_err(|error| Failure::new(ErrorType::ModelStoreError, "removing halves of models", error))
    }

    /// Whether the store answers, is there, and lets us in.
    ///
    /// # Errors
    ///
    /// If it doesn't.
    pub async fn check(&self) -> Result<(), Failure> {
        // Nothing is there; that the list is empty is the answer. To look at a single object would not do: S3 answers
        // the same whether the object is missing or its whole bucket.
        let list = self.store.list_with_delimiter(Some(&Path::from("health"))).await;
        list.map(drop).or_failure("looking into the model store")
    }
}

/// A bucket with the usual `AWS_*` variables, and bounds for all that may be waited for.
fn s3(bucket: &str, patience: Duration) -> anyhow::Result<AmazonS3Builder> {
    // What a silent S3 has let wait for the whole patience isn't tried once more.
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: patience * 4 / 5, ..RetryConfig::default() };
    let silence = format!("{} ms", patience.as_millis());
    let bounds = [
        (ClientConfigKey::ConnectTimeout, CONNECT_PATIENCE),
        (ClientConfigKey::ReadTimeout, silence.as_str()),
        (ClientConfigKey::Timeout, ANSWER_PATIENCE),
    ];
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    let builder = bounds
        .into_iter()
        .fold(builder, |builder, (key, value)| builder.with_config(AmazonS3ConfigKey::Client(key), value));
    let setting = |key| builder.get_config_value(&key).unwrap_or_default();
    ensure!(
        !setting(AmazonS3ConfigKey::Endpoint).starts_with("http://")
            || setting(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)) == "true",
        "AWS_ENDPOINT is not encrypted; AWS_ALLOW_HTTP=true permits that"
    );
    Ok(builder)
}

/// Makes a store's error a [`Failure`].
trait OrFailure<T> {
    fn or_failure(self, context: &'static str) -> Result<T, Failure>;
}

impl<T> OrFailure<T> for object_store::Result<T> {
    fn or_failure(self, context: &'static str) -> Result<T, Failure> {
        self.map_err(|error| {
            let text = failure::chain(&error);
            let error_type = match error {
                object_store::Error::NotFound { .. } if text.contains("NoSuchBucket") => ErrorType::ModelStoreError,
                object_store::Error::NotFound { .. } => ErrorType::ModelMissing,
                object_store::Error::Generic { .. } => ErrorType::ModelStoreUnavailable,
                _ => ErrorType::ModelStoreError,
            };
            Failure::new(error_type, context, without_document(&text))
        })
    }
}

/// The text with S3's error document cut down to its code and message: the rest of it repeats the request, with the
/// name of our key, the signature, and the token of a temporary login.
fn without_document(text: &str) -> String {
    let Some((before, document)) = text.find("<?xml").or_else(|| text.find("<Error")).map(|at| text.split_at(at))
    else {
        return text.to_owned();
    };
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0)
    };
    let after = document.rsplit_once("</Error").and_then(|(_, end)| Some(end.split_once('>')?.1)).unwrap_or_default();
    format!("{before}{}: {}{after}", element("Code").unwrap_or("?"), element("Message").unwrap_or("?"))
}

async fn fill(
    upload: &mut WriteMultipart,
    body: &mut (impl Stream<Item = Result<Bytes, Box<dyn Error + Send + Sync>>> + Send + Unpin),
    format: ModelFormat,
    limit: u64,
) -> Result<(u64, String), PutError> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut head = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(PutError::Body)?;
        crash::point("upload.receiving");
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(PutError::TooLarge);
        }
        head.extend_from_slice(&chunk[..chunk.len().min(HEAD.saturating_sub(head.len()))]);
        hash.update(&chunk);
        upload.wait_for_capacity(PARTS_AT_ONCE).await.or_failure("storing a model")?;
        upload.put(chunk);
    }
    if bytes == 0 {
        return Err(PutError::Empty);
    }
    if !mesh::sniff(format.into(), &head, Some(bytes)) {
        return Err(PutError::WrongContent);
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, sha256))
}

/// Removes what broken-off uploads have left in the folders of days. A model that is on its way has
/// `#` and a number behind its name, and no other has.
fn remove_halves(folder: &std::path::Path, before: SystemTime) -> io::Result<()> {
    let items = |folder: &std::path::Path| fs::read_dir(folder).into_iter().flatten().flatten();
    for half in items(folder).flat_map(|day| items(&day.path())) {
        let is_half = half.file_name().to_string_lossy().contains('#');
        // It may be done just now, and is no half any more.
        let is_old = half.metadata().and_then(|half| half.modified()).is_ok_and(|modified| modified < before);
        if is_half && is_old {
            fs::remove_file(half.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_s3_says_only_code_and_message_are_told() {
        let document = "<?xml version=\"1.0\"?>\n<Error><Code>ExpiredToken</Code><Message>Too old.</Message>\
                        <Token-0>FwoGZXIvYXdzE</Token-0><RequestId>1</RequestId></Error>";
        assert_eq!(without_document(&format!("403: {document}, twice")), "403: ExpiredToken: Too old., twice");
        assert_eq!(without_document("connection refused"), "connection refused");
        assert_eq!(without_document("403: <Error><Code>Cut"), "403: ?: ?");
    }

    #[test]
    fn a_store_that_can_not_be_is_refused() {
        for (url, reason) in
            [("models", "must begin with"), ("s3:///prefix", "needs a bucket"), ("file://models", "absolute path")]
        {
            let error = ModelStore::open(url, Service::ShopApi, Duration::from_secs(1)).expect_err(url).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
