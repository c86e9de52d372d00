//! What an order is and how it may change. No input or output here.

mod actor;
mod history;
mod ids;
mod material;
mod model;
mod notice;
mod order;
mod role;
mod status;

pub use actor::{Actor, InvalidActor};
pub use history::{Change, Gap, missing};
pub use ids::{AccountId, CustomerId, EventId, InvalidOrderId, MessageId, OperatorId, OrderId, PartnerId, SessionId};
pub use material::Material;
pub use mesh::Language;
pub use model::{Measured, Model, ModelFormat, ModelUnit};
pub use notice::{Localize, Notice};
pub use order::{InvalidOrder, NewOrder, NewStatus, Order, OrderFacts, Owner, Price};
pub use role::Role;
pub use status::{OrderStatus, Refusal, Trigger};
