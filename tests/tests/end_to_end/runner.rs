//! The runner's own commands, against the system that runs.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use catalogue::{Action, ErrorType, field};
use common::domain::OrderStatus::{self, PriceCalculated};
use serde_json::json;

use crate::{
    scenario::broken_store,
    support::{search::Search, secrets, site::OrderActions as _, system, world::World},
};

/// The runner with these arguments.
pub(crate) fn runner(arguments: &[&str]) -> Command {
    let test = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(test.ancestors().nth(2).expect("a profile's folder").join("alexandrite"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a command printed, and how it ended.
pub(crate) async fn output(mut command: Command) -> Output {
    let run = tokio::task::spawn_blocking(move || command.output());
    run.await.expect("the runner ends").expect("the runner starts")
}

/// What the runner says about the shared system.
async fn run(arguments: &[&str]) -> Output {
    output(about_the_system(arguments).await).await
}

async fn about_the_system(arguments: &[&str]) -> Command {
    let data = system::system().await.data().to_string_lossy();
    let (command, more) = arguments.split_first().expect("a command");
    runner(&[&[command, "--data", &*data], more].concat())
}

/// What it prints, if it succeeds.
async fn printed(arguments: &[&str]) -> String {
    text_of(&run(arguments).await)
}

/// What a command printed, if it succeeded.
pub(crate) fn text_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A table's rows, without its heading.
fn rows(table: &str) -> Vec<Vec<&str>> {
    let rows = table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect());
    rows.filter(|row: &Vec<&str>| row.len() > 1).skip(1).collect()
}

#[tokio::test]
async fn the_demonstration_takes_an_order_through_all_statuses_and_shows_its_trail() {
    let _alone = system::without_interruption().await;
    let demo = run(&["demo"]).await;
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success(), "{said}{}", String::from_utf8_lossy(&demo.stderr));
    let number = said.split_whitespace().find(|word| word.starts_with("A-")).expect("the order has a number");
    let number = number.trim_end_matches(|letter: char| !letter.is_ascii_digit()).to_owned();

    let trail = printed(&["trail", &number]).await;
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
    let trail = run(&["trail", "A-888888888"]).await;
    assert!(!trail.status.success());
    assert!(String::from_utf8_lossy(&trail.stderr).contains("A-888888888"), "{trail:?}");
}

#[tokio::test]
async fn errors_are_counted_by_class_with_their_services_and_the_most_frequent_come_first() {
    let _alone = system::without_interruption().await;
    broken_store::logs().await;
    let class = ErrorType::ModelNotClosed.name();
    // No other test has such models.
    let filters = [json!({"term": {field::ERROR_TYPE: class}}), json!({"term": {field::LEVEL: 50}})];
    let expected = Search::as_support().await.documents(&filters).await.len();
    assert!(expected > 0);

    let table = printed(&["errors", "--since", "1h"]).await;
    let rows = rows(&table);
    let row = rows.iter().find(|row| row[0] == class).unwrap_or_else(|| panic!("{table}"));
    assert_eq!(row[1..3], [expected.to_string(), format!("mes-api {expected}")], "{table}");
    assert!(row[3].starts_with("20"), "{table}");
    let counts: Vec<u64> = rows.iter().map(|row| row[1].parse().expect("a number")).collect();
    assert!(counts.len() > 3 && counts.is_sorted_by(|one, other| one >= other), "{table}");
}

#[tokio::test]
async fn an_order_is_shown_as_stuck_until_it_goes_on() {
    let _alone = system::without_interruption().await;
    let deadlines = system::system().await.data().join("no-patience.toml");
    std::fs::write(&deadlines, "SUBMITTED = \"0 minutes\"\nWHOLE_ORDER = \"0 minutes\"\n").expect("a settings file");
    let settings = [("DEADLINES_FILE", deadlines.display().to_string()), ("STUCK_CHECK_SECONDS", "1".to_owned())];
    let mut world = World::start(&settings).await;
    world.mes.kill();
    let ada = world.site.customer().await;
    let order = ada.submit_new().await;
    for action in [Action::OrderStuck, Action::OrderOverdue] {
        world.crm.found(1, &[(field::ORDER_ID, &order), (field::EVENT_ACTION, action.name())]).await;
    }
    let shown = async || -> Vec<Vec<String>> {
        let table = printed(&["stuck"]).await;
        let of_order = rows(&table).into_iter().filter(|row| row[0] == order);
        of_order.map(|row| row.into_iter().map(str::to_owned).collect()).collect()
    };
    let mut both = shown().await;
    both.sort_by(|one, other| one[2].cmp(&other[2]));
    assert_eq!(
        both.iter().map(|row| &row[1..3]).collect::<Vec<_>>(),
        [["SUBMITTED", "overdue"], ["SUBMITTED", "stuck"]]
    );
    assert!(both.iter().all(|row| row[3].ends_with("min") && row[5].contains(&ada.account().to_string())), "{both:?}");

    world.replace_mes().await;
    ada.wait_for(&order, PriceCalculated).await;
    world.crm.found(1, &[(field::ORDER_ID, &order), (field::ORDER_STATUS, PriceCalculated.name())]).await;
    let left = shown().await;
    assert_eq!(left.iter().map(|row| &row[1..3]).collect::<Vec<_>>(), [["PRICE_CALCULATED", "overdue"]]);
}

#[tokio::test]
async fn any_elasticsearch_can_be_asked_with_an_account_whose_password_is_on_no_command_line() {
    let _alone = system::without_interruption().await;
    broken_store::logs().await;
    let file = system::file().await;
    let address = file.elasticsearch.as_deref().expect("Elasticsearch runs");
    let support = file.accounts.support.as_ref().expect("there is a support account");
    let ask = |password: &str| {
        let mut command = runner(&["errors", "--elasticsearch", address, "--login", &support.login]);
        command.env("ELASTICSEARCH_PASSWORD", password);
        output(command)
    };
    assert!(text_of(&ask(&support.password).await).contains(ErrorType::ModelNotClosed.name()));
    let refused = ask("wrong").await;
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"), "{refused:?}");
}

#[tokio::test]
async fn accounts_are_made_and_disabled_at_the_service_of_their_kind() {
    let site = system::site().await;
    for (kind, service) in [("seller", &site.crm), ("operator", &site.mes)] {
        let (login, password) = (secrets::new("employee"), secrets::new("password"));
        let mut add = about_the_system(&["account", kind, "add", "--login", &login]).await;
        let (typed, mut types) = std::io::pipe().expect("a pipe");
        types.write_all(password.as_bytes()).expect("a pipe has room for it");
        drop(types);
        add.stdin(typed);
        text_of(&output(add).await);
        let client = service.log_in(&login, &password).await;
        secrets::keep(client.token());
        printed(&["account", kind, "disable", "--login", &login]).await;
        client.get("/orders").await.expect_problem(401, "unauthenticated");
        printed(&["account", kind, "enable", "--login", &login]).await;
        secrets::keep(service.log_in(&login, &password).await.token());
    }
}

#[tokio::test]
async fn a_subcommand_of_a_service_gets_the_running_systems_settings() {
    let _alone = system::without_interruption().await;
    let letters = printed(&["exec", "mes-api", "dead-letters", "list"]).await;
    assert_eq!(letters, "");
    let unknown = run(&["exec", "web-api", "dead-letters", "list"]).await;
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("mes-api"), "{unknown:?}");
}
