//! Waiting for a condition, and no longer.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

/// Long enough for a busy machine; a condition that holds earlier is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

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
    let deadline = Instant::now() + patience;
    loop {
        match ask().await {
            Ok(response) => return response,
            Err(last) if Instant::now() > deadline => {
                panic!("waited {} s in vain for {what}; the last look said: {last}", patience.as_secs());
            }
            Err(_) => tokio::time::sleep(BETWEEN_LOOKS).await,
        }
    }
}
