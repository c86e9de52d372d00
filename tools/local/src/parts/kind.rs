//! The kinds of parts, and what each needs.

use clap::ValueEnum;

/// A value of `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// Both databases.
    Postgres,
    /// The message broker.
    Rabbitmq,
    /// The search engine for the logs.
    Elasticsearch,
    /// The shipper of the logs to Elasticsearch, which it needs.
    Shipper,
    /// The three services; they need PostgreSQL and RabbitMQ.
    Services,
    /// Support's page; it needs Elasticsearch.
    SupportWeb,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Postgres, Self::Rabbitmq, Self::Elasticsearch, Self::Shipper, Self::Services, Self::SupportWeb];

    /// The parts that this one needs.
    #[must_use]
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Postgres | Self::Rabbitmq | Self::Elasticsearch => &[],
            Self::Shipper | Self::SupportWeb => &[Self::Elasticsearch],
            Self::Services => &[Self::Postgres, Self::Rabbitmq],
        }
    }

    /// These parts and all that they need. Without any, all parts.
    #[must_use]
    pub fn with_needs(kinds: &[Self]) -> Vec<Self> {
        let kinds = if kinds.is_empty() { &Self::ALL } else { kinds };
        let mut all: Vec<Self> = kinds.iter().flat_map(|kind| kind.needs().iter().chain([kind]).copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Rabbitmq => "rabbitmq",
            Self::Elasticsearch => "elasticsearch",
            Self::Shipper => "shipper",
            Self::Services => "services",
            Self::SupportWeb => "support-web",
        }
    }
}
