//! The kinds of incidents, and where each can be seen.

/// Something that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// The MES is paused, and an order waits for its price.
    MesStopped,
    /// An unreadable message becomes a dead letter.
    PoisonedMessage,
    /// Orders whose models can't be priced.
    BadModels,
    /// Many wrong passwords for one account, and one for each of many accounts.
    LoginAttack,
    /// Thousands of orders within seconds, after few.
    OrderBurst,
    /// An order stays in a status for longer than it may.
    StuckOrder,
}

/// The places where an incident can be seen.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    /// The `event.action` of its records.
    pub events: &'static [&'static str],
    /// The names of its alerts' rules in `elk/alerts`.
    pub alerts: &'static [&'static str],
    /// The title of its dashboard in Kibana.
    pub dashboard: &'static str,
    /// The anchor of its section in `docs/runbook.md`.
    pub runbook: &'static str,
}

impl Incident {
    /// Every incident.
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

    /// A summary in one sentence.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::MesStopped => "The MES stands still for a while, and an order waits for its price.",
            Self::PoisonedMessage => "An unreadable message goes to the MES's dead letters.",
            Self::BadModels => "Several orders have models that no price can be calculated from.",
            Self::LoginAttack => "An attacker tries passwords: many on one account, and one each on many accounts.",
            Self::OrderBurst => "Order creation rises from a few to thousands in a moment.",
            Self::StuckOrder => "An order stays SUBMITTED for longer than it may.",
        }
    }

    /// The default number of orders or accounts; 1 if it can't be more.
    #[must_use]
    pub const fn usual_count(self) -> usize {
        match self {
            Self::BadModels => 6,
            Self::LoginAttack => 60,
            Self::OrderBurst => 3_000,
            Self::MesStopped | Self::PoisonedMessage | Self::StuckOrder => 1,
        }
    }

    /// Where to see it.
    #[must_use]
    pub const fn signs(self) -> Signs {
        let (events, alerts, dashboard, runbook): (&'static [_], &'static [_], _, _) = match self {
            Self::MesStopped => (&["order.status_changed"], &["service-silent-mes-api"], "Orders", "service-silent"),
            Self::PoisonedMessage => (&["message.dead_lettered"], &["dead-letter"], "Errors", "dead-letter"),
            Self::BadModels => {
                (&["order.price_status_changed"], &["prices-failing"], "Price calculation", "prices-failing")
            }
            Self::LoginAttack => (
                &["auth.login_failed", "auth.login_failed_repeatedly", "auth.source_failed_repeatedly"],
                &["logins-one-account", "logins-one-address", "logins-all-accounts"],
                "Access",
                "logins-all-accounts",
            ),
            Self::OrderBurst => (&["order.created"], &["order-burst"], "Orders", "order-burst"),
            Self::StuckOrder => (&["order.stuck"], &["order-stuck"], "Orders", "order-stuck"),
        };
        Signs { events, alerts, dashboard, runbook }
    }
}
