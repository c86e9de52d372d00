//! Elasticsearch: the real server from Maven Central's distribution for integration tests, with security on.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use nix::sys::signal::Signal;
use reqwest::Method;

use crate::clients::elasticsearch::Elasticsearch as Client;
use crate::host::folders::Folders;
use crate::host::process;
use crate::host::supervisor::{Part, Stage};
use crate::parts::kind::{Site, program};
use crate::system::accounts::{Accounts, Login};
use crate::terminal::progress::Line;

/// This part's name.
pub(crate) const NAME: &str = "elasticsearch";
/// The version of all of Elastic's software here.
pub(crate) const VERSION: &str = "9.5.3";
/// What this version needs at least.
pub(crate) const JAVA: u32 = 21;

const CLUSTER: &str = "alexandrite";

/// One node, which is a cluster by itself.
#[derive(Clone, Debug)]
pub(crate) struct Elasticsearch {
    distribution: PathBuf,
    java: PathBuf,
    folder: PathBuf,
    output: PathBuf,
    port: u16,
    transport_port: u16,
    administrator: Login,
}

impl Elasticsearch {
    /// The node in the system's folder, made of a distribution and a Java installation.
    pub(crate) fn new(
        site: &Site,
        distribution: PathBuf,
        java: Java,
        (port, transport_port): (u16, u16),
        administrator: &Login,
    ) -> Self {
        Self {
            distribution,
            java: java.home,
            folder: site.folders.of(NAME),
            output: site.folders.output(NAME),
            port,
            transport_port,
            administrator: administrator.clone(),
        }
    }

    /// Writes the configuration, with accounts and roles.
    pub(crate) async fn set_up(&self, site: &Site, accounts: &Accounts) -> Result<()> {
        let configuration = self.configuration();
        let options = configuration.join("jvm.options.d");
        // The server may not write into the temporary folder's parents if they hold its configuration.
        let temporary = self.folder.join("tmp");
        for folder in [&self.folder, &configuration, &options, &temporary, &self.folder.join("home")] {
            site.owner.folder(folder)?;
        }
        for name in ["jvm.options", "log4j2.properties"] {
            let original = fs::read(self.distribution.join("config").join(name)).context("reading the distribution")?;
            site.owner.file(&configuration.join(name), original)?;
        }
        site.owner.file(&options.join("local.options"), JVM_OPTIONS)?;
        site.owner.file(&configuration.join("elasticsearch.yml"), self.settings())?;
        site.owner.file(&configuration.join("roles.yml"), elk::roles_file())?;
        let Realm { users, roles } = tokio::task::spawn_blocking({
            let accounts = accounts.clone();
            move || Realm::of(&accounts)
        })
        .await
        .context("hashing passwords")??;
        site.owner.file(&configuration.join("users"), users)?;
        site.owner.file(&configuration.join("users_roles"), roles)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("config")
    }

    fn settings(&self) -> String {
        // JSON strings are YAML strings, whatever a path contains.
        let path = |name: &str| serde_json::Value::from(self.folder.join(name).to_string_lossy()).to_string();
        format!(
            "cluster.name: {CLUSTER}\n\
             node.name: local\n\
             discovery.type: single-node\n\
             network.host: 127.0.0.1\n\
             http.port: {}\n\
             transport.port: {}\n\
             path.data: {}\n\
             path.logs: {}\n\
             xpack.security.enabled: true\n\
             # Nothing leaves this machine; beyond one host, TLS is needed.\n\
             xpack.security.http.ssl.enabled: false\n\
             xpack.security.transport.ssl.enabled: false\n\
             cluster.routing.allocation.disk.threshold_enabled: false\n",
            self.port,
            self.transport_port,
            path("data"),
            path("logs"),
        )
    }

    /// How to run it.
    pub(crate) fn part(&self) -> Part {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let environment = [
            ("HOME", text(self.folder.join("home"))),
            ("ES_JAVA_HOME", text(self.java.clone())),
            ("ES_PATH_CONF", text(self.configuration())),
            ("ES_TMPDIR", text(self.folder.join("tmp"))),
        ];
        let client = self.client();
        Part {
            name: NAME,
            stage: Stage::Store,
            program: self.distribution.join("bin/elasticsearch"),
            arguments: Vec::new(),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            folder: self.folder.clone(),
            output: self.output.clone(),
            errors: self.output.clone(),
            ready: Arc::new(move || {
                let client = client.clone();
                async move {
                    let health = client.call(Method::GET, "_cluster/health", None).await?;
                    let status = health["status"].as_str().unwrap_or_default();
                    ensure!(matches!(status, "green" | "yellow"), "the cluster's health is {status}");
                    Ok(())
                }
                .boxed()
            }),
            ready_within: Duration::from_secs(180),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(30),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn client(&self) -> Client {
        Client::new(&self.address(), &self.administrator)
    }

    /// Loads the templates that make the indices of records and alerts. Retention isn't among them: see [`NO_RETENTION`].
    pub(crate) async fn load_templates(&self) -> Result<()> {
        let client = self.client();
        for (name, template) in elk::component_templates() {
            client.call(Method::PUT, &format!("_component_template/{name}"), Some(&template)).await?;
        }
        for (name, template) in
            [(elk::INDEX_TEMPLATE_NAME, elk::index_template()), (elk::ALERTS_TEMPLATE_NAME, elk::alerts_template())]
        {
            client.call(Method::PUT, &format!("_index_template/{name}"), Some(&template)).await?;
        }
        Ok(())
    }
}

/// What this distribution can't do, to be said wherever the system reports itself ready.
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

/// The file realm: who there is, and in which roles.
struct Realm {
    users: String,
    roles: String,
}

impl Realm {
    fn of(accounts: &Accounts) -> Result<Self> {
        /// The passwords are random, so guessing is hopeless at any cost.
        const COST: u32 = 6;
        let everybody = [
            &accounts.support,
            &accounts.employee_without_role,
            &accounts.administrator,
            &accounts.shipper,
            &accounts.elastalert,
        ];
        let mut users = String::new();
        for Login { login, password } in everybody {
            let hash = bcrypt::hash_with_result(password, COST)?.format_for_version(bcrypt::Version::TwoA);
            users.push_str(&format!("{login}:{hash}\n"));
        }
        let roles = [
            ("support", &accounts.support),
            ("superuser", &accounts.administrator),
            ("shipper", &accounts.shipper),
            ("elastalert", &accounts.elastalert),
        ];
        let roles = roles.iter().map(|(role, account)| format!("{role}:{}\n", account.login)).collect();
        Ok(Self { users, roles })
    }
}

/// Brings Elasticsearch's distribution into the shared folder, unless it is there, and returns its folder.
pub(crate) async fn distribution(folders: &Folders, java: Option<&Path>, line: &Line) -> Result<PathBuf> {
    let wanted = distribution_folder(folders);
    if wanted.exists() {
        return Ok(wanted);
    }
    // Two systems may start at once.
    let lock = File::create(folders.shared.join("lock")).context("locking the folder of distributions")?;
    tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await?.context("waiting for another download")?;
    if wanted.exists() {
        return Ok(wanted);
    }
    let draft = folders.shared.join(format!("draft-{}", std::process::id()));
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir_all(&draft)?;
    line.now(format!("downloading Elasticsearch {VERSION} with Maven"));
    let mut maven = process::command(program("mvn").context("Maven is not installed")?);
    let artifact = format!("org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip");
    maven.args(["-B", "-q", "dependency:copy", "-Dmdep.stripVersion=true"]).arg(format!("-Dartifact={artifact}"));
    maven.arg(format!("-DoutputDirectory={}", draft.display())).current_dir(&draft);
    if let (None, Some(java)) = (program("java"), java) {
        maven.env("JAVA_HOME", java);
    }
    let fetched = process::run(&mut maven, Duration::from_secs(1800)).await;
    fetched.with_context(|| format!("fetching {artifact}"))?;
    line.now(format!("unpacking Elasticsearch {VERSION}"));
    tokio::task::spawn_blocking({
        let draft = draft.clone();
        move || unpack(&draft.join("elasticsearch.zip"), &draft)
    })
    .await?
    .context("unpacking the distribution")?;
    fs::rename(draft.join(format!("elasticsearch-{VERSION}")), &wanted).context("keeping the distribution")?;
    fs::remove_dir_all(&draft)?;
    Ok(wanted)
}

/// Where the distribution is or will be.
pub(crate) fn distribution_folder(folders: &Folders) -> PathBuf {
    folders.shared.join(format!("elasticsearch-{VERSION}"))
}

/// Unpacks the archive so that everybody can read what is in it.
fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(archive)?)?;
    archive.extract(folder)?;
    for name in archive.file_names() {
        let path = folder.join(&*name?);
        let mode = fs::metadata(&path)?.permissions().mode();
        let for_all = if mode & 0o100 == 0 { 0o444 } else { 0o555 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode | for_all))?;
    }
    Ok(())
}

/// A Java installation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Java {
    /// Its major version.
    pub(crate) version: u32,
    pub(crate) home: PathBuf,
}

/// The Java to use: the one that `ES_JAVA_HOME` or `JAVA_HOME` names if it is new enough, else the oldest new enough
/// one on this machine, because a server supports no Java that came after it.
pub(crate) fn java(site: &Site) -> Result<Java> {
    find_java(|home| site.owner.reaches(home)).with_context(|| {
        format!(
            "Elasticsearch needs Java {JAVA} or newer and none was found in ES_JAVA_HOME, JAVA_HOME, PATH or /usr/lib/jvm \
             that the user {} can reach. Install one, for example `apt-get install openjdk-{JAVA}-jre-headless` \
             (Debian 13, Ubuntu 24.04), or any JDK {JAVA} or newer, and name its folder in ES_JAVA_HOME",
            site.owner.name
        )
    })
}

/// See [`java`]; `reachable` says which folders the user who is to run it can get to.
pub(crate) fn find_java(reachable: impl Fn(&Path) -> bool) -> Option<Java> {
    let named = ["ES_JAVA_HOME", "JAVA_HOME"].iter().filter_map(std::env::var_os).map(PathBuf::from);
    let fits = |home: PathBuf| ask_java(home).filter(|java| java.version >= JAVA && reachable(&java.home));
    let on_path = program("java").and_then(|java| Some(java.canonicalize().ok()?.parent()?.parent()?.to_owned()));
    let installed = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten().map(|item| item.path());
    named.into_iter().find_map(fits).or_else(|| on_path.into_iter().chain(installed).filter_map(fits).min())
}

/// Asks the Java in this folder which version it is.
fn ask_java(home: PathBuf) -> Option<Java> {
    let said = std::process::Command::new(home.join("bin/java")).arg("-version").output().ok()?;
    // openjdk version "21.0.4" 2024-07-16
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let version = said.split('"').nth(1)?.split(['.', '-', '+']).next()?.parse().ok()?;
    Some(Java { version, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realm_knows_each_role_by_its_members() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("alexandrite-realm-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let accounts = Accounts::load(&folder)?;
        fs::remove_dir_all(&folder)?;
        let realm = Realm::of(&accounts)?;
        let roles = "support:support\nsuperuser:administrator\nshipper:shipper\nelastalert:elastalert\n";
        assert_eq!(realm.roles, roles);
        assert_eq!(realm.users.lines().filter(|line| line.contains(":$2a$06$")).count(), 5);
        Ok(())
    }
}
