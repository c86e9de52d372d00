//! Requests that fail for a reason of ours: what the client sees, and what the log says.

use catalogue::{Action, ErrorType, field, record::violations};
use reqwest::RequestBuilder;
use testkit::{Client, Response};

use super::{
    log::{self, text},
    process::Process,
};

/// A request to a service, and the event of the catalogue that it would have brought about.
pub(crate) struct Attempt<'a> {
    pub(crate) service: &'a Process,
    pub(crate) request: RequestBuilder,
    pub(crate) action: Action,
    /// What the error's record has to name.
    pub(crate) names: Vec<(&'static str, String)>,
}

/// Words that only we should ever read.
const INTERNALS: [&str; 10] =
    ["postgres", "sqlx", "sql", "relation", "no space left", "127.0.0.1", "os error", "panicked", "src/", "/tmp"];

impl Attempt<'_> {
    /// Asserts that it fails with one of these classes: the client sees nothing of the inside, and Support
    /// finds one error with the whole chain of causes.
    pub(crate) async fn fails(self, classes: &[ErrorType]) {
        let Self { service, request, action, names } = self;
        let response = Response::to(request).await;
        let (status, code) = match response.status {
            503 => (503, "unavailable"),
            _ => (500, "internal_error"),
        };
        let id = response.header("x-request-id").expect("every response names its request").to_owned();
        let problem = response.expect_problem(status, code).to_string().to_lowercase();
        let leaked = INTERNALS.iter().find(|word| problem.contains(*word));
        assert_eq!(leaked, None, "{problem}");

        let records = if action == Action::HttpRequest { 1 } else { 2 };
        let records = service.found(records, &[(field::HTTP_REQUEST_ID, &id)]).await;
        let errors: Vec<_> = records.iter().filter(|record| log::level(record) == 50).collect();
        let [error] = errors[..] else { panic!("{} errors instead of one: {records:?}", errors.len()) };
        assert_eq!(violations(error), [""; 0], "{error:?}");
        assert_eq!(text(error, field::EVENT_ACTION), action.name(), "{error:?}");
        assert_eq!(text(error, field::EVENT_OUTCOME), "failure", "{error:?}");
        let class = text(error, field::ERROR_TYPE);
        assert!(classes.iter().any(|allowed| allowed.name() == class), "{error:?}");
        assert!(text(error, field::ERROR_MESSAGE).contains(": "), "there is no chain in {error:?}");
        for (name, value) in names {
            assert_eq!(text(error, name), value, "{name} of {error:?}");
        }
        let request = records.iter().find(|record| text(record, field::EVENT_ACTION) == Action::HttpRequest.name());
        let request = request.expect("every request has its line");
        assert_eq!(request[field::HTTP_RESPONSE_STATUS_CODE], status, "{request:?}");
    }
}

/// An order and the customer whose it is.
pub(crate) fn of_customer(order: &str, customer: &Client) -> Vec<(&'static str, String)> {
    vec![(field::ORDER_ID, order.to_owned()), (field::CUSTOMER_ID, customer.account().to_string())]
}

/// An order alone.
pub(crate) fn of_order(order: &str) -> Vec<(&'static str, String)> {
    vec![(field::ORDER_ID, order.to_owned())]
}
