//! What uploads must not leave behind.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use common::service::Definition;
use crm_api::CrmApi;
use mes_api::MesApi;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use shop_api::ShopApi;
use testkit::{
    eventually,
    service::{self, RunningService},
    solids,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A file in a service's part of the model store that was written so long ago.
fn leave(models: &Path, owner: &str, name: &str, age: Duration) {
    let folder = models.join(owner).join("2026-01-02");
    fs::create_dir_all(&folder).expect("a folder");
    let file = File::create(folder.join(name)).expect("a file");
    file.set_modified(SystemTime::now() - age).expect("a time");
}

/// Names of the files in the store that were not uploaded, sorted.
fn left(service: &RunningService) -> Vec<String> {
    let files = service.stored_models().into_iter();
    let names = files.map(|path| path.strip_prefix(service.models()).expect("a model").display().to_string());
    let mut left: Vec<_> = names.filter(|name| name.contains("left")).collect();
    left.sort();
    left
}

/// Leaves orphans and halves of each service, starts the service once more, and waits until its own old ones are gone.
async fn sweeps<S: Definition>(service: &RunningService, flags: &[&str]) {
    let uploaded = service.stored_models();
    assert_eq!(uploaded.len(), 1);
    File::options()
        .append(true)
        .open(&uploaded[0])
        .and_then(|file| file.set_modified(SystemTime::now() - 30 * DAY))
        .expect("a time");
    let old = DAY + Duration::from_secs(60);
    for owner in ["shop-api", "crm-api", "mes-api"] {
        leave(service.models(), owner, "left-old.stl", old);
        leave(service.models(), owner, "left-half.stl#1", old);
        leave(service.models(), owner, "left-new.stl", DAY / 2);
        leave(service.models(), owner, "left-new-half.stl#1", DAY / 2);
    }
    let own = format!("{}/", S::SERVICE);
    let mut expected = left(service);
    expected.retain(|name| !name.starts_with(&own) || name.contains("new"));

    let (_replica, _) = service.replica::<S>(flags).await;
    eventually("the leftovers to be swept", async || {
        let left = left(service);
        if left == expected { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    // However old, an order's model stays.
    assert!(uploaded[0].exists());
}

#[tokio::test]
async fn the_shop_sweeps_what_uploads_left_and_nothing_else() {
    let shop = service::start::<ShopApi>(&[]).await;
    let ada = shop.customer().await;
    let order = ada.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
    let path = format!("/orders/{}/model?filename=ring.stl", order["id"].as_str().expect("a number"));
    ada.put_bytes(&path, solids::cube(10.0).to_binary_stl()).await.expect(200);
    sweeps::<ShopApi>(&shop, &[]).await;
}

#[tokio::test]
async fn the_crm_sweeps_what_uploads_left_and_nothing_else() {
    let crm = service::start::<CrmApi>(&[]).await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let order = json!({"customer_id": customer, "material": "gold_585", "quantity": 1});
    let order = seller.post_json("/orders", order).await.expect(201);
    let path = format!("/orders/{}/model?filename=ring.stl", order["id"].as_str().expect("a number"));
    seller.put_bytes(&path, solids::cube(10.0).to_binary_stl()).await.expect(200);
    sweeps::<CrmApi>(&crm, &[]).await;
}

#[tokio::test]
async fn the_mes_sweeps_what_uploads_left_and_nothing_else() {
    let flags = ["--price-workers", "0"];
    let mes = service::start::<MesApi>(&flags).await;
    let model = Part::bytes(solids::cube(10.0).to_binary_stl()).file_name("ring.stl");
    let form = Form::new().text("material", "silver_925").text("quantity", "1").part("model", model);
    mes.partner().await.post_form("/partner/orders", form).await.expect(202);
    sweeps::<MesApi>(&mes, &flags).await;
}
