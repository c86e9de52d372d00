//! A backup is taken, the system goes on, and the backup is restored: what it has is there again, but no session, and the
//! comparison says exactly what the log knows more.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use common::domain::OrderStatus;
use local::{Kind, Options, System};
use reconcile::{Finding, Log, Scope, Sources};
use sqlx::{Connection as _, PgConnection};
use testkit::{Client, eventually, site::OrderActions as _};

use super::runner::{output, runner, text_of};

const PATIENCE: Duration = Duration::from_secs(60);

fn start(data: &Path, only: &[Kind]) -> System {
    let options = Options { data: Some(data.to_owned()), short_lived: true, only: only.to_vec(), ..Options::default() };
    System::start(&options).expect("the system starts")
}

/// Has the runner take or restore a backup, without blocking this thread, on which the connections of the test's clients
/// live: the service closes idle ones.
async fn run(data: &Path, command: &str, folder: &Path) {
    let [data, folder] = [data, folder].map(|path| path.to_str().expect("UTF-8"));
    text_of(&output(runner(&[command, folder, "--data", data])).await);
}

/// All files below a folder, with the folders.
fn below(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).expect("a folder").map(|item| item.expect("an item").path());
    items.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).chain([folder.to_owned()]).collect()
}

async fn in_both_databases(system: &System, statement: &'static str) {
    let databases = system.file().databases.as_ref().expect("PostgreSQL runs");
    for url in [&databases.shop, &databases.mes] {
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        sqlx::raw_sql(statement).execute(&mut connection).await.expect(statement);
        connection.close().await.expect("its end");
    }
}

async fn submit(ada: &Client) -> String {
    let order = ada.submit_new().await;
    ada.wait_for(&order, OrderStatus::PriceCalculated).await;
    order
}

async fn compare(system: &System, patience: Duration) -> Vec<Finding> {
    let file = system.file();
    let databases = file.databases.as_ref().expect("PostgreSQL runs");
    let support = file.accounts.support.as_ref().expect("there is a support account");
    let sources = Sources {
        shop: databases.shop.clone(),
        mes: databases.mes.clone(),
        log: Log::new(file.elasticsearch.as_deref().expect("it runs"), &support.login, &support.password, "")
            .expect("no authorities"),
    };
    reconcile::reconcile(&sources, &Scope::default(), patience).await.expect("a comparison").findings
}

#[tokio::test]
async fn what_was_backed_up_is_there_again_and_the_comparison_says_what_is_newer() {
    let folder = Folder::new();
    let (data, backup) = (folder.0.join("data"), folder.0.join("backup"));
    let system = start(&data, &Kind::ALL);
    let shop = Client::new(system.file().shop_api.as_deref().expect("the shop runs"));
    let ada = shop.register("ada", "a ring to find them").await;
    let kept = submit(&ada).await;
    assert_eq!(compare(&system, PATIENCE).await, []);
    run(&data, "backup", &backup).await;
    for path in below(&backup) {
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is open to others", path.display());
    }
    let newer = submit(&ada).await;
    system.stop().expect("an orderly stop");

    let databases = start(&data, &[Kind::Postgres]);
    in_both_databases(&databases, "CREATE TABLE newer (account_id uuid REFERENCES accounts)").await;
    run(&data, "restore", &backup).await;
    in_both_databases(&databases, "CREATE TABLE newer (); DROP TABLE newer").await;
    databases.stop().expect("an orderly stop");

    let system = start(&data, &Kind::ALL);
    let shop = Client::new(system.file().shop_api.as_deref().expect("the shop runs"));
    shop.holding(ada.token(), None).get("/orders").await.expect_problem(401, "unauthenticated");
    let ada = shop.log_in("ada", "a ring to find them").await;
    assert_eq!(ada.get(&format!("/orders/{kept}")).await.expect(200)["status"], "PRICE_CALCULATED");
    assert_eq!(ada.get(&format!("/orders/{newer}")).await.status, 404);
    let is_newer = |finding: &Finding| finding.order == newer && finding.kind == reconcile::Kind::Contradicting;
    eventually("the comparison to say only what is newer", async || {
        let findings = compare(&system, Duration::ZERO).await;
        // Three statuses in the shop, and the price in both systems.
        if findings.len() == 5 && findings.iter().all(is_newer) { Ok(()) } else { Err(format!("{findings:?}")) }
    })
    .await;
    system.stop().expect("an orderly stop");
}

/// A folder that goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = System::folder().join(format!("backup-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
