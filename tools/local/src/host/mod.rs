//! This machine: processes and their supervision, ports, folders, users, signals.

pub(crate) mod folders;
pub(crate) mod lock;
pub(crate) mod os_user;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod secret;
pub(crate) mod stop;
pub(crate) mod supervisor;
