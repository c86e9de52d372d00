//! A short round of the fault run.

use faults::Options;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_stuck_while_everything_breaks() {
    let options = Options { orders: 40, faults: 8, clients: 8, seed: 7, gap_ms: 2_000, data: None };
    let tally = faults::run(&options).await.expect("a run to its end");
    assert!(tally.is_clean(), "{tally}");
    assert!(tally.attempted >= options.orders && tally.faults >= options.faults, "{tally}");
    assert!(tally.recovered > 0, "nothing was felt of any fault: {tally}");
}
