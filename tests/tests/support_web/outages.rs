//! Elasticsearch away or slow: the page says what is the matter and what still holds.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use catalogue::field;
use serde_json::Value;
use testkit::{TcpProxy, host_in};

use crate::visitor::{Visitor, file, support};

/// A page of this test's own, which reaches Elasticsearch by a line that can be cut.
struct OwnPage {
    child: Child,
    line: TcpProxy,
    address: String,
    log: std::path::PathBuf,
}

impl OwnPage {
    async fn start() -> Self {
        let file = file().await;
        let elasticsearch = file.elasticsearch.as_deref().expect("Elasticsearch runs");
        let line = TcpProxy::to(host_in(elasticsearch)).await;
        let log = file.logs.join(format!("support-web-{}.log", uuid::Uuid::now_v7().simple()));
        // If the test's thread ends in whatever way, so does the page.
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&file.binaries["support-web"]).env_clear();
        command.env("LISTEN_ADDR", "127.0.0.1:0").env("ELASTICSEARCH_URL", line.instead_in(elasticsearch));
        command.env("ELASTICSEARCH_SECONDS", "3");
        let output = File::create(&log).expect("a log");
        let child = command.stdin(Stdio::null()).stdout(output).spawn().expect("the page's program starts");
        let mut page = Self { child, line, address: String::new(), log };
        page.address = testkit::eventually("the page to listen", async || {
            let ready = page.records().into_iter().find(|record| record[field::SERVICE_STATE] == "ready");
            let address = ready.and_then(|record| Some(record["msg"].as_str()?.rsplit_once(' ')?.1.to_owned()));
            address.ok_or("it has not said so")
        })
        .await;
        page
    }

    fn records(&self) -> Vec<Value> {
        let lines = BufReader::new(File::open(&self.log).expect("a log")).lines().map_while(Result::ok);
        lines.filter_map(|line| serde_json::from_str(&line).ok()).collect()
    }
}

impl Drop for OwnPage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn without_elasticsearch_the_page_says_so_and_goes_on_when_it_is_back() {
    let page = OwnPage::start().await;
    let mut employee = Visitor::at(&format!("http://{}", page.address));
    assert_eq!(employee.log_in(&support().await).await.status, 303);
    assert_eq!(employee.get("/orders/A-200001").await.status, 200);

    page.line.cut();
    let away = employee.get("/orders/A-200001").await;
    assert_eq!(away.status, 503, "{away:?}");
    assert!(away.text.contains("can&#39;t be reached") || away.text.contains("can't be reached"), "{}", away.text);
    assert!(away.text.contains("What still holds"), "{}", away.text);
    assert!(employee.get("/health/ready").await.text.contains("\"elasticsearch\":\"down\""));
    let refused = Visitor::at(&format!("http://{}", page.address)).log_in(&support().await).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.text.contains("name=\"password\""));

    page.line.mend();
    let back = testkit::eventually("the page to be back", async || {
        let page = employee.get("/orders/A-200001").await;
        if page.status == 200 { Ok(page) } else { Err(page.status) }
    });
    assert!(back.await.text.contains("MANUFACTURING_STARTED"));

    page.line.slow_down(Duration::from_secs(10));
    let slow = employee.get("/errors").await;
    assert_eq!(slow.status, 503);
    assert!(slow.text.contains("too slow"), "{}", slow.text);

    let failures: Vec<_> = page.records().into_iter().filter(|record| record["level"] == 50).collect();
    assert!(failures.len() >= 3, "{failures:?}");
    for failure in failures {
        assert_eq!(failure[field::ERROR_TYPE], "search_unavailable", "{failure}");
        assert!(failure.get(field::TRACE_ID).is_some());
    }
}
