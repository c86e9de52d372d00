//! Grafana's dashboard: a real Prometheus with the committed configuration scrapes the running system and answers every query.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use catalogue::{ORDER_STATUSES, Service};
use common::domain::OrderStatus::PriceCalculated;
use elk::{grafana, objectives::OBJECTIVES};
use local::SystemFile;
use serde_json::Value;
use testkit::{eventually, plain_http, site::OrderActions as _};

use crate::support::system;

/// A running Prometheus, until it is dropped.
struct Prometheus {
    process: Child,
    address: String,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts one with the committed configuration, but for the addresses of this system and a shorter interval.
    async fn start(system: &SystemFile, folder: &Path) -> Self {
        let program = local::test_programs::prometheus().expect("Prometheus is installed");
        fs::create_dir_all(folder).expect("a folder");
        let configuration = folder.join("prometheus.yml");
        fs::write(&configuration, configuration_for(system)).expect("a configuration");
        let check =
            Command::new(program.with_file_name("promtool")).args(["check", "config"]).arg(&configuration).output();
        let check = check.expect("promtool runs");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));

        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let log = fs::File::create(folder.join("prometheus.txt")).expect("a log");
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command.arg(format!("--config.file={}", configuration.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address={free}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("Prometheus starts");
        Self { process, address: format!("http://{free}"), http: plain_http().build().expect("a client") }
    }

    /// Each series of a query's result, with its value now.
    async fn ask(&self, query: &str) -> Result<Vec<(Value, f64)>, String> {
        let request = self.http.get(format!("{}/api/v1/query", self.address)).query(&[("query", query)]);
        let response = request.send().await.map_err(|error| error.to_string())?;
        let response: Value = response.json().await.map_err(|error| error.to_string())?;
        if response["status"] != "success" {
            return Err(format!("{query}: {response}"));
        }
        let series = response["data"]["result"].as_array().cloned().unwrap_or_default();
        let value = |series: &Value| series["value"][1].as_str().and_then(|value| value.parse().ok());
        Ok(series.into_iter().filter_map(|series| Some((series["metric"].clone(), value(&series)?))).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration_for(system: &SystemFile) -> String {
    let committed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/prometheus.yml");
    let mut configuration = fs::read_to_string(committed).expect("the configuration");
    for (service, port) in Service::ALL.into_iter().zip(9181..) {
        let url = &system.metrics[&service.name().replace('-', "_")];
        let target = url.trim_start_matches("http://").trim_end_matches("/metrics");
        let default = format!("job_name: {service}\n    static_configs:\n      - targets: [\"127.0.0.1:{port}\"]");
        assert!(configuration.contains(&default), "{service} has no job with its default port");
        configuration = configuration.replace(&default, &default.replace(&format!("127.0.0.1:{port}"), target));
    }
    configuration.replace("scrape_interval: 15s", "scrape_interval: 1s")
}

#[tokio::test]
async fn every_query_of_the_dashboard_has_its_numbers_in_a_real_prometheus() {
    let (file, site) = (system::file().await, system::site().await);
    let prometheus = Prometheus::start(file, &system::system().await.data().join("prometheus")).await;
    let up = eventually("all services to be scraped", async || {
        let up = prometheus.ask("up == 1").await?;
        let jobs: BTreeSet<_> = up.iter().filter_map(|(labels, _)| labels["job"].as_str()).map(str::to_owned).collect();
        if jobs.len() == Service::ALL.len() { Ok(jobs) } else { Err(format!("{jobs:?}")) }
    });
    assert_eq!(up.await, Service::ALL.into_iter().map(|service| service.name().to_owned()).collect());

    // A rate needs values before and after, so something of each kind happens until all queries have numbers.
    let queries: Vec<_> =
        grafana::rows().into_iter().flat_map(|row| row.panels).flat_map(|panel| panel.queries).collect();
    assert!(queries.len() > 20, "{queries:?}");
    let shares: Vec<_> =
        OBJECTIVES.iter().filter_map(|it| Some((it.name, it.share_missed?.replace("WINDOW", "5m")))).collect();
    let ada = site.customer().await;
    eventually("each query to have a number", async || {
        let order = ada.submit_new().await;
        site.seller().await.wait_for(&order, PriceCalculated).await;
        site.shop.get("/made-up").await;
        for (query, _) in &queries {
            let values = prometheus.ask(query).await?;
            // A share or a percentile of nothing, such as of a service without requests, is NaN; no query has only such.
            let has_number = values.iter().any(|(_, value)| value.is_finite());
            if !has_number || values.iter().any(|(_, value)| value.is_infinite()) {
                return Err(format!("{query}: {values:?}"));
            }
        }
        for (objective, query) in &shares {
            let values = prometheus.ask(query).await?;
            if !matches!(values[..], [(_, share)] if (0.0..=1.0).contains(&share)) {
                return Err(format!("{objective} isn't one share: {values:?}"));
            }
        }
        Ok(())
    })
    .await;

    let statuses = prometheus.ask("max by (order_status) (alexandrite_orders)").await.expect("numbers");
    let statuses: BTreeSet<_> = statuses.iter().filter_map(|(labels, _)| labels["order_status"].as_str()).collect();
    assert_eq!(statuses, BTreeSet::from(ORDER_STATUSES));
}
