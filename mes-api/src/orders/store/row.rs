//! The rows of `orders`.

use common::{
    domain::{
        CustomerId, Material, Measured, Model, ModelFormat, ModelUnit, Notice, OperatorId, Order, OrderId, OrderStatus,
        Owner, PartnerId, Price,
    },
    failure::{ErrorType, Failure},
};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::orders::{
    order::{MesOrder, StoredOrder},
    price_status::PriceStatus,
};

/// A row of `orders`.
pub(super) struct Row {
    pub(super) id: OrderId,
    pub(super) status: OrderStatus,
    pub(super) customer_id: Option<CustomerId>,
    pub(super) partner_id: Option<PartnerId>,
    pub(super) material: Material,
    pub(super) quantity: i32,
    pub(super) comment: Option<String>,
    pub(super) model_filename: String,
    pub(super) model_format: ModelFormat,
    pub(super) model_bytes: i64,
    pub(super) model_sha256: String,
    pub(super) model_unit: Option<ModelUnit>,
    pub(super) model_measured: Option<Json<Measured>>,
    pub(super) model_warnings: Option<Json<Vec<Notice>>>,
    pub(super) model_key: String,
    pub(super) price_amount_minor: Option<i64>,
    pub(super) price_currency: Option<String>,
    pub(super) price_status: PriceStatus,
    pub(super) price_failure: Option<String>,
    pub(super) price_failure_code: Option<String>,
    pub(super) price_failure_ru: Option<String>,
    pub(super) operator_id: Option<OperatorId>,
    pub(super) created_at: OffsetDateTime,
    pub(super) updated_at: OffsetDateTime,
}

impl TryFrom<Row> for StoredOrder {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        // The constraint orders_have_one_owner leaves no third case.
        let owner = Owner::from_columns(row.customer_id, row.partner_id);
        let owner = owner.ok_or(Failure::bare(ErrorType::Internal, "an order has no owner"))?;
        let model = Model {
            filename: row.model_filename,
            format: row.model_format,
            bytes: row.model_bytes,
            sha256: row.model_sha256,
            unit: row.model_unit.or(row.model_format.unit()),
            measured: row.model_measured.map(|Json(measured)| measured),
            warnings: row.model_warnings.map(|Json(warnings)| warnings).unwrap_or_default(),
        };
        let price = row.price_amount_minor.zip(row.price_currency);
        let order = Order {
            id: row.id,
            status: row.status,
            owner,
            material: row.material,
            quantity: row.quantity,
            comment: row.comment,
            model: Some(model.clone()),
            price: price.map(|(amount_minor, currency)| Price { amount_minor, currency }),
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok(Self {
            order: MesOrder {
                order,
                operator_id: row.operator_id,
                price_status: row.price_status,
                price_failure: Notice::from_parts(row.price_failure, row.price_failure_code, row.price_failure_ru),
            },
            model,
            model_key: row.model_key,
        })
    }
}

/// Reads whole rows of `orders`; the argument begins with `FROM`.
macro_rules! select_orders {
    ($rest:tt $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id: OrderId", status AS "status: OrderStatus", customer_id AS "customer_id: CustomerId",
                   partner_id AS "partner_id: PartnerId",
                   material AS "material: Material", quantity, comment, model_filename,
                   model_format AS "model_format: ModelFormat", model_bytes, model_sha256,
                   model_unit AS "model_unit: ModelUnit", model_measured AS "model_measured: Json<Measured>",
                   model_warnings AS "model_warnings: Json<Vec<Notice>>", model_key,
                   price_amount_minor, price_currency, price_status AS "price_status: PriceStatus", price_failure,
                   price_failure_code, price_failure_ru, operator_id AS "operator_id: OperatorId", created_at, updated_at
               "# + $rest
            $(, $argument)*
        )
    };
}

pub(super) use select_orders;
