//! The shell that runs a service: settings, subcommands, start, signals, stop. A service itself is its [`Service`].

mod command;
mod heartbeat;
mod housekeeping;
mod settings;

use std::{future::Future, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use catalogue::{Action, Service};
use sqlx::migrate::Migrator;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

pub use settings::{CoreSettings, Settings};

use crate::{
    Core,
    auth::Role,
    database, http,
    messaging::MessagingSettings,
    telemetry::{Record, Subject, Telemetry},
};

/// What makes a service this one and not another.
pub trait Definition: Send + Sync + 'static {
    /// Which one it is.
    const SERVICE: Service;
    /// What it is for, in a sentence.
    const ABOUT: &'static str;
    /// Where it listens unless told otherwise.
    const LISTEN_ADDR: &'static str;
    /// Its database unless told otherwise.
    const DATABASE_URL: &'static str;
    /// Its login at RabbitMQ unless told otherwise, if it goes there at all.
    const AMQP_URL: &'static str = "";
    /// The roles of people and machines whose accounts are made by its subcommands.
    const ROLES: &'static [Role];
    /// The settings that only this service has.
    type Settings: clap::Args + Clone + Send + Sync;

    /// The tables that only this service's database has.
    fn migrations() -> Migrator;

    /// How it talks to RabbitMQ, if it does.
    fn messaging(_settings: &Self::Settings) -> Option<&MessagingSettings> {
        None
    }

    /// Starts the background work and gives the routes.
    ///
    /// # Errors
    ///
    /// If a setting can't be used; the message names it.
    fn start(core: &Core, settings: &Self::Settings, background: &mut Background) -> anyhow::Result<OpenApiRouter>;
}

/// Tasks that run as long as the service does.
#[derive(Default)]
pub struct Background {
    tasks: JoinSet<&'static str>,
    stopping: CancellationToken,
}

impl Background {
    /// Cancelled when the service is to stop.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Runs a task that ends when [`Background::stopping`] is cancelled, and not before.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }
}

/// A service that is ready to serve: its port is known, its tables are there, its background work is running.
pub struct Application {
    listener: TcpListener,
    router: axum::Router,
    core: Core,
    background: Background,
    deadline: Duration,
}

impl Application {
    /// Builds the service.
    ///
    /// # Errors
    ///
    /// If a setting can't be used, the database can't be reached, or the address is taken; the message says which.
    pub async fn build<S: Definition>(settings: &Settings<S>) -> anyhow::Result<Self> {
        settings.core.raise_descriptor_limit()?;
        let core = settings.core.open(S::SERVICE)?;
        database::migrate(&core.database, S::migrations()).await.context("DATABASE_URL: the database can't be used")?;
        let address = settings.core.listen_addr;
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("LISTEN_ADDR: can't listen on {address}"))?;
        let mut background = Background::default();
        let routes = S::start(&core, &settings.own, &mut background)?;
        background.spawn("housekeeping", housekeeping::run(core.clone(), background.stopping()));
        background.spawn("journal", core.journal.clone().tend(core.database.clone(), background.stopping()));
        background.spawn("heartbeat", heartbeat::run(settings.core.heartbeat(), background.stopping()));
        let router = http::router(&core, routes);
        Ok(Self { listener, router, core, background, deadline: settings.core.shutdown_deadline() })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If the operating system doesn't say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Cancel it to stop the service.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.background.stopping()
    }

    /// Serves until it is stopped: takes no new requests then, finishes those under way and the background work.
    ///
    /// # Errors
    ///
    /// If a background task ends by itself, or something is still under way at the deadline.
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        let Self { listener, router, core, mut background, deadline } = self;
        let stopping = background.stopping();
        let (requests, limits) = (core.requests.clone(), core.connection_limits);
        let server = tokio::spawn(http::serve(listener, router, requests, limits, stopping.clone(), deadline));

        let died = tokio::select! {
            // Tasks that end because they are told to haven't died.
            biased;
            () = stopping.cancelled() => None,
            ended = background.tasks.join_next() => ended,
        };
        stopping.cancel();
        let served = server.await.context("the server panicked")?;
        let rest = async { while background.tasks.join_next().await.is_some() {} };
        let finished = tokio::time::timeout(deadline, rest).await;
        // Whatever stays is written once more by the next start, and refused as being there already.
        let _ = core.journal.forget(&core.database).await;
        core.database.close().await;
        match died {
            Some(Ok(name)) => anyhow::bail!("the background task {name} ended by itself"),
            Some(Err(error)) => Err(error).context("a background task panicked"),
            None => served.and(finished.context("background work was still under way at the deadline")),
        }
    }
}

/// The whole of a service's `main`.
pub fn main<S: Definition>() -> ExitCode {
    let settings = Settings::<S>::from_environment();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let result = match &settings.command {
        Some(command) => runtime.block_on(command::run(command, &settings)),
        None => serve(&runtime, &settings),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn serve<S: Definition>(runtime: &tokio::runtime::Runtime, settings: &Settings<S>) -> anyhow::Result<()> {
    let telemetry = {
        // The exporter's connection belongs to the runtime.
        let _entered = runtime.enter();
        Telemetry::start(S::SERVICE.name())?
    };
    let result = runtime.block_on(async {
        let application = Application::build(settings).await?;
        let stopping = application.stopping();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () }
            lifecycle("stopping").write();
            stopping.cancel();
        });
        lifecycle("ready").message(format!("listening on {}", application.address()?)).write();
        application.run_until_stopped().await
    });
    match &result {
        Ok(()) => lifecycle("stopped").write(),
        Err(error) => lifecycle("stopped")
            .unsuccessful()
            .level(tracing::Level::ERROR)
            .error(catalogue::ErrorType::Internal, format!("{error:#}"))
            .write(),
    }
    telemetry.shut_down();
    result
}

fn lifecycle(state: &'static str) -> Record<'static> {
    Record::success(Action::ServiceLifecycle, Subject::default()).state(state)
}
