//! Requests for orders that aren't the caller's, counted per account in the database: who goes through numbers to find others'
//! orders gets `404` like anybody, and a warning in the log.

use catalogue::Action;
use tracing::Level;

use super::{login::Auth, source::Source};
use crate::{
    domain::AccountId,
    failure::{Failure, FailureContext as _},
    telemetry::{Record, Subject},
};

/// The first one that is worth a warning: people mistype a number once or twice.
const REPEATED_FROM: i32 = 3;

impl Auth {
    /// Counts such a request, and records it from the third one in a row on.
    pub(crate) async fn note_probe(&self, account: AccountId, source: Source, subject: Subject) {
        let record = Record::notice(Action::OrdersProbed, subject).user(Some(account)).source_ip(source.network);
        match self.count_probe(account).await {
            Ok(probes) if probes < REPEATED_FROM => {}
            Ok(probes) => record.failures(u64::from(probes.unsigned_abs())).unsuccessful().level(Level::WARN).write(),
            Err(failure) => record.failed(Level::ERROR, &failure).write(),
        }
    }

    async fn count_probe(&self, account: AccountId) -> Result<i32, Failure> {
        let row = sqlx::query_scalar!(
            "INSERT INTO order_probes AS counted (account_id, probes, probed_at) VALUES ($1, 1, now())
             ON CONFLICT (account_id) DO UPDATE SET probed_at = now(),
                 probes = CASE WHEN counted.probed_at > now() - interval '15 minutes' THEN counted.probes + 1 ELSE 1 END
             RETURNING probes",
            account.uuid()
        );
        row.fetch_one(self.database().pool()).await.failure("counting requests for others' orders")
    }
}
