//! Orders in the shop's database: the SQL.

mod read;
mod row;
mod standing;
mod waiting;
mod write;

pub use read::{Filter, details, facts, find, list, lock};
pub use row::StoredOrder;
pub use standing::standing;
pub use waiting::{Deadline, LateOrder, lock_overdue, lock_standing, mark_overdue, mark_standing, overdue, stuck};
pub use write::{NewRow, advance, attach_model, create, reserve_numbers, set_price, take_over};
