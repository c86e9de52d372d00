//! What an attacker can measure, and what the others feel of an attack: `cargo bench -p e2e --bench under_attack`.
//!
//! Prints how long logins take that are refused for different reasons, how long others wait for their orders while
//! clients flood the login, and how much memory the shop takes while large models arrive. The limits per address are
//! lifted, as if every client of the flood had an address of its own.

use std::{
    io::Write as _,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use local::{Kind, Options, System};
use serde_json::json;
use testkit::{Client, memory};

const PASSWORD: &str = "a ring to find them";
const LOGINS: usize = 40;
const FLOODING_CLIENTS: usize = 50;
const FLOOD: Duration = Duration::from_secs(20);
const UPLOADS: usize = 10;
const MODEL_BYTES: usize = 64 << 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let unlimited = ["LOGIN_BURST", "LOGINS_PER_SECOND"].map(|name| (name.to_owned(), "1000000".to_owned()));
    let options = Options { only: vec![Kind::Services], settings: unlimited.to_vec(), ..Options::default() };
    let system = tokio::task::spawn_blocking(move || System::start(&options)).await??;
    let shop = Client::new(system.file().shop_api.as_deref().expect("the services run"));
    let mut out = std::io::stdout();
    writeln!(out, "{}", logins(&system, &shop).await)?;
    writeln!(out, "{}", known_and_made_up(&shop).await)?;
    writeln!(out, "{}", flood(&shop).await)?;
    writeln!(out, "{}", uploads(&system, &shop).await)?;
    Ok(())
}

/// How long a login takes that ends in each of these ways.
async fn logins(system: &System, shop: &Client) -> String {
    let mut times: [Vec<Duration>; 4] = Default::default();
    let names: Vec<_> = (0..LOGINS).map(|number| format!("somebody-{number}")).collect();
    for name in &names {
        for login in [name.clone(), format!("disabled-{name}")] {
            shop.post_json("/customers", json!({"login": login, "password": PASSWORD})).await.expect(201);
        }
        disable(system, &format!("disabled-{name}"));
    }
    // In turns, so that whatever else the machine does falls on all of them alike.
    for name in &names {
        let attempts = [
            (format!("unknown-{name}"), PASSWORD, 401),
            (format!("disabled-{name}"), PASSWORD, 401),
            (name.clone(), "another ring to find them", 401),
            (name.clone(), PASSWORD, 201),
        ];
        for (times, (login, password, status)) in times.iter_mut().zip(attempts) {
            let started = Instant::now();
            let response = shop.post_json("/sessions", json!({"login": login, "password": password})).await;
            times.push(started.elapsed());
            response.expect(status);
        }
    }
    let [unknown, disabled, wrong, right] = times.each_mut().map(|times| milliseconds(at(times, 50)));
    format!(
        "login, median of {LOGINS}: unknown {unknown}, disabled {disabled}, wrong password {wrong}, right password {right}"
    )
}

/// Whether the time of a refusal shows that there is such an account: 400 wrong passwords for logins that accounts have, in
/// turns with as many for made-up ones, none of which has to wait.
async fn known_and_made_up(shop: &Client) -> String {
    const TRIES_OF_EACH: usize = 4;
    let names: Vec<_> = (0..400 / TRIES_OF_EACH).map(|number| format!("known-{number}")).collect();
    for login in &names {
        shop.post_json("/customers", json!({"login": login, "password": PASSWORD})).await.expect(201);
    }
    let mut times: [Vec<Duration>; 2] = Default::default();
    for number in 0..TRIES_OF_EACH {
        for (place, name) in names.iter().enumerate() {
            let mut attempts = [(0, name.clone()), (1, format!("made-up-{name}"))];
            // Neither comes first more often.
            if (number + place) % 2 == 1 {
                attempts.reverse();
            }
            for (kind, login) in attempts {
                let started = Instant::now();
                let response = shop.post_json("/sessions", json!({"login": login, "password": "a guess"})).await;
                times[kind].push(started.elapsed());
                response.expect(401);
            }
        }
    }
    let [known, made_up] = times.each_mut().map(|times| at(times, 50));
    let difference = (known.as_secs_f64() / made_up.as_secs_f64() - 1.0) * 100.0;
    format!(
        "refused login, median of 400: known {}, made up {}, difference {difference:+.1} %",
        milliseconds(known),
        milliseconds(made_up)
    )
}

fn disable(system: &System, login: &str) {
    let file = system.file();
    let mut command = Command::new(&file.binaries["shop-api"]);
    command.env_clear().envs(&file.environments["shop-api"]).args(["account", "disable", "--login", login]);
    let output = command.output().expect("the service's program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How long `GET /orders` takes, with and without a flood of wrong logins.
async fn flood(shop: &Client) -> String {
    let customer = shop.register("in-the-flood", PASSWORD).await;
    customer.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
    let quiet = orders(&customer).await;

    let (over, refused, busy) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let clients = (0..FLOODING_CLIENTS).map(async |number| {
        let client = Client::new(shop.base());
        for attempt in 0_u32.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            // The same login would have to wait.
            let wrong = json!({"login": format!("nobody-{number}-{attempt}"), "password": "wrong"});
            match client.post_json("/sessions", wrong).await.status {
                401 => refused.fetch_add(1, Ordering::Relaxed),
                429 => busy.fetch_add(1, Ordering::Relaxed),
                status => panic!("a login was answered by {status}"),
            };
        }
    });
    let measured = async {
        let flooded = orders(&customer).await;
        over.store(true, Ordering::Relaxed);
        flooded
    };
    let (_, flooded) = tokio::join!(join_all(clients), measured);
    format!(
        "GET /orders: {quiet}; while {FLOODING_CLIENTS} clients log in: {flooded} ({} logins refused, {} turned away)",
        refused.load(Ordering::Relaxed),
        busy.load(Ordering::Relaxed)
    )
}

/// Asks for the orders again and again.
async fn orders(customer: &Client) -> String {
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < FLOOD {
        let asked = Instant::now();
        customer.get("/orders").await.expect(200);
        times.push(asked.elapsed());
    }
    let count = times.len();
    let [median, slow, slowest] = [50, 99, 100].map(|percent| milliseconds(at(&mut times, percent)));
    format!("p50 {median}, p99 {slow}, longest {slowest} of {count}")
}

/// How much memory the shop has while large models arrive at once.
async fn uploads(system: &System, shop: &Client) -> String {
    let customer = shop.register("with-large-models", PASSWORD).await;
    let mut paths = Vec::new();
    for _ in 0..UPLOADS {
        let order = customer.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
        let order = order["id"].as_str().expect("a number").to_owned();
        paths.push(format!("/orders/{order}/model?filename=large.stl"));
    }
    let model = Bytes::from(vec![0; MODEL_BYTES]);
    let pid = system.pid("shop-api").expect("the shop runs");
    let (before, started) = (resident(pid, "VmRSS"), Instant::now());
    let arrived = AtomicBool::new(false);
    let watch = async {
        let mut samples = Vec::new();
        while !arrived.load(Ordering::Relaxed) {
            samples.push(resident(pid, "VmRSS"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        samples
    };
    let uploads = async {
        for response in join_all(paths.iter().map(|path| customer.put_bytes(path, model.clone()))).await {
            response.expect(200);
        }
        arrived.store(true, Ordering::Relaxed);
    };
    let (mut samples, ()) = tokio::join!(watch, uploads);
    let seconds = started.elapsed().as_secs_f64();
    let [median, most] = [50, 100].map(|percent| at(&mut samples, percent));
    format!(
        "resident memory of shop-api: {before} MiB before, during {UPLOADS} uploads of {} MiB at once ({seconds:.1} s) median \
         {median} MiB and at most {most} MiB, ever {} MiB",
        MODEL_BYTES >> 20,
        resident(pid, "VmHWM")
    )
}

/// A process's memory in MiB.
fn resident(pid: i32, field: &str) -> u64 {
    memory(pid, field).expect("the process runs") >> 10
}

/// The value that so many percent of the others don't exceed.
fn at<T: Ord + Copy>(values: &mut [T], percent: usize) -> T {
    values.sort_unstable();
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
