//! What the MES promises to operators, partners and the CRM, against a real database.

#![expect(clippy::unwrap_used, reason = "helpers fail the test that uses them")]

mod documentation;
mod hostile_models;
mod messages;
mod operators;
mod partners;
mod prices;
mod support;

testkit::contract_suite!(mes_api::MesApi, common::domain::Role::Operator);
