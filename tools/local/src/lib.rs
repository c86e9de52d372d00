//! The whole system on this machine, without containers: the program `alexandrite`, which starts, shows and stops it,
//! and for tests [`System`], which does so through that program.
//!
//! `cli` reads the command line and calls `commands`. These use `incident`, `parts` (how each server is set up),
//! `clients`, `system` (what a data folder says about its system), `host` (this machine) and `terminal`, in this order:
//! no module imports one that stands before it.

pub mod cli;
mod clients;
mod commands;
mod host;
pub mod incident;
mod parts;
mod system;
mod terminal;
pub mod test_programs;
mod test_system;

pub use clients::prometheus::{Sample, Samples};
pub use host::folders::cargo_profile;
pub use host::packages::provide as provide_program;
pub use parts::kind::Kind;
pub use parts::postgres_programs::client as postgres_client;
pub use parts::services::{as_owner_of, replica_command};
pub use system::accounts::Login;
pub use system::system_file::{AccountList, Databases, SystemFile};
pub use test_system::{Options, System};
