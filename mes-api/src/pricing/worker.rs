//! The workers: each takes a job, reads the model, measures it on a blocking thread, and writes the price down.
//!
//! A worker that dies leaves its lease to run out, and another one begins anew. Only who still holds the lease may write
//! a result, in the transaction that ends the job: no price is ever written twice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use catalogue::{Action, Service, field};
use common::{
    Core, Failure, FailureContext as _, crash,
    domain::{Actor, OrderStatus, Price, Trigger},
    failure::ErrorType,
    journal::{self, Entry},
    messaging::MessageType,
    telemetry::{Record, Subject, adopt, identify},
};
use mesh::{Limits, Measures, MeshError};
use opentelemetry::trace::Status;
use sqlx::PgConnection;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    PriceList, PriceQueue, PriceStatus, changed,
    jobs::{self, Job},
};
use crate::{
    Mes, MesSettings,
    orders::{self, StoredOrder},
};

/// A job whose workers died so often kills workers, or comes at a bad time; somebody should look at it.
const ATTEMPTS: i32 = 5;
/// How long a store that fails is waited for, try by try.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// What could not be written down is tried again after so long.
const SECOND_TRY: Duration = Duration::from_secs(5);

pub(super) struct Workers {
    core: Core,
    queue: PriceQueue,
    price_list: PriceList,
    turns: Arc<Semaphore>,
    lease: Duration,
    poll: Duration,
    stopping: CancellationToken,
}

/// An order whose price is being calculated, by us.
struct Calculation {
    job: Job,
    order: StoredOrder,
    started: Instant,
}

/// A calculation that ended well.
struct Calculated {
    price: Price,
    triangles: u64,
}

/// A calculation that ended without a price.
struct Failed {
    failure: Failure,
    for_customer: String,
    triangles: u64,
}

impl Workers {
    pub(super) fn new(mes: &Mes, settings: &MesSettings, price_list: PriceList, stopping: CancellationToken) -> Self {
        Self {
            core: mes.core.clone(),
            queue: mes.prices.clone(),
            price_list,
            turns: Arc::new(Semaphore::new(settings.price_workers())),
            lease: settings.price_lease(),
            poll: settings.price_poll(),
            stopping,
        }
    }

    /// Hands jobs to workers as long as there are both, and finishes what is under way when the service stops.
    pub(super) async fn run(self) {
        let workers = Arc::new(self);
        let calculations = TaskTracker::new();
        let mut failing = false;
        while let Some(Ok(turn)) =
            workers.stopping.run_until_cancelled(Arc::clone(&workers.turns).acquire_owned()).await
        {
            let taken = workers.take().await;
            let fails = taken.is_err();
            match taken {
                Ok(Some((calculation, span))) => {
                    let workers = Arc::clone(&workers);
                    let work = async move {
                        workers.work(calculation).await;
                        drop(turn);
                    };
                    calculations.spawn(work.instrument(span));
                }
                Ok(None) => workers.wait().await,
                Err(failure) => {
                    // Once, when it begins: that prices wait is one failure, however often we look.
                    if !failing {
                        Record::failure(Action::OrderPriceStatusChanged, Subject::default(), &failure).write();
                    }
                    workers.wait().await;
                }
            }
            failing = fails;
        }
        calculations.close();
        calculations.wait().await;
    }

    /// Until something was queued here, or perhaps elsewhere.
    async fn wait(&self) {
        let queued = tokio::time::timeout(self.poll, self.queue.0.notified());
        self.stopping.run_until_cancelled(queued).await;
    }

    /// Takes the next job, and says so.
    async fn take(&self) -> Result<Option<(Calculation, Span)>, Failure> {
        loop {
            let mut transaction = self.core.database.begin().await.failure("claiming a price's calculation")?;
            let Some(job) = jobs::claim(&mut transaction, self.lease).await? else {
                return Ok(None);
            };
            let order = orders::lock(&mut transaction, &job.order).await?;
            let order = order.ok_or(Failure::bare(ErrorType::Internal, "a price is to be calculated for no order"))?;
            let wanted = wants_price(&order);
            if wanted {
                orders::set_price(&mut transaction, &job.order, PriceStatus::Calculating, None, None).await?;
            } else {
                job.end(&mut transaction).await?;
            }
            let span = calculation_span(&job);
            let from = order.order.price_status;
            // After a worker that died, it was calculating already.
            let begins = wanted && from != PriceStatus::Calculating;
            let begun = begins
                .then(|| span.in_scope(|| changed(order.subject(), from.name(), PriceStatus::Calculating).of_change()));
            journal::keep(&mut transaction, begun.as_slice()).await?;
            transaction.commit().await.failure("claiming a price's calculation")?;
            self.core.journal.write(begun);
            if !wanted {
                continue;
            }

            let started = Instant::now();
            return Ok(Some((Calculation { job, order, started }, span)));
        }
    }

    /// Calculates the price and writes the result down.
    async fn work(&self, calculation: Calculation) {
        let result = tokio::select! {
            result = self.calculate(&calculation) => result,
            // Another worker has it now, and has the last word.
            () = self.hold(&calculation.job) => return,
        };
        let written = match &result {
            Ok(calculated) => self.succeed(&calculation, calculated).await,
            Err(failed) => self.fail(&calculation, failed).await,
        };
        match written {
            Ok(entries) => {
                self.core.journal.write(entries);
                self.core.outbox_written.notify_one();
            }
            Err(failure) => {
                Record::failure(Action::OrderPriceStatusChanged, calculation.order.subject(), &failure).write();
                // If the database is away, the lease runs out instead.
                let _ = calculation.job.give_back(&self.core.database, SECOND_TRY).await;
            }
        }
        if result.is_err() {
            Span::current().set_status(Status::error(""));
        }
    }

    /// Extends the lease until it is lost. A database that is away for a moment is no loss.
    async fn hold(&self, job: &Job) {
        loop {
            tokio::time::sleep(self.lease / 3).await;
            if let Ok(false) = job.extend(&self.core.database, self.lease).await {
                return;
            }
        }
    }

    async fn calculate(&self, calculation: &Calculation) -> Result<Calculated, Failed> {
        if calculation.job.attempts > ATTEMPTS {
            let context = "the calculation broke off too often without a result";
            return Err(Failed::by_us(Failure::bare(ErrorType::Timeout, context)));
        }
        let bytes = self.read_model(&calculation.order).await.map_err(Failed::by_us)?;
        crash::point("price.calculating");
        let measures = measure(calculation.order.model.format.into(), bytes).await?;
        let order = &calculation.order.order.order;
        let price = self.price_list.price(&measures, order.material, order.quantity.unsigned_abs());
        let price = price.map_err(|error| Failed {
            failure: Failure::new(ErrorType::ModelTooLarge, "pricing a model", error),
            for_customer: error.for_customer(),
            triangles: measures.triangles,
        })?;
        Ok(Calculated { price, triangles: measures.triangles })
    }

    /// Reads the model; a store that fails gets a few more tries.
    async fn read_model(&self, order: &StoredOrder) -> Result<Bytes, Failure> {
        let mut pauses = PAUSES.iter();
        loop {
            let failure = match self.core.models.read(&order.model_key, self.core.upload_limit).await {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => failure,
            };
            let passing = matches!(failure.error_type, ErrorType::ModelStoreUnavailable | ErrorType::ModelStoreError);
            match pauses.next().filter(|_| passing) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(failure),
            }
        }
    }

    /// Writes the price down; gives the records. None if that is not ours to do any more.
    async fn succeed(&self, calculation: &Calculation, calculated: &Calculated) -> Result<Vec<Entry>, Failure> {
        let mut transaction = self.core.database.begin().await.failure("storing a price")?;
        let id = &calculation.job.order;
        let wanted = end(&mut transaction, &calculation.job).await?;
        let mut entries = Vec::new();
        if wanted {
            // Before the records, so that a slow database is part of the duration.
            orders::set_price(&mut transaction, id, PriceStatus::Calculated, Some(&calculated.price), None).await?;
            let subject = calculation.order.subject();
            let priced = changed(subject.clone(), PriceStatus::Calculating.name(), PriceStatus::Calculated)
                .duration(calculation.started.elapsed())
                .triangles(calculated.triangles)
                .of_change();
            let advanced = Record::success(Action::OrderStatusChanged, subject);
            let advanced = advanced.status(calculation.order.status(), PRICED).of_change();
            orders::advance(&mut transaction, id, PRICED, Actor::Service(Service::MesApi), advanced.id()).await?;
            orders::tell(&mut transaction, MessageType::OrderPriced, id).await?;
            entries.extend([priced, advanced]);
            journal::keep(&mut transaction, &entries).await?;
        }
        transaction.commit().await.failure("storing a price")?;
        crash::point("price.committed");
        Ok(entries)
    }

    /// Writes the failure down; gives the record. None if that is not ours to do any more.
    async fn fail(&self, calculation: &Calculation, failed: &Failed) -> Result<Vec<Entry>, Failure> {
        let mut transaction = self.core.database.begin().await.failure("storing a price's failure")?;
        let id = &calculation.job.order;
        let wanted = end(&mut transaction, &calculation.job).await?;
        let mut entries = Vec::new();
        if wanted {
            let subject = calculation.order.subject();
            let failure = Record::failure(Action::OrderPriceStatusChanged, subject, &failed.failure)
                .price_status(PriceStatus::Calculating.name(), PriceStatus::Failed.name())
                .duration(calculation.started.elapsed())
                .triangles(failed.triangles);
            orders::set_price(&mut transaction, id, PriceStatus::Failed, None, Some(&failed.for_customer)).await?;
            orders::tell(&mut transaction, MessageType::OrderPriceFailed, id).await?;
            entries.push(failure.of_change());
            journal::keep(&mut transaction, &entries).await?;
        }
        transaction.commit().await.failure("storing a price's failure")?;
        Ok(entries)
    }
}

/// Where an order goes when its price is known.
const PRICED: OrderStatus = OrderStatus::PriceCalculated;

/// Whether the order waits for its price. It doesn't if a message has brought the price.
fn wants_price(order: &StoredOrder) -> bool {
    order.status().change(PRICED, Trigger::Calculation, Service::MesApi).is_ok()
}

/// Ends the job and locks its order. False if the job is another worker's by now, or the order has its price.
async fn end(transaction: &mut PgConnection, job: &Job) -> Result<bool, Failure> {
    let ours = job.end(transaction).await?;
    let order = orders::lock(transaction, &job.order).await?;
    Ok(ours && order.as_ref().is_some_and(wants_price))
}

impl Failed {
    /// Something of ours failed; the model may be good.
    fn by_us(failure: Failure) -> Self {
        let for_customer = match failure.error_type {
            ErrorType::ModelTooLarge => "The model's file is too large for an automatic price.",
            _ => "The price could not be calculated for a reason on our side. We will calculate it again.",
        };
        Self { for_customer: for_customer.to_owned(), failure, triangles: 0 }
    }

    fn by_model(error: MeshError) -> Self {
        let class = ErrorType::ALL.iter().find(|class| class.name() == error.kind());
        let class = class.copied().unwrap_or(ErrorType::ModelUnreadable);
        Self {
            for_customer: error.for_customer(),
            failure: Failure::new(class, "measuring a model", error),
            triangles: 0,
        }
    }
}

/// Measures a model on a blocking thread; a panic there is an error like any other.
async fn measure(format: mesh::Format, bytes: Bytes) -> Result<Measures, Failed> {
    let measured = tokio::task::spawn_blocking(move || mesh::measure(format, &bytes, &Limits::default()));
    let measured = measured.await.failure("measuring a model").map_err(Failed::by_us)?;
    measured.map_err(Failed::by_model)
}

/// The calculation's span, in the trace of the request or message that asked for the price.
fn calculation_span(job: &Job) -> Span {
    let span = tracing::error_span!("price.calculate", { field::TRACE_ID } = Empty, otel.name = "price.calculate");
    adopt(&span, &job.trace);
    identify(&span, field::ORDER_ID, &job.order);
    span
}
