//! Waits between tries.

use std::time::Duration;

/// Waits between tries: longer each time up to a bound, and not in step with other replicas.
pub(super) struct Backoff(u32);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(15);

    pub(super) const fn new() -> Self {
        Self(0)
    }

    /// Whether the next wait is the first one since the last success.
    pub(super) const fn is_first(&self) -> bool {
        self.0 == 0
    }

    pub(super) const fn reset(&mut self) {
        self.0 = 0;
    }

    pub(super) async fn wait(&mut self) {
        let longest = Self::FIRST.saturating_mul(1 << self.0.min(16)).min(Self::LONGEST);
        self.0 += 1;
        let mut byte = [128];
        // Without randomness the replicas are in step, which is no reason to fail.
        let _ = getrandom::fill(&mut byte);
        tokio::time::sleep(longest.mul_f64(0.5 + f64::from(byte[0]) / 512.0)).await;
    }
}
