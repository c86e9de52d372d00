//! The address that a request comes from: whole for limits, cut to its network for the log.

use std::net::IpAddr;

use catalogue::Action;
use tracing::Level;

use crate::telemetry::{Record, Subject};

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// An IPv4 address, or the first 64 bits of an IPv6 address. Not for the log.
    pub address: IpAddr,
    /// The address cut to its network, for the log.
    pub network: IpAddr,
}

impl Source {
    /// A record of what came from here.
    pub(crate) fn record(self, action: Action) -> Record {
        Record::notice(action, Subject::default()).source_ip(self.network)
    }

    /// Records that a login or registration from here has to wait.
    pub(crate) fn record_throttled(self) {
        self.record(Action::Throttled).unsuccessful().level(Level::WARN).write();
    }
}
