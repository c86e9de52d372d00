//! Elasticsearch: one node, which is a cluster by itself, with security on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::clients::elasticsearch::Elasticsearch;
use crate::host::folders::Folders;
use crate::host::supervisor::{Part, Stage, environment};
use crate::parts::certificates::{Certificates, SERVER, SERVER_KEY};
use crate::parts::distribution::{Distribution, Source, unzip};
use crate::system::accounts::{Accounts, Login};

const NAME: &str = "elasticsearch";
const LOGS: &str = "logs";
/// The version of all of Elastic's software here.
pub(crate) const VERSION: &str = "9.5.3";

/// What the distribution lacks, for the summary of a started system.
pub(crate) const NO_RETENTION: &str = "Elasticsearch's distribution from Maven Central has no index lifecycle management: logs are not deleted after 180 days here.";

/// A small heap for a small machine, no log of the garbage collector, and no attempt to write the built-in roles into
/// an index that needs a module which this distribution lacks.
const JVM_OPTIONS: &str = "\
-Xms512m
-Xmx512m
-XX:-HeapDumpOnOutOfMemoryError
-Xlog:disable
-Xlog:all=warning:stderr:utctime,level,tags
-Des.queryable_built_in_roles_enabled=false
";

/// The variable by which a test says that a node is short-lived although its data are kept.
pub(crate) const SHORT_LIVED_VARIABLE: &str = "ALEXANDRITE_SHORT_LIVED";

/// For a short-lived JVM: compiling its code a second time, for speed, takes as much processor time as all the rest of its
/// start.
const FIRST_COMPILER_ALONE: &str = "-XX:TieredStopAtLevel=1";

/// A small heap needs no threads that collect garbage meanwhile. The distribution's own options choose G1.
const SERIAL_COLLECTOR: &str = "-XX:-UseG1GC\n-XX:+UseSerialGC";

/// The distribution for integration tests.
pub(crate) fn distribution() -> Distribution {
    Distribution {
        title: format!("Elasticsearch {VERSION}"),
        folder: format!("elasticsearch-{VERSION}"),
        source: Source::Maven(format!("org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip")),
        sha256: "bec49f3b8d00e75c8d1cec85c35298635ec9fbd3ae80ef5aeb6bc05abdb3db2d",
        unpack: |archive, folder| unzip(archive, folder).map(|()| folder.join(format!("elasticsearch-{VERSION}"))),
    }
}

/// Writes the configuration, with accounts and roles, and returns how to run the node.
pub(crate) async fn set_up(
    folders: &Folders,
    distribution: &Path,
    java_home: PathBuf,
    [http_port, transport_port]: [u16; 2],
    accounts: &Accounts,
    certificates: Option<&Certificates>,
    throw_away: bool,
) -> Result<Part> {
    let (folder, user) = (folders.of(NAME), &folders.user);
    let configuration = folder.join("config");
    let options = configuration.join("jvm.options.d");
    let home = folder.join("home");
    // The server may not write into the temporary folder's parents if they contain its configuration.
    let temporary = folder.join("tmp");
    for folder in [&folder, &configuration, &options, &temporary, &home] {
        folders.create_folder(folder)?;
    }
    let original = |name| fs::read(distribution.join("config").join(name)).context("reading the distribution");
    user.write_file(&configuration.join("jvm.options"), original("jvm.options")?)?;
    let logging = [original("log4j2.properties")?, elk::SEARCH_LOG_CONFIGURATION.into()].concat();
    user.write_file(&configuration.join("log4j2.properties"), logging)?;
    let short_lived = throw_away || env::var_os(SHORT_LIVED_VARIABLE).is_some();
    let lifetime = if short_lived { format!("{FIRST_COMPILER_ALONE}\n{SERIAL_COLLECTOR}\n") } else { String::new() };
    user.write_file(&options.join("local.options"), JVM_OPTIONS.to_owned() + &lifetime)?;
    let http_tls = http_tls(folders, &configuration, certificates)?;
    let settings = settings(&folder, http_port, transport_port) + &http_tls;
    user.write_file(&configuration.join("elasticsearch.yml"), settings)?;
    user.write_file(&configuration.join("roles.yml"), elk::roles_file())?;
    let Realm { users, roles } = tokio::task::spawn_blocking({
        let accounts = accounts.clone();
        move || Realm::of(&accounts)
    })
    .await
    .context("hashing passwords")??;
    user.write_file(&configuration.join("users"), users)?;
    user.write_file(&configuration.join("users_roles"), roles)?;

    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let client = client(http_port, accounts, certificates)?;
    let ready = move || {
        let client = client.clone();
        async move {
            let health = client.call(Method::GET, "_cluster/health", None).await?;
            let status = health["status"].as_str().unwrap_or_default();
            ensure!(matches!(status, "green" | "yellow"), "the cluster's health is {status}");
            Ok(())
        }
    };
    Ok(Part {
        environment: environment([
            ("HOME", text(home)),
            ("ES_JAVA_HOME", text(java_home)),
            ("ES_PATH_CONF", text(configuration)),
            ("ES_TMPDIR", text(temporary)),
            // The options of the program that starts the node; its own collector is the serial one.
            ("CLI_JAVA_OPTS", if short_lived { FIRST_COMPILER_ALONE } else { "" }.to_owned()),
        ]),
        ready_within: Duration::from_secs(180),
        ..Part::new((NAME, Stage::Store), distribution.join("bin/elasticsearch"), folders, ready)
    })
}

/// The watermarks are not in use. They are there for their unit: Elasticsearch first takes `2g` for a percentage and raises an
/// exception, before it listens. Otherwise its first two exceptions may be those of two requests: each thread then waits for a
/// class that the other one initializes, and no request gets a response until it is restarted (seen with 9.5.3).
fn settings(folder: &Path, http_port: u16, transport_port: u16) -> String {
    // A JSON string is a YAML string for every path.
    let path = |name: &str| serde_json::Value::from(folder.join(name).to_string_lossy()).to_string();
    format!(
        "cluster.name: alexandrite\n\
         node.name: local\n\
         discovery.type: single-node\n\
         network.host: 127.0.0.1\n\
         http.port: {http_port}\n\
         transport.port: {transport_port}\n\
         path.data: {}\n\
         path.logs: {}\n\
         xpack.security.enabled: true\n\
         xpack.security.transport.ssl.enabled: false\n\
         cluster.routing.allocation.disk.threshold_enabled: false\n\
         cluster.routing.allocation.disk.watermark.low: 2g\n\
         cluster.routing.allocation.disk.watermark.high: 1g\n\
         cluster.routing.allocation.disk.watermark.flood_stage: 512m\n\
         elasticsearch.querylog.enabled: true\n",
        path("data"),
        path(LOGS),
    )
}

/// The settings of the REST interface's TLS. Elasticsearch reads certificates in its folder of settings only.
fn http_tls(folders: &Folders, configuration: &Path, certificates: Option<&Certificates>) -> Result<String> {
    let Some(certificates) = certificates else {
        // Nothing leaves this machine; beyond one host, TLS is needed.
        return Ok("xpack.security.http.ssl.enabled: false\n".to_owned());
    };
    certificates.put_into(folders, configuration)?;
    Ok(format!(
        "xpack.security.http.ssl.enabled: true\n\
         xpack.security.http.ssl.certificate: {SERVER}\n\
         xpack.security.http.ssl.key: {SERVER_KEY}\n"
    ))
}

/// The files with a line for each search.
pub(crate) fn searches(folders: &Folders) -> PathBuf {
    folders.of(NAME).join(LOGS).join("searches*.json")
}

pub(crate) fn address(http_port: u16, certificates: Option<&Certificates>) -> String {
    let scheme = if certificates.is_some() { "https" } else { "http" };
    format!("{scheme}://127.0.0.1:{http_port}")
}

/// A client with every right.
pub(crate) fn client(
    http_port: u16,
    accounts: &Accounts,
    certificates: Option<&Certificates>,
) -> Result<Elasticsearch> {
    let authority = certificates.map_or("", |certificates| &certificates.authority);
    Elasticsearch::new(&address(http_port, certificates), &accounts.administrator, authority)
}

/// Loads the templates for the indices of records and alerts. Retention isn't among them: see [`NO_RETENTION`].
pub(crate) async fn load_templates(client: &Elasticsearch) -> Result<()> {
    for (name, template) in elk::component_templates() {
        client.call(Method::PUT, &format!("_component_template/{name}"), Some(&template)).await?;
    }
    for (name, template) in [
        (elk::INDEX_TEMPLATE_NAME, elk::index_template()),
        (elk::AUDIT_TEMPLATE_NAME, elk::audit_template()),
        (elk::ALERTS_TEMPLATE_NAME, elk::alerts_template()),
    ] {
        client.call(Method::PUT, &format!("_index_template/{name}"), Some(&template)).await?;
    }
    Ok(())
}

/// Records that the accounts were written, which happens at each start, where the auditor sees it.
pub(crate) async fn record_accounts(client: &Elasticsearch, accounts: &Accounts) -> Result<()> {
    let now = OffsetDateTime::now_utc();
    let day = now.format(format_description!("[year].[month].[day]"))?;
    for (role, login) in Realm::members(accounts) {
        let record = json!({
            "@timestamp": now.format(&Rfc3339)?, "event.action": "user-put", "event.outcome": "success",
            "user.name": "alexandrite", "user.target.name": login.login, "user.target.roles": role,
        });
        client.call(Method::POST, &format!("alexandrite-audit-{day}/_doc"), Some(&record)).await?;
    }
    Ok(())
}

/// The file realm: the accounts and their roles.
struct Realm {
    users: String,
    roles: String,
}

impl Realm {
    /// Each account with its role, if it has one.
    fn members(accounts: &Accounts) -> [(Option<&'static str>, &Login); 6] {
        [
            (Some("support"), &accounts.support),
            (Some("auditor"), &accounts.auditor),
            (None, &accounts.employee_without_role),
            (Some("superuser"), &accounts.administrator),
            (Some("shipper"), &accounts.shipper),
            (Some("elastalert"), &accounts.elastalert),
        ]
    }

    fn of(accounts: &Accounts) -> Result<Self> {
        /// The passwords are random, so that a higher cost would protect nothing.
        const COST: u32 = 6;
        let mut realm = Self { users: String::new(), roles: String::new() };
        for (role, Login { login, password }) in Self::members(accounts) {
            let hash = bcrypt::hash_with_result(password, COST)?.format_for_version(bcrypt::Version::TwoA);
            realm.users.push_str(&format!("{login}:{hash}\n"));
            if let Some(role) = role {
                realm.roles.push_str(&format!("{role}:{login}\n"));
            }
        }
        Ok(realm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elasticsearch_raises_its_first_exception_before_it_listens() {
        let settings = settings(Path::new("/data"), 9200, 9300);
        let watermarks: Vec<_> = settings.lines().filter(|line| line.contains(".watermark.")).collect();
        assert_eq!(watermarks.len(), 3, "{settings}");
        // Only what ends like this is taken for bytes at once.
        assert!(!watermarks.iter().any(|line| line.ends_with('b')), "{watermarks:?}");
    }

    #[test]
    fn the_realm_knows_each_role_by_its_members() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("alexandrite-realm-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let accounts = Accounts::load(&folder)?;
        fs::remove_dir_all(&folder)?;
        let realm = Realm::of(&accounts)?;
        let roles =
            "support:support\nauditor:auditor\nsuperuser:administrator\nshipper:shipper\nelastalert:elastalert\n";
        assert_eq!(realm.roles, roles);
        assert_eq!(realm.users.lines().filter(|line| line.contains(":$2a$06$")).count(), 6);
        Ok(())
    }
}
