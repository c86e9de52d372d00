//! `system.json`: the addresses, accounts and folders of a system while it runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::host::{files, pid_file};
use crate::system::accounts::Login;

/// Its name in the data folder.
pub(crate) const FILE: &str = "system.json";

/// The addresses, accounts and folders of a running system. Values of a part that wasn't started are `None`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct SystemFile {
    /// Base address of the shop, such as `http://127.0.0.1:8081`.
    pub shop_api: Option<String>,
    /// Base address of the CRM.
    pub crm_api: Option<String>,
    /// Base address of the MES.
    pub mes_api: Option<String>,
    /// Base address of Support's page.
    pub support_web: Option<String>,
    /// Where the metrics of each service can be scraped, by `shop_api`, `crm_api`, `mes_api` and `support_web`.
    pub metrics: BTreeMap<String, String>,
    /// Base address of Elasticsearch.
    pub elasticsearch: Option<String>,
    /// The certificate (PEM) of the authority that servers have theirs from, if they speak TLS.
    pub ca_file: Option<PathBuf>,
    /// The address of the broker, with its administrator's login.
    pub amqp: Option<String>,
    /// The addresses of the databases, each with its owner's login.
    pub databases: Option<Databases>,
    /// The address of PostgreSQL's database `postgres`, with the superuser's login.
    pub postgres_admin: Option<String>,
    /// The folder of all logs: records in `*.log`, other output in `*.txt`.
    pub logs: PathBuf,
    /// The accounts of people.
    pub accounts: AccountList,
    /// A partner's API key for the MES.
    pub partner_key: Option<String>,
    /// The carrier's API key for the CRM.
    pub carrier_key: Option<String>,
    /// The services' setting `MODEL_STORE_URL`.
    pub model_store: Option<String>,
    /// The folder of the model store.
    pub model_store_folder: Option<PathBuf>,
    /// The file with the records that Elasticsearch refused.
    pub shipper_errors: Option<PathBuf>,
    /// The environment of each service. A further replica needs the same.
    pub environments: BTreeMap<String, BTreeMap<String, String>>,
    /// Each service's executable.
    pub binaries: BTreeMap<String, PathBuf>,
    /// For each part a file that begins with its current process id. A restarted part has a new id.
    pub pid_files: BTreeMap<String, PathBuf>,
}

/// The addresses of both databases.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Databases {
    /// The database that shop and CRM share.
    pub shop: String,
    /// The database of the MES.
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
    /// In Elasticsearch, with the role that reads who has read the logs.
    pub auditor: Option<Login>,
    /// In Elasticsearch, with no role at all.
    pub employee_without_role: Option<Login>,
    /// In Elasticsearch, with every right.
    pub administrator: Option<Login>,
    /// In Elasticsearch, for ElastAlert: reads the logs and writes its own indices.
    pub elastalert: Option<Login>,
}

impl SystemFile {
    /// Reads the file in this data folder.
    ///
    /// # Errors
    ///
    /// No system runs with this folder, or the file isn't readable.
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

    /// Writes the file, which only this user can read. Values of parts that don't run are left out.
    pub(crate) fn write(&self, data: &Path) -> Result<()> {
        let mut content = serde_json::to_value(self)?;
        remove_nulls(&mut content);
        files::write_private(&data.join(FILE), serde_json::to_string_pretty(&content)? + "\n")
    }

    /// The current process id of a part.
    ///
    /// # Errors
    ///
    /// The part isn't running.
    pub fn pid(&self, part: &str) -> Result<i32> {
        let path = self.pid_files.get(part).with_context(|| format!("the running system has no part {part}"))?;
        Ok(pid_file::read(path).with_context(|| format!("{part} is not running"))?.0)
    }

    /// The shop's address, or an error if the services weren't started.
    pub(crate) fn running_shop(&self) -> Result<&str> {
        self.shop_api.as_deref().context("the running system has no services")
    }

    /// The databases.
    ///
    /// # Errors
    ///
    /// PostgreSQL wasn't started.
    pub fn running_databases(&self) -> Result<&Databases> {
        self.databases.as_ref().context("the running system has no PostgreSQL")
    }

    /// Elasticsearch's address and Support's account.
    ///
    /// # Errors
    ///
    /// Elasticsearch wasn't started.
    pub fn running_elasticsearch(&self) -> Result<(&str, &Login)> {
        let address = self.elasticsearch.as_deref().context("the running system has no Elasticsearch")?;
        let support = self.accounts.support.as_ref().context("the running system has no account for Support")?;
        Ok((address, support))
    }
}

fn remove_nulls(value: &mut serde_json::Value) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(remove_nulls);
    }
}
