//! An order's life, read out of its records.

use std::collections::BTreeMap;

use catalogue::{Action, ORDER_STATUSES, field};
use time::OffsetDateTime;

use crate::{record::Record, stuck::is_over};

/// An order's life, as its records tell it.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// The statuses that it has entered, in their order, with when and by which service.
    pub steps: Vec<Step>,
    /// The customer's account.
    pub customer: Option<String>,
    /// The partner company's account.
    pub partner: Option<String>,
    /// The account of the operator who has it.
    pub operator: Option<String>,
    /// The newest record of its price calculation.
    pub price: Option<Record>,
    /// Its newest warning or error that may be the reason why it stands.
    pub trouble: Option<Record>,
    /// Whether it has entered a status since that trouble, or its price was calculated: the trouble is over.
    pub is_over: bool,
    /// The newest report that it is stuck or overdue, if one still holds.
    pub stuck: Option<Record>,
    /// Its messages, by their first record's time.
    pub messages: Vec<MessageStory>,
}

/// A status that an order has entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The status.
    pub status: &'static str,
    /// When.
    pub at: OffsetDateTime,
    /// The service that recorded it first, which is the one that set it.
    pub service: String,
}

/// What became of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageStory {
    /// Its id.
    pub id: String,
    /// Its type.
    pub message_type: String,
    /// When it was published.
    pub published: Option<OffsetDateTime>,
    /// When it took effect.
    pub consumed: Option<OffsetDateTime>,
    /// How often it was retried.
    pub retries: usize,
    /// When it became a dead letter.
    pub dead: Option<OffsetDateTime>,
}

impl Story {
    /// The story that these records tell, which are sorted by time.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut story = Self { steps: steps(records), ..Self::default() };
        let mut reports: Vec<&Record> = Vec::new();
        for record in records {
            for (field, place) in [
                (field::CUSTOMER_ID, &mut story.customer),
                (field::PARTNER_ID, &mut story.partner),
                (field::OPERATOR_ID, &mut story.operator),
            ] {
                if let Some(id) = record.optional(field) {
                    *place = Some(id.to_owned());
                }
            }
            let action = Action::from_name(record.text(field::EVENT_ACTION));
            match action {
                Some(Action::OrderStuck | Action::OrderOverdue) => reports.push(record),
                _ if record.is_trouble() => (story.trouble, story.is_over) = (Some(record.clone()), false),
                Some(Action::OrderCreated | Action::OrderStatusChanged) => {
                    story.is_over = true;
                    reports.retain(|report| !is_over(report, record));
                }
                _ => {}
            }
            if action == Some(Action::OrderPriceStatusChanged) {
                story.is_over |= record.text(field::ORDER_PRICE_STATUS) == "CALCULATED";
                story.price = Some(record.clone());
            }
        }
        story.stuck = reports.pop().cloned();
        story.messages = messages(records);
        story
    }

    /// The status that the order is in.
    #[must_use]
    pub fn status(&self) -> Option<&Step> {
        self.steps.last()
    }

    /// When it left the status at this place of [`Story::steps`], or now.
    #[must_use]
    pub fn left(&self, place: usize, now: OffsetDateTime) -> OffsetDateTime {
        self.steps.get(place + 1).map_or(now, |next| next.at)
    }
}

/// The statuses that the order has entered. Each is recorded by several services; the first one has set it.
fn steps(records: &[Record]) -> Vec<Step> {
    let changes = records.iter().filter(|record| {
        let action = Action::from_name(record.text(field::EVENT_ACTION));
        matches!(action, Some(Action::OrderCreated | Action::OrderStatusChanged)) && !record.is_error()
    });
    let mut first: BTreeMap<usize, Step> = BTreeMap::new();
    for record in changes {
        if let (Some(place), Some(at)) = (record.status_place(), record.time()) {
            let service = record.text(field::NAME).to_owned();
            first.entry(place).or_insert(Step { status: ORDER_STATUSES[place], at, service });
        }
    }
    first.into_values().collect()
}

fn messages(records: &[Record]) -> Vec<MessageStory> {
    let mut messages: Vec<MessageStory> = Vec::new();
    for record in records {
        let Some(id) = record.optional(field::MESSAGING_MESSAGE_ID) else { continue };
        let place = messages.iter().position(|message| message.id == id).unwrap_or_else(|| {
            let message_type = record.text(field::MESSAGING_MESSAGE_TYPE).to_owned();
            messages.push(MessageStory { id: id.to_owned(), message_type, ..MessageStory::default() });
            messages.len() - 1
        });
        let message = &mut messages[place];
        match Action::from_name(record.text(field::EVENT_ACTION)) {
            Some(Action::MessagePublished) => message.published = record.time(),
            Some(Action::MessageConsumed) => message.consumed = record.time(),
            Some(Action::MessageRetried) => message.retries += 1,
            Some(Action::MessageDeadLettered) => message.dead = record.time(),
            _ => {}
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(second: u8, service: &str, action: &str, more: Value) -> Record {
        let mut record = json!({
            "time": format!("2026-02-03T04:05:{second:02}Z"), "name": service, "level": 30, "event.action": action,
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Record::new(record)
    }

    fn changed(second: u8, service: &str, status: &str) -> Record {
        record(second, service, "order.status_changed", json!({ "order.status": status }))
    }

    #[test]
    fn a_status_is_the_one_of_the_service_that_recorded_it_first() {
        let records = [
            record(1, "shop-api", "order.created", json!({ "order.status": "INITIATED", "customer.id": "c" })),
            changed(2, "shop-api", "FILE_UPLOADED"),
            changed(3, "shop-api", "SUBMITTED"),
            changed(4, "mes-api", "PRICE_CALCULATED"),
            changed(5, "crm-api", "PRICE_CALCULATED"),
        ];
        let story = Story::of(&records);
        let steps: Vec<_> = story.steps.iter().map(|step| (step.status, step.service.as_str())).collect();
        assert_eq!(steps[3], ("PRICE_CALCULATED", "mes-api"));
        assert_eq!((steps.len(), story.customer.as_deref()), (4, Some("c")));
    }

    #[test]
    fn a_failed_change_is_trouble_and_no_status() {
        let failed = json!({ "level": 50, "order.status": "SUBMITTED", "error.type": "database_unavailable" });
        let mut records = vec![
            record(1, "shop-api", "order.created", json!({ "order.status": "INITIATED" })),
            record(2, "shop-api", "order.status_changed", failed),
        ];
        let story = Story::of(&records);
        assert_eq!(story.status().unwrap().status, "INITIATED");
        assert!(!story.is_over && story.trouble.is_some());
        records.push(changed(3, "shop-api", "FILE_UPLOADED"));
        assert!(Story::of(&records).is_over);
    }

    #[test]
    fn a_report_that_an_order_is_stuck_holds_until_it_goes_on() {
        let stuck = json!({ "level": 40, "order.status": "SUBMITTED", "order.age_hours": 1.0 });
        let mut records = vec![changed(1, "shop-api", "SUBMITTED"), record(2, "crm-api", "order.stuck", stuck)];
        assert!(Story::of(&records).stuck.is_some());
        records.push(changed(3, "mes-api", "PRICE_CALCULATED"));
        assert!(Story::of(&records).stuck.is_none());
    }

    #[test]
    fn an_overdue_order_is_overdue_until_it_is_closed_whatever_else_is_reported() {
        let report = |second, action: &str, status: &str| {
            record(second, "crm-api", action, json!({ "level": 40, "order.status": status }))
        };
        let mut records = vec![
            report(1, "order.overdue", "PACKAGING"),
            report(2, "order.stuck", "PACKAGING"),
            // A record of a service that hears of the change late.
            changed(3, "crm-api", "PACKAGING"),
        ];
        let stuck = |records: &[Record]| Story::of(records).stuck.map(|report| report.text("event.action").to_owned());
        assert_eq!(stuck(&records).as_deref(), Some("order.stuck"));
        records.push(changed(4, "mes-api", "SHIPPED"));
        assert_eq!(stuck(&records).as_deref(), Some("order.overdue"));
        records.push(changed(5, "crm-api", "CLOSED"));
        assert_eq!(stuck(&records), None);
    }

    #[test]
    fn what_a_caller_did_hides_no_dead_letter() {
        let warned = |second, level: u64, action: &str| record(second, "mes-api", action, json!({ "level": level }));
        let records = [
            changed(1, "shop-api", "SUBMITTED"),
            warned(2, 50, "message.dead_lettered"),
            warned(3, 40, "auth.access_denied"),
            warned(4, 40, "auth.orders_probed"),
            warned(5, 50, "http.request"),
        ];
        let story = Story::of(&records);
        assert_eq!(story.trouble.as_ref(), Some(&records[1]));
        assert!(!story.is_over);
    }

    #[test]
    fn a_message_is_told_from_its_publication_to_its_end() {
        let of = |second, action| {
            let more = json!({ "messaging.message.id": "m", "messaging.message.type": "order.submitted" });
            record(second, "crm-api", action, more)
        };
        let records = [of(1, "message.published"), of(2, "message.retried"), of(3, "message.dead_lettered")];
        let [message] = Story::of(&records).messages.try_into().unwrap();
        assert_eq!((message.retries, message.consumed), (1, None));
        assert!(message.published.is_some() && message.dead.is_some());
    }
}
