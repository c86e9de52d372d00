//! The subcommands of a service's program, as clap reads them.

use clap::{ArgGroup, Subcommand};

use crate::domain::{MessageId, Role};

/// What a service's program can do beside serving.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Bring the database's tables up to date and end
    Migrate,
    /// Check that the service with the same settings is ready; for containers without curl
    Healthcheck,
    /// Accounts of people, who log in with a password
    #[command(subcommand)]
    Account(AccountCommand),
    /// Keys of partners and carriers
    #[command(subcommand)]
    Key(KeyCommand),
    /// Messages that the service could not handle
    #[command(subcommand)]
    DeadLetters(DeadLetterCommand),
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum DeadLetterCommand {
    /// Show all of them, one JSON object per line
    List,
    /// Send some back to the service, as they came; shows which, one JSON object per line
    #[command(group(ArgGroup::new("which").required(true)))]
    Replay {
        /// The one of this id
        #[arg(long, value_name = "ID", group = "which")]
        message: Option<MessageId>,
        /// All that are there now
        #[arg(long, group = "which")]
        all: bool,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Create an account; its password is read from standard input
    Add {
        /// What the account may do
        #[arg(long)]
        role: Role,
        /// The account's login
        #[arg(long)]
        login: String,
        /// Succeed if the login is taken already; the account stays as it is then
        #[arg(long)]
        if_missing: bool,
    },
    /// Disable an account and end its sessions
    Disable {
        /// The account's login
        #[arg(long)]
        login: String,
    },
    /// Enable an account that was disabled
    Enable {
        /// The account's login
        #[arg(long)]
        login: String,
    },
    /// Give an account another role, which its open sessions have at once
    Role {
        /// The account's login
        #[arg(long)]
        login: String,
        /// What the account may do from now on
        #[arg(long)]
        role: Role,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Create a key of a partner or carrier and print it, this once; creates the account if there is none of this name
    Add {
        /// The role of the key's owner
        #[arg(long)]
        role: Role,
        /// The name of the key's owner
        #[arg(long)]
        name: String,
        /// End all its earlier keys
        #[arg(long)]
        rotate: bool,
    },
    /// Withdraw all keys of a partner or carrier
    Withdraw {
        /// The name of the keys' owner
        #[arg(long)]
        name: String,
    },
}
