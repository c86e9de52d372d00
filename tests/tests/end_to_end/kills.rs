//! Processes that are killed as hard as can be.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use common::domain::OrderStatus::{PriceCalculated, Submitted};
use nix::{sys::stat::Mode, unistd::mkfifo};
use serde_json::{Value, json};
use testkit::eventually;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    shipping::arrived,
    support::{
        log,
        process::Process,
        secrets,
        site::{OrderActions as _, ring},
        system,
        world::World,
    },
};

#[tokio::test]
async fn what_was_acknowledged_is_in_the_log_of_a_service_that_is_killed_in_the_next_instant() {
    for _ in 0..3 {
        let mut shop = Process::start(system::file().await, "shop-api", &[]).await;
        let ada = shop.client().register(&secrets::new("customer"), &secrets::new("password")).await;
        secrets::keep(ada.token());
        let order = ada.create().await;
        shop.kill();
        let created = [("event.action", "order.created"), ("order.id", &*order)];
        let records = shop.records();
        assert_eq!(records.iter().filter(|record| log::has(record, &created)).count(), 1, "{records:?}");
        assert_eq!(shop.found(1, &created).await.len(), 1);
    }
}

#[tokio::test]
async fn a_mes_that_is_killed_while_it_calculates_leaves_the_price_to_another() {
    let mut world = World::start(&[("PRICE_LEASE_SECONDS", "2".to_owned())]).await;
    let ada = world.site.customer().await;
    let order = ada.create_with_model().await;
    // A read of the model never ends: a pipe without a writer has taken its place.
    let model = only_file_in(&world.models);
    let aside = model.with_extension("aside");
    fs::rename(&model, &aside).expect("the model is there");
    mkfifo(&model, Mode::from_bits_truncate(0o644)).expect("a pipe");
    ada.advance(&order, Submitted).await;
    let calculating = [("order.id", &*order), ("order.price_status", "CALCULATING")];
    eventually("the calculation to begin", async || {
        let begun = world.mes.records().iter().any(|record| log::has(record, &calculating));
        begun.then_some(()).ok_or("it hasn't")
    })
    .await;
    world.mes.kill();
    fs::remove_file(&model).and_then(|()| fs::rename(&aside, &model)).expect("the model is back");

    world.replace_mes().await;
    ada.wait_for(&order, PriceCalculated).await;
    let of_price = [("order.id", &*order), ("event.action", "order.price_status_changed")];
    world.mes.found(1, &of_price).await;
    // So that no further record of the price comes behind the look at them.
    arrived(world.mes.log()).await;
    let records: Vec<_> = world.mes.found(1, &of_price).await;
    let statuses: Vec<_> = records.iter().map(|record| log::text(record, "order.price_status")).collect();
    assert_eq!(statuses, ["CALCULATED"]);
}

#[tokio::test]
async fn a_shop_that_is_killed_in_the_middle_of_an_upload_leaves_nothing_for_good() {
    let world = World::start(&[]).await;
    let ada = world.site.customer().await;
    let order = ada.create().await;
    let mut shop = world.another_shop().await;
    let mut connection = TcpStream::connect(shop.host()).await.expect("the shop listens");
    let head = format!(
        "PUT /orders/{order}/model?filename=ring.stl HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 20000000\r\n\r\n",
        ada.token()
    );
    // More than the store takes at once, so that a part of it is on the disk.
    let half = [head.as_bytes(), &ring(), &vec![0; 12_000_000]].concat();
    connection.write_all(&half).await.expect("it is sent");
    let left = || files_in(&world.models);
    eventually("half a model", async || (left().len() == 1).then_some(()).ok_or("it isn't there")).await;
    shop.kill();

    let [half] = &left()[..] else { panic!("{:?}", left()) };
    let untouched = ada.get(&format!("/orders/{order}")).await.expect(200);
    assert_eq!((&untouched["status"], &untouched["model"]), (&json!("INITIATED"), &Value::Null));
    let yesterday = SystemTime::now() - Duration::from_secs(25 * 3600);
    let file = fs::File::options().append(true).open(half).expect("the half is there");
    file.set_modified(yesterday).expect("a time");
    let _another = world.another_shop().await;
    eventually("the half to be swept", async || if left().is_empty() { Ok(()) } else { Err(format!("{:?}", left())) })
        .await;
    ada.upload(&order, "ring.stl", ring()).await;
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).expect("a folder").map(|item| item.expect("an item").path());
    items.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

fn only_file_in(folder: &Path) -> PathBuf {
    let files = files_in(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().expect("one file")
}
