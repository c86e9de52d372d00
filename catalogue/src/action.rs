//! Actions: the values of [`field::EVENT_ACTION`], one row each, with the services, levels and fields of its record.

use crate::{
    field,
    names::names,
    service::Service::{self, CrmApi, MesApi, ShopApi, SupportWeb},
};

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
    /// ECS's `event.category` and `event.type` of an event about access, with these values
    /// (<https://www.elastic.co/docs/reference/ecs/ecs-category-field-values-reference>).
    Class(&'static str, &'static str),
}

/// What an action's record reports, unless it is an error.
#[derive(Clone, Copy)]
enum Kind {
    /// A change that is committed: the record has an `event.id`, and the `event.outcome` success.
    Change,
    /// Something else that succeeded: the record has the `event.outcome` success.
    Success,
    /// Anything else: the record has either `event.outcome`.
    Other,
}

/// What the table below says of an action besides its name and its meaning.
struct Row {
    written_by: &'static [Service],
    levels: &'static [Level],
    kind: Kind,
    fields: &'static [Requirement],
}

/// Declares [`Action`] and the row of each.
macro_rules! actions {
    ($($variant:ident = $name:literal, $services:expr, $levels:expr, $kind:ident, $fields:expr, $meaning:literal;)*) => {
        names! {
            /// One event of the catalogue.
            Action { $($variant = $name, $meaning;)* }
        }

        impl Action {
            const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        written_by: &$services,
                        levels: &$levels,
                        kind: Kind::$kind,
                        fields: &$fields,
                    },)*
                }
            }
        }
    };
}

use Level::{Error, Info, Warn};
use Requirement::{Class, Field, FieldWhenEnded, OneOf, OneOfFrom};

const OWNERS: &[&str] = &[field::CUSTOMER_ID, field::PARTNER_ID];
const SHOPS: &[Service] = &[ShopApi, CrmApi];

const ACCOUNT: Requirement = OneOf(&[field::USER_ID, field::USER_HASH]);
const AGE: Requirement = Field(field::ORDER_AGE_HOURS);
const DURATION: Requirement = Field(field::EVENT_DURATION);
const DURATION_WHEN_ENDED: Requirement = FieldWhenEnded(field::EVENT_DURATION);
const ERROR_MESSAGE: Requirement = Field(field::ERROR_MESSAGE);
const ERROR_TYPE: Requirement = Field(field::ERROR_TYPE);
const FAILURES: Requirement = Field(field::AUTH_FAILURES);
const FILE_EXTENSION: Requirement = Field(field::FILE_EXTENSION);
const FILE_SIZE: Requirement = Field(field::FILE_SIZE);
const HOURS_IN_SHOPS: Requirement = OneOfFrom(&[field::ORDER_STATUS_FROM_HOURS], SHOPS);
const MESSAGE: Requirement = Field(field::MESSAGING_MESSAGE_ID);
const MESSAGE_TYPE: Requirement = Field(field::MESSAGING_MESSAGE_TYPE);
const METHOD: Requirement = Field(field::HTTP_REQUEST_METHOD);
const OPERATOR: Requirement = Field(field::OPERATOR_ID);
const ORDER: Requirement = Field(field::ORDER_ID);
const OWNER: Requirement = OneOf(OWNERS);
const OWNER_IN_SHOPS: Requirement = OneOfFrom(OWNERS, SHOPS);
const PRICE_STATUS: Requirement = Field(field::ORDER_PRICE_STATUS);
const PRICE_STATUS_FROM: Requirement = Field(field::ORDER_PRICE_STATUS_FROM);
const REQUEST: Requirement = Field(field::HTTP_REQUEST_ID);
const ROLE: Requirement = Field(field::USER_ROLES);
const ROUTE: Requirement = Field(field::HTTP_ROUTE);
const SOURCE: Requirement = Field(field::SOURCE_IP);
const STATE: Requirement = Field(field::SERVICE_STATE);
const STATUS: Requirement = Field(field::ORDER_STATUS);
const STATUS_CODE: Requirement = Field(field::HTTP_RESPONSE_STATUS_CODE);
const STATUS_FROM: Requirement = Field(field::ORDER_STATUS_FROM);
const TRACE: Requirement = Field(field::TRACE_ID);
const TRIANGLES_WHEN_ENDED: Requirement = FieldWhenEnded(field::MODEL_TRIANGLES);
const UNFINISHED: Requirement = Field(field::CONNECTIONS_UNFINISHED);
const USER: Requirement = Field(field::USER_ID);

const API_DENIED: Requirement = Class("api", "denied");
const AUTHENTICATION_END: Requirement = Class("authentication", "end");
const AUTHENTICATION_INFO: Requirement = Class("authentication", "info");
const AUTHENTICATION_START: Requirement = Class("authentication", "start");
const IAM_CHANGE: Requirement = Class("iam", "change");
const IAM_CREATION: Requirement = Class("iam", "creation");
const IAM_DELETION: Requirement = Class("iam", "deletion");

// Name, services, levels, kind, the fields besides those of its kind and of every record, meaning.
actions! {
    OrderCreated = "order.created", Service::APIS, [Info], Change, [ORDER, STATUS, OWNER, TRACE], "An order was created.";
    OrderStatusChanged = "order.status_changed", Service::APIS, [Info], Change, [ORDER, STATUS, STATUS_FROM, HOURS_IN_SHOPS, OWNER_IN_SHOPS, TRACE], "An order moved to its next status.";
    OrderModelUploaded = "order.model_uploaded", Service::APIS, [Info], Change, [ORDER, OWNER, FILE_SIZE, FILE_EXTENSION, TRACE, REQUEST], "A 3D model was stored for an order, or replaced.";
    OrderOperatorAssigned = "order.operator_assigned", [MesApi], [Info], Change, [ORDER, OPERATOR, TRACE, REQUEST], "An operator took an order.";
    OrderPriceStatusChanged = "order.price_status_changed", [MesApi], [Info, Error], Change, [ORDER, PRICE_STATUS, PRICE_STATUS_FROM, DURATION_WHEN_ENDED, TRIANGLES_WHEN_ENDED, TRACE], "A price calculation advanced or ended.";
    OrderStuck = "order.stuck", [CrmApi], [Warn], Change, [ORDER, STATUS, AGE], "An order has been in its status for longer than that status allows; once per order and status.";
    OrderOverdue = "order.overdue", [CrmApi], [Warn], Change, [ORDER, STATUS, AGE], "An order was submitted longer ago than a whole order may take, and is not closed; once per order.";
    OrderAbandoned = "order.abandoned", [CrmApi], [Info], Change, [ORDER, STATUS, AGE], "A customer has stopped working on an order before submitting it; once per order and status.";
    MessagePublished = "message.published", [CrmApi, MesApi], [Info], Change, [MESSAGE, MESSAGE_TYPE, ORDER, TRACE], "The broker confirmed a message.";
    MessageConsumed = "message.consumed", [CrmApi, MesApi], [Info], Change, [MESSAGE, MESSAGE_TYPE, ORDER, TRACE], "A message took effect.";
    MessageRetried = "message.retried", [CrmApi, MesApi], [Warn], Other, [MESSAGE, MESSAGE_TYPE, ORDER, ERROR_TYPE, ERROR_MESSAGE, TRACE], "A message could not be published or handled yet; it will be retried.";
    MessageDeadLettered = "message.dead_lettered", [CrmApi, MesApi], [Error], Other, [MESSAGE, MESSAGE_TYPE, ORDER, ERROR_TYPE, ERROR_MESSAGE, TRACE], "A message can't be handled and went to the dead letters.";
    // The order's id may be the part of the message that can't be read.
    MessageReplayed = "message.replayed", [CrmApi, MesApi], [Info], Success, [MESSAGE_TYPE, TRACE], "A dead letter was put back into its queue on request.";
    LoginFailed = "auth.login_failed", Service::ALL, [Info], Other, [ACCOUNT, SOURCE, AUTHENTICATION_START, TRACE, REQUEST], "A login was refused.";
    LoginFailedRepeatedly = "auth.login_failed_repeatedly", Service::ALL, [Warn], Other, [ACCOUNT, SOURCE, FAILURES, AUTHENTICATION_START, TRACE, REQUEST], "A login was refused for the third time in a row within 15 minutes, or more often, whether an account has it or not.";
    SourceFailedRepeatedly = "auth.source_failed_repeatedly", Service::APIS, [Warn], Other, [SOURCE, FAILURES, AUTHENTICATION_START, TRACE, REQUEST], "One address had as many failed logins within 15 minutes as `LOGIN_SOURCE_FAILURES` says, over all logins and replicas; once per address and 15 minutes.";
    LoginSucceeded = "auth.login_succeeded", Service::ALL, [Info], Success, [USER, SOURCE, AUTHENTICATION_START, TRACE, REQUEST], "A session was opened.";
    LoggedOut = "auth.logged_out", Service::ALL, [Info], Success, [USER, SOURCE, AUTHENTICATION_END, TRACE, REQUEST], "A session was ended by its owner.";
    // No login may be known yet.
    Throttled = "auth.throttled", Service::ALL, [Warn], Other, [SOURCE, AUTHENTICATION_INFO, TRACE, REQUEST], "A login or registration has to wait: the login failed too often, its network sends too many, or more come at once than can be checked.";
    AccessDenied = "auth.access_denied", Service::ALL, [Warn], Other, [USER, SOURCE, METHOD, ROUTE, API_DENIED, TRACE, REQUEST], "An account requested an operation that its role does not permit.";
    // No request ends it.
    SessionExpired = "auth.session_expired", Service::APIS, [Info], Change, [USER, AUTHENTICATION_END], "A session ended because it wasn't used, or because its time was over; recorded when it is deleted, at most ten minutes later.";
    KeyFirstUsed = "auth.key_first_used", Service::APIS, [Info], Change, [USER, SOURCE, AUTHENTICATION_START, TRACE, REQUEST], "An API key was used for the first time.";
    // The account of the key may be unknown.
    KeyRefused = "auth.key_refused", Service::APIS, [Warn], Other, [SOURCE, AUTHENTICATION_START, TRACE, REQUEST], "A request had an unknown or withdrawn API key, or one of a disabled account.";
    OrdersProbed = "auth.orders_probed", [ShopApi, MesApi], [Warn], Other, [USER, SOURCE, FAILURES, API_DENIED, TRACE, REQUEST], "A customer or partner asked for an order that isn't theirs, or that there isn't, for the third time in a row within 15 minutes, or more often.";
    // Commands change accounts, too, and have no request.
    AccountRegistered = "account.registered", Service::APIS, [Info], Change, [USER, ROLE, IAM_CREATION], "An account was created.";
    AccountDisabled = "account.disabled", Service::APIS, [Info], Change, [USER, IAM_CHANGE], "An account was disabled, and its sessions ended.";
    AccountEnabled = "account.enabled", Service::APIS, [Info], Change, [USER, IAM_CHANGE], "A disabled account was enabled again.";
    AccountRoleChanged = "account.role_changed", [CrmApi], [Info], Change, [USER, ROLE, IAM_CHANGE], "An account got another role.";
    AccountPasswordChanged = "account.password_changed", Service::APIS, [Info], Change, [USER, SOURCE, IAM_CHANGE, TRACE, REQUEST], "An account got a new password, and its other sessions ended.";
    AccountKeyCreated = "account.key_created", [CrmApi, MesApi], [Info], Change, [USER, IAM_CREATION], "An API key was created.";
    AccountKeyWithdrawn = "account.key_withdrawn", Service::APIS, [Info], Change, [USER, IAM_DELETION], "All API keys of an account were withdrawn.";
    OrderLookedUp = "order.looked_up", [SupportWeb], [Info], Success, [ORDER, USER, TRACE, REQUEST], "An employee opened an order's page in Support's page.";
    HttpRequest = "http.request", Service::ALL, [Info, Error], Other, [METHOD, ROUTE, STATUS_CODE, DURATION, TRACE, REQUEST], "A response was sent, or the client disconnected before it.";
    ServiceLifecycle = "service.lifecycle", Service::ALL, [Info, Warn], Other, [STATE], "A service started or stopped, or failed at what has no action of its own: its connection to the broker, background work, metrics, or sending a model to its end.";
    ServiceHeartbeat = "service.heartbeat", Service::ALL, [Info], Success, [UNFINISHED], "A service is running; repeated at a fixed interval, so that its absence can be detected.";
}

impl Action {
    /// The services that write it.
    #[must_use]
    pub const fn written_by(self) -> &'static [Service] {
        self.row().written_by
    }

    /// The levels of its record. An action that fails because of an internal failure is recorded as [`Level::Error`]
    /// instead.
    #[must_use]
    pub const fn levels(self) -> &'static [Level] {
        self.row().levels
    }

    /// Whether its record has the `event.outcome` success, unless it is an error.
    #[must_use]
    pub const fn reports_success(self) -> bool {
        matches!(self.row().kind, Kind::Change | Kind::Success)
    }

    /// Whether its record, unless it is an error, reports a change that is committed: it has an `event.id`.
    #[must_use]
    pub const fn reports_change(self) -> bool {
        matches!(self.row().kind, Kind::Change)
    }

    /// ECS's `event.category` and `event.type` of its record, if it is about access.
    #[must_use]
    pub fn class(self) -> Option<(&'static str, &'static str)> {
        self.row().fields.iter().find_map(|requirement| match *requirement {
            Class(category, kind) => Some((category, kind)),
            _ => None,
        })
    }

    /// The fields that its record must carry, besides those of every record.
    pub fn requirements(self) -> impl Iterator<Item = Requirement> {
        let id = self.reports_change().then_some(Field(field::EVENT_ID));
        id.into_iter().chain(self.row().fields.iter().copied())
    }
}
