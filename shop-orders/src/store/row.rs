//! The rows of `orders`.

use common::{
    domain::{
        CustomerId, Material, Measured, Model, ModelFormat, ModelUnit, Notice, Order, OrderId, OrderStatus, Owner,
        PartnerId, Price,
    },
    failure::{ErrorType, Failure},
    telemetry::Subject,
};
use sqlx::types::Json;
use time::OffsetDateTime;

/// An order as the database has it.
#[derive(Clone, Debug)]
pub struct StoredOrder {
    /// What responses show of it.
    pub order: Order,
    /// The key of its model in the model store.
    pub model_key: Option<String>,
    /// Why it has no price.
    pub price_failure: Option<Notice>,
    /// When it got its status.
    pub status_since: OffsetDateTime,
    /// When it was submitted, if it was.
    pub submitted_at: Option<OffsetDateTime>,
}

/// A row of `orders`.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: OrderId,
    pub(super) status: OrderStatus,
    pub(super) customer_id: Option<CustomerId>,
    pub(super) partner_id: Option<PartnerId>,
    pub(super) material: Material,
    pub(super) quantity: i32,
    pub(super) comment: Option<String>,
    pub(super) model_filename: Option<String>,
    pub(super) model_format: Option<ModelFormat>,
    pub(super) model_bytes: Option<i64>,
    pub(super) model_sha256: Option<String>,
    pub(super) model_unit: Option<ModelUnit>,
    pub(super) model_measured: Option<Json<Measured>>,
    pub(super) model_warnings: Option<Json<Vec<Notice>>>,
    pub(super) model_key: Option<String>,
    pub(super) price_amount_minor: Option<i64>,
    pub(super) price_currency: Option<String>,
    pub(super) price_failure: Option<String>,
    pub(super) price_failure_code: Option<String>,
    pub(super) price_failure_ru: Option<String>,
    pub(super) status_since: OffsetDateTime,
    pub(super) submitted_at: Option<OffsetDateTime>,
    pub(super) created_at: OffsetDateTime,
    pub(super) updated_at: OffsetDateTime,
}

impl StoredOrder {
    /// The order and its owner, for records.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::order(&self.order.id, self.order.owner)
    }
}

impl TryFrom<Row> for StoredOrder {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        // The table's constraints allow no other case.
        let owner = Owner::from_columns(row.customer_id, row.partner_id);
        let owner = owner.ok_or(Failure::bare(ErrorType::DatabaseError, "an order without an owner"))?;
        let model = match (row.model_filename, row.model_format, row.model_bytes, row.model_sha256) {
            (Some(filename), Some(format), Some(bytes), Some(sha256)) => {
                let unit = row.model_unit.or(format.unit());
                let measured = row.model_measured.map(|Json(measured)| measured);
                let warnings = row.model_warnings.map(|Json(warnings)| warnings).unwrap_or_default();
                Some(Model { filename, format, bytes, sha256, unit, measured, warnings })
            }
            _ => None,
        };
        let price = row.price_amount_minor.zip(row.price_currency);
        Ok(Self {
            order: Order {
                id: row.id,
                status: row.status,
                owner,
                material: row.material,
                quantity: row.quantity,
                comment: row.comment,
                model,
                price: price.map(|(amount_minor, currency)| Price { amount_minor, currency }),
                created_at: row.created_at,
                updated_at: row.updated_at,
            },
            model_key: row.model_key,
            price_failure: Notice::from_parts(row.price_failure, row.price_failure_code, row.price_failure_ru),
            status_since: row.status_since,
            submitted_at: row.submitted_at,
        })
    }
}

/// `query_as!` with the columns of a whole order in the place of `{columns}`; the macro wants one literal.
macro_rules! select_orders {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: OrderId", status AS "status: OrderStatus", customer_id AS "customer_id: CustomerId", partner_id AS "partner_id: PartnerId",
                      material AS "material: Material", quantity, comment, model_filename,
                      model_format AS "model_format: ModelFormat", model_bytes, model_sha256,
                      model_unit AS "model_unit: ModelUnit", model_measured AS "model_measured: Json<Measured>",
                      model_warnings AS "model_warnings: Json<Vec<Notice>>", model_key,
                      price_amount_minor, price_currency, price_failure, price_failure_code, price_failure_ru,
                      status_since, submitted_at, created_at, updated_at
               FROM orders "# + $rest
            $(, $argument)*
        )
    };
}

pub(super) use select_orders;
