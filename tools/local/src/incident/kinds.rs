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
    /// Requests for paths that there aren't.
    Scan,
    /// Logins faster than they are let in.
    LoginFlood,
    /// Many times the usual requests.
    RequestFlood,
    /// A model is uploaded over and over.
    UploadFlood,
    /// Connections on which no request comes.
    SlowConnections,
    /// A service with a log level that is too low.
    VerboseLog,
    /// The shipper is paused.
    ShipperStopped,
    /// The broker is paused, and a message waits.
    BrokerStopped,
}

/// The places where an incident can be seen.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    /// The `event.action` of its records; empty if they have none.
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
    pub const ALL: [Self; 14] = [
        Self::MesStopped,
        Self::PoisonedMessage,
        Self::BadModels,
        Self::LoginAttack,
        Self::OrderBurst,
        Self::StuckOrder,
        Self::Scan,
        Self::LoginFlood,
        Self::RequestFlood,
        Self::UploadFlood,
        Self::SlowConnections,
        Self::VerboseLog,
        Self::ShipperStopped,
        Self::BrokerStopped,
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
            Self::Scan => "scan",
            Self::LoginFlood => "login-flood",
            Self::RequestFlood => "request-flood",
            Self::UploadFlood => "upload-flood",
            Self::SlowConnections => "slow-connections",
            Self::VerboseLog => "verbose-log",
            Self::ShipperStopped => "shipper-stopped",
            Self::BrokerStopped => "broker-stopped",
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
            Self::Scan => "A scanner asks for hundreds of paths that there aren't.",
            Self::LoginFlood => "One address sends more logins than are let in.",
            Self::RequestFlood => "A customer's program asks for its orders thousands of times.",
            Self::UploadFlood => "A customer's program uploads a model over and over.",
            Self::SlowConnections => "Hundreds of connections are opened and bring no request.",
            Self::VerboseLog => "A service writes everything that its libraries can say.",
            Self::ShipperStopped => "The shipper stands still for a while, and no record arrives.",
            Self::BrokerStopped => "RabbitMQ stands still for a while, and a message waits to be published.",
        }
    }

    /// The default number of orders, accounts, requests or connections; 1 if it can't be more.
    #[must_use]
    pub const fn usual_count(self) -> usize {
        match self {
            Self::BadModels => 6,
            Self::LoginAttack => 60,
            Self::OrderBurst => 3_000,
            Self::Scan => 600,
            Self::LoginFlood => 1_500,
            Self::RequestFlood => 4_000,
            Self::UploadFlood => 60,
            Self::SlowConnections => 200,
            Self::MesStopped
            | Self::PoisonedMessage
            | Self::StuckOrder
            | Self::VerboseLog
            | Self::ShipperStopped
            | Self::BrokerStopped => 1,
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
            Self::Scan => (&["http.request"], &["requests-refused"], "Access", "requests-refused"),
            Self::LoginFlood => {
                (&["auth.throttled", "http.request"], &["requests-throttled"], "Access", "requests-throttled")
            }
            Self::RequestFlood => (&["http.request"], &["requests-rising"], "Requests", "requests-rising"),
            Self::UploadFlood => (&["order.model_uploaded"], &["uploads-flood"], "Requests", "uploads-flood"),
            Self::SlowConnections => {
                (&["service.heartbeat"], &["connections-unfinished"], "Requests", "connections-unfinished")
            }
            Self::VerboseLog => (&[], &["records-rising-crm-api"], "The logs' way", "records-rising"),
            Self::ShipperStopped => (&["service.heartbeat"], &["records-late"], "The logs' way", "records-late"),
            Self::BrokerStopped => {
                (&["service.heartbeat", "message.retried"], &["outbox-waits"], "Messaging", "outbox-waits")
            }
        };
        Signs { events, alerts, dashboard, runbook }
    }
}
