//! Named places where a test can make the process die as by SIGKILL. Release builds have none.

/// Ends the process here, without a word and without tidying up, if `CRASH_AT` names this place.
#[inline]
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    if std::env::var("CRASH_AT").is_ok_and(|chosen| chosen == name) {
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
