//! Uploading the largest model that the shop takes, against the same file in a plain file server.
//!
//! Ours is hashed, and on the disk when the answer comes; nginx leaves that to the kernel. So its rate is taken twice: until
//! it answers, and until its file is on the disk as well.

mod nginx;

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use testkit::Client;
use local::Kind;
use mesh::solids;
use serde_json::json;

use self::nginx::Nginx;
use crate::{
    process::{Memory, memory},
    say,
    stage::Stage,
    table::{Row, Spread},
};

/// Makes a sphere whose binary STL has 63.8 MiB; a model may have 64.
const SEGMENTS: u32 = 1158;
/// The share of the file server's rate that ours is to reach, in percent.
const SHARE: f64 = 70.0;
/// What the shop may need beyond what it had, in MiB; far less than the file.
const FLAT: f64 = 32.0;

/// What each round took.
#[derive(Default)]
struct Seconds {
    ours: Vec<f64>,
    nginx: Vec<f64>,
    nginx_synced: Vec<f64>,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let stage = Stage::start(&[Kind::Services]).await?;
    let folder = stage.folder("uploads")?;
    let model = folder.join("ring.stl");
    let bytes = solids::sphere(10.0, SEGMENTS).to_binary_stl();
    fs::write(&model, &bytes)?;
    File::open(&model)?.sync_all()?;
    let mebibytes = bytes.len() as f64 / f64::from(1 << 20);
    drop(bytes);
    let nginx = Nginx::start(&folder).await?;
    let shop = Client::new(stage.file().shop_api.as_deref().context("the services run")?);
    let customer = shop.register("uploads", "rings by the dozen").await;
    let shop_pid = stage.pid("shop-api")?;

    // One each that doesn't count. What the shop had at most until then, for a password's hash, doesn't either.
    upload(&customer, &model).await?;
    upload_to_nginx(&nginx, &model, "first")?;
    fs::write(format!("/proc/{shop_pid}/clear_refs"), "5").context("forgetting what a process had at most")?;
    let before = memory(shop_pid, Memory::Most)?;
    let mut seconds = Seconds::default();
    for round in 1..=rounds {
        let ours = upload(&customer, &model).await?;
        let (answered, synced) = upload_to_nginx(&nginx, &model, &round.to_string())?;
        say(format_args!("  {ours:.3} s; nginx {answered:.3} s, and on the disk {synced:.3} s"));
        seconds.ours.push(ours);
        seconds.nginx.push(answered);
        seconds.nginx_synced.push(synced);
    }
    let grown = memory(shop_pid, Memory::Most)? - before;
    drop(nginx);
    stage.stop().await?;
    Ok(vec![
        rate("nginx, which doesn't wait for the disk", mebibytes, &seconds.ours, &seconds.nginx),
        rate("nginx, until the disk has it", mebibytes, &seconds.ours, &seconds.nginx_synced),
        Row {
            what: "memory of the shop for it".to_owned(),
            measured: format!("{grown:.0} MiB beyond {before:.0} MiB"),
            against: format!("the file: {mebibytes:.0} MiB"),
            figure: format!("{grown:.0} MiB"),
            goal: "≤ 32 MiB",
            reached: grown <= FLAT,
        },
    ])
}

fn rate(against: &str, mebibytes: f64, ours: &[f64], theirs: &[f64]) -> Row {
    let rate = |seconds: &[f64]| Spread::of(seconds.iter().map(|seconds| mebibytes / seconds)).median;
    let share = Spread::of(theirs.iter().zip(ours).map(|(theirs, ours)| 100.0 * theirs / ours));
    Row {
        what: format!("upload of a model of {mebibytes:.0} MiB, hashed and on the disk"),
        measured: format!("{:.0} MiB/s", rate(ours)),
        against: format!("{against}: {:.0} MiB/s", rate(theirs)),
        figure: format!("{share:.0} % of its rate"),
        goal: "≥ 70 %",
        reached: share.median >= SHARE,
    }
}

/// Uploads the model of a new order; gives the seconds.
async fn upload(customer: &Client, model: &Path) -> Result<f64> {
    let order = customer.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
    let order = order["id"].as_str().context("an order's number")?;
    let url = format!("{}/orders/{order}/model?filename=ring.stl", customer.base());
    curl(&url, model, &["--header", &format!("Authorization: Bearer {}", customer.token())])
}

/// Gives the seconds until the answer came, and until the file was on the disk.
fn upload_to_nginx(nginx: &Nginx, model: &Path, name: &str) -> Result<(f64, f64)> {
    let answered = curl(&nginx.url(name), model, &[])?;
    // Waited for in any case: else it would be written while ours is measured.
    let began = Instant::now();
    File::open(nginx.file(name))?.sync_all()?;
    Ok((answered, answered + began.elapsed().as_secs_f64()))
}

/// Uploads a file; gives the seconds from the connection's begin to the answer's end.
fn curl(url: &str, file: &Path, further: &[&str]) -> Result<f64> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--output", "/dev/null", "--write-out", "%{time_total}"]);
    let output = curl.args(further).arg("--upload-file").arg(file).arg(url).output().context("starting curl")?;
    ensure!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.parse()?)
}
