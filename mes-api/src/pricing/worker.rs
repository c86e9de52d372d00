//! The workers: each claims a job, reads the model, measures it on a blocking thread, and writes the price.
//!
//! If a worker dies, its lease runs out, and another one begins anew. Only the holder of the lease may write a result, in the
//! unit of work that ends the job: no price is ever written twice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use catalogue::{Action, ErrorType, Service, field};
use common::{
    crash,
    database::in_time,
    domain::{ModelUnit, Notice, OrderStatus, Price, Trigger},
    failure::{Failure, FailureContext as _},
    outbox::MessageType,
    state::Core,
    telemetry::{Record, Subject, adopt, identify, metrics},
    unit_of_work::UnitOfWork,
};
use mesh::{Inspection, Language, Limits, MeshError, Unit};
use opentelemetry::trace::Status;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, Level, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{finding::Refusal as _, price_list::PriceList};
use crate::{
    orders::{
        Finding, PriceQueue, PriceStatus, StoredOrder, outbound,
        price_jobs::{self, Job},
        price_status::changed,
        store,
    },
    settings::Settings,
};

/// A job that was claimed more often without a result is given up: it may be what kills the workers.
const ATTEMPTS: i32 = 5;
/// The waits between tries to read from a store that fails.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// The wait before a result that could not be written is calculated again.
const SECOND_TRY: Duration = Duration::from_secs(5);

pub(crate) struct Workers {
    core: Core,
    queue: PriceQueue,
    price_list: PriceList,
    slots: Arc<Semaphore>,
    limits: Limits,
    lease: Duration,
    poll: Duration,
    stopping: CancellationToken,
}

/// An order whose price this process is calculating.
struct Calculation {
    job: Job,
    order: StoredOrder,
    started: Instant,
}

/// A calculation that ended well.
struct Calculated {
    price: Price,
    inspection: Inspection,
    finding: Finding,
}

/// A calculation that ended without a price.
struct Failed {
    failure: Failure,
    for_customer: Notice,
    triangles: u64,
}

impl Workers {
    pub(crate) fn new(
        core: &Core,
        settings: &Settings,
        price_list: PriceList,
        queue: PriceQueue,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            core: core.clone(),
            queue,
            price_list,
            slots: Arc::new(Semaphore::new(settings.price_workers())),
            limits: settings.model_limits(),
            lease: settings.price_lease(),
            poll: settings.price_poll(),
            stopping,
        }
    }

    /// Claims jobs as long as a worker is free, and finishes those under way when the service stops.
    pub(crate) async fn run(self) {
        let workers = Arc::new(self);
        let calculations = TaskTracker::new();
        let mut failing = false;
        while let Some(Ok(slot)) =
            workers.stopping.run_until_cancelled(Arc::clone(&workers.slots).acquire_owned()).await
        {
            let claimed = in_time(workers.claim()).await;
            let fails = claimed.is_err();
            match claimed {
                Ok(Some((calculation, span))) => {
                    let workers = Arc::clone(&workers);
                    let work = async move {
                        workers.work(calculation).await;
                        drop(slot);
                    };
                    calculations.spawn(work.instrument(span));
                }
                Ok(None) => workers.wait().await,
                Err(failure) => {
                    // Once, when it begins: that prices wait is one failure, however often they are looked for.
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

    /// Waits until a price was queued here, or may have been queued by another process.
    async fn wait(&self) {
        let queued = tokio::time::timeout(self.poll, self.queue.queued());
        self.stopping.run_until_cancelled(queued).await;
    }

    /// Claims the next job whose order waits for its price, and records it.
    async fn claim(&self) -> Result<Option<(Calculation, Span)>, Failure> {
        loop {
            let mut unit = self.core.units.begin("claim").await?;
            let Some(job) = price_jobs::claim(unit.connection(), self.lease).await? else {
                return Ok(None);
            };
            let order = store::lock(unit.connection(), &job.order).await?;
            let order = order.ok_or(Failure::bare(ErrorType::Internal, "a price is to be calculated for no order"))?;
            if !waits_for_price(&order) {
                job.end(unit.connection()).await?;
                unit.commit().await?;
                continue;
            }
            let span = calculation_span(&job);
            let from = order.order.price_status;
            // After a worker that died, the price is being calculated already.
            if from != PriceStatus::Calculating {
                let begun = changed(order.subject(), from.name(), PriceStatus::Calculating);
                let recorded = span.in_scope(|| unit.record(begun));
                store::set_price(recorded, &job.order, PriceStatus::Calculating, None, None).await?;
            }
            unit.commit().await?;
            let started = Instant::now();
            return Ok(Some((Calculation { job, order, started }, span)));
        }
    }

    /// Calculates the price and writes the result.
    async fn work(&self, calculation: Calculation) {
        let result = tokio::select! {
            result = self.calculate(&calculation) => result,
            // Another worker has the job now.
            () = self.hold(&calculation.job) => return,
        };
        let written = match &result {
            Ok(calculated) => in_time(self.succeed(&calculation, calculated)).await,
            Err(failed) => in_time(self.fail(&calculation, failed)).await,
        };
        match written {
            Ok(true) => metrics::price_ended(result.is_ok(), calculation.started.elapsed()),
            // Another worker's result counts.
            Ok(false) => {}
            Err(failure) => self.give_up(&calculation, &failure).await,
        }
        if result.is_err() {
            Span::current().set_status(Status::error(""));
        }
    }

    /// Leaves a result that could not be written to a second try.
    async fn give_up(&self, calculation: &Calculation, failure: &Failure) {
        Record::failure(Action::OrderPriceStatusChanged, calculation.order.subject(), failure).write();
        // If the database is away, the lease runs out instead.
        let _ = in_time(calculation.job.release(&self.core.database, SECOND_TRY)).await;
    }

    /// Extends the lease until it is lost. A database that is away for a moment doesn't lose it.
    async fn hold(&self, job: &Job) {
        loop {
            tokio::time::sleep(self.lease / 3).await;
            if let Ok(false) = in_time(job.extend(&self.core.database, self.lease)).await {
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
        crash::point("price", "calculating");
        let model = &calculation.order.model;
        let unit = model.unit.map_or(Unit::Millimetre, Unit::from);
        let inspection = inspect(model.format.into(), unit, bytes, self.limits).await?;
        let order = &calculation.order.order.order;
        let price = self.price_list.price(&inspection.measures, order.material, order.quantity.unsigned_abs());
        let price = price.map_err(|error| Failed {
            failure: Failure::new(ErrorType::ModelTooLarge, "pricing a model", error),
            for_customer: error.notice(),
            triangles: inspection.measures.triangles,
        })?;
        let finding = self.price_list.finding(&inspection, order.material);
        Ok(Calculated { price, inspection, finding })
    }

    /// Reads the model; a store that fails gets a few more tries.
    async fn read_model(&self, order: &StoredOrder) -> Result<Bytes, Failure> {
        let mut pauses = PAUSES.iter();
        loop {
            let failure = match self.core.models.read(&order.model_key).await {
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

    /// Writes the price, unless the job or the price is another worker's by now. Returns whether it did.
    async fn succeed(&self, calculation: &Calculation, calculated: &Calculated) -> Result<bool, Failure> {
        let mut unit = self.core.units.begin("price").await?;
        let id = &calculation.job.order;
        let ours = end(&mut unit, &calculation.job).await?;
        if ours {
            let subject = calculation.order.subject();
            let priced = changed(subject.clone(), PriceStatus::Calculating.name(), PriceStatus::Calculated)
                .started(calculation.started)
                .triangles(calculated.inspection.measures.triangles)
                .mended(calculated.inspection.mended.names(), calculated.inspection.overlapping_bodies)
                .unit(Some(calculated.inspection.unit.symbol()));
            unit.record(priced);
            let advanced = Record::of_change(Action::OrderStatusChanged, subject);
            let advanced = unit.record(advanced.status(calculation.order.status(), PRICED));
            store::advance_with_price(advanced, id, PRICED, &calculated.price, &calculated.finding).await?;
            outbound::enqueue(&mut unit, MessageType::OrderPriced, id).await?;
        }
        unit.commit().await.map(|()| ours)
    }

    /// Writes the failure, unless the job or the price is another worker's by now. Returns whether it did.
    async fn fail(&self, calculation: &Calculation, failed: &Failed) -> Result<bool, Failure> {
        let mut unit = self.core.units.begin("price").await?;
        let id = &calculation.job.order;
        let ours = end(&mut unit, &calculation.job).await?;
        if ours {
            let subject = calculation.order.subject();
            let failure = changed(subject, PriceStatus::Calculating.name(), PriceStatus::Failed)
                .failed(Level::ERROR, &failed.failure)
                .started(calculation.started)
                .triangles(failed.triangles)
                .unit(calculation.order.model.unit.map(ModelUnit::symbol));
            let recorded = unit.record(failure);
            store::set_price(recorded, id, PriceStatus::Failed, None, Some(&failed.for_customer)).await?;
            outbound::enqueue(&mut unit, MessageType::OrderPriceFailed, id).await?;
        }
        unit.commit().await.map(|()| ours)
    }
}

/// The status of an order whose price is known.
const PRICED: OrderStatus = OrderStatus::PriceCalculated;

/// Whether the order waits for its price. It doesn't if a message has brought the price.
fn waits_for_price(order: &StoredOrder) -> bool {
    order.status().change(PRICED, Trigger::Calculation, Service::MesApi).is_ok()
}

/// Ends the job and locks its order. False if the job is another worker's by now, or the order has its price.
async fn end(unit: &mut UnitOfWork, job: &Job) -> Result<bool, Failure> {
    let ours = job.end(unit.connection()).await?;
    let order = store::lock(unit.connection(), &job.order).await?;
    Ok(ours && order.as_ref().is_some_and(waits_for_price))
}

impl Failed {
    /// A failure of ours; the model may be good.
    fn by_us(failure: Failure) -> Self {
        let for_customer = match failure.error_type {
            ErrorType::ModelTooLarge => Notice::new("file_too_large", |language| {
                match language {
                Language::English => {
                    "The model's file is too large for an automatic price. Export it with a coarser resolution, and place a \
                     new order with the new file."
                        .to_owned()
                }
                Language::Russian => {
                    "Файл модели слишком велик для автоматического расчёта цены. Экспортируйте модель с более грубым \
                     разрешением и оформите новый заказ с новым файлом."
                        .to_owned()
                }
            }
            }),
            _ => Notice::new("calculation_failed", |language| match language {
                Language::English => {
                    "The price could not be calculated for a reason on our side. We will calculate it again.".to_owned()
                }
                Language::Russian => {
                    "Цену не удалось рассчитать по причине на нашей стороне. Мы рассчитаем её снова.".to_owned()
                }
            }),
        };
        Self { for_customer, failure, triangles: 0 }
    }

    fn by_model(error: MeshError) -> Self {
        let class = ErrorType::ALL.iter().find(|class| class.name() == error.kind());
        let class = class.copied().unwrap_or(ErrorType::ModelUnreadable);
        Self { for_customer: error.notice(), failure: Failure::new(class, "measuring a model", error), triangles: 0 }
    }
}

/// Measures a model on a blocking thread; a panic there is an error like any other.
async fn inspect(format: mesh::Format, unit: Unit, bytes: Bytes, limits: Limits) -> Result<Inspection, Failed> {
    let inspected = tokio::task::spawn_blocking(move || mesh::inspect(format, unit, &bytes, &limits));
    let inspected = inspected.await.failure("measuring a model").map_err(Failed::by_us)?;
    inspected.map_err(Failed::by_model)
}

/// The calculation's span, in the trace of the request or message that asked for the price.
fn calculation_span(job: &Job) -> Span {
    let span = tracing::error_span!("price.calculate", { field::TRACE_ID } = Empty, otel.name = "price.calculate");
    adopt(&span, &job.trace);
    identify(&span, field::ORDER_ID, &job.order);
    span
}
