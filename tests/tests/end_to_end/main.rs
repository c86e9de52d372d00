//! End to end: real processes over HTTP, and what they logged as Elasticsearch returns it.
//!
//! One system serves most tests of this binary. What breaks something happens in a `World`: three more services
//! with databases and a broker's virtual host of their own, whose records go the same way into the same Elasticsearch. What
//! needs other settings or other parts starts a system of its own. They are one binary because they wait more than they
//! work: while one waits, others go on.

mod support {
    //! What these tests are written with.

    pub(crate) use testkit::{log, process, secrets, site};

    pub(crate) mod broker;
    pub(crate) mod failure;
    pub(crate) mod search;
    pub(crate) mod spans;
    pub(crate) mod system;
    pub(crate) mod world;
}

mod scenario {
    //! Stretches of the system's life that several tests look at from different sides. Each runs once.

    mod accounts;
    pub(crate) mod broken_broker;
    pub(crate) mod broken_database;
    pub(crate) mod broken_store;
    pub(crate) mod ordinary;
}

mod access;
mod accounts;
mod alerts;
mod backup;
mod catalogue;
mod crashes;
mod dashboards;
mod dead_letters;
mod generated_requests;
mod hostile;
mod kills;
mod lines;
mod machines;
mod messages;
mod metrics;
mod order_lifecycle;
mod prometheus;
mod runner;
mod s3;
mod shipping;
mod tls;
mod traces;
