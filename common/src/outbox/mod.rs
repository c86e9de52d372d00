//! Messages on their way out: their kinds, their schema, and the table that they wait in until the broker has them.
//!
//! A message is committed with the change that it reports; only a unit of work adds one.

mod message_type;
pub(crate) mod schema;
pub(crate) mod table;

pub use message_type::MessageType;
