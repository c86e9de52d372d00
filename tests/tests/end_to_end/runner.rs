//! The runner's own commands, against the system that runs.

use std::process::{Command, Output};

use common::domain::OrderStatus;

use crate::support::system;

async fn run(arguments: &'static [&'static str], more: Option<String>) -> Output {
    let data = system::system().await.data().to_owned();
    let test = std::env::current_exe().expect("this program has a path");
    let runner = test.ancestors().nth(2).expect("a profile's folder").join("alexandrite");
    let run = move || Command::new(runner).args(arguments).args(more).arg("--data").arg(data).output();
    tokio::task::spawn_blocking(run).await.expect("the runner ends").expect("the runner starts")
}

#[tokio::test]
async fn the_demonstration_takes_an_order_through_all_statuses_and_shows_its_trail() {
    let _alone = system::without_interruption().await;
    let demo = run(&["demo"], None).await;
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success(), "{said}{}", String::from_utf8_lossy(&demo.stderr));
    let number = said.split_whitespace().find(|word| word.starts_with("A-")).expect("the order has a number");
    let number = number.trim_end_matches(|letter: char| !letter.is_ascii_digit()).to_owned();

    let trail = run(&["trail"], Some(number)).await;
    let trail = String::from_utf8_lossy(&trail.stdout).into_owned();
    for text in [&*said, &*trail] {
        // The first status is the order's creation.
        assert!(text.contains("order.created"), "{text}");
        for status in &OrderStatus::ALL[1..] {
            assert!(text.contains(status.name()), "{status} is not in {text}");
        }
    }
}

#[tokio::test]
async fn the_trail_of_an_unknown_order_is_an_error() {
    let _alone = system::without_interruption().await;
    let trail = run(&["trail"], Some("A-999999999".to_owned())).await;
    assert!(!trail.status.success());
    assert!(String::from_utf8_lossy(&trail.stderr).contains("A-999999999"), "{trail:?}");
}
