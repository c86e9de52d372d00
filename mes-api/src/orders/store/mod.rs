//! Orders in the MES's database: the SQL.

mod read;
mod row;
mod standing;
mod write;

pub use read::{find, history, list, lock};
pub use standing::standing;
pub use write::{
    Arrival, NewChange, advance, advance_with_price, assign, copy_changes, insert, number_partner_order, set_price,
};
