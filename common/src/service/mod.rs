//! The frame that runs a service: settings, subcommands, start, signals, stop. A service itself is its [`Definition`].

mod application;
mod cli;
mod command;
mod counting;
mod definition;
mod heartbeat;
mod housekeeping;
mod management;
mod run;
mod server_settings;
mod settings;

pub use application::Application;
pub use command::healthcheck;
pub use definition::{Definition, InStatus, Standing};
pub use heartbeat::heartbeat;
pub use management::MetricsAddr;
pub use run::{Server, main, serve};
pub use server_settings::{ServerSettings, from_environment, variables_of, with_defaults};
pub use settings::{CoreSettings, Settings};
