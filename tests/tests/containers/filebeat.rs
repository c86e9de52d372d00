//! How Filebeat is stopped: `elk/filebeat/start.sh`, with a program in Filebeat's place.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use testkit::eventually;
use tokio::process::Command;

use crate::compose::root;

/// Ends with 7 when it is asked to end, as soon as it can.
const STAND_IN: &str = "#!/bin/bash\ntrap 'exit 7' TERM\ntouch started\nwhile :; do sleep 0.05; done\n";

#[tokio::test]
async fn filebeat_reads_on_until_it_has_seen_what_was_written_last() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("filebeat-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join("filebeat");
    fs::write(&program, STAND_IN).expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("there is a PATH"));
    let mut start = Command::new("bash");
    start.arg(root().join("elk/filebeat/start.sh")).current_dir(&folder).env("PATH", path).kill_on_drop(true);
    let mut start = start.spawn().expect("bash runs");
    eventually("it to be started", async || folder.join("started").exists().then_some(()).ok_or("not yet")).await;

    let asked = Instant::now();
    let pid = start.id().and_then(|id| i32::try_from(id).ok()).expect("it runs");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it can be asked to end");
    let status = start.wait().await.expect("it ends");
    assert_eq!(status.code(), Some(7), "the status is Filebeat's");
    assert!(asked.elapsed() > longest_delay(), "{:?}", asked.elapsed());
    fs::remove_dir_all(&folder).expect("the folder can be removed");
}

/// After which time Filebeat has noticed a line in any case: a new file is looked for, then read.
fn longest_delay() -> Duration {
    let text = fs::read_to_string(root().join("elk/filebeat/filebeat.yml")).expect("there is a configuration");
    let configuration: Value = serde_saphyr::from_str(&text).expect("it is YAML");
    let input = &configuration["filebeat.inputs"][0];
    let seconds =
        |value: &Value| value.as_str().and_then(|text| text.strip_suffix("s")?.parse::<u64>().ok()).expect("seconds");
    Duration::from_secs(seconds(&input["prospector.scanner"]["check_interval"]) + seconds(&input["backoff"]["max"]))
}
