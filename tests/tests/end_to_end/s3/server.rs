//! An S3 server with one account, that can be made to misbehave.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::{Request, Response, body::Incoming, service, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    Body,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

/// The name of its account's key.
pub(crate) const KEY_ID: &str = "a-key-of-the-services";
/// The account's key.
pub(crate) const KEY: &str = "the-secret-of-that-key";

/// What it does with a request.
#[derive(Clone)]
pub(crate) enum Mood {
    /// Whatever S3 does.
    Serving(S3Service),
    /// It never responds.
    Silent,
    /// It closes the connection.
    Broken,
}

/// The server; it runs as long as the test's runtime does.
pub(crate) struct Server {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
}

impl Server {
    /// Starts it over a folder; each folder in there is a bucket.
    pub(crate) async fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let mood = Arc::new(Mutex::new(Self::serving(folder, KEY)));
        tokio::spawn(serve(listener, Arc::clone(&mood)));
        Self { address, mood }
    }

    /// A service over this folder, for clients with this key.
    pub(crate) fn serving(folder: &Path, key: &str) -> Mood {
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder).expect("a folder"));
        service.set_auth(SimpleAuth::from_single(KEY_ID, key));
        Mood::Serving(service.build())
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next request on it is like that.
    pub(crate) fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }
}

async fn serve(listener: TcpListener, mood: Arc<Mutex<Mood>>) {
    loop {
        let (connection, _) = listener.accept().await.expect("a connection");
        let mood = Arc::clone(&mood);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let mood = mood.lock().unwrap_or_else(PoisonError::into_inner).clone();
                respond(mood, request)
            });
            // That a connection breaks is the client's affair.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

async fn respond(mood: Mood, request: Request<Incoming>) -> io::Result<Response<Body>> {
    match mood {
        Mood::Serving(s3) => {
            service::Service::call(&s3, request).await.map_err(|error| io::Error::other(format!("{error:?}")))
        }
        Mood::Silent => std::future::pending().await,
        Mood::Broken => Err(io::ErrorKind::ConnectionReset.into()),
    }
}
