//! When ElastAlert starts in its container: `elk/setup/elastalert_start.py`, with a program in ElastAlert's place that only
//! notes that it was started.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use local::System;
use reqwest::Method;
use serde_json::json;
use testkit::{eventually, host_in, search::Search};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{day::PATIENCE, python};

/// In an Elasticsearch without records, of which it leaves one.
pub(super) async fn silence_counts_from_the_first_record_on(system: &System) {
    let folder = system.data().join("elastalert-start");
    fs::create_dir_all(folder.join("elastalert")).expect("a folder");
    fs::write(folder.join("elastalert/__init__.py"), "").expect("a package");
    fs::write(folder.join("elastalert/elastalert.py"), "open('started', 'w').write('')\n").expect("a program");

    let address = system.file().elasticsearch.clone().expect("Elasticsearch runs");
    // On the way to Elasticsearch, so that the test sees each look.
    let gate = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (host, port) = ("127.0.0.1", gate.local_addr().expect("it listens").port().to_string());
    let look = async || {
        let (mut near, _) = timeout(PATIENCE, gate.accept()).await.expect("it looks").expect("a connection");
        let mut far = TcpStream::connect(host_in(&address)).await.expect("Elasticsearch");
        // Each look has a connection of its own, which either side may end.
        let _ = copy_bidirectional(&mut near, &mut far).await;
    };
    let login = system.file().accounts.elastalert.clone().expect("ElastAlert has an account");
    let mut start = Command::new(python::programs().join("python"));
    start.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../elk/setup/elastalert_start.py")).current_dir(&folder);
    start.envs([
        ("ES_HOST", host),
        ("ES_PORT", &port),
        ("ES_USERNAME", &login.login),
        ("ES_PASSWORD", &login.password),
    ]);
    let mut start = start.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = String::new();
    BufReader::new(start.stderr.take().expect("it is piped")).read_line(&mut said).expect("it says something");
    assert_eq!(said, "Waiting for the first record\n");
    // It looks once more after a look in vain.
    look().await;
    look().await;
    assert!(!folder.join("started").exists());

    let administrator = system.file().accounts.administrator.clone().expect("there is an administrator");
    let now = time::OffsetDateTime::now_utc().format(&time::format_description::well_known::Rfc3339).expect("a time");
    let record = json!({"@timestamp": now, "time": now, "name": "shop-api", "event.action": "service.heartbeat"});
    let search = Search::new(&address, &administrator);
    let path = "alexandrite-shop-api-2026.01.01/_doc?refresh=true";
    assert_eq!(search.call(Method::POST, path, Some(&record)).await.0, 201);
    look().await;
    eventually("ElastAlert to be started", async || match start.try_wait() {
        Ok(Some(status)) if status.success() && folder.join("started").exists() => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}
