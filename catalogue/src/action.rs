//! Actions: the values of [`field::EVENT_ACTION`], with the services, levels and fields of each one's record.

use crate::{field, names::names, service::Service};

/// The severity of a record: the values of [`field::LEVEL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Normal operation.
    Info = 30,
    /// Needs attention, but not at once.
    Warn = 40,
    /// An internal failure.
    Error = 50,
}

impl Level {
    /// The value in the record.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// The name for display.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A field, or a choice of fields, that an action's record must carry besides the fields of every record.
#[derive(Clone, Copy, Debug)]
pub enum Requirement {
    /// This field.
    Field(&'static str),
    /// One of these fields.
    OneOf(&'static [&'static str]),
    /// One of these fields, if one of these services writes the record.
    OneOfFrom(&'static [&'static str], &'static [Service]),
    /// This field, once the price calculation has ended, successfully or not.
    FieldWhenEnded(&'static str),
}

names! {
    /// One event of the catalogue.
    Action {
        OrderCreated = "order.created", "An order was created.";
        OrderStatusChanged = "order.status_changed", "An order moved to its next status.";
        OrderModelUploaded = "order.model_uploaded", "A 3D model was stored for an order, or replaced.";
        OrderOperatorAssigned = "order.operator_assigned", "An operator took an order.";
        OrderPriceStatusChanged = "order.price_status_changed", "A price calculation advanced or ended.";
        OrderStuck = "order.stuck", "An order has been in its status for longer than that status allows; once per order and status.";
        OrderOverdue = "order.overdue", "An order was submitted longer ago than a whole order may take, and is not closed; once per order.";
        OrderAbandoned = "order.abandoned", "A customer has stopped working on an order before submitting it; once per order and status.";
        MessagePublished = "message.published", "The broker confirmed a message.";
        MessageConsumed = "message.consumed", "A message took effect.";
        MessageRetried = "message.retried", "A message could not be published or handled yet; it will be retried.";
        MessageDeadLettered = "message.dead_lettered", "A message can't be handled and went to the dead letters.";
        MessageReplayed = "message.replayed", "A dead letter was put back into its queue on request.";
        LoginFailed = "auth.login_failed", "A login was refused.";
        LoginFailedRepeatedly = "auth.login_failed_repeatedly", "A login was refused for the third time in a row within 15 minutes, or more often, whether an account has it or not.";
        SourceFailedRepeatedly = "auth.source_failed_repeatedly", "One address had as many failed logins within 15 minutes as `LOGIN_SOURCE_FAILURES` says, over all logins and replicas; once per address and 15 minutes.";
        LoginSucceeded = "auth.login_succeeded", "A session was opened.";
        LoggedOut = "auth.logged_out", "A session was ended by its owner.";
        Throttled = "auth.throttled", "A login or registration has to wait: the login failed too often, its network sends too many, or more come at once than can be checked.";
        AccessDenied = "auth.access_denied", "An account asked for an operation that it may not have.";
        SessionExpired = "auth.session_expired", "A session ended because it wasn't used, or because its time was over; recorded when it is deleted, at most ten minutes later.";
        KeyFirstUsed = "auth.key_first_used", "An API key was used for the first time.";
        KeyRefused = "auth.key_refused", "A request had an API key that is none, is withdrawn, or belongs to a disabled account.";
        OrdersProbed = "auth.orders_probed", "A customer or partner asked for an order that isn't theirs, or that there isn't, for the third time in a row within 15 minutes, or more often.";
        AccountRegistered = "account.registered", "An account was created.";
        AccountDisabled = "account.disabled", "An account was disabled, and its sessions ended.";
        AccountEnabled = "account.enabled", "A disabled account was enabled again.";
        AccountRoleChanged = "account.role_changed", "An account got another role.";
        AccountPasswordChanged = "account.password_changed", "An account got a new password, and its other sessions ended.";
        AccountKeyCreated = "account.key_created", "An API key was created.";
        AccountKeyWithdrawn = "account.key_withdrawn", "All API keys of an account were withdrawn.";
        OrderLookedUp = "order.looked_up", "An employee opened an order's page in Support's page.";
        HttpRequest = "http.request", "A response was sent, or the client disconnected before it.";
        ServiceLifecycle = "service.lifecycle", "A service started or stopped, or failed at what has no action of its own: its connection to the broker, background work, metrics, or sending a model to its end.";
        ServiceHeartbeat = "service.heartbeat", "A service is running; repeated at a fixed interval, so that its absence can be detected.";
    }
}

impl Action {
    /// The services that write it.
    #[must_use]
    pub const fn written_by(self) -> &'static [Service] {
        use Service::{CrmApi, MesApi, ShopApi, SupportWeb};
        match self {
            Self::OrderCreated | Self::OrderStatusChanged | Self::OrderModelUploaded => &Service::APIS,
            Self::LoginFailed
            | Self::LoginFailedRepeatedly
            | Self::LoginSucceeded
            | Self::LoggedOut
            | Self::Throttled
            | Self::AccessDenied
            | Self::HttpRequest
            | Self::ServiceLifecycle
            | Self::ServiceHeartbeat => &Service::ALL,
            Self::SourceFailedRepeatedly
            | Self::SessionExpired
            | Self::KeyFirstUsed
            | Self::KeyRefused
            | Self::AccountRegistered
            | Self::AccountDisabled
            | Self::AccountEnabled
            | Self::AccountPasswordChanged
            | Self::AccountKeyWithdrawn => &Service::APIS,
            Self::OrdersProbed => &[ShopApi, MesApi],
            Self::OrderLookedUp => &[SupportWeb],
            Self::OrderOperatorAssigned | Self::OrderPriceStatusChanged => &[MesApi],
            Self::OrderStuck | Self::OrderOverdue | Self::OrderAbandoned => &[CrmApi],
            Self::MessagePublished
            | Self::MessageConsumed
            | Self::MessageRetried
            | Self::MessageDeadLettered
            | Self::MessageReplayed
            | Self::AccountKeyCreated => &[CrmApi, MesApi],
            Self::AccountRoleChanged => &[CrmApi],
        }
    }

    /// The levels of its record. An action that fails because of an internal failure is recorded as [`Level::Error`]
    /// instead.
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
            | Self::LoginSucceeded
            | Self::LoggedOut
            | Self::SessionExpired
            | Self::KeyFirstUsed
            | Self::AccountRegistered
            | Self::AccountDisabled
            | Self::AccountEnabled
            | Self::AccountRoleChanged
            | Self::AccountPasswordChanged
            | Self::AccountKeyCreated
            | Self::AccountKeyWithdrawn
            | Self::OrderLookedUp
            | Self::ServiceHeartbeat => &[Level::Info],
            Self::ServiceLifecycle => &[Level::Info, Level::Warn],
            Self::OrderPriceStatusChanged | Self::HttpRequest => &[Level::Info, Level::Error],
            Self::OrderStuck
            | Self::OrderOverdue
            | Self::MessageRetried
            | Self::LoginFailedRepeatedly
            | Self::SourceFailedRepeatedly
            | Self::Throttled
            | Self::AccessDenied
            | Self::KeyRefused
            | Self::OrdersProbed => &[Level::Warn],
            Self::MessageDeadLettered => &[Level::Error],
        }
    }

    /// Whether its record has the `event.outcome` success, unless it is an error.
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
                | Self::LoginSucceeded
                | Self::LoggedOut
                | Self::SessionExpired
                | Self::KeyFirstUsed
                | Self::AccountRegistered
                | Self::AccountDisabled
                | Self::AccountEnabled
                | Self::AccountRoleChanged
                | Self::AccountPasswordChanged
                | Self::AccountKeyCreated
                | Self::AccountKeyWithdrawn
        )
    }

    /// ECS's `event.category` and `event.type` of its record, if it is about access
    /// (<https://www.elastic.co/docs/reference/ecs/ecs-category-field-values-reference>).
    #[must_use]
    pub const fn class(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::LoginFailed
            | Self::LoginFailedRepeatedly
            | Self::SourceFailedRepeatedly
            | Self::LoginSucceeded
            | Self::KeyFirstUsed
            | Self::KeyRefused => Some(("authentication", "start")),
            Self::LoggedOut | Self::SessionExpired => Some(("authentication", "end")),
            Self::Throttled => Some(("authentication", "info")),
            Self::AccessDenied | Self::OrdersProbed => Some(("api", "denied")),
            Self::AccountRegistered | Self::AccountKeyCreated => Some(("iam", "creation")),
            Self::AccountDisabled | Self::AccountEnabled | Self::AccountRoleChanged | Self::AccountPasswordChanged => {
                Some(("iam", "change"))
            }
            Self::AccountKeyWithdrawn => Some(("iam", "deletion")),
            _ => None,
        }
    }

    /// Whether its record, unless it is an error, reports a change that is committed: it has an `event.id`.
    #[must_use]
    pub fn reports_change(self) -> bool {
        self.requirements().iter().any(|requirement| matches!(requirement, Requirement::Field(field::EVENT_ID)))
    }

    /// The fields that its record must carry, besides those of every record.
    #[must_use]
    pub const fn requirements(self) -> &'static [Requirement] {
        use Requirement::{Field, FieldWhenEnded, OneOf, OneOfFrom};
        const OWNER: &[&str] = &[field::CUSTOMER_ID, field::PARTNER_ID];
        const ACCOUNT: &[&str] = &[field::USER_ID, field::USER_HASH];
        const EVENT: Requirement = Field(field::EVENT_ID);
        const TRACE: Requirement = Field(field::TRACE_ID);
        const REQUEST: Requirement = Field(field::HTTP_REQUEST_ID);
        const ORDER: Requirement = Field(field::ORDER_ID);
        const USER: Requirement = Field(field::USER_ID);
        const SOURCE: Requirement = Field(field::SOURCE_IP);
        const CATEGORY: Requirement = Field(field::EVENT_CATEGORY);
        const TYPE: Requirement = Field(field::EVENT_TYPE);
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
            // The order's id may be the part of the message that can't be read.
            Self::MessageReplayed => &[MESSAGE_TYPE, TRACE],
            Self::LoginFailed => &[OneOf(ACCOUNT), SOURCE, CATEGORY, TYPE, TRACE, REQUEST],
            Self::LoginFailedRepeatedly => {
                &[OneOf(ACCOUNT), SOURCE, Field(field::AUTH_FAILURES), CATEGORY, TYPE, TRACE, REQUEST]
            }
            Self::SourceFailedRepeatedly => &[SOURCE, Field(field::AUTH_FAILURES), CATEGORY, TYPE, TRACE, REQUEST],
            Self::LoginSucceeded | Self::LoggedOut => &[USER, SOURCE, CATEGORY, TYPE, TRACE, REQUEST],
            Self::OrdersProbed => &[USER, SOURCE, Field(field::AUTH_FAILURES), CATEGORY, TYPE, TRACE, REQUEST],
            // Commands have no request, and what nobody asked for has none either.
            Self::AccountRegistered | Self::AccountRoleChanged => {
                &[EVENT, USER, Field(field::USER_ROLES), CATEGORY, TYPE]
            }
            Self::SessionExpired
            | Self::AccountDisabled
            | Self::AccountEnabled
            | Self::AccountKeyCreated
            | Self::AccountKeyWithdrawn => &[EVENT, USER, CATEGORY, TYPE],
            Self::KeyFirstUsed | Self::AccountPasswordChanged => &[EVENT, USER, SOURCE, CATEGORY, TYPE, TRACE, REQUEST],
            // No login may be known yet.
            Self::Throttled | Self::KeyRefused => &[SOURCE, CATEGORY, TYPE, TRACE, REQUEST],
            Self::AccessDenied => &[
                USER,
                SOURCE,
                Field(field::HTTP_REQUEST_METHOD),
                Field(field::HTTP_ROUTE),
                CATEGORY,
                TYPE,
                TRACE,
                REQUEST,
            ],
            Self::OrderLookedUp => &[ORDER, USER, TRACE, REQUEST],
            Self::HttpRequest => &[
                Field(field::HTTP_REQUEST_METHOD),
                Field(field::HTTP_ROUTE),
                Field(field::HTTP_RESPONSE_STATUS_CODE),
                Field(field::EVENT_DURATION),
                TRACE,
                REQUEST,
            ],
            Self::ServiceLifecycle => &[Field(field::SERVICE_STATE)],
            Self::ServiceHeartbeat => &[Field(field::CONNECTIONS_UNFINISHED)],
        }
    }
}
