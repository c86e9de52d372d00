//! What the three services share, in layers: each module knows only those before it in this list.
//!
//! [`failure`], `crash`, `planted`, [`domain`], [`authorities`] → [`telemetry`] → [`problem`] → [`database`], [`background`],
//! [`page`], [`model_store`], [`order_history`] → [`batcher`], `journal`, [`outbox`] → [`unit_of_work`] → [`idempotency`],
//! [`auth`] → [`state`] → [`messaging`], [`http`] → [`service`]. `docs/architecture` says what each is for; a test holds the code
//! to it.

pub mod auth;
pub mod authorities;
pub mod background;
pub mod batcher;
pub mod crash;
pub mod database;
pub mod domain;
pub mod failure;
pub mod http;
pub mod idempotency;
pub mod journal;
pub mod messaging;
pub mod model_store;
pub mod order_history;
pub mod outbox;
pub mod page;
pub mod planted;
pub mod problem;
pub mod service;
pub mod state;
pub mod telemetry;
pub mod unit_of_work;
