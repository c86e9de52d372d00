//! Random steps. Each names places in whatever there is when its turn comes, so that a sequence without some of its steps
//! is a sequence as well.

use common::domain::{OrderStatus, Role};
use proptest::{
    prelude::*,
    sample::{Index, select},
};

use super::model::{At, Model, Operation, Request, Who, needed_role};

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Request(Draft),
    /// CRM and MES get each other's messages.
    Exchange,
    /// A person logs in.
    LogIn(Index),
    /// An account is disabled.
    Disable(Index),
    /// A key is replaced.
    Rotate(Index),
}

/// A request before it is known what there is.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    what: What,
    caller: Caller,
    replica: usize,
    order: Index,
    customer: Index,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The next thing in the order's life.
    Next,
    This(At, Operation),
}

#[derive(Clone, Copy, Debug)]
enum Caller {
    /// One who may, if there is one.
    Fitting,
    Any(Index),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let request = (what(), caller(), 0..2_usize, any::<Index>(), any::<Index>()).prop_map(
        |(what, caller, replica, order, customer)| Step::Request(Draft { what, caller, replica, order, customer }),
    );
    prop_oneof![
        180 => request,
        14 => Just(Step::Exchange),
        2 => any::<Index>().prop_map(Step::LogIn),
        1 => any::<Index>().prop_map(Step::Disable),
        1 => any::<Index>().prop_map(Step::Rotate),
    ]
}

fn what() -> impl Strategy<Value = What> {
    // One model in five has a hole.
    let closed = || (0..5).prop_map(|choice| choice != 0);
    let status = || select(&OrderStatus::ALL[..]);
    let shown = || select(&[(At::Shop, Operation::Show), (At::Crm, Operation::Show), (At::Mes, Operation::Show)][..]);
    let system = || select(&[At::Shop, At::Crm, At::Mes][..]);
    let of_mes = select(&[Operation::Take, Operation::AskForPrice, Operation::ShowPlaced][..]);
    let shop_or_crm = || select(&[At::Shop, At::Crm][..]);
    prop_oneof![
        12 => (shop_or_crm()).prop_map(|at| What::This(at, Operation::Create)),
        4 => closed().prop_map(|closed| What::This(At::Mes, Operation::Place { closed })),
        50 => Just(What::Next),
        18 => shown().prop_map(|(at, show)| What::This(at, show)),
        14 => (system(), proptest::option::of(status())).prop_map(|(at, of)| What::This(at, Operation::List(of))),
        12 => (system(), status()).prop_map(|(at, status)| What::This(at, Operation::SetStatus(status))),
        6 => (shop_or_crm(), closed()).prop_map(|(at, closed)| What::This(at, Operation::Upload { closed })),
        9 => of_mes.prop_map(|operation| What::This(At::Mes, operation)),
        6 => select(&[At::Crm, At::Mes][..]).prop_map(|at| What::This(at, Operation::Download)),
        3 => Just(What::This(At::Crm, Operation::Deliver)),
        3 => system().prop_map(|at| What::This(at, Operation::LogOut)),
    ]
}

fn caller() -> impl Strategy<Value = Caller> {
    prop_oneof![
        3 => Just(Caller::Fitting),
        2 => any::<Index>().prop_map(Caller::Any),
    ]
}

impl Draft {
    /// The request that it is by now.
    pub(crate) fn resolve(&self, model: &Model) -> Request {
        // One more: an id that no order has.
        let order = self.order.index(model.orders.len() + 1);
        let order = (order < model.orders.len()).then_some(order);
        let (at, operation) = match self.what {
            What::This(at, operation) => (at, operation),
            What::Next => self.next(model, order),
        };
        let customer = *self.customer.get(&model.with_role(Role::Customer));
        let who = match self.caller {
            Caller::Any(index) => anybody(model, index),
            Caller::Fitting => fitting(model, self.customer, at, operation, order),
        };
        Request { who, at, replica: self.replica, operation, order, customer }
    }

    /// What is next in the life of an order.
    fn next(&self, model: &Model, order: Option<usize>) -> (At, Operation) {
        use OrderStatus::{ManufacturingApproved, PriceCalculated, Shipped};
        let is_first = self.customer.index(2) == 0;
        let shop_or_crm = if is_first { At::Shop } else { At::Crm };
        let Some(order) = order.map(|order| &model.orders[order]) else {
            return (shop_or_crm, Operation::Create);
        };
        match (order.in_shop, order.in_mes) {
            (Some(OrderStatus::Initiated), _) => (shop_or_crm, Operation::Upload { closed: true }),
            (Some(OrderStatus::FileUploaded), _) => (shop_or_crm, Operation::SetStatus(OrderStatus::Submitted)),
            (Some(PriceCalculated), _) => (At::Crm, Operation::SetStatus(ManufacturingApproved)),
            (Some(Shipped), _) => {
                (At::Crm, if is_first { Operation::SetStatus(OrderStatus::Closed) } else { Operation::Deliver })
            }
            (_, Some(ManufacturingApproved)) => (At::Mes, Operation::Take),
            (_, Some(status)) if status > ManufacturingApproved && status < Shipped => {
                (At::Mes, Operation::SetStatus(status.next().unwrap_or(status)))
            }
            _ if order.has_no_price => (At::Mes, Operation::AskForPrice),
            _ => (At::Mes, Operation::Show),
        }
    }
}

/// Any session or key, also one that is over; or none.
fn anybody(model: &Model, index: Index) -> Who {
    match index.index(model.sessions.len() + 2) {
        0 => Who::Nobody,
        1 => Who::Guess,
        other => Who::Session(other - 2),
    }
}

/// One who may do it, as far as there is one: the order's owner or operator, or any with the role.
fn fitting(model: &Model, index: Index, at: At, operation: Operation, order: Option<usize>) -> Who {
    let role = needed_role(at, operation);
    let fits = |session: &usize| {
        model.account(Who::Session(*session)).is_some_and(|account| {
            let of = model.accounts[account].role;
            role.map_or(at.knows(of) && !of.has_keys(), |role| of == role)
        })
    };
    let fitting: Vec<_> = (0..model.sessions.len()).filter(fits).collect();
    let concerned = order.and_then(|order| {
        let order = &model.orders[order];
        let is_his = |session: &&usize| {
            let account = model.sessions[**session].account;
            account == order.owner || Some(account) == order.operator
        };
        fitting.iter().find(is_his)
    });
    match concerned {
        Some(session) => Who::Session(*session),
        None if fitting.is_empty() => Who::Nobody,
        None => Who::Session(*index.get(&fitting)),
    }
}
