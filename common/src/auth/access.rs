//! Who may do what: the one table. Handlers hold to it by [`By`](super::By) in their signatures, the OpenAPI documents say
//! it, and a test walks every operation of every service with every kind of caller to see that all of them agree.

use super::Role;
use catalogue::Service;

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Anybody,
    /// A session, whoever's it is.
    AnySession,
    /// A session or key of an account with this role.
    Only(Role),
}

use Access::{AnySession, Anybody, Only};
use Role::{Carrier, Customer, Operator, Partner, Seller};
use Service::{CrmApi, MesApi, ShopApi};

/// Where, method, path, who. Customers and partners see their own orders alone; somebody else's is `404`. Of operators,
/// only the one who took an order moves it on.
#[rustfmt::skip]
const TABLE: &[(&[Service], &str, &str, Access)] = &[
    (&Service::ALL, "get",    "/health/live",         Anybody),
    (&Service::ALL, "get",    "/health/ready",        Anybody),
    (&Service::ALL, "post",   "/sessions",            Anybody),
    (&Service::ALL, "delete", "/sessions/current",    AnySession),

    (&[ShopApi],   "post",   "/customers",           Anybody),
    (&[ShopApi],   "post",   "/orders",              Only(Customer)),
    (&[ShopApi],   "get",    "/orders",              Only(Customer)),
    (&[ShopApi],   "get",    "/orders/{id}",         Only(Customer)),
    (&[ShopApi],   "put",    "/orders/{id}/model",   Only(Customer)),
    (&[ShopApi],   "post",   "/orders/{id}/status",  Only(Customer)),

    (&[CrmApi],    "post",   "/orders",              Only(Seller)),
    (&[CrmApi],    "get",    "/orders",              Only(Seller)),
    (&[CrmApi],    "get",    "/orders/{id}",         Only(Seller)),
    (&[CrmApi],    "get",    "/orders/{id}/model",   Only(Seller)),
    (&[CrmApi],    "put",    "/orders/{id}/model",   Only(Seller)),
    (&[CrmApi],    "post",   "/orders/{id}/status",  Only(Seller)),
    (&[CrmApi],    "post",   "/deliveries",          Only(Carrier)),

    (&[MesApi],    "get",    "/orders",              Only(Operator)),
    (&[MesApi],    "get",    "/orders/{id}",         Only(Operator)),
    (&[MesApi],    "get",    "/orders/{id}/model",   Only(Operator)),
    (&[MesApi],    "put",    "/orders/{id}/operator",Only(Operator)),
    (&[MesApi],    "post",   "/orders/{id}/status",  Only(Operator)),
    (&[MesApi],    "post",   "/orders/{id}/price",   Only(Operator)),
    (&[MesApi],    "post",   "/partner/orders",      Only(Partner)),
    (&[MesApi],    "get",    "/partner/orders/{id}", Only(Partner)),
];

/// Every operation of a service that the table has: method, path, and what is asked of the caller.
pub fn of(service: Service) -> impl Iterator<Item = (&'static str, &'static str, Access)> {
    let rows = TABLE.iter().filter(move |(systems, ..)| systems.contains(&service));
    rows.map(|(_, method, path, access)| (*method, *path, *access))
}

/// What an operation asks of its caller, if the table has it. `method` is in lower case.
#[must_use]
pub fn to(service: Service, method: &str, path: &str) -> Option<Access> {
    of(service).find(|row| (row.0, row.1) == (method, path)).map(|row| row.2)
}
