//! Logstash's gate (`elk/logstash/pipeline/gate.rb`) in JRuby, which is what Logstash runs it in.

use std::{path::Path, process::Stdio};

use catalogue::{Service, field};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::lines;

const JRUBY: &str = "org.jruby:jruby-complete:9.4.14.0";

#[tokio::test]
async fn only_records_get_through_logstashs_gate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let java = local::test_programs::java().expect("there is Java");
    let mut ruby = Command::new(java);
    // It runs for seconds: the second compiler would take half of them.
    ruby.args(["-XX:TieredStopAtLevel=1", "-jar"]).arg(jruby().await).arg(root.join("tests/end_to_end/lines/gate.rb"));
    ruby.arg(root.join("../elk/logstash/pipeline/gate.rb"));
    let mut ruby = ruby.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("JRuby starts");
    let lines = lines();
    let arrival = OffsetDateTime::now_utc().unix_timestamp();
    let input: String =
        lines.iter().map(|line| format!("{}\n", json!({"line": line.text, "arrival": arrival}))).collect();
    ruby.stdin.take().expect("it is piped").write_all(input.as_bytes()).await.expect("it reads");
    let output = ruby.wait_with_output().await.expect("it ends");
    let answers = String::from_utf8(output.stdout).expect("text");
    assert_eq!(answers.lines().count(), lines.len(), "{answers}");
    for (line, answer) in lines.iter().zip(answers.lines()) {
        let record: Value = serde_json::from_str(answer).expect("an answer");
        let written: Value = serde_json::from_str(&line.text).unwrap_or_default();
        // The rest of the decision, in records.conf: the names are those of the services (elk/tests/containers.rs).
        let service = Service::ALL.into_iter().find(|service| record[field::NAME] == service.name());
        assert_eq!(service, line.for_logstash, "{}: {answer}", line.what);
        if service.is_some() {
            assert_eq!(record, json!({"name": written[field::NAME], "time": written[field::TIME]}), "{}", line.what);
        }
    }
}

/// The path of JRuby, from Maven Central.
async fn jruby() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jruby");
    let path = folder.join(JRUBY.replace([':', '.'], "-")).with_extension("jar");
    if !path.exists() {
        let maven = local::provide_program("mvn", "maven").await.expect("Maven is installed");
        let mut copy = Command::new(maven);
        copy.args(["-B", "-q", "dependency:copy", "-Dmdep.stripVersion=true", &format!("-Dartifact={JRUBY}")]);
        let status = copy.arg(format!("-DoutputDirectory={}", folder.display())).status().await.expect("Maven runs");
        assert!(status.success(), "{JRUBY} can't be downloaded");
        std::fs::rename(folder.join("jruby-complete.jar"), &path).expect("it was downloaded");
    }
    path
}
