//! Prices: the formula, the prices that are still to be calculated, and the workers that calculate them.

mod formula;
mod jobs;
mod price_list;
mod status;
mod worker;

use std::sync::Arc;

use catalogue::Action;
use common::{
    service::Background,
    telemetry::{Record, Subject},
};
use tokio::sync::Notify;

pub use formula::OutOfRange;
pub use jobs::queue;
pub use price_list::PriceList;
pub use status::PriceStatus;

use crate::{Mes, MesSettings};

/// Wakes this process's workers at once, where another process's would find a new job at their next look.
#[derive(Clone, Default)]
pub struct PriceQueue(Arc<Notify>);

impl PriceQueue {
    /// To be called after a commit that queued a price.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Starts the workers.
pub(crate) fn start(mes: &Mes, settings: &MesSettings, price_list: PriceList, background: &mut Background) {
    let workers = settings.price_workers();
    if workers > 0 {
        let workers = worker::Workers::new(mes, settings, price_list, background.stopping());
        background.spawn("price workers", workers.run());
    }
}

/// The record of a price's calculation going on.
pub(crate) fn changed(subject: Subject, from: &'static str, to: PriceStatus) -> Record<'static> {
    Record::success(Action::OrderPriceStatusChanged, subject).price_status(from, to.name())
}
