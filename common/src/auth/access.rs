//! Who may do what: the one table. Handlers enforce it by the extractor in their signatures, the OpenAPI documents state it,
//! and a test calls every operation of every service with every kind of caller to see that all of them agree.

use catalogue::{Action, Service};

use crate::domain::Role;

/// What an operation requires of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Anybody,
    /// A session of any account.
    AnySession,
    /// A session or key of an account with this role.
    Only(Role),
}

use Access::{AnySession, Anybody, Only};
use Role::{Carrier, Customer, Operator, Partner, Seller};
use Service::{CrmApi, MesApi, ShopApi};

/// The services that have it, method, path, who may call it, and the action that a failure keeps from happening. Customers
/// and partners see their own orders alone, another's is `404`. Of operators, only the one who took an order advances it.
#[rustfmt::skip]
const TABLE: &[(&[Service], &str, &str, Access, Action)] = &[
    (&Service::APIS,  "get",     "/health/live",         Anybody,        Action::HttpRequest),
    (&Service::APIS,  "get",     "/health/ready",        Anybody,        Action::HttpRequest),
    (&Service::APIS,  "post",    "/sessions",            Anybody,        Action::LoginFailed),
    (&Service::APIS,  "delete",  "/sessions/current",    AnySession,     Action::LoggedOut),

    (&Service::APIS,  "put",     "/accounts/me/password",      AnySession, Action::AccountPasswordChanged),
    (&Service::APIS,  "get",     "/accounts/me/sessions",      AnySession, Action::HttpRequest),
    (&Service::APIS,  "delete",  "/accounts/me/sessions/{id}", AnySession, Action::LoggedOut),

    (&[ShopApi],      "post",    "/customers",           Anybody,        Action::AccountRegistered),
    (&[ShopApi],      "post",    "/orders",              Only(Customer), Action::OrderCreated),
    (&[ShopApi],      "get",     "/orders",              Only(Customer), Action::HttpRequest),
    (&[ShopApi],      "get",     "/orders/{id}",         Only(Customer), Action::HttpRequest),
    (&[ShopApi],      "put",     "/orders/{id}/model",   Only(Customer), Action::OrderModelUploaded),
    (&[ShopApi],      "post",    "/orders/{id}/status",  Only(Customer), Action::OrderStatusChanged),

    (&[CrmApi],       "post",    "/orders",              Only(Seller),   Action::OrderCreated),
    (&[CrmApi],       "get",     "/orders",              Only(Seller),   Action::HttpRequest),
    (&[CrmApi],       "get",     "/orders/{id}",         Only(Seller),   Action::HttpRequest),
    (&[CrmApi],       "get",     "/orders/{id}/model",   Only(Seller),   Action::HttpRequest),
    (&[CrmApi],       "put",     "/orders/{id}/model",   Only(Seller),   Action::OrderModelUploaded),
    (&[CrmApi],       "post",    "/orders/{id}/status",  Only(Seller),   Action::OrderStatusChanged),
    (&[CrmApi],       "post",    "/deliveries",          Only(Carrier),  Action::OrderStatusChanged),

    (&[MesApi],       "get",     "/orders",              Only(Operator), Action::HttpRequest),
    (&[MesApi],       "get",     "/orders/{id}",         Only(Operator), Action::HttpRequest),
    (&[MesApi],       "get",     "/orders/{id}/model",   Only(Operator), Action::HttpRequest),
    (&[MesApi],       "put",     "/orders/{id}/operator",Only(Operator), Action::OrderOperatorAssigned),
    (&[MesApi],       "post",    "/orders/{id}/status",  Only(Operator), Action::OrderStatusChanged),
    (&[MesApi],       "post",    "/orders/{id}/price",   Only(Operator), Action::OrderPriceStatusChanged),
    (&[MesApi],       "post",    "/partner/orders",      Only(Partner),  Action::OrderCreated),
    (&[MesApi],       "get",     "/partner/orders/{id}", Only(Partner),  Action::HttpRequest),
];

/// Every operation of a service: method in lower case, path, and what is required of the caller.
pub fn of(service: Service) -> impl Iterator<Item = (&'static str, &'static str, Access)> {
    rows(service).map(|(_, method, path, access, _)| (*method, *path, *access))
}

/// What an operation requires of its caller, if the table has it. `method` is in lower case.
#[must_use]
pub fn to(service: Service, method: &str, path: &str) -> Option<Access> {
    of(service).find(|row| (row.0, row.1) == (method, path)).map(|row| row.2)
}

/// The action that a failure of this operation keeps from happening; the request itself where it is no other.
#[must_use]
pub fn action(service: Service, method: &str, path: &str) -> Action {
    let mut rows = rows(service).filter(|row| row.1.eq_ignore_ascii_case(method) && row.2 == path);
    rows.next().map_or(Action::HttpRequest, |row| row.4)
}

fn rows(
    service: Service,
) -> impl Iterator<Item = &'static (&'static [Service], &'static str, &'static str, Access, Action)> {
    TABLE.iter().filter(move |(services, ..)| services.contains(&service))
}
