//! Orders in the MES's database: the SQL.

mod read;
mod row;
mod standing;
mod write;

pub use common::order_history::history;
pub use read::{find, list, lock};
pub use standing::standing;
pub use write::{
    Arrival, NewChange, advance, advance_with_price, assign, copy_changes, insert, number_partner_order, set_price,
};
