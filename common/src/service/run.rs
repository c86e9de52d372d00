//! The `main` of a service: settings, subcommands, signals, exit code.

use std::{net::SocketAddr, pin::Pin, process::ExitCode};

use catalogue::{ErrorType, Service};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{
    application::Application,
    command,
    definition::Definition,
    management::{self, MetricsAddr},
    settings::Settings,
};
use crate::{
    authorities::Authorities,
    telemetry::{Record, Telemetry},
};

/// Tasks that a thread runs until it looks at the sockets. With tokio's 61, a response of the database waits in a flood until as
/// many other requests have gone on, and so does each of the dozen that an order needs.
const EVENT_INTERVAL: u32 = 8;

/// The whole of a service's `main`.
pub fn main<S: Definition>() -> ExitCode {
    let settings = Settings::<S>::from_environment();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENT_INTERVAL).build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let result = match &settings.command {
        Some(command) => runtime.block_on(command::run(command, &settings)),
        None => serve(S::SERVICE, &runtime, &settings.core.server.ca_file, settings.core.server.metrics_addr, async {
            let application = Application::build(&settings).await?;
            let (address, stopping) = (application.address()?, application.stopping());
            Ok(Server { address, stopping, work: Box::pin(application.run_until_stopped()) })
        }),
    };
    // What still runs in a thread, such as measuring a model, has had its time.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// A server that is ready.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Cancelled to stop it.
    pub stopping: CancellationToken,
    /// Its work, until it is stopped.
    pub work: Pin<Box<dyn Future<Output = anyhow::Result<()>>>>,
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// Switches records, spans and metrics on, which may go to a receiver with a certificate of one of these authorities; builds a
/// server, and lets it work until a signal to stop. Records its lifecycle.
///
/// # Errors
///
/// If the server can't be built, or ends for another reason.
pub fn serve(
    service: Service,
    runtime: &Runtime,
    authorities: &Authorities,
    metrics: MetricsAddr,
    build: impl Future<Output = anyhow::Result<Server>>,
) -> anyhow::Result<()> {
    let telemetry = {
        // The exporter's connection belongs to the runtime.
        let _entered = runtime.enter();
        Telemetry::start(service.name(), authorities, metrics.get().is_some())?
    };
    let result = runtime.block_on(async {
        let scraped = match telemetry.scrape().zip(metrics.get()) {
            Some((scrape, address)) => management::serve(address, scrape).await,
            None => None,
        };
        let Server { address, stopping, work } = build.await?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
            Record::lifecycle("stopping").write();
            stopping.cancel();
        });
        // A port that the system has chosen is known from here alone.
        let chosen = scraped.filter(|_| metrics.get().is_some_and(|asked| asked.port() == 0));
        let scraped = chosen.map(|address| format!("metrics on {address}, ")).unwrap_or_default();
        Record::lifecycle("ready").message(format!("{scraped}listening on {address}")).write();
        work.await
    });
    match &result {
        Ok(()) => Record::lifecycle("stopped").write(),
        Err(error) => Record::lifecycle("stopped")
            .unsuccessful()
            .level(tracing::Level::ERROR)
            .error(ErrorType::Internal, format!("{error:#}"))
            .write(),
    }
    telemetry.shut_down();
    result
}
