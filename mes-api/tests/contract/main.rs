//! What the MES promises to operators, partners and the CRM, against a real database.

mod messages;
mod operators;
mod partners;
mod prices;
mod support;
