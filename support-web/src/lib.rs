//! Support's page: from "a customer on the phone says A-100042" to the answer in two actions.
//!
//! It has no database and no rights. Each employee logs in with their own account at Elasticsearch, and every question is
//! asked with that account, so who may read is decided in one place. Pages are made on the server and work without
//! JavaScript; the little of it that there is shows times in the employee's own zone.
//!
//! `settings` and `language` know no other module; `auth` is sessions and logins, `pages` makes HTML of what the logs
//! said, and `routes` reads requests and asks.

mod app;
mod auth;
mod language;
mod pages;
mod routes;
mod server;
mod settings;

pub use server::main;
pub use settings::Settings;
