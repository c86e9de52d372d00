//! Waiting for a condition, and no longer.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

/// Long enough for a busy machine; a condition that holds earlier is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause before the next look is a tenth of the time waited so far, between these bounds: what comes soon is seen soon,
/// and looking for what takes long leaves the processor to what is waited for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Asks until the response is `Ok`, and returns what is in it.
///
/// # Panics
///
/// If that takes more than two minutes; says `what` was waited for and the last response.
pub async fn eventually<T, E: Display>(what: &str, ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    eventually_within(PATIENCE, what, ask).await
}

/// The same with a limit of its own.
///
/// # Panics
///
/// If it takes longer than `patience`.
pub async fn eventually_within<T, E: Display>(
    patience: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(response) => return response,
            Err(last) if began.elapsed() > patience => {
                panic!("waited {} s in vain for {what}; the last look said: {last}", patience.as_secs());
            }
            Err(_) => tokio::time::sleep((began.elapsed() / 10).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await,
        }
    }
}
