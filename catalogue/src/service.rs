//! The three services and their names.

use serde::{Deserialize, Serialize};

/// One of the three services: the writer of a record, the author of a change, or the receiver of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "service", derive(sqlx::Type, utoipa::ToSchema))]
#[cfg_attr(feature = "service", sqlx(type_name = "text", rename_all = "kebab-case"))]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The customers' shop.
    ShopApi,
    /// The sellers' CRM.
    CrmApi,
    /// The operators' and partners' MES.
    MesApi,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 3] = [Self::ShopApi, Self::CrmApi, Self::MesApi];

    /// The service of this name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The name of the program; also the `name` in its records, and a part of its indices' names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShopApi => "shop-api",
            Self::CrmApi => "crm-api",
            Self::MesApi => "mes-api",
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
