//! A short round of the fault run.

use std::path::Path;

use faults::Options;

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_while_everything_breaks() {
    let options = Options {
        orders: 40,
        faults: 12,
        clients: 8,
        seed: 7,
        gap_ms: 2_000,
        patience: 600,
        bug: None,
        plan: None,
        previous: None,
        data: None,
        evidence: Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults"),
    };
    let tally = faults::run(&options).await.expect("a run to its end");
    assert!(tally.is_clean(), "{tally}");
    assert!(tally.attempted >= options.orders && tally.faults >= options.faults, "{tally}");
    assert!(tally.operations > options.orders * 20, "the history is too short: {tally}");
    assert!(tally.recovered > 0, "nothing was felt of any fault: {tally}");
}
