//! Named points where a test can make the process die as by SIGKILL. Release builds have none.

/// Ends the process here at once if the variable `CRASH_AT` is `place.step`.
#[inline]
pub fn point(place: &str, step: &str) {
    #[cfg(debug_assertions)]
    if std::env::var("CRASH_AT").is_ok_and(|chosen| chosen.split_once('.') == Some((place, step))) {
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = (place, step);
}
