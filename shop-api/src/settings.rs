//! The settings that only the shop has: none.

use clap::Args;

/// The settings that only the shop has.
#[derive(Clone, Debug, Args)]
pub struct Settings {}
