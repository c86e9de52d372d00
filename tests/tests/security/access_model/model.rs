//! Who may see and do what, as the contract says it, small enough to be checked by reading.
//!
//! It knows nothing of the services' own table of access, nor of their code.

use common::domain::{
    OrderStatus::{
        self, Closed, FileUploaded, Initiated, ManufacturingApproved, ManufacturingCompleted, ManufacturingStarted,
        Packaging, PriceCalculated, Shipped, Submitted,
    },
    Role,
};
use uuid::Uuid;

/// A system, as requests see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Shop,
    Crm,
    Mes,
}

impl At {
    /// Whether accounts of a role are in this system's database. Shop and CRM have one database.
    pub(crate) fn knows(self, role: Role) -> bool {
        (self == Self::Mes) == matches!(role, Role::Operator | Role::Partner)
    }
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Upload { closed: bool },
    SetStatus(OrderStatus),
    Show,
    List(Option<OrderStatus>),
    Download,
    Deliver,
    Take,
    AskForPrice,
    Place { closed: bool },
    ShowPlaced,
    LogOut,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Nobody,
    Guess,
    Session(usize),
}

/// A request, with places in the model instead of ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) who: Who,
    pub(crate) at: At,
    pub(crate) replica: usize,
    pub(crate) operation: Operation,
    /// The order that it is about; without one, an id that no order has.
    pub(crate) order: Option<usize>,
    /// Whom a seller's order is for.
    pub(crate) customer: usize,
}

/// How a request has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done(u16),
    /// By any of these: where two rules refuse, the contract doesn't say which one comes first.
    Refused(&'static [u16]),
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: Uuid,
    pub(crate) role: Role,
    pub(crate) is_disabled: bool,
}

/// A session, or a key.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) account: usize,
    pub(crate) token: String,
    pub(crate) is_over: bool,
}

#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) owner: usize,
    /// Its status in the database of shop and CRM, once it is there.
    pub(crate) in_shop: Option<OrderStatus>,
    /// Its status in the MES, once it is there.
    pub(crate) in_mes: Option<OrderStatus>,
    /// Whether its model is a closed surface, once it has one.
    pub(crate) model: Option<bool>,
    pub(crate) operator: Option<usize>,
    pub(crate) has_no_price: bool,
}

impl Order {
    pub(crate) fn status(&self, at: At) -> Option<OrderStatus> {
        if at == At::Mes { self.in_mes } else { self.in_shop }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) accounts: Vec<Account>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) orders: Vec<Order>,
}

impl Model {
    /// The account that a session or key still stands for.
    pub(crate) fn account(&self, who: Who) -> Option<usize> {
        let Who::Session(session) = who else { return None };
        let session = &self.sessions[session];
        (!session.is_over && !self.accounts[session.account].is_disabled).then_some(session.account)
    }

    /// The open session or key of an account.
    pub(crate) fn session_of(&self, account: usize) -> Option<usize> {
        (0..self.sessions.len()).find(|session| self.account(Who::Session(*session)) == Some(account))
    }

    /// The accounts with a role.
    pub(crate) fn with_role(&self, role: Role) -> Vec<usize> {
        (0..self.accounts.len()).filter(|account| self.accounts[*account].role == role).collect()
    }

    /// Whether an account sees an order in a system: customers and partners their own, employees and the carrier all that
    /// the system has.
    pub(crate) fn sees(&self, account: usize, at: At, order: &Order) -> bool {
        let is_own = order.owner == account;
        order.status(at).is_some() && (is_own || !matches!(self.accounts[account].role, Role::Customer | Role::Partner))
    }

    pub(crate) fn verdict(&self, request: &Request) -> Verdict {
        let account = self.account(request.who).filter(|account| request.at.knows(self.accounts[*account].role));
        let Some(account) = account else { return Verdict::Refused(&[401]) };
        let role = self.accounts[account].role;
        let Some(needed) = needed_role(request.at, request.operation) else {
            return if role.has_keys() { Verdict::Refused(&[401, 403]) } else { Verdict::Done(204) };
        };
        if role != needed {
            return Verdict::Refused(&[403]);
        }
        match request.operation {
            // The contract says nothing of a customer who is disabled by now; the CRM takes no order for them.
            Operation::Create if request.at == At::Crm && self.accounts[request.customer].is_disabled => {
                return Verdict::Refused(&[422]);
            }
            Operation::Create => return Verdict::Done(201),
            Operation::Place { .. } => return Verdict::Done(202),
            Operation::List(_) => return Verdict::Done(200),
            _ => {}
        }
        let order = request.order.map(|order| &self.orders[order]);
        match order.filter(|order| self.sees(account, request.at, order)) {
            Some(order) => of_order(request, order, account),
            None => Verdict::Refused(&[404]),
        }
    }

    /// What a list has to have, the newest first: as places of orders.
    pub(crate) fn listed(&self, request: &Request) -> Vec<usize> {
        let (Operation::List(status), Some(account)) = (request.operation, self.account(request.who)) else {
            return Vec::new();
        };
        let is_listed = |order: &Order| {
            self.sees(account, request.at, order) && (status.is_none() || order.status(request.at) == status)
        };
        (0..self.orders.len()).rev().filter(|order| is_listed(&self.orders[*order])).collect()
    }

    /// What a request that was done has changed. `id` is that of a new order.
    pub(crate) fn apply(&mut self, request: &Request, id: &str) {
        let account = self.account(request.who).expect("only who has an account gets something done");
        let new = |owner, in_shop, in_mes, model| Order {
            id: id.to_owned(),
            owner,
            in_shop,
            in_mes,
            model,
            operator: None,
            has_no_price: false,
        };
        match request.operation {
            Operation::Create => {
                let owner = if request.at == At::Crm { request.customer } else { account };
                self.orders.push(new(owner, Some(Initiated), None, None));
            }
            Operation::Place { closed } => self.orders.push(new(account, None, Some(Submitted), Some(closed))),
            Operation::LogOut => {
                let Who::Session(session) = request.who else { return };
                self.sessions[session].is_over = true;
            }
            _ => {
                let Some(order) = request.order.map(|order| &mut self.orders[order]) else { return };
                match request.operation {
                    Operation::Upload { closed } => {
                        (order.in_shop, order.model) = (Some(FileUploaded), Some(closed));
                    }
                    Operation::SetStatus(status) if request.at == At::Mes => order.in_mes = Some(status),
                    Operation::SetStatus(status) => order.in_shop = Some(status),
                    Operation::Take => (order.in_mes, order.operator) = (Some(ManufacturingStarted), Some(account)),
                    Operation::Deliver => order.in_shop = Some(Closed),
                    Operation::AskForPrice => order.has_no_price = false,
                    _ => {}
                }
            }
        }
    }

    /// Whether the MES has something to calculate.
    pub(crate) fn awaits_prices(&self) -> bool {
        self.orders.iter().any(|order| order.in_mes == Some(Submitted) && !order.has_no_price)
    }

    /// The MES has calculated what it could.
    pub(crate) fn calculate_prices(&mut self) {
        for order in self.orders.iter_mut().filter(|order| order.in_mes == Some(Submitted)) {
            match order.model {
                Some(true) => order.in_mes = Some(PriceCalculated),
                _ => order.has_no_price = true,
            }
        }
    }

    /// The MES has heard of orders that were submitted.
    pub(crate) fn deliver_orders(&mut self) {
        for order in self.orders.iter_mut().filter(|order| order.in_shop >= Some(Submitted)) {
            order.in_mes = order.in_mes.max(order.in_shop).min(Some(Shipped));
        }
    }

    /// The CRM has heard of what the MES did.
    pub(crate) fn deliver_progress(&mut self) {
        for order in self.orders.iter_mut().filter(|order| order.in_mes.is_some()) {
            order.in_shop = order.in_shop.max(order.in_mes);
        }
    }
}

/// The role that an operation is for; without one, it is for every session.
pub(crate) fn needed_role(at: At, operation: Operation) -> Option<Role> {
    match (at, operation) {
        (_, Operation::LogOut) => None,
        (At::Shop, _) => Some(Role::Customer),
        (At::Crm, Operation::Deliver) => Some(Role::Carrier),
        (At::Crm, _) => Some(Role::Seller),
        (At::Mes, Operation::Place { .. } | Operation::ShowPlaced) => Some(Role::Partner),
        (At::Mes, _) => Some(Role::Operator),
    }
}

/// How a request about an order that its caller sees has to end.
fn of_order(request: &Request, order: &Order, account: usize) -> Verdict {
    let conflict = |is_right| if is_right { Verdict::Done(200) } else { Verdict::Refused(&[409]) };
    let Some(status) = order.status(request.at) else { return Verdict::Refused(&[404]) };
    match request.operation {
        Operation::Upload { .. } => conflict(status <= FileUploaded),
        Operation::Download if order.model.is_none() => Verdict::Refused(&[404]),
        Operation::Take => conflict(status == ManufacturingApproved),
        Operation::Deliver => conflict(status == Shipped),
        Operation::AskForPrice if order.has_no_price && status == Submitted => Verdict::Done(202),
        Operation::AskForPrice => Verdict::Refused(&[409]),
        Operation::SetStatus(to) => {
            let settable: &[OrderStatus] = match request.at {
                At::Shop => &[Submitted],
                At::Crm => &[Submitted, ManufacturingApproved, Closed],
                At::Mes => &[ManufacturingCompleted, Packaging, Shipped],
            };
            let is_next = OrderStatus::ALL.iter().position(|of| *of == to)
                == OrderStatus::ALL.iter().position(|of| *of == status).map(|place| place + 1);
            let is_right = settable.contains(&to) && is_next;
            match (request.at, is_right) {
                (At::Mes, true) if order.operator != Some(account) => Verdict::Refused(&[403]),
                (At::Mes, false) if order.operator != Some(account) => Verdict::Refused(&[403, 409]),
                _ => conflict(is_right),
            }
        }
        _ => Verdict::Done(200),
    }
}
