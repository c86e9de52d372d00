//! The passwords and keys of one data folder: made once, kept beside the data that they open.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::host::secret;
use crate::system::system_file::write_private;

const FILE: &str = "accounts.json";

/// Who logs in, and with what.
#[derive(Clone, Deserialize, Serialize)]
pub struct Login {
    /// The name of the account.
    pub login: String,
    /// Its password.
    pub password: String,
}

impl Login {
    fn new(login: &str) -> Result<Self> {
        Ok(Self { login: login.to_owned(), password: secret::random()? })
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Login").field("login", &self.login).finish_non_exhaustive()
    }
}

/// All accounts of one system. People's are named in `system.json` too.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Accounts {
    /// PostgreSQL's superuser.
    pub(crate) postgres: Login,
    pub(crate) seller: Login,
    pub(crate) operator: Login,
    pub(crate) second_operator: Login,
    pub(crate) support: Login,
    pub(crate) employee_without_role: Login,
    pub(crate) administrator: Login,
    pub(crate) shipper: Login,
    pub(crate) elastalert: Login,
    /// API keys by their owner's role. A service shows a key once, when it makes it.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, String>,
}

impl Accounts {
    /// The accounts of this data folder; new ones if it has none yet.
    pub(crate) fn load(data: &Path) -> Result<Self> {
        let path = data.join(FILE);
        let new = Self::new()?;
        if !path.exists() {
            new.save(data)?;
            return Ok(new);
        }
        let read = || {
            let kept: Map<String, Value> = serde_json::from_str(&fs::read_to_string(&path)?)?;
            // An account that came with a later version is new.
            let mut all = serde_json::to_value(new)?;
            kept.into_iter().for_each(|(name, account)| all[name] = account);
            anyhow::Ok(serde_json::from_value::<Self>(all)?)
        };
        let accounts = read().with_context(|| format!("reading {}", path.display()))?;
        accounts.save(data)?;
        Ok(accounts)
    }

    fn new() -> Result<Self> {
        Ok(Self {
            postgres: Login::new("postgres")?,
            seller: Login::new("seller")?,
            operator: Login::new("operator")?,
            second_operator: Login::new("second-operator")?,
            support: Login::new("support")?,
            employee_without_role: Login::new("employee")?,
            administrator: Login::new("administrator")?,
            shipper: Login::new("shipper")?,
            elastalert: Login::new("elastalert")?,
            keys: BTreeMap::new(),
        })
    }

    /// Keeps them for the next start.
    pub(crate) fn save(&self, data: &Path) -> Result<()> {
        write_private(&data.join(FILE), &serde_json::to_string_pretty(self)?)
    }
}
