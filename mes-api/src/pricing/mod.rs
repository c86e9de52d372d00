//! Prices: the formula, the price list, and the workers that calculate them.

mod finding;
mod formula;
mod price_list;
mod worker;

pub use finding::Refusal;
pub use formula::OutOfRange;
pub use price_list::PriceList;
pub(crate) use worker::Workers;
