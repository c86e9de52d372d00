//! Creating orders quickly: numbers in blocks, and one statement for all requests that come at the same time.

use std::{collections::VecDeque, sync::Arc};

use catalogue::Service;
use common::{
    batcher::Batcher,
    database::{Database, in_time},
    domain::{Order, OrderId},
    failure::{ErrorType, Failure},
    state::Core,
    telemetry::PendingRecord,
    unit_of_work::Units,
};
use tokio::sync::Mutex;

use crate::store::{self, NewRow};

/// Numbers that are reserved at a time. Those that a process doesn't use are never used.
const BLOCK: i32 = 32;

/// Creates orders in the service's database.
#[derive(Clone)]
pub struct Creations {
    database: Database,
    numbers: Arc<Mutex<VecDeque<OrderId>>>,
    batcher: Arc<Batcher<(NewRow, PendingRecord), Order>>,
}

impl Creations {
    /// For the service with this core.
    #[must_use]
    pub fn new(core: &Core) -> Self {
        let (units, service) = (core.units.clone(), core.service);
        let batcher = Batcher::new(move |new| create(units.clone(), service, new));
        Self { database: core.database.clone(), numbers: Arc::default(), batcher: Arc::new(batcher) }
    }

    /// A number that no other order has.
    pub(crate) async fn next_number(&self) -> Result<OrderId, Failure> {
        let mut numbers = self.numbers.lock().await;
        if numbers.is_empty() {
            let reserved = async {
                let mut connection = self.database.connection().await?;
                store::reserve_numbers(&mut *connection, BLOCK).await
            };
            *numbers = in_time(reserved).await?.into();
        }
        numbers.pop_front().ok_or(Failure::bare(ErrorType::DatabaseError, "the sequence has no numbers"))
    }

    /// Creates an order, together with those of other requests that come at the same time.
    pub(crate) async fn create(&self, row: NewRow, record: PendingRecord) -> Result<Order, Failure> {
        self.batcher.submit((row, record)).await
    }
}

/// Creates a batch of orders. They were checked before: what fails now fails for each of them.
async fn create(units: Units, service: Service, new: Vec<(NewRow, PendingRecord)>) -> Result<Vec<Order>, Failure> {
    let (rows, records): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    let mut unit = units.single_statement("create").await?;
    let orders = store::create(unit.record_pending(records), service, &rows).await?;
    unit.commit().await?;
    Ok(orders)
}
