//! An incident that has begun.

use anyhow::Result;

use super::pause::Paused;
use super::replica::Replica;
use crate::clients::api::ApiClient;

/// An incident that has begun; some go on until they are ended.
#[derive(Default)]
pub struct Ongoing {
    /// What was done, a sentence each.
    pub done: Vec<String>,
    /// The numbers of the orders concerned; empty for [`Incident::OrderBurst`](super::Incident::OrderBurst).
    pub orders: Vec<String>,
    /// The id of the message concerned.
    pub message: Option<String>,
    /// Dropped before `paused`, so that it reports nothing after the paused part has resumed.
    pub(super) replica: Option<Replica>,
    pub(super) paused: Option<Paused>,
    /// The customer whose order waits.
    pub(super) customer: Option<ApiClient>,
}

impl Ongoing {
    /// Whether it goes on until it is ended.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        self.paused.is_some() || self.replica.is_some()
    }

    /// Undoes the incident and waits for the effect. Returns what was done, a sentence each.
    ///
    /// # Errors
    ///
    /// The system doesn't resume its work.
    pub async fn end(mut self) -> Result<Vec<String>> {
        let mut done = Vec::new();
        if self.replica.take().is_some() {
            done.push("The further CRM has stopped.".to_owned());
        }
        if self.paused.take().is_some() {
            done.push("What was paused goes on.".to_owned());
        }
        if let Some(customer) = &self.customer {
            for order in &self.orders {
                customer.wait_for(order, "PRICE_CALCULATED").await?;
                done.push(format!("Order {order} has its price."));
            }
        }
        Ok(done)
    }
}
