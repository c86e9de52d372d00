//! Attacks every operation of every service with requests that schemathesis generates from its OpenAPI document: valid
//! ones, broken ones, unexpected methods, missing tokens, and sequences of requests that use each other's responses.
//!
//! A run asks for two things: that none of schemathesis's checks fails, and that the document lists, by its number,
//! every status that an operation has answered with. `GENERATED_REQUESTS=200` makes a long run of a short one: it is the
//! number of requests per operation and phase.
//!
//! schemathesis comes from PyPI into a folder of its own below `target`, in the versions of `requirements.txt`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use common::domain::OrderStatus;
use futures::future::join_all;
use local::{
    Kind, Options, System, SystemFile,
    test_programs::{OLDEST_PYTHON, python_packages},
};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use testkit::{Client, solids};
use tokio::process::Command;

/// Requests per operation and phase, unless `GENERATED_REQUESTS` says how many.
const SHORT_RUN: &str = "8";
const CUSTOMER: (&str, &str) = ("generated-requests", "a ring for every request");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/generated_requests/requirements.txt");
const CONFIGURATION: &str = include_str!("schemathesis.toml");

#[tokio::test(flavor = "multi_thread")]
async fn generated_requests_break_nothing_and_get_only_responses_that_are_documented() {
    let schemathesis = tokio::task::spawn_blocking(install);
    let options = Options { only: vec![Kind::Services], ..Options::default() };
    let started = tokio::task::spawn_blocking(move || System::start(&options)).await.expect("no panic");
    let system = started.expect("the services start");
    let file = system.file();
    let run = Run {
        schemathesis: schemathesis.await.expect("schemathesis is installed"),
        folder: system.data().join("attacks"),
        file,
    };
    run.prepare().await;
    let services = [("shop", &file.shop_api), ("crm", &file.crm_api), ("mes", &file.mes_api)];
    let attacks = services.map(|(name, base)| run.attack(name, running(base.as_deref())));
    let failures: Vec<String> = join_all(attacks).await.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Installs schemathesis, unless an earlier run has; returns its executable.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let programs = python_packages(&folder, Path::new(REQUIREMENTS), OLDEST_PYTHON);
    programs.expect("schemathesis can be installed").join("schemathesis")
}

/// A running system, and what attacks it.
struct Run<'a> {
    schemathesis: PathBuf,
    /// Configuration, dictionaries and reports.
    folder: PathBuf,
    file: &'a SystemFile,
}

impl Run<'_> {
    /// Makes orders in several statuses, and passes them to schemathesis.
    async fn prepare(&self) {
        let customer = Client::new(running(self.file.shop_api.as_deref())).register(CUSTOMER.0, CUSTOMER.1).await;
        let model = solids::cube(10.0).to_obj();
        let mut orders = Vec::new();
        for number in 0..12 {
            let order = customer.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
            let order = order["id"].as_str().expect("a number").to_owned();
            if number > 0 {
                let path = format!("/orders/{order}");
                customer.put_bytes(&format!("{path}/model?filename=cube.obj"), model.clone()).await.expect(200);
                if number % 3 == 0 {
                    let submitted = json!({"status": OrderStatus::Submitted});
                    customer.post_json(&format!("{path}/status"), submitted).await.expect(200);
                }
            }
            orders.push(order);
        }
        let form = Form::new().text("material", "silver_925").text("quantity", "1");
        let form = form.part("model", Part::bytes(model).file_name("cube.obj"));
        let partner =
            Client::new(running(self.file.mes_api.as_deref())).holding(running(self.file.partner_key.as_deref()), None);
        let order = partner.post_form("/partner/orders", form).await.expect(202);
        orders.push(order["id"].as_str().expect("a number").to_owned());

        fs::create_dir_all(&self.folder).expect("a folder in the system's data");
        self.write("orders.txt", &lines(&orders));
        self.write("customers.txt", &lines(&[customer.account().to_string()]));
        self.write("schemathesis.toml", CONFIGURATION);
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).expect("a file in the system's data");
    }

    /// Attacks one service; returns what went wrong.
    async fn attack(&self, service: &str, base: &str) -> Option<String> {
        let report = format!("{service}.har");
        let examples = env::var("GENERATED_REQUESTS").unwrap_or_else(|_| SHORT_RUN.to_owned());
        let mut command = Command::new(&self.schemathesis);
        command.args(["--config-file", "schemathesis.toml", "run", &format!("{base}/openapi.json")]);
        command.args(["--checks", "all", "--max-examples", &examples, "--warnings", "off"]);
        command.args(["--report", "har", "--report-har-path", &report]);
        command.current_dir(&self.folder).envs(self.secrets()).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.expect("schemathesis runs");
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Some(format!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        }
        let report = fs::read(self.folder.join(report)).expect("a report");
        let report = serde_json::from_slice::<Value>(&report).expect("the report is JSON");
        let document = Client::new(base).get("/openapi.json").await.expect(200);
        let responses = Responses::read(&report, base);
        println!("{service}: {} requests", responses.requests);
        let findings = responses.findings(&document);
        (!findings.is_empty()).then(|| format!("{service}: {}", findings.join("\n")))
    }

    fn secrets(&self) -> [(&'static str, &str); 8] {
        let accounts = &self.file.accounts;
        let (seller, operator) = (running(accounts.seller.as_ref()), running(accounts.operator.as_ref()));
        [
            ("CUSTOMER_LOGIN", CUSTOMER.0),
            ("CUSTOMER_PASSWORD", CUSTOMER.1),
            ("SELLER_LOGIN", &seller.login),
            ("SELLER_PASSWORD", &seller.password),
            ("OPERATOR_LOGIN", &operator.login),
            ("OPERATOR_PASSWORD", &operator.password),
            ("PARTNER_KEY", running(self.file.partner_key.as_deref())),
            ("CARRIER_KEY", running(self.file.carrier_key.as_deref())),
        ]
    }
}

/// What the system's file has of a service, once that runs.
fn running<T>(part: Option<T>) -> T {
    part.expect("the services run")
}

/// A dictionary of these entries.
fn lines(entries: &[String]) -> String {
    entries.iter().map(|entry| format!("\"{entry}\"\n")).collect()
}

/// Method and path of every request, with each status that it was answered with.
struct Responses {
    requests: usize,
    statuses: BTreeMap<(String, String), BTreeSet<u64>>,
}

impl Responses {
    /// Reads a report in the HTTP archive format.
    fn read(report: &Value, base: &str) -> Self {
        let entries = report["log"]["entries"].as_array().expect("entries");
        let mut statuses: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
        for entry in entries {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let (method, url) = (text(&entry["request"]["method"]).to_lowercase(), text(&entry["request"]["url"]));
            let path = url.strip_prefix(base).expect("only the service is asked");
            let path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
            let status = entry["response"]["status"].as_u64().expect("a status");
            statuses.entry((method, path)).or_default().insert(status);
        }
        Self { requests: entries.len(), statuses }
    }

    /// Statuses that the document doesn't list for their operation, and operations that were not reached.
    fn findings(&self, document: &Value) -> Vec<String> {
        let mut findings = Vec::new();
        for (template, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let here = self.statuses.iter().filter(|((asked, path), _)| asked == method && fits(path, template));
                let seen: BTreeSet<u64> = here.flat_map(|(_, statuses)| statuses).copied().collect();
                let listed = |status: &&u64| operation["responses"].get(status.to_string()).is_some();
                let unlisted: Vec<_> = seen.iter().filter(|status| !listed(status)).collect();
                if !unlisted.is_empty() {
                    findings.push(format!("{method} {template} returns {unlisted:?}, which its document doesn't list"));
                }
                if seen.iter().all(|status| [401, 403].contains(status)) {
                    findings.push(format!("{method} {template} was never permitted"));
                }
            }
        }
        findings
    }
}

/// Whether a path is one of the template's. What a generator puts in a variable's place may be anything but a slash.
fn fits(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path
            .iter()
            .zip(template)
            .all(|(part, expected)| *part == expected || (expected.starts_with('{') && !part.is_empty()))
}
