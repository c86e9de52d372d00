//! What tests of the real system are written with.
//!
//! [`service`] runs one service in the test's own process against a real database, and [`contract`] is the suite that
//! every service passes there. The end-to-end tests beside this crate drive all services as processes of their own; they
//! use [`site`] and [`search`]. Both talk to a service by a [`Client`], and to a database by a [`TestDatabase`].

pub mod access;
pub mod certificates;
mod client;
pub mod contract;
mod database;
pub mod facts;
pub mod flood;
pub mod log;
mod memory;
pub mod openapi;
pub mod order_lifecycle;
pub mod orders;
pub mod process;
pub mod records;
pub mod search;
pub mod secrets;
pub mod service;
pub mod site;
pub mod support_page;
mod tcp_proxy;
mod wait;

pub use client::{Client, Response, plain_http};
pub use database::TestDatabase;
pub use memory::memory;
pub use mesh::solids;
pub use tcp_proxy::{TcpProxy, host_in};
pub use wait::{eventually, eventually_within};
