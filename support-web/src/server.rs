//! The program from its settings to its stop.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use catalogue::Service;
use common::{auth::SessionLimits, http, service};
use questions::Elasticsearch;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    auth::{Failures, Sessions},
    routes,
    settings::{Command, Settings},
};

/// The whole of the program.
#[must_use]
pub fn main() -> ExitCode {
    let settings = Settings::from_environment();
    let result =
        tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| match settings.command {
            Some(Command::Healthcheck) => runtime.block_on(service::healthcheck(settings.server.listen_addr)),
            None => {
                let (authorities, metrics) = (&settings.server.ca_file, settings.server.metrics_addr);
                service::serve(Service::SupportWeb, &runtime, authorities, metrics, build(&settings))
            }
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn build(settings: &Settings) -> anyhow::Result<service::Server> {
    let address = settings.server.listen_addr;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("LISTEN_ADDR: can't listen on {address}"))?;
    let address = listener.local_addr()?;
    let router = http::pages(Service::SupportWeb, &settings.request_limits(), routes::routes(app(settings)?));
    let stopping = CancellationToken::new();
    let deadline = settings.server.shutdown_deadline();
    let heartbeat = service::heartbeat(settings.server.heartbeat(), stopping.clone());
    let serve = http::serve(
        listener,
        router,
        TaskTracker::new(),
        settings.server.connection_limits(),
        stopping.clone(),
        deadline,
    );
    let work = Box::pin(async move { tokio::join!(serve, heartbeat).0 });
    Ok(service::Server { address, stopping, work })
}

fn app(settings: &Settings) -> anyhow::Result<App> {
    let login_hash_key: Arc<[u8]> = match settings.login_hash_key.as_ref().filter(|key| !key.expose_secret().is_empty())
    {
        Some(key) => key.expose_secret().as_bytes().into(),
        None => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).context("randomness for LOGIN_HASH_KEY")?;
            Arc::new(key)
        }
    };
    let SessionLimits { idle, absolute } = settings.server.session_limits();
    Ok(App {
        elasticsearch: Elasticsearch::new(
            &settings.elasticsearch_url,
            Duration::from_secs(settings.elasticsearch_seconds),
            settings.server.ca_file.pem(),
        )
        .context("CA_FILE")?,
        sessions: Sessions::new(idle, absolute),
        failures: Failures::default(),
        rate_limit: settings.server.rate_limit(),
        login_hash_key,
        documents: settings.documents_url.as_deref().map(Into::into),
    })
}
