//! The `main` of a service: settings, subcommands, signals, exit code.

use std::process::ExitCode;

use catalogue::{Action, ErrorType};
use tokio::signal::unix::{SignalKind, signal};

use super::{application::Application, command, definition::Definition, settings::Settings};
use crate::telemetry::{Record, Subject, Telemetry};

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
            .error(ErrorType::Internal, format!("{error:#}"))
            .write(),
    }
    telemetry.shut_down();
    result
}

fn lifecycle(state: &'static str) -> Record {
    Record::notice(Action::ServiceLifecycle, Subject::default()).state(state)
}
