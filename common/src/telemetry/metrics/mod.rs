//! Metrics: what is measured where it happens, what one replica counts in the database, and how both get out.
//!
//! The instruments are the catalogue's. Without an exporter there are none, and measuring costs nothing.

mod counted;
mod export;
mod instruments;
mod process;

pub use counted::{Counted, OfStatus, Waiting, counted, dead_letters, has_turn, waiting};
pub use export::{Metrics, Scrape, TEXT_FORMAT};
pub use instruments::{
    ActiveRequest, Values, are_on, connection_unfinished, duplicates, line_lost, login_failed, observe, price_ended,
    processed, published, request_began, request_ended, throttled, uploaded,
};
