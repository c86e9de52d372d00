//! What an order is and how it may change. No input or output here.

mod history;
mod material;
mod order;
mod order_id;
mod status;

pub use history::{Actor, Change, Gap, news};
pub use material::Material;
pub use order::{InvalidOrder, Model, ModelFormat, NewOrder, NewStatus, Order, OrderFacts, Owner, Price};
pub use order_id::{InvalidOrderId, OrderId};
pub use status::{OrderStatus, Refusal, Trigger};
