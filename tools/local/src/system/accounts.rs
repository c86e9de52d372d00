//! The passwords and keys of one data folder. They are created once and stored next to the data that they open.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::host::{files, secret};

const FILE: &str = "accounts.json";

/// The name and the password of an account.
#[derive(Clone, Deserialize, Serialize)]
pub struct Login {
    /// The name of the account.
    pub login: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Login").field("login", &self.login).finish_non_exhaustive()
    }
}

/// All accounts of one system.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Accounts {
    /// PostgreSQL's superuser.
    pub(crate) postgres: Login,
    pub(crate) seller: Login,
    pub(crate) operator: Login,
    pub(crate) second_operator: Login,
    pub(crate) support: Login,
    pub(crate) auditor: Login,
    pub(crate) employee_without_role: Login,
    pub(crate) administrator: Login,
    pub(crate) shipper: Login,
    pub(crate) elastalert: Login,
    /// API keys by their role. A service shows a key only once, when it creates it.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, String>,
}

/// The fields of [`Accounts`] with their logins.
const LOGINS: [(&str, &str); 10] = [
    ("postgres", "postgres"),
    ("seller", "seller"),
    ("operator", "operator"),
    ("second_operator", "second-operator"),
    ("support", "support"),
    ("auditor", "auditor"),
    ("employee_without_role", "employee"),
    ("administrator", "administrator"),
    ("shipper", "shipper"),
    ("elastalert", "elastalert"),
];

impl Accounts {
    /// Reads the accounts of this data folder. Those that it doesn't have yet are created.
    pub(crate) fn load(data: &Path) -> Result<Self> {
        let path = data.join(FILE);
        let mut all: Map<String, Value> = Map::new();
        for (field, login) in LOGINS {
            let login = Login { login: login.to_owned(), password: secret::random()? };
            all.insert(field.to_owned(), serde_json::to_value(login)?);
        }
        let read = || {
            if path.exists() {
                all.extend(serde_json::from_str::<Map<String, Value>>(&fs::read_to_string(&path)?)?);
            }
            anyhow::Ok(serde_json::from_value::<Self>(Value::Object(all))?)
        };
        let accounts = read().with_context(|| format!("reading {}", path.display()))?;
        accounts.save(data)?;
        Ok(accounts)
    }

    /// Stores them for the next start.
    pub(crate) fn save(&self, data: &Path) -> Result<()> {
        files::write_private(&data.join(FILE), serde_json::to_string_pretty(self)? + "\n")
    }
}
