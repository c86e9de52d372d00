//! What tests of the real system are written with.
//!
//! [`contract`] runs one service in the test's own process against a real database; each service's contract tests use
//! it. The end-to-end tests beside this library drive all services as processes of their own. Both talk to a service by
//! a [`Client`], and to a database by a [`TestDatabase`].

pub mod access;
mod client;
pub mod contract;
mod database;
pub mod life;
pub mod log;
pub mod openapi;
pub mod people;
mod relay;
pub mod search;
pub mod secrets;
mod wait;

pub use client::{Answer, Client};
pub use database::TestDatabase;
pub use mesh::solids;
pub use relay::{Relay, host_in};
pub use wait::{eventually, eventually_within};
