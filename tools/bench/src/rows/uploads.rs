//! Uploads of the largest model that the shop accepts, against the same file in a plain file server.
//!
//! The shop hashes the file and syncs it to the disk before it responds; nginx does neither, so it is measured until its file is
//! on the disk, too.

mod nginx;

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result};
use catalogue::Service;
use local::Kind;
use mesh::solids;
use serde_json::json;
use testkit::Client;

use self::nginx::Nginx;
use super::command;
use crate::{
    process::memory,
    progress::say,
    table::{Goal, Row, Spread},
    testbed::Testbed,
};

/// Makes a sphere whose binary STL has 63.8 MiB; the limit of a model is 64.
const SEGMENTS: u32 = 1158;

/// The seconds of a round's uploads.
struct Round {
    shop: f64,
    nginx: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Services], &[])?;
    let folder = testbed.folder("uploads")?;
    let model = folder.join("ring.stl");
    let bytes = solids::sphere(10.0, SEGMENTS).to_binary_stl();
    fs::write(&model, &bytes)?;
    File::open(&model)?.sync_all()?;
    let mebibytes = bytes.len() as f64 / f64::from(1 << 20);
    drop(bytes);
    let nginx = Nginx::start(&folder).await?;
    let customer = testbed.shop()?.register("uploads", "rings by the dozen").await;
    let shop_pid = testbed.pid(Service::ShopApi.name())?;

    let round = async |name: &str| {
        let shop = upload(&customer, &model).await?;
        let nginx = upload_to_nginx(&nginx, &model, name)?;
        say(format_args!("  {shop:.3} s; nginx {nginx:.3} s"));
        anyhow::Ok(Round { shop, nginx })
    };
    // The first round doesn't count, nor does the shop's peak of memory before, which a password's hash caused.
    round("first").await?;
    fs::write(format!("/proc/{shop_pid}/clear_refs"), "5").context("resetting the peak of a process's memory")?;
    let before = memory(shop_pid, "VmHWM")?;
    let mut measured = Vec::new();
    for number in 1..=rounds {
        measured.push(round(&number.to_string()).await?);
    }
    let grown = memory(shop_pid, "VmHWM")? - before;
    drop(nginx);
    testbed.stop()?;
    Ok(vec![
        rate(mebibytes, &measured),
        Row {
            what: "memory of the shop for it".to_owned(),
            measured: format!("{grown:.0} MiB beyond {before:.0} MiB"),
            against: format!("the file: {mebibytes:.0} MiB"),
            figure: format!("{grown:.0} MiB"),
            goal: Goal::at_most(32.0, " MiB", grown),
        },
    ])
}

fn rate(mebibytes: f64, rounds: &[Round]) -> Row {
    let share = Spread::of(rounds, |round| round.nginx / round.shop);
    let rate = |seconds: fn(&Round) -> f64| Spread::of(rounds, |round| mebibytes / seconds(round)).median;
    Row {
        what: format!("upload of a model of {mebibytes:.0} MiB, hashed and on the disk"),
        measured: format!("{:.0} MiB/s", rate(|round| round.shop)),
        against: format!("nginx, until the disk has it: {:.0} MiB/s", rate(|round| round.nginx)),
        figure: format!("{share:.2}"),
        goal: Goal::at_least(1.0, "", share.median),
    }
}

/// Uploads the model of a new order; returns the seconds.
async fn upload(customer: &Client, model: &Path) -> Result<f64> {
    let order = customer.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
    let order = order["id"].as_str().context("an order without an id")?;
    let url = format!("{}/orders/{order}/model?filename=ring.stl", customer.base());
    curl(&url, model, &["--header", &format!("Authorization: Bearer {}", customer.token())])
}

/// Uploads the model to nginx; returns the seconds until the file is on the disk.
fn upload_to_nginx(nginx: &Nginx, model: &Path, name: &str) -> Result<f64> {
    let responded = curl(&nginx.url(name), model, &[])?;
    let began = Instant::now();
    File::open(nginx.file(name))?.sync_all()?;
    Ok(responded + began.elapsed().as_secs_f64())
}

/// Uploads a file; returns the seconds from connecting to the end of the response.
fn curl(url: &str, file: &Path, further: &[&str]) -> Result<f64> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--output", "/dev/null", "--write-out", "%{time_total}"]);
    Ok(command::run(curl.args(further).arg("--upload-file").arg(file).arg(url))?.parse()?)
}
