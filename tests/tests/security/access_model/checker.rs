//! Runs a sequence of steps and compares every response with what the model says.

use std::fmt::Write as _;

use common::domain::Role;
use serde_json::{Value, json};
use testkit::Response;

use super::{
    model::{At, Model, Operation, Request, Session, Verdict, Who, needed_role},
    steps::Step,
    wire::{self, Hole},
    world::World,
};

/// A response that the model disagrees with.
#[derive(Debug)]
pub(crate) struct Disagreement {
    /// How many steps it took.
    pub(crate) steps: usize,
    /// What was done, a line for each step, and what is wrong in the end.
    pub(crate) trail: String,
}

/// Runs a sequence from its beginning.
///
/// # Errors
///
/// The first disagreement.
pub(crate) async fn run(world: &World, steps: &[Step], hole: Option<Hole>) -> Result<(), Disagreement> {
    let mut model = world.begin().await;
    let mut trail = String::new();
    for (number, step) in (1..).zip(steps) {
        let outcome = take(world, &mut model, step, hole).await;
        let (line, wrong) = outcome.map_or_else(|(line, wrong)| (line, Some(wrong)), |line| (line, None));
        let _ = writeln!(trail, "{number:>4}. {line}");
        if let Some(wrong) = wrong {
            world.end(&model);
            return Err(Disagreement { steps: number, trail: format!("{trail}      {wrong}") });
        }
        if model.awaits_prices() {
            world.calculate_prices().await;
            model.calculate_prices();
        }
    }
    world.end(&model);
    Ok(())
}

/// Takes a step. Returns a line about it, and, as an error, what is wrong with it as well.
async fn take(world: &World, model: &mut Model, step: &Step, hole: Option<Hole>) -> Result<String, (String, String)> {
    let people: Vec<_> =
        (0..model.accounts.len()).filter(|account| !model.accounts[*account].role.has_keys()).collect();
    match step {
        Step::Request(draft) => {
            let request = draft.resolve(model);
            let response = wire::send(world, model, &request, hole).await;
            let line = describe(model, &request, response.status);
            match check(model, &request, &response) {
                Ok(()) => Ok(line),
                Err(wrong) => Err((line, wrong)),
            }
        }
        Step::Exchange => {
            world.deliver_orders().await;
            model.deliver_orders();
            if model.awaits_prices() {
                world.calculate_prices().await;
                model.calculate_prices();
            }
            world.deliver_progress().await;
            model.deliver_progress();
            Ok("CRM and MES get each other's messages".to_owned())
        }
        Step::LogIn(index) => {
            let account = *index.get(&people);
            if !model.accounts[account].is_disabled {
                world.log_in(model, account).await;
            }
            Ok(format!("{} logs in, unless disabled", name(model, account)))
        }
        Step::Disable(index) => {
            let account = index.index(model.accounts.len());
            if hole != Some(Hole::DisablingForgotten) {
                world.disable(model, account).await;
            }
            model.accounts[account].is_disabled = true;
            Ok(format!("{} is disabled", name(model, account)))
        }
        Step::Rotate(index) => {
            let owners: Vec<_> = (0..model.accounts.len()).filter(|account| !people.contains(account)).collect();
            let account = *index.get(&owners);
            let token = world.rotate(model, account, hole != Some(Hole::OldKeyGoesOn)).await;
            for session in model.sessions.iter_mut().filter(|session| session.account == account) {
                session.is_over = true;
            }
            model.sessions.push(Session { account, token, is_over: false });
            Ok(format!("{} gets another key instead of the one before", name(model, account)))
        }
    }
}

/// Compares a response with the model, and brings the model up to date.
fn check(model: &mut Model, request: &Request, response: &Response) -> Result<(), String> {
    let seen = format!("{} {}", response.status, response.json);
    match model.verdict(request) {
        Verdict::Refused(statuses) => {
            let is_problem = response.json["code"].is_string() && response.json["status"] == response.status;
            if statuses.contains(&response.status) && is_problem {
                return Ok(());
            }
            return Err(format!("has to be refused by {statuses:?}, but came: {seen}"));
        }
        Verdict::Done(status) if status != response.status => {
            return Err(format!("has to end with {status}, but came: {seen}"));
        }
        Verdict::Done(_) => {}
    }
    let listed = model.listed(request);
    model.apply(request, response.json["id"].as_str().unwrap_or_default());
    let wanted = match request.operation {
        Operation::LogOut => return Ok(()),
        Operation::Download => {
            let closed = request.order.and_then(|order| model.orders[order].model).unwrap_or_default();
            let is_same = response.bytes == wire::solid(closed);
            return is_same.then_some(()).ok_or_else(|| "is another model".to_owned());
        }
        Operation::List(_) => json!(listed.into_iter().map(|of| order(model, request, of)).collect::<Vec<_>>()),
        Operation::Create | Operation::Place { .. } => order(model, request, model.orders.len() - 1),
        _ => request.order.map_or(Value::Null, |of| order(model, request, of)),
    };
    let got = match response.json["items"].as_array() {
        Some(items) => json!(items.iter().map(compared).collect::<Vec<_>>()),
        None => compared(&response.json),
    };
    if got == wanted { Ok(()) } else { Err(format!("has to show {wanted}, but came: {got}")) }
}

/// An order as a system has to show it: what is compared of it. Operators alone learn who has it.
fn order(model: &Model, request: &Request, order: usize) -> Value {
    let order = &model.orders[order];
    let (customer, partner) = match &model.accounts[order.owner] {
        owner if owner.role.has_keys() => (None, Some(owner.id)),
        owner => (Some(owner.id), None),
    };
    let is_operators = needed_role(request.at, request.operation) == Some(Role::Operator);
    let operator = order.operator.filter(|_| is_operators).map(|operator| model.accounts[operator].id);
    json!([order.id, order.status(request.at), customer, partner, operator])
}

fn compared(order: &Value) -> Value {
    json!(["id", "status", "customer_id", "partner_id", "operator_id"].map(|member| &order[member]))
}

/// An account's role, and its place among those with this role.
fn name(model: &Model, account: usize) -> String {
    let role = model.accounts[account].role;
    let place = model.with_role(role).iter().position(|of| *of == account).unwrap_or_default() + 1;
    format!("{role} {place}")
}

fn describe(model: &Model, request: &Request, status: u16) -> String {
    let who = match request.who {
        Who::Nobody => "nobody".to_owned(),
        Who::Guess => "a guessed token".to_owned(),
        Who::Session(session) => {
            let is_over = model.account(request.who).is_none();
            let account = name(model, model.sessions[session].account);
            format!("{account}{}", if is_over { " (not any more)" } else { "" })
        }
    };
    let (method, path) = wire::line(model, request);
    let wish = match request.operation {
        Operation::SetStatus(status) => format!(" {status}"),
        Operation::Deliver => request.order.map(|order| format!(" {}", model.orders[order].id)).unwrap_or_default(),
        Operation::Create if request.at == At::Crm => format!(" for {}", name(model, request.customer)),
        _ => String::new(),
    };
    let at = request.at;
    format!("{who}: {method} {path}{wish} at {at:?}'s replica {}: {status}", request.replica + 1)
}
