//! What a record can report: the values of `event.action`, and what each of them promises.

use crate::{Service, field};

/// How serious a record is: the values of [`field::LEVEL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What was meant to happen.
    Info = 30,
    /// Somebody should look at it when there is time.
    Warn = 40,
    /// Something of ours failed.
    Error = 50,
}

impl Level {
    /// The number in the record.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// The word for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What an action's record has to carry, beside the fields of every record.
#[derive(Clone, Copy, Debug)]
pub enum Requirement {
    /// This field.
    Field(&'static str),
    /// One of these fields.
    OneOf(&'static [&'static str]),
    /// One of these fields, if one of these services writes the record.
    OneOfFrom(&'static [&'static str], &'static [Service]),
    /// This field, once the calculation of the price has ended, well or not.
    FieldWhenEnded(&'static str),
}

/// One event of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A new order exists.
    OrderCreated,
    /// An order went one status on.
    OrderStatusChanged,
    /// A 3D model was stored for an order.
    OrderModelUploaded,
    /// An operator took an order.
    OrderOperatorAssigned,
    /// The calculation of a price went on, or ended.
    OrderPriceStatusChanged,
    /// An order is in its status for longer than that status allows.
    OrderStuck,
    /// An order has been on its way for longer than a whole order may take.
    OrderOverdue,
    /// A customer has left an order lying that wasn't submitted.
    OrderAbandoned,
    /// The broker has confirmed a message.
    MessagePublished,
    /// A message has taken effect.
    MessageConsumed,
    /// A message could not be published or handled yet; it will be tried again.
    MessageRetried,
    /// A message can't be handled and went to the dead letters.
    MessageDeadLettered,
    /// A dead letter was put back into its queue.
    MessageReplayed,
    /// A login was refused.
    LoginFailed,
    /// A login was refused for the third time in a row, or more often.
    LoginFailedRepeatedly,
    /// A request was answered, or its client went away.
    HttpRequest,
    /// A service came up or went down.
    ServiceLifecycle,
    /// A service is there.
    ServiceHeartbeat,
}

impl Action {
    /// Every action, in the dictionary's order.
    pub const ALL: [Self; 18] = [
        Self::OrderCreated,
        Self::OrderStatusChanged,
        Self::OrderModelUploaded,
        Self::OrderOperatorAssigned,
        Self::OrderPriceStatusChanged,
        Self::OrderStuck,
        Self::OrderOverdue,
        Self::OrderAbandoned,
        Self::MessagePublished,
        Self::MessageConsumed,
        Self::MessageRetried,
        Self::MessageDeadLettered,
        Self::MessageReplayed,
        Self::LoginFailed,
        Self::LoginFailedRepeatedly,
        Self::HttpRequest,
        Self::ServiceLifecycle,
        Self::ServiceHeartbeat,
    ];

    /// The stable name: the value of [`field::EVENT_ACTION`](crate::field::EVENT_ACTION).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderCreated => "order.created",
            Self::OrderStatusChanged => "order.status_changed",
            Self::OrderModelUploaded => "order.model_uploaded",
            Self::OrderOperatorAssigned => "order.operator_assigned",
            Self::OrderPriceStatusChanged => "order.price_status_changed",
            Self::OrderStuck => "order.stuck",
            Self::OrderOverdue => "order.overdue",
            Self::OrderAbandoned => "order.abandoned",
            Self::MessagePublished => "message.published",
            Self::MessageConsumed => "message.consumed",
            Self::MessageRetried => "message.retried",
            Self::MessageDeadLettered => "message.dead_lettered",
            Self::MessageReplayed => "message.replayed",
            Self::LoginFailed => "auth.login_failed",
            Self::LoginFailedRepeatedly => "auth.login_failed_repeatedly",
            Self::HttpRequest => "http.request",
            Self::ServiceLifecycle => "service.lifecycle",
            Self::ServiceHeartbeat => "service.heartbeat",
        }
    }

    /// What has happened, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::OrderCreated => "A new order exists.",
            Self::OrderStatusChanged => "An order went one status on.",
            Self::OrderModelUploaded => "A 3D model was stored for an order, or replaced.",
            Self::OrderOperatorAssigned => "An operator took an order.",
            Self::OrderPriceStatusChanged => "The calculation of a price went on, or ended.",
            Self::OrderStuck => {
                "An order is in its status for longer than that status allows; once per order and status."
            }
            Self::OrderOverdue => {
                "An order was submitted longer ago than a whole order may take, and is not closed; once per order."
            }
            Self::OrderAbandoned => {
                "A customer has left an order lying that wasn't submitted; once per order and status."
            }
            Self::MessagePublished => "The broker has confirmed a message.",
            Self::MessageConsumed => "A message has taken effect.",
            Self::MessageRetried => "A message could not be published or handled yet; it will be tried again.",
            Self::MessageDeadLettered => "A message can't be handled and went to the dead letters.",
            Self::MessageReplayed => "A dead letter was put back into its queue, because somebody asked for it.",
            Self::LoginFailed => "A login was refused.",
            Self::LoginFailedRepeatedly => {
                "A login was refused for the third time in a row within 15 minutes, or more often."
            }
            Self::HttpRequest => "A request was answered, or its client went away.",
            Self::ServiceLifecycle => "A service came up, went down, or does without the broker for a while.",
            Self::ServiceHeartbeat => "A service is there; said again and again, so that its silence means something.",
        }
    }

    /// The services that write it.
    #[must_use]
    pub const fn written_by(self) -> &'static [Service] {
        use Service::{CrmApi, MesApi, ShopApi};
        match self {
            Self::OrderCreated
            | Self::OrderStatusChanged
            | Self::OrderModelUploaded
            | Self::LoginFailed
            | Self::LoginFailedRepeatedly
            | Self::HttpRequest
            | Self::ServiceLifecycle
            | Self::ServiceHeartbeat => &[ShopApi, CrmApi, MesApi],
            Self::OrderOperatorAssigned | Self::OrderPriceStatusChanged => &[MesApi],
            Self::OrderStuck | Self::OrderOverdue | Self::OrderAbandoned => &[CrmApi],
            Self::MessagePublished
            | Self::MessageConsumed
            | Self::MessageRetried
            | Self::MessageDeadLettered
            | Self::MessageReplayed => &[CrmApi, MesApi],
        }
    }

    /// The levels of the action itself. When it fails for a reason of ours, its record is an [`Level::Error`] besides.
    #[must_use]
    pub const fn levels(self) -> &'static [Level] {
        match self {
            Self::OrderCreated
            | Self::OrderStatusChanged
            | Self::OrderModelUploaded
            | Self::OrderOperatorAssigned
            | Self::OrderAbandoned
            | Self::MessagePublished
            | Self::MessageConsumed
            | Self::MessageReplayed
            | Self::LoginFailed
            | Self::ServiceHeartbeat => &[Level::Info],
            Self::ServiceLifecycle => &[Level::Info, Level::Warn],
            Self::OrderPriceStatusChanged | Self::HttpRequest => &[Level::Info, Level::Error],
            Self::OrderStuck | Self::OrderOverdue | Self::MessageRetried | Self::LoginFailedRepeatedly => {
                &[Level::Warn]
            }
            Self::MessageDeadLettered => &[Level::Error],
        }
    }

    /// Whether its record, unless it is an error, says that something of ours was done: `event.outcome` success.
    #[must_use]
    pub const fn reports_success(self) -> bool {
        matches!(
            self,
            Self::OrderCreated
                | Self::OrderStatusChanged
                | Self::OrderModelUploaded
                | Self::OrderOperatorAssigned
                | Self::OrderPriceStatusChanged
                | Self::MessagePublished
                | Self::MessageConsumed
                | Self::MessageReplayed
        )
    }

    /// Whether its record, unless it is an error, reports a change that is committed: it has an `event.id`.
    #[must_use]
    pub fn reports_change(self) -> bool {
        self.requirements().iter().any(|requirement| matches!(requirement, Requirement::Field(field::EVENT_ID)))
    }

    /// The fields of its record, beside those of every record.
    #[must_use]
    pub const fn requirements(self) -> &'static [Requirement] {
        use Requirement::{Field, FieldWhenEnded, OneOf, OneOfFrom};
        const OWNER: &[&str] = &[field::CUSTOMER_ID, field::PARTNER_ID];
        const ACCOUNT: &[&str] = &[field::USER_ID, field::USER_HASH];
        /// Changes have a number of their own.
        const EVENT: Requirement = Field(field::EVENT_ID);
        const TRACE: Requirement = Field(field::TRACE_ID);
        const REQUEST: Requirement = Field(field::HTTP_REQUEST_ID);
        const ORDER: Requirement = Field(field::ORDER_ID);
        const MESSAGE: Requirement = Field(field::MESSAGING_MESSAGE_ID);
        const MESSAGE_TYPE: Requirement = Field(field::MESSAGING_MESSAGE_TYPE);
        match self {
            Self::OrderCreated => &[EVENT, ORDER, Field(field::ORDER_STATUS), OneOf(OWNER), TRACE],
            Self::OrderStatusChanged => &[
                EVENT,
                ORDER,
                Field(field::ORDER_STATUS),
                Field(field::ORDER_STATUS_FROM),
                OneOfFrom(&[field::ORDER_STATUS_FROM_HOURS], &[Service::ShopApi, Service::CrmApi]),
                OneOfFrom(OWNER, &[Service::ShopApi, Service::CrmApi]),
                TRACE,
            ],
            Self::OrderModelUploaded => {
                &[EVENT, ORDER, OneOf(OWNER), Field(field::FILE_SIZE), Field(field::FILE_EXTENSION), TRACE, REQUEST]
            }
            Self::OrderOperatorAssigned => &[EVENT, ORDER, Field(field::OPERATOR_ID), TRACE, REQUEST],
            Self::OrderPriceStatusChanged => &[
                EVENT,
                ORDER,
                Field(field::ORDER_PRICE_STATUS),
                Field(field::ORDER_PRICE_STATUS_FROM),
                FieldWhenEnded(field::EVENT_DURATION),
                FieldWhenEnded(field::MODEL_TRIANGLES),
                TRACE,
            ],
            Self::OrderStuck | Self::OrderOverdue | Self::OrderAbandoned => {
                &[EVENT, ORDER, Field(field::ORDER_STATUS), Field(field::ORDER_AGE_HOURS)]
            }
            Self::MessagePublished | Self::MessageConsumed => &[EVENT, MESSAGE, MESSAGE_TYPE, ORDER, TRACE],
            Self::MessageRetried | Self::MessageDeadLettered => {
                &[MESSAGE, MESSAGE_TYPE, ORDER, Field(field::ERROR_TYPE), Field(field::ERROR_MESSAGE), TRACE]
            }
            // Whose order it is about may be what can't be read.
            Self::MessageReplayed => &[MESSAGE_TYPE, TRACE],
            Self::LoginFailed => &[OneOf(ACCOUNT), Field(field::SOURCE_IP), TRACE, REQUEST],
            Self::LoginFailedRepeatedly => {
                &[OneOf(ACCOUNT), Field(field::SOURCE_IP), Field(field::AUTH_FAILURES), TRACE, REQUEST]
            }
            Self::HttpRequest => &[
                Field(field::HTTP_REQUEST_METHOD),
                Field(field::HTTP_ROUTE),
                Field(field::HTTP_RESPONSE_STATUS_CODE),
                Field(field::EVENT_DURATION),
                TRACE,
                REQUEST,
            ],
            Self::ServiceLifecycle => &[Field(field::SERVICE_STATE)],
            Self::ServiceHeartbeat => &[],
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
