//! The ports of a system: the flags that choose them, and their reservation.

use anyhow::{Result, anyhow};
use clap::Args;

use crate::host::ports::{Choice, Reserved};
use crate::parts::kind::Kind;
use crate::terminal::progress::Progress;

/// Where everything listens. A port that is set has to be free; a default one that is taken is replaced; 0 is any.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Ports (0: any free one)")]
pub(crate) struct PortFlags {
    /// Takes any free port for everything that isn't set.
    #[arg(long)]
    free_ports: bool,
    /// The shop [default: 8081].
    #[arg(long, value_name = "PORT", env = "SHOP_PORT")]
    shop_port: Option<u16>,
    /// The CRM [default: 8082].
    #[arg(long, value_name = "PORT", env = "CRM_PORT")]
    crm_port: Option<u16>,
    /// The MES [default: 8083].
    #[arg(long, value_name = "PORT", env = "MES_PORT")]
    mes_port: Option<u16>,
    /// Support's page [default: 8084].
    #[arg(long, value_name = "PORT", env = "SUPPORT_WEB_PORT")]
    support_web_port: Option<u16>,
    /// The shop's metrics [default: 9181].
    #[arg(long, value_name = "PORT", env = "SHOP_METRICS_PORT")]
    shop_metrics_port: Option<u16>,
    /// The CRM's metrics [default: 9182].
    #[arg(long, value_name = "PORT", env = "CRM_METRICS_PORT")]
    crm_metrics_port: Option<u16>,
    /// The MES's metrics [default: 9183].
    #[arg(long, value_name = "PORT", env = "MES_METRICS_PORT")]
    mes_metrics_port: Option<u16>,
    /// Support's page's metrics [default: 9184].
    #[arg(long, value_name = "PORT", env = "SUPPORT_WEB_METRICS_PORT")]
    support_web_metrics_port: Option<u16>,
    /// PostgreSQL [default: 5442].
    #[arg(long, value_name = "PORT", env = "POSTGRES_PORT")]
    postgres_port: Option<u16>,
    /// RabbitMQ [default: 5682].
    #[arg(long, value_name = "PORT", env = "AMQP_PORT")]
    amqp_port: Option<u16>,
    /// RabbitMQ, for other Erlang nodes [default: 5683].
    #[arg(long, value_name = "PORT", env = "AMQP_DISTRIBUTION_PORT")]
    amqp_distribution_port: Option<u16>,
    /// Erlang's port mapper [default: 5684].
    #[arg(long, value_name = "PORT", env = "EPMD_PORT")]
    epmd_port: Option<u16>,
    /// Elasticsearch [default: 9210].
    #[arg(long, value_name = "PORT", env = "ELASTICSEARCH_PORT")]
    elasticsearch_port: Option<u16>,
    /// Elasticsearch, for other nodes [default: 9310].
    #[arg(long, value_name = "PORT", env = "ELASTICSEARCH_TRANSPORT_PORT")]
    elasticsearch_transport_port: Option<u16>,
}

impl PortFlags {
    /// Every port with the part that it belongs to.
    pub(crate) fn choices(&self) -> [(Kind, Choice); 14] {
        [
            (Kind::Services, "--shop-port", 8081, self.shop_port),
            (Kind::Services, "--crm-port", 8082, self.crm_port),
            (Kind::Services, "--mes-port", 8083, self.mes_port),
            (Kind::Services, "--shop-metrics-port", 9181, self.shop_metrics_port),
            (Kind::Services, "--crm-metrics-port", 9182, self.crm_metrics_port),
            (Kind::Services, "--mes-metrics-port", 9183, self.mes_metrics_port),
            (Kind::SupportWeb, "--support-web-port", 8084, self.support_web_port),
            (Kind::SupportWeb, "--support-web-metrics-port", 9184, self.support_web_metrics_port),
            (Kind::Postgres, "--postgres-port", 5442, self.postgres_port),
            (Kind::Rabbitmq, "--amqp-port", 5682, self.amqp_port),
            (Kind::Rabbitmq, "--amqp-distribution-port", 5683, self.amqp_distribution_port),
            (Kind::Rabbitmq, "--epmd-port", 5684, self.epmd_port),
            (Kind::Elasticsearch, "--elasticsearch-port", 9210, self.elasticsearch_port),
            (Kind::Elasticsearch, "--elasticsearch-transport-port", 9310, self.elasticsearch_transport_port),
        ]
        .map(|(kind, flag, default, chosen)| {
            (kind, Choice { flag, default, chosen: chosen.or(self.free_ports.then_some(0)) })
        })
    }
}

/// The reserved ports of each kind of part that runs.
pub(super) struct Ports {
    /// Shop, CRM, MES, and the metrics of each in the same order.
    pub(super) services: Option<[Reserved; 6]>,
    /// The page, its metrics.
    pub(super) support_web: Option<[Reserved; 2]>,
    pub(super) postgres: Option<[Reserved; 1]>,
    /// AMQP, distribution, port mapper.
    pub(super) rabbitmq: Option<[Reserved; 3]>,
    /// REST, transport.
    pub(super) elasticsearch: Option<[Reserved; 2]>,
}

impl Ports {
    /// Reserves all ports before any part starts, so that a taken port costs no time.
    pub(super) fn reserve(flags: &PortFlags, kinds: &[Kind], progress: &Progress) -> Result<Self> {
        Ok(Self {
            services: reserve(flags, Kind::Services, kinds, progress)?,
            support_web: reserve(flags, Kind::SupportWeb, kinds, progress)?,
            postgres: reserve(flags, Kind::Postgres, kinds, progress)?,
            rabbitmq: reserve(flags, Kind::Rabbitmq, kinds, progress)?,
            elasticsearch: reserve(flags, Kind::Elasticsearch, kinds, progress)?,
        })
    }
}

/// The ports of one kind, in the order of [`PortFlags::choices`].
fn reserve<const COUNT: usize>(
    flags: &PortFlags,
    kind: Kind,
    kinds: &[Kind],
    progress: &Progress,
) -> Result<Option<[Reserved; COUNT]>> {
    if !kinds.contains(&kind) {
        return Ok(None);
    }
    let choices = flags.choices().into_iter().filter(|(of, _)| *of == kind);
    let ports: Vec<Reserved> =
        choices.map(|(_, choice)| choice.reserve(|text| progress.say(text))).collect::<Result<_>>()?;
    ports.try_into().map(Some).map_err(|_| anyhow!("{} does not have {COUNT} ports", kind.name()))
}
