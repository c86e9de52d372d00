//! The repetition of measurements.

use anyhow::Result;

/// Measures once to warm everything up, and then `rounds` times; returns the results of the latter.
pub(crate) async fn repeat<T>(rounds: usize, mut measure: impl AsyncFnMut() -> Result<T>) -> Result<Vec<T>> {
    measure().await?;
    let mut results = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        results.push(measure().await?);
    }
    Ok(results)
}
