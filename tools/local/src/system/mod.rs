//! What a data folder says about its system: addresses, accounts, passwords and keys.

pub(crate) mod accounts;
pub(crate) mod system_file;
