//! The whole system on this machine, without containers: the program `alexandrite`, which starts, shows and stops it,
//! and for tests [`System`], which does so through that program.

mod accounts;
mod backup;
mod beside;
mod caller;
pub mod cli;
mod demo;
mod doctor;
mod errors;
mod exec;
mod folders;
pub mod incident;
mod install;
mod lock;
mod logs;
mod owner;
mod parts;
mod ports;
mod prepare;
mod print;
mod process;
mod progress;
mod reconciliation;
mod report;
mod search;
mod secret;
mod stop;
mod stuck;
mod supervise;
mod system;
mod system_file;
mod table;
mod trail;
mod up;

pub use beside::beside;
pub use parts::{Kind, postgres::programs as postgres_programs};
pub use system::{Options, System};
pub use system_file::{AccountList, Databases, Login, SystemFile};
