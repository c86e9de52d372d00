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

/// The networks at most, those with most failures.
const NETWORKS: usize = 20;
/// A network with fewer logins is an office's rather than an attacker's.
const LOGINS: u64 = 10;

/// A network from which many different logins failed.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its address.
    pub address: String,
    /// How many logins failed.
    pub failures: u64,
    /// About how many different ones they were.
    pub logins: u64,
    /// The services, the one with most failures first.
    pub services: Vec<String>,
    /// When the last one was.
    pub last: Option<OffsetDateTime>,
}

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
        let answer = self.search(period, query).await?;
        Ok(answer.map(|response| {
            let of = |name: &'static str| {
                buckets(&response["aggregations"], name).filter_map(move |bucket| one(bucket, name == "accounts"))
            };
            let mut all: Vec<_> = of("accounts").chain(of("unknown")).collect();
            all.sort_by_key(|one| std::cmp::Reverse(one.count));
            all
        }))
    }

    /// The networks from which ten or more different logins failed in a period, the one with most of them first: one search,
    /// without documents.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn failing_networks(&self, period: &Period) -> Result<Answer<Vec<Network>>, SearchError> {
        let actions = [Action::LoginFailed.name(), Action::LoginFailedRepeatedly.name()];
        let mut filters = vec![json!({ "terms": { field::EVENT_ACTION: actions } })];
        filters.extend(period.filter());
        let query = json!({
            "size": 0,
            "query": { "bool": { "filter": filters } },
            "aggs": { "networks": {
                "terms": { "field": field::SOURCE_IP, "size": NETWORKS },
                "aggs": {
                    "accounts": { "cardinality": { "field": field::USER_ID } },
                    "unknown": { "cardinality": { "field": field::USER_HASH } },
                    "services": { "terms": { "field": field::NAME } },
                    "last": { "max": { "field": field::TIME } },
                },
            } },
        });
        Ok(self.search(period, query).await?.map(|response| {
            let networks = buckets(&response["aggregations"], "networks").filter_map(network);
            let mut networks: Vec<_> = networks.filter(|network| network.logins >= LOGINS).collect();
            networks.sort_by_key(|network| std::cmp::Reverse(network.logins));
            networks
        }))
    }
}

fn network(bucket: &Value) -> Option<Network> {
    let number = |value: &Value| value["value"].as_u64().unwrap_or_default();
    let services = buckets(bucket, "services").filter_map(|service| service["key"].as_str().map(str::to_owned));
    Some(Network {
        address: bucket["key_as_string"].as_str().or_else(|| bucket["key"].as_str())?.to_owned(),
        failures: bucket["doc_count"].as_u64().unwrap_or_default(),
        logins: number(&bucket["accounts"]) + number(&bucket["unknown"]),
        services: services.collect(),
        last: of_aggregation(&bucket["last"]),
    })
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
