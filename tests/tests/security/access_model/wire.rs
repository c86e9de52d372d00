//! Requests as they go to a replica, with a hole in the service where a test plants one.
//!
//! A hole is between the checker and the service: the service itself is as it is, and the request or its response is changed
//! to what a service with such a bug would make of it.

use common::domain::{OrderStatus, Role};
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::json;
use testkit::{
    Response,
    orders::{cube, model_path, open_cube},
};

use super::{
    model::{At, Model, Operation, Order, Request, Verdict, Who},
    world::World,
};

/// A bug that a service might have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// Another customer's order is shown.
    ForeignOrder,
    /// A list has an order of another customer.
    ForeignRow,
    /// A list lacks its newest order.
    MissingRow,
    /// An operator's step is done for others.
    OthersStep,
    /// A step is done for an operator who doesn't have the order.
    OtherOperatorsStep,
    /// A step that may not be done is answered as if it was.
    RefusedStep,
    /// A session goes on after the logout.
    LogOutForgotten,
    /// The same, at one replica.
    LogOutForgottenByOneReplica,
    /// A disabled account goes on.
    DisablingForgotten,
    /// A key goes on that was replaced.
    OldKeyGoesOn,
}

impl Hole {
    pub(crate) const ALL: [Self; 10] = [
        Self::ForeignOrder,
        Self::ForeignRow,
        Self::MissingRow,
        Self::OthersStep,
        Self::OtherOperatorsStep,
        Self::RefusedStep,
        Self::LogOutForgotten,
        Self::LogOutForgottenByOneReplica,
        Self::DisablingForgotten,
        Self::OldKeyGoesOn,
    ];
}

/// Sends a request.
pub(crate) async fn send(world: &World, model: &Model, request: &Request, hole: Option<Hole>) -> Response {
    let as_it_is = async || Response::to(http(world, model, request)).await;
    // The same request, as somebody else.
    let as_account = async |account: Option<usize>| {
        let session = account.and_then(|account| model.session_of(account))?;
        Some(Response::to(http(world, model, &Request { who: Who::Session(session), ..*request })).await)
    };
    let order = request.order.map(|order| &model.orders[order]);
    let is_step = matches!(request.operation, Operation::SetStatus(_) | Operation::Take);
    match hole {
        Some(Hole::ForeignOrder) if request.at == At::Shop && request.operation == Operation::Show => {
            let response = as_it_is().await;
            let is_customers = |order: &&Order| model.accounts[order.owner].role == Role::Customer;
            let owner = order.filter(|_| response.status == 404).filter(is_customers).map(|order| order.owner);
            as_account(owner).await.unwrap_or(response)
        }
        Some(Hole::ForeignRow) if request.at == At::Shop => {
            let mut response = as_it_is().await;
            if let Some(items) = response.json["items"].as_array_mut() {
                let own = model.account(request.who);
                let foreign = model.orders.iter().find(|order| order.in_shop.is_some() && Some(order.owner) != own);
                items.extend(foreign.map(|order| {
                    json!({"id": order.id, "status": order.in_shop, "customer_id": model.accounts[order.owner].id})
                }));
            }
            response
        }
        Some(Hole::MissingRow) => {
            let mut response = as_it_is().await;
            if let Some(items) = response.json["items"].as_array_mut().filter(|items| !items.is_empty()) {
                items.remove(0);
            }
            response
        }
        Some(Hole::OthersStep) if request.at == At::Mes && is_step => {
            let caller = model.account(request.who).map(|account| model.accounts[account].role);
            let operators = model.with_role(Role::Operator);
            let operator = order.and_then(|order| order.operator).or(operators.first().copied());
            let operator = operator.filter(|_| caller.is_some_and(|role| role != Role::Operator));
            match as_account(operator).await {
                Some(response) => response,
                None => as_it_is().await,
            }
        }
        Some(Hole::OtherOperatorsStep) if request.at == At::Mes && is_step => {
            let response = as_it_is().await;
            let operator = order.filter(|_| response.json["code"] == "not_your_order").and_then(|order| order.operator);
            as_account(operator).await.unwrap_or(response)
        }
        Some(Hole::RefusedStep) if is_step => {
            let response = as_it_is().await;
            let shown = Request { operation: Operation::Show, ..*request };
            if response.status == 409 { Response::to(http(world, model, &shown)).await } else { response }
        }
        Some(Hole::LogOutForgotten | Hole::LogOutForgottenByOneReplica) if request.operation == Operation::LogOut => {
            match model.verdict(request) {
                Verdict::Done(status) => Response { status, ..as_list(world, model, request).await },
                Verdict::Refused(_) => as_it_is().await,
            }
        }
        Some(Hole::LogOutForgottenByOneReplica) if request.replica == 0 => match request.who {
            Who::Session(session) if model.sessions[session].is_over => {
                Response::to(http(world, model, &Request { who: Who::Guess, ..*request })).await
            }
            _ => as_it_is().await,
        },
        _ => as_it_is().await,
    }
}

/// A request that changes nothing, of the same caller.
async fn as_list(world: &World, model: &Model, request: &Request) -> Response {
    Response::to(http(world, model, &Request { operation: Operation::List(None), ..*request })).await
}

fn http(world: &World, model: &Model, request: &Request) -> RequestBuilder {
    let anonymous = world.replica(request.at, request.replica);
    let client = match request.who {
        Who::Nobody => anonymous.clone(),
        Who::Guess => anonymous.holding("guessed", None),
        Who::Session(session) => anonymous.holding(&model.sessions[session].token, None),
    };
    let (method, path) = line(model, request);
    let http = client.request(method, &path);
    match request.operation {
        Operation::Create if request.at == At::Crm => {
            let customer = model.accounts[request.customer].id;
            http.json(&json!({"customer_id": customer, "material": "gold_585", "quantity": 1}))
        }
        Operation::Create => http.json(&json!({"material": "silver_925", "quantity": 2})),
        Operation::Upload { closed } => http.header("content-type", "application/octet-stream").body(solid(closed)),
        Operation::SetStatus(status) => http.json(&json!({"status": status})),
        Operation::Deliver => http.json(&json!({"order_id": order_id(model, request)})),
        Operation::Place { closed } => {
            let part = Part::bytes(solid(closed)).file_name("ring.stl");
            http.multipart(Form::new().text("material", "silver_925").text("quantity", "1").part("model", part))
        }
        _ => http,
    }
}

/// A model's bytes: a closed cube, or one with a hole.
pub(crate) fn solid(closed: bool) -> Vec<u8> {
    if closed { cube() } else { open_cube() }
}

fn order_id<'a>(model: &'a Model, request: &Request) -> &'a str {
    request.order.map_or("A-999999", |order| &model.orders[order].id)
}

/// A request's method and path.
pub(crate) fn line(model: &Model, request: &Request) -> (Method, String) {
    let id = order_id(model, request);
    match request.operation {
        Operation::Create => (Method::POST, "/orders".to_owned()),
        Operation::Upload { .. } => (Method::PUT, model_path(id, "ring.stl")),
        Operation::SetStatus(_) => (Method::POST, format!("/orders/{id}/status")),
        Operation::Show => (Method::GET, format!("/orders/{id}")),
        Operation::List(status) => {
            let status = status.map(|status: OrderStatus| format!("&status={status}")).unwrap_or_default();
            (Method::GET, format!("/orders?limit=200{status}"))
        }
        Operation::Download => (Method::GET, format!("/orders/{id}/model")),
        Operation::Deliver => (Method::POST, "/deliveries".to_owned()),
        Operation::Take => (Method::PUT, format!("/orders/{id}/operator")),
        Operation::AskForPrice => (Method::POST, format!("/orders/{id}/price")),
        Operation::Place { .. } => (Method::POST, "/partner/orders".to_owned()),
        Operation::ShowPlaced => (Method::GET, format!("/partner/orders/{id}")),
        Operation::LogOut => (Method::DELETE, "/sessions/current".to_owned()),
    }
}
