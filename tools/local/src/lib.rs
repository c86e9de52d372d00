//! The whole system on this machine, without containers: the program `alexandrite`, which starts, shows and stops it,
//! and for tests [`System`], which does so through that program.

pub mod cli;
mod clients;
mod commands;
mod host;
pub mod incident;
mod parts;
mod system;
mod terminal;
mod test_system;

pub use parts::kind::Kind;
pub use parts::postgres::programs as postgres_programs;
pub use parts::replica::beside;
pub use system::system_file::{AccountList, Databases, Login, SystemFile};
pub use test_system::{Options, System};
