//! This machine: processes and their supervision, ports, folders, users, packages, signals.

pub(crate) mod files;
pub(crate) mod folders;
pub(crate) mod leftovers;
pub(crate) mod lock;
pub(crate) mod orphans;
pub(crate) mod os_user;
pub(crate) mod package_root;
pub(crate) mod packages;
pub(crate) mod pid_file;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod process_table;
pub(crate) mod secret;
pub(crate) mod stop;
pub(crate) mod supervisor;
pub(crate) mod unpacking;
