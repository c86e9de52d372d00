//! The program from its settings to its stop.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use catalogue::Service;
use clap::Parser as _;
use common::{auth::RateLimit, http, service};
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
    let settings = Settings::parse();
    let result =
        tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| match settings.command {
            Some(Command::Healthcheck) => runtime.block_on(service::healthcheck(settings.listen_addr)),
            None => {
                let (authorities, metrics) = (&settings.ca_file, settings.metrics_addr);
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
    let address = settings.listen_addr;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("LISTEN_ADDR: can't listen on {address}"))?;
    let address = listener.local_addr()?;
    let router = http::pages(Service::SupportWeb, &settings.request_limits(), routes::routes(app(settings)?));
    let stopping = CancellationToken::new();
    let deadline = Duration::from_secs(settings.shutdown_seconds);
    let heartbeat = service::heartbeat(Duration::from_secs(settings.heartbeat_seconds), stopping.clone());
    let serve =
        http::serve(listener, router, TaskTracker::new(), settings.connection_limits(), stopping.clone(), deadline);
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
    let idle = Duration::from_secs(settings.session_idle_minutes * 60);
    Ok(App {
        elasticsearch: Elasticsearch::new(
            &settings.elasticsearch_url,
            Duration::from_secs(settings.elasticsearch_seconds),
            settings.ca_file.pem(),
        )
        .context("CA_FILE")?,
        sessions: Sessions::new(idle, Duration::from_secs(settings.session_hours * 3600)),
        failures: Failures::default(),
        rate_limit: RateLimit::new(settings.login_burst, settings.logins_per_second),
        login_hash_key,
        documents: settings.documents_url.as_deref().map(Into::into),
    })
}
