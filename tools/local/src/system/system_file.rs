//! `system.json`: where everything is, while it runs.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

pub use crate::system::accounts::Login;

/// The file's name in the data folder.
pub(crate) const FILE: &str = "system.json";

/// Addresses, accounts and folders of a running system. What belongs to a part that wasn't started is `None`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct SystemFile {
    /// Base address of the shop, such as `http://127.0.0.1:8081`.
    pub shop_api: Option<String>,
    /// Base address of the CRM.
    pub crm_api: Option<String>,
    /// Base address of the MES.
    pub mes_api: Option<String>,
    /// Base address of Elasticsearch.
    pub elasticsearch: Option<String>,
    /// The broker, as its administrator.
    pub amqp: Option<String>,
    /// The databases, each as its owner.
    pub databases: Option<Databases>,
    /// PostgreSQL as its superuser, for who creates databases; its path is the database `postgres`.
    pub postgres_admin: Option<String>,
    /// The folder of all logs: records in `*-api*.log`, everything else in `*.txt`.
    pub logs: PathBuf,
    /// Who can log in where.
    pub accounts: AccountList,
    /// A partner's API key for the MES.
    pub partner_key: Option<String>,
    /// The carrier's API key for the CRM.
    pub carrier_key: Option<String>,
    /// The model store as the services' setting `MODEL_STORE_URL` names it.
    pub model_store: Option<String>,
    /// The same as a folder.
    pub model_store_folder: Option<PathBuf>,
    /// The file that gets what Elasticsearch refuses from the shipper.
    pub shipper_errors: Option<PathBuf>,
    /// The environment that each service was started with: what a further replica needs, too.
    pub environments: BTreeMap<String, BTreeMap<String, String>>,
    /// Each service's executable.
    pub binaries: BTreeMap<String, PathBuf>,
    /// Per part a file that begins with its present process id; a part that is restarted gets another.
    pub pid_files: BTreeMap<String, PathBuf>,
}

/// Both databases' addresses.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Databases {
    /// The database that shop and CRM share.
    pub shop: String,
    /// The MES's database.
    pub mes: String,
}

/// The accounts of people.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct AccountList {
    /// In the CRM.
    pub seller: Option<Login>,
    /// In the MES.
    pub operator: Option<Login>,
    /// In the MES.
    pub second_operator: Option<Login>,
    /// In Elasticsearch, with the role that reads the logs.
    pub support: Option<Login>,
    /// In Elasticsearch, with no role at all.
    pub employee_without_role: Option<Login>,
    /// In Elasticsearch, with every right.
    pub administrator: Option<Login>,
    /// In Elasticsearch, for ElastAlert: reads the logs and keeps its own notes.
    pub elastalert: Option<Login>,
}

impl SystemFile {
    /// Reads the file of the system that runs with this data folder.
    ///
    /// # Errors
    ///
    /// No system runs there, or the file isn't readable.
    pub fn read(data: &Path) -> Result<Self> {
        let path = data.join(FILE);
        let content = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("no system runs with the data in {}: start it first with `cargo run`", data.display())
            }
            read => read.with_context(|| format!("reading {}", path.display()))?,
        };
        serde_json::from_str(&content).with_context(|| format!("reading {}", path.display()))
    }

    /// Writes the file for those who may read the data folder's secrets: this user.
    pub(crate) fn write(&self, data: &Path) -> Result<()> {
        // Parts that don't run aren't there, rather than null.
        let mut content = serde_json::to_value(self)?;
        remove_nulls(&mut content);
        write_private(&data.join(FILE), &serde_json::to_string_pretty(&content)?)
    }
}

fn remove_nulls(value: &mut serde_json::Value) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(remove_nulls);
    }
}

/// Replaces a file as a whole by one that only this user can read.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<()> {
    let draft = path.with_extension("draft");
    let _ = fs::remove_file(&draft);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{content}")?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
