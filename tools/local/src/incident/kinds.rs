//! Incidents on demand: each makes something go wrong on a running system by the means that it would happen by, so that
//! a person, or a test, can watch what the logs, the alerts and the runbook make of it.

use anyhow::Result;

use crate::clients::api::Caller;
use crate::system::system_file::SystemFile;

use super::inject;
use super::pause::Halted;
use super::replica::Replica;

/// Something that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// The MES stands still, and an order waits for its price.
    MesStopped,
    /// A message that nobody can read goes to the dead letters.
    PoisonedMessage,
    /// Orders whose models can't be priced.
    BadModels,
    /// Many wrong passwords for one account, and one try each at many accounts.
    LoginAttack,
    /// Thousands of orders in a moment, after hardly any.
    OrderBurst,
    /// An order stays in a status for longer than it may.
    StuckOrder,
}

/// Where an incident can be seen.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    /// The records that it leaves: values of `event.action`.
    pub events: &'static [&'static str],
    /// The alerts that it sets off: names of rules in `elk/alerts`.
    pub alerts: &'static [&'static str],
    /// The title of the dashboard in Kibana that shows it.
    pub dashboard: &'static str,
    /// The section of `docs/runbook.md` that says what to do: its anchor.
    pub runbook: &'static str,
}

impl Incident {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::MesStopped,
        Self::PoisonedMessage,
        Self::BadModels,
        Self::LoginAttack,
        Self::OrderBurst,
        Self::StuckOrder,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MesStopped => "mes-stopped",
            Self::PoisonedMessage => "poisoned-message",
            Self::BadModels => "bad-models",
            Self::LoginAttack => "login-attack",
            Self::OrderBurst => "order-burst",
            Self::StuckOrder => "stuck-order",
        }
    }

    /// The incident with this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|incident| incident.name() == name)
    }

    /// What happens, in a sentence.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::MesStopped => "The MES stands still for a while, and an order waits for its price.",
            Self::PoisonedMessage => "A message that nobody can read goes to the MES's dead letters.",
            Self::BadModels => "Several orders have models that no price can be calculated from.",
            Self::LoginAttack => "Somebody tries passwords: many on one account, and one each on many accounts.",
            Self::OrderBurst => "Order creation rises from a few to thousands in a moment.",
            Self::StuckOrder => "An order stays SUBMITTED for longer than it may.",
        }
    }

    /// How many orders or accounts it is about, unless somebody asks for another number; 1 if it can't be more.
    #[must_use]
    pub const fn usual_count(self) -> usize {
        match self {
            Self::BadModels => 6,
            Self::LoginAttack => 60,
            Self::OrderBurst => 3_000,
            Self::MesStopped | Self::PoisonedMessage | Self::StuckOrder => 1,
        }
    }

    /// What to look for.
    #[must_use]
    pub const fn signs(self) -> Signs {
        match self {
            Self::MesStopped => Signs {
                events: &["order.status_changed"],
                alerts: &["service-silent-mes-api"],
                dashboard: "Orders",
                runbook: "service-silent",
            },
            Self::PoisonedMessage => Signs {
                events: &["message.dead_lettered"],
                alerts: &["dead-letter"],
                dashboard: "Errors",
                runbook: "dead-letter",
            },
            Self::BadModels => Signs {
                events: &["order.price_status_changed"],
                alerts: &["prices-failing"],
                dashboard: "Price calculation",
                runbook: "prices-failing",
            },
            Self::LoginAttack => Signs {
                events: &["auth.login_failed", "auth.login_failed_repeatedly"],
                alerts: &["logins-one-account", "logins-all-accounts"],
                dashboard: "Access",
                runbook: "logins-all-accounts",
            },
            Self::OrderBurst => Signs {
                events: &["order.created"],
                alerts: &["order-burst"],
                dashboard: "Orders",
                runbook: "order-burst",
            },
            Self::StuckOrder => Signs {
                events: &["order.stuck"],
                alerts: &["order-stuck"],
                dashboard: "Orders",
                runbook: "order-stuck",
            },
        }
    }

    /// Makes it happen on this system. What it needs to be undone is in what it gives: [`Ongoing::end`] does so, and so
    /// does dropping it, without waiting for the effect.
    ///
    /// `count` stands in the place of [`Incident::usual_count`].
    ///
    /// # Errors
    ///
    /// The system has no services, or they don't answer as they should.
    pub async fn begin(self, system: &SystemFile, count: Option<usize>) -> Result<Ongoing> {
        let count = count.unwrap_or(self.usual_count());
        match self {
            Self::MesStopped => inject::mes_stopped(system).await,
            Self::PoisonedMessage => inject::poisoned_message(system).await,
            Self::BadModels => inject::bad_models(system, count).await,
            Self::LoginAttack => inject::login_attack(system, count).await,
            Self::OrderBurst => inject::order_burst(system, count).await,
            Self::StuckOrder => inject::stuck_order(system).await,
        }
    }
}

/// An incident that has happened; some go on until they are ended.
#[derive(Default)]
pub struct Ongoing {
    /// What was done, a sentence each.
    pub done: Vec<String>,
    /// The numbers of the orders that it is about; not those of [`Incident::OrderBurst`].
    pub orders: Vec<String>,
    /// The number of the message that it is about.
    pub message: Option<String>,
    /// Goes before the MES goes on, so that nobody looks any more.
    pub(super) replica: Option<Replica>,
    pub(super) halted: Option<Halted>,
    /// Whose order waits.
    pub(super) customer: Option<Caller>,
}

impl Ongoing {
    /// Whether it goes on until it is ended.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        self.halted.is_some()
    }

    /// Undoes what has to be undone, and waits until it is; says what was done, a sentence each.
    ///
    /// # Errors
    ///
    /// The system doesn't get back to work.
    pub async fn end(mut self) -> Result<Vec<String>> {
        let mut done = Vec::new();
        if self.replica.take().is_some() {
            done.push("The further CRM has stopped.".to_owned());
        }
        if self.halted.take().is_some() {
            done.push("The MES goes on.".to_owned());
        }
        if let Some(customer) = &self.customer {
            for order in &self.orders {
                customer.wait_for(order, "PRICE_CALCULATED").await?;
                done.push(format!("Order {order} has its price."));
            }
        }
        Ok(done)
    }
}
