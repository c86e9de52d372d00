//! Whose logins fail again and again, and from where.

use catalogue::{Action, field};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError, buckets},
    period::Period,
    record::of_aggregation,
};

/// The accounts at most, those with most failures.
const ACCOUNTS: usize = 50;

/// The repeated failures of one account, or of one login that no account has.
#[derive(Clone, Debug)]
pub struct FailedLogins {
    /// `user.id`, or `user.hash` of a login that no account has.
    pub who: String,
    /// Whether it is an account.
    pub is_account: bool,
    /// How many failures were recorded as repeated.
    pub count: u64,
    /// The networks that they came from, and the services.
    pub from: Vec<String>,
    /// When the last one was.
    pub last: Option<OffsetDateTime>,
}

impl Logs {
    /// The accounts whose logins failed repeatedly in a period, the ones with most failures first: one search, without
    /// documents.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn failed_logins(&self, period: &Period) -> Result<Answer<Vec<FailedLogins>>, SearchError> {
        let by = |field: &str| {
            json!({
                "terms": { "field": field, "size": ACCOUNTS },
                "aggs": {
                    "networks": { "terms": { "field": field::SOURCE_IP, "size": 5 } },
                    "services": { "terms": { "field": field::NAME } },
                    "last": { "max": { "field": field::TIME } },
                },
            })
        };
        let mut filters = vec![json!({ "term": { field::EVENT_ACTION: Action::LoginFailedRepeatedly.name() } })];
        filters.extend(period.filter());
        let query = json!({
            "size": 0,
            // Those at Support's page count as well.
            "query": { "bool": { "filter": filters } },
            "aggs": { "accounts": by(field::USER_ID), "unknown": by(field::USER_HASH) },
        });
        let answer = self.search(query).await?;
        Ok(answer.map(|response| {
            let of = |name: &'static str| {
                buckets(&response["aggregations"], name).filter_map(move |bucket| one(bucket, name == "accounts"))
            };
            let mut all: Vec<_> = of("accounts").chain(of("unknown")).collect();
            all.sort_by_key(|one| std::cmp::Reverse(one.count));
            all
        }))
    }
}

fn one(bucket: &Value, is_account: bool) -> Option<FailedLogins> {
    let keys = |name| {
        buckets(bucket, name)
            .filter_map(|bucket| bucket["key_as_string"].as_str().or_else(|| bucket["key"].as_str()).map(str::to_owned))
    };
    Some(FailedLogins {
        who: bucket["key"].as_str()?.to_owned(),
        is_account,
        count: bucket["doc_count"].as_u64().unwrap_or_default(),
        from: keys("networks").chain(keys("services")).collect(),
        last: of_aggregation(&bucket["last"]),
    })
}
